"""``fastbp demo``: the same training with fastbp and with scikit-learn, side by side."""

import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

import fastbp
from fastbp.cli._console import add_row, duration, new_table, open_console, say, show_table
from fastbp.cli._progress import watch_training
from fastbp.tabular.errors import counted

TEST_FRACTION = 0.25
BRIGHTEST = 16.0


@dataclass(frozen=True)
class Run:
    """One training: how long the first call took, how long the measured one, and what came out."""

    first_seconds: float
    seconds: float
    n_epochs: int
    loss: float
    accuracy: float


def demo(hidden: tuple[int, ...], epochs: int, dtype: str, seed: int) -> None:
    """Train both networks on the handwritten digits and print the times.

    Parameters
    ----------
    hidden : tuple of int
    epochs : int
        Exactly this many: nothing stops early.
    dtype : "float32" or "float64"
    seed : int
        For the split and for both networks.
    """
    console = open_console()
    digits = load_digits()
    images = (digits.data / BRIGHTEST).astype(np.dtype(dtype))
    split = train_test_split(images, digits.target, test_size=TEST_FRACTION, random_state=seed)
    say(
        console,
        f"handwritten digits: {len(split[0]):,} training and {len(split[1]):,} test images of 8 x 8 pixels; "
        f"hidden layers {'-'.join(map(str, hidden))}, {counted(epochs, 'epoch')}, {dtype}",
    )
    options: dict[str, Any] = {
        "hidden_layer_sizes": hidden,
        "max_iter": epochs,
        "n_iter_no_change": epochs,
        "tol": 0.0,
        "random_state": seed,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        ours = _run_ours(console, fastbp.MLPClassifier(**options), split)
        theirs = _run_theirs(console, MLPClassifier(**options), split)
    _show(console, ours, theirs)


def _run_ours(console: Console, model: Any, split: list[np.ndarray]) -> Run:
    with console.status("fastbp: compiling the kernels (first run only)"):
        first_seconds = _first_fit(model, split)
    with watch_training(console, model.max_iter, "fastbp"):
        return _measured_fit(model, split, first_seconds)


def _run_theirs(console: Console, model: Any, split: list[np.ndarray]) -> Run:
    """Train with as many BLAS threads as there are and with one, and return the faster: which it is, varies."""
    runs = []
    with console.status("scikit-learn: training"):
        for threads in (None, 1):
            with threadpool_limits(limits=threads):
                runs.append(_measured_fit(model, split, _first_fit(model, split)))
    return min(runs, key=lambda run: run.seconds)


def _first_fit(model: Any, split: list[np.ndarray]) -> float:
    epochs = model.max_iter
    start = time.perf_counter()
    model.set_params(max_iter=1).fit(split[0], split[2])
    seconds = time.perf_counter() - start
    model.set_params(max_iter=epochs)
    return seconds


def _measured_fit(model: Any, split: list[np.ndarray], first_seconds: float) -> Run:
    x_train, x_test, y_train, y_test = split
    start = time.perf_counter()
    model.fit(x_train, y_train)
    seconds = time.perf_counter() - start
    return Run(first_seconds, seconds, model.n_iter_, model.loss_, model.score(x_test, y_test))


def _show(console: Console, ours: Run, theirs: Run) -> None:
    table = new_table("", "fastbp", "scikit-learn")
    runs = (ours, theirs)
    add_row(table, "test accuracy", *(f"{run.accuracy:.4f}" for run in runs))
    add_row(table, "training loss", *(f"{run.loss:.5f}" for run in runs))
    add_row(table, "first call (1 epoch; compiles)", *(duration(run.first_seconds) for run in runs))
    add_row(table, "training", *(duration(run.seconds) for run in runs))
    add_row(table, "per epoch", *(duration(run.seconds / run.n_epochs) for run in runs))
    show_table(console, "Digits", table)
    ratio = theirs.seconds / ours.seconds
    if ratio >= 1.0:
        say(console, f"fastbp trained {ratio:.1f} times as fast as scikit-learn", style="bold")
    else:
        say(console, f"scikit-learn trained {1.0 / ratio:.1f} times as fast as fastbp here", style="bold")
