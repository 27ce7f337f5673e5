"""Search settings on digits in two workers, and tell how many threads have trained at the same time at the most.

Usage: search.py BACKEND FOLDER. Every process writes into a file of the folder how many threads it has, and when.
"""

import os
import sys
import threading
import time
import warnings
from pathlib import Path

import joblib
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from fastbp import MLPClassifier
from fastbp.threads import budget
from fastbp.training import engine

GRID = {"hidden_layer_sizes": [(64,), (100, 50)], "batch_size": [100, 200], "alpha": [1e-4, 1e-2, 1.0]}


class CountedMLP(MLPClassifier):
    """Has engines write down how many threads they hold."""

    def fit(self, X, y, sample_weight=None):
        count_engines(os.environ["COUNTED_IN"])
        return super().fit(X, y, sample_weight)


def count_engines(folder):
    if engine.Engine._hire.__name__ != "_hire":
        return
    # A machine that does many other things may need longer for a slice than others usually wait.
    budget._PATIENCE = 20.0
    path = Path(folder) / f"{os.getpid()}"
    lock, held = threading.Lock(), {}

    def note(key, threads):
        with lock, path.open("a") as file:
            held[key] = threads
            file.write(f"{time.monotonic()} {os.getpid()} {sum(held.values())} {int(threads == 0)}\n")

    def counted_hire(self, hire=engine.Engine._hire):
        hire(self)
        note(id(self), 1 + len(self._workers))

    def counted_close(self, close=engine.Engine.close):
        close(self)
        note(id(self), 0)

    engine.Engine._hire, engine.Engine.close = counted_hire, counted_close


def main() -> None:
    backend, folder = sys.argv[1:]
    os.environ["COUNTED_IN"] = folder
    warnings.simplefilter("ignore")  # trainings of a few epochs, and joblib about its own processes
    X, y = load_digits(return_X_y=True)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        search = GridSearchCV(CountedMLP(max_iter=20, random_state=0), GRID, cv=2, refit=False, error_score="raise")
        search.fit(X / 16, y)
    held, most, fits = {}, 0, 0
    events = [line.split() for path in Path(folder).iterdir() for line in path.read_text().splitlines()]
    for _, process, threads, ends in sorted(events, key=lambda event: float(event[0])):
        held[process] = int(threads)
        most = max(most, sum(held.values()))
        fits += int(ends)
    print(len(held), most, fits, sum(held.values()))


if __name__ == "__main__":
    main()
