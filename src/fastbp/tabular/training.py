"""Training a network on the features of a table.

First the number of epochs is found with a validation set, by its loss. Then the network is trained for as many epochs
on all training rows, validation rows included, from the same initial weights.
"""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from fastbp.kernels.functions.optimizers import Adam
from fastbp.mlp import MLP
from fastbp.network.samples import RowSource
from fastbp.tabular.errors import TableError, counted
from fastbp.tabular.inputs import Inputs
from fastbp.training.fit import Stopping

__all__ = ["Settings", "Trained", "split", "train_network"]

# A network needs so many steps; small tables get more epochs.
STEPS = 5_000
LEAST_EPOCHS, MOST_EPOCHS = 20, 500
# Tables of millions of rows need fewer epochs: so many rows, counted in each epoch, but a few epochs in any case.
MOST_ROWS_SEEN, FEWEST_EPOCHS = 20_000_000, 3
# Minibatches of tables with so few rows: the usual size would leave a step or two for each epoch.
SMALL_ROWS, SMALL_BATCH, USUAL_BATCH = 5_000, 32, 200
# Classes of larger tables have their shares in a random part, anyway, and stratifying takes memory.
MOST_ROWS_STRATIFIED = 1_000_000
# Inputs of up to this size are one matrix in memory, more are made a block of rows at a time.
MOST_BYTES_OF_A_MATRIX = 1 << 27


@dataclass(frozen=True)
class Settings:
    """The network and its training; the names are the command line's.

    Attributes
    ----------
    hidden : tuple of int
        Widths of the hidden layers; empty for a linear model.
    epochs : int or None
        Most passes over the training rows. None: as many as a few thousand steps take, at least 20; fewer for
        millions of rows.
    patience : int or None
        Stop after this many epochs without improvement. None: a tenth of the most, at least 10.
    batch_size : int or None
        None: 200, or 32 for small tables.
    learning_rate : float
    weight_decay : float
        Strength of the L2 penalty.
    activation : str
    dtype : "float32" or "float64"
    validation_fraction : float
        Share of the training rows that scores the epochs; 0 for none.
    seed : int
    n_threads : int or None
        None lets fastbp choose.
    """

    hidden: tuple[int, ...] = (256, 256)
    epochs: int | None = None
    patience: int | None = None
    batch_size: int | None = None
    learning_rate: float = 0.001
    weight_decay: float = 0.0001
    activation: str = "relu"
    dtype: str = "float32"
    validation_fraction: float = 0.1
    seed: int = 0
    n_threads: int | None = None

    def batch(self, n_rows: int) -> int:
        """Return the rows of a minibatch."""
        return self.batch_size or (SMALL_BATCH if n_rows < SMALL_ROWS else USUAL_BATCH)

    def most_epochs(self, n_rows: int) -> int:
        """Return the largest number of epochs."""
        steps = math.ceil(n_rows / self.batch(n_rows))
        least = min(max(MOST_ROWS_SEEN // n_rows, FEWEST_EPOCHS), LEAST_EPOCHS)
        return self.epochs or min(max(math.ceil(STEPS / steps), least), MOST_EPOCHS)


@dataclass(frozen=True)
class Trained:
    """A trained network, and how it came about.

    Attributes
    ----------
    network : MLP
    epochs : int
        Epochs of the network.
    best_loss : float or None
        Loss on the validation rows after as many epochs; None without validation.
    ending : str
        Why there were no more epochs; empty if there were all.
    interrupted : bool
        Whether Ctrl-C ended the training.
    """

    network: MLP
    epochs: int
    best_loss: float | None
    ending: str
    interrupted: bool
    notes: list[str]


def split(y: np.ndarray, fraction: float, seed: int, *, stratify: bool) -> tuple[np.ndarray, np.ndarray]:
    """Split rows at random into two sets; returns the numbers of the rows, ascending.

    In tables of up to a million rows, every class has the share in the second set, as far as it has two rows; single
    rows stay in the first.

    Parameters
    ----------
    y : ndarray (n,)
        Targets; class numbers if `stratify`.
    fraction : float
        Share of the second set; 0 leaves it empty.
    """
    rows = np.arange(len(y))
    wanted = round(fraction * len(y))
    if wanted == 0:
        return rows, rows[:0]
    if len(y) > MOST_ROWS_STRATIFIED:
        second = np.zeros(len(y), dtype=bool)
        second[np.random.default_rng(seed).choice(len(y), wanted, replace=False)] = True
        return np.flatnonzero(~second), np.flatnonzero(second)
    rare = np.zeros(len(y), dtype=bool)
    if stratify:
        rare = np.bincount(y)[y] < 2
        n_classes = len(np.unique(y[~rare]))
        stratify = wanted >= n_classes and len(y) - wanted - rare.sum() >= n_classes
    common = rows[~rare]
    if len(common) - wanted < 1:
        return rows, rows[:0]
    first, last = train_test_split(
        common, test_size=wanted, random_state=seed, stratify=y[common] if stratify else None
    )
    return np.sort(np.concatenate([first, rows[rare]])), np.sort(last)


def train_network(x: Inputs, y: np.ndarray, n_fitting: int, loss: str, n_outputs: int, settings: Settings) -> Trained:
    """Train a network.

    Parameters
    ----------
    x : Inputs [read]
        The validation rows come last.
    y : ndarray, (n,) [read]
        Targets: numbers, class numbers, or 0 and 1.
    n_fitting : int
        Rows before the validation rows; n for none.
    loss : str
    n_outputs : int
    settings : Settings

    Raises
    ------
    TableError
        If the training diverges.
    """
    try:
        if n_fitting == x.shape[0]:
            return _train_once(x, y, loss, n_outputs, settings)
        return _train_twice(x, y, n_fitting, loss, n_outputs, settings)
    except ValueError as error:
        if "non-finite" not in str(error).lower():
            raise
        raise TableError("the training diverged; try a smaller --learning-rate") from error


def _train_once(x: Inputs, y: np.ndarray, loss: str, n_outputs: int, settings: Settings) -> Trained:
    """Train for all epochs, without a validation set."""
    epochs = settings.most_epochs(len(y))
    network, notes = _fit(x, y, epochs, settings.batch(len(y)), loss, n_outputs, settings)
    interrupted = network.history.stop_reason == "interrupted"
    if interrupted and not network.history.n_iter:
        raise KeyboardInterrupt  # nothing is learned yet
    ending = f"interrupted: {counted(epochs, 'epoch')} asked for" if interrupted else ""
    return Trained(network, network.history.n_iter, None, ending, interrupted, notes)


def _train_twice(x: Inputs, y: np.ndarray, n_fitting: int, loss: str, n_outputs: int, settings: Settings) -> Trained:
    """Find the number of epochs with the validation rows, then train on them, too."""
    epochs = settings.most_epochs(n_fitting)
    patience = settings.patience or max(10, epochs // 10)
    batch = settings.batch(n_fitting)
    stopping = Stopping(tol=0.0, n_iter_no_change=patience)
    fitting, rest = slice(n_fitting), slice(n_fitting, None)
    validation = (_matrix_if_small(x.part(rest)), y[rest])
    network, notes = _fit(
        x.part(fitting), y[fitting], epochs, batch, loss, n_outputs, settings, stopping=stopping, validation=validation
    )
    history = network.history
    scores = np.asarray(history.validation_scores, dtype=np.float64)
    finite = np.isfinite(scores)
    best = int(np.nanargmax(np.where(finite, scores, np.nan))) + 1 if finite.any() else 0
    best_loss = -float(scores[best - 1]) if best else None
    if history.stop_reason == "interrupted":
        if not best:
            raise KeyboardInterrupt  # nothing is learned yet
        return Trained(network, best, best_loss, f"interrupted: {counted(epochs, 'epoch')} asked for", True, notes)
    ending = ""
    if history.stop_reason == "diverged":
        ending = "stopped: the loss was not finite any more; try a smaller --learning-rate"
    elif history.n_iter < epochs:
        ending = f"stopped early: no improvement for {counted(patience, 'epoch')}"
    if not best:
        return Trained(network, best, best_loss, ending, False, notes)
    try:
        final, more = _fit(x, y, best, batch, loss, n_outputs, settings)
        interrupted = final.history.stop_reason == "interrupted"
    except KeyboardInterrupt:
        interrupted = True
    if interrupted:  # the network before it has seen more epochs
        return Trained(network, best, best_loss, "interrupted in the second training", True, notes)
    return Trained(final, best, best_loss, ending, False, notes + more)


def _matrix_if_small(x: Inputs) -> np.ndarray | RowSource:
    return x.rows(np.arange(x.shape[0])) if x.nbytes <= MOST_BYTES_OF_A_MATRIX else x


def _fit(
    x: Inputs,
    y: np.ndarray,
    epochs: int,
    batch: int,
    loss: str,
    n_outputs: int,
    settings: Settings,
    **validation: Any,
) -> tuple[MLP, list[str]]:
    """Train a new network; returns it with the warnings of its training."""
    sizes = (x.shape[1], *settings.hidden, n_outputs)
    network = MLP(sizes, activation=settings.activation, loss=loss, dtype=settings.dtype, seed=settings.seed)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        network.fit(
            _matrix_if_small(x),
            y,
            epochs=epochs,
            batch_size=batch,
            optimizer=Adam(settings.learning_rate),
            weight_decay=settings.weight_decay,
            n_threads=settings.n_threads,
            **validation,
        )
    return network, [str(warning.message) for warning in caught if "interrupted" not in str(warning.message)]
