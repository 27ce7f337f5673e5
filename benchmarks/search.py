"""`GridSearchCV(n_jobs=2)` over twelve settings on digits, beside scikit-learn's perceptron in the same search.

python -m benchmarks.search
python -m benchmarks.search --rounds 5 --backend loky

Searches alternate. Before anything is timed, the scores of all fits and the best settings of one search of each are
compared; meanwhile, the threads that are running are counted, a hundred times a second. Then come the timed searches:
with workers that have trained before, and for "loky" also with new ones, which have everything to import.
"""

import argparse
import multiprocessing
import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
from joblib.externals.loky import get_reusable_executor
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier as Rival

from benchmarks.common import seconds
from fastbp import MLPClassifier

WORKERS = 2
# Seconds in which idle threads of OpenBLAS, which spin for a while, fall asleep.
REST = 0.3
GRIDS = {
    "minibatches of 32 and 200": {
        "hidden_layer_sizes": [(32,), (64,)],
        "batch_size": [32, 200],
        "alpha": [1e-4, 1e-2, 1.0],
    },
    "minibatches of 200": {
        "hidden_layer_sizes": [(50,), (100,)],
        "learning_rate_init": [1e-3, 1e-2],
        "alpha": [1e-4, 1e-2, 1.0],
    },
}
BACKENDS = ("loky", "threading")


class Crowd(NamedTuple):
    """Threads of this process and its children that were running or waiting for a CPU."""

    mean: float
    most: int


def _fields(path: Path) -> list[str]:
    """Fields of a file ``stat`` of a process or thread after its name: state, parent, and so on."""
    return path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()


def _family(parent: int) -> list[int]:
    children = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if int(_fields(path / "stat")[1]) == parent and int(path.name) != os.getpid():
                children.append(int(path.name))
        except OSError:  # it has just ended
            continue
    return [parent, *children]


def _running(process: int) -> int:
    count = 0
    for path in Path(f"/proc/{process}/task").glob("[0-9]*"):
        try:
            count += _fields(path / "stat")[0] == "R"
        except OSError:
            continue
    return count


def _look_on(parent: int, connection: Connection) -> None:
    """Say that it begins, count until told to end, and send what was seen."""
    connection.send(None)
    seen = []
    while not connection.poll(0.01):
        seen.append(sum(map(_running, _family(parent))))
    connection.send(seen)


@contextmanager
def onlooker() -> Iterator[list[int]]:
    """Fill a list with the numbers of running threads, one for every look, by a process of its own."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_look_on, args=(os.getpid(), theirs), daemon=True)
    process.start()
    ours.recv()
    seen: list[int] = []
    try:
        yield seen
    finally:
        ours.send(None)
        seen.extend(ours.recv())
        process.join()


def search(kind: type, grid: dict, backend: str, x: np.ndarray, y: np.ndarray) -> GridSearchCV:
    """Run one search."""
    with joblib.parallel_config(backend=backend, n_jobs=WORKERS):
        return GridSearchCV(kind(random_state=0), grid, error_score="raise").fit(x, y)


def compare(ours: GridSearchCV, theirs: GridSearchCV) -> None:
    """Raise if two searches have come to different results."""
    for name in (name for name in theirs.cv_results_ if name.endswith("_test_score")):
        np.testing.assert_allclose(ours.cv_results_[name], theirs.cv_results_[name], rtol=0, atol=1e-12, err_msg=name)
    if ours.best_params_ != theirs.best_params_:
        raise AssertionError(f"best settings: {ours.best_params_} and {theirs.best_params_}")


def watched(kind: type, *arguments: object) -> tuple[GridSearchCV, Crowd]:
    """Run one search, and count the threads meanwhile."""
    time.sleep(REST)
    with onlooker() as seen:
        result = search(kind, *arguments)
    return result, Crowd(float(np.mean(seen)), max(seen))


def timed(rounds: int, *arguments: object, new_workers: bool) -> tuple[float, float, list[float]]:
    """Return the median times of both, and the ratios of all rounds."""
    times = []
    for turn in range(rounds):
        pair = {}
        for kind in (MLPClassifier, Rival) if turn % 2 else (Rival, MLPClassifier):
            if new_workers:
                get_reusable_executor().shutdown(wait=True)
            time.sleep(REST)
            pair[kind] = seconds(lambda kind=kind: search(kind, *arguments))
        times.append((pair[MLPClassifier], pair[Rival]))
    ours, theirs = np.median(times, axis=0)
    return ours, theirs, [theirs / ours for ours, theirs in times]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backend", choices=BACKENDS, action="append", help="repeatable; both unless said")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    os.environ["PYTHONWARNINGS"] = "ignore"  # for the workers
    x, y = load_digits(return_X_y=True)
    x /= 16
    print(f"{os.cpu_count()} CPUs; seconds are medians of {options.rounds} searches of 60 fits and one more")
    for name, grid in GRIDS.items():
        for backend in options.backend or BACKENDS:
            arguments = (grid, backend, x, y)
            search(MLPClassifier, *arguments)
            (ours, our_crowd), (theirs, their_crowd) = (watched(kind, *arguments) for kind in (MLPClassifier, Rival))
            compare(ours, theirs)
            print(f"\n{name}, {backend}: equal scores, best {theirs.best_params_}")
            print(f"  running threads, mean and most: fastbp {our_crowd.mean:.1f} {our_crowd.most}, ", end="")
            print(f"scikit-learn {their_crowd.mean:.1f} {their_crowd.most}", flush=True)
            for new_workers in (False, True) if backend == "loky" else (False,):
                our_time, their_time, ratios = timed(options.rounds, *arguments, new_workers=new_workers)
                print(f"  {'new workers' if new_workers else 'warm'}: fastbp {our_time:.2f} s, ", end="")
                print(f"scikit-learn {their_time:.2f} s, ", end="")
                print(f"ratio {np.median(ratios):.2f} (worst {min(ratios):.2f})", flush=True)


if __name__ == "__main__":
    main()
