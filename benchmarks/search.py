"""`GridSearchCV(n_jobs=2)` over twelve settings on digits, compared with scikit-learn's MLP in the same search.

    python -m benchmarks.search
    python -m benchmarks.search --rounds 5 --backend loky

First, one search with each library is run in new workers; the scores of all fits and the best settings are compared,
and the ratio of processor time to wall time shows how many threads were busy. Then searches with both libraries are
timed alternately: with workers that have trained before, and for "loky" also with new ones, which have to import
everything.
"""

import argparse
import os
import time
import warnings
from functools import partial

import joblib
import numpy as np
from joblib.externals.loky import get_reusable_executor
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier as Rival

from benchmarks.common import alternately, ratios_text
from fastbp import MLPClassifier

WORKERS = 2
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


def search(kind: type, grid: dict, backend: str, *, new_workers: bool = False) -> GridSearchCV:
    """Run one search."""
    if new_workers:
        get_reusable_executor().shutdown(wait=True)
    x, y = load_digits(return_X_y=True)
    with joblib.parallel_config(backend=backend, n_jobs=WORKERS):
        return GridSearchCV(kind(random_state=0), grid, error_score="raise").fit(x / 16, y)


def busy_search(kind: type, grid: dict, backend: str) -> tuple[GridSearchCV, float]:
    """Run one search in new workers; returns it and how many threads were busy on average."""
    get_reusable_executor().shutdown(wait=True)
    before = os.times()
    result = search(kind, grid, backend)
    get_reusable_executor().shutdown(wait=True)  # the processor time of children is counted only after they have ended
    after = os.times()
    return result, (sum(after[:4]) - sum(before[:4])) / (after.elapsed - before.elapsed)


def compare(ours: GridSearchCV, theirs: GridSearchCV) -> None:
    """Raise if two searches have different results."""
    for name in (name for name in theirs.cv_results_ if name.endswith("_test_score")):
        np.testing.assert_allclose(ours.cv_results_[name], theirs.cv_results_[name], rtol=0, atol=1e-12, err_msg=name)
    if ours.best_params_ != theirs.best_params_:
        raise AssertionError(f"best settings: {ours.best_params_} and {theirs.best_params_}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backend", choices=BACKENDS, action="append", help="repeatable; both unless said")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    os.environ["PYTHONWARNINGS"] = "ignore"  # for the workers
    print(f"{os.cpu_count()} CPUs; seconds are medians of {options.rounds} searches of 60 fits and one more")
    for name, grid in GRIDS.items():
        for backend in options.backend or BACKENDS:
            search(MLPClassifier, grid, backend)  # compiles
            time.sleep(0.3)
            (ours, our_threads), (theirs, their_threads) = (
                busy_search(kind, grid, backend) for kind in (MLPClassifier, Rival)
            )
            compare(ours, theirs)
            print(f"\n{name}, {backend}: equal scores, best {theirs.best_params_}")
            print(f"  busy threads: fastbp {our_threads:.1f}, scikit-learn {their_threads:.1f}", flush=True)
            for new_workers in (False, True) if backend == "loky" else (False,):
                both = (
                    partial(search, kind, grid, backend, new_workers=new_workers) for kind in (MLPClassifier, Rival)
                )
                times = alternately(*both, options.rounds, rest=0.3)
                our_time, their_time = np.median(times, axis=0)
                print(f"  {'new workers' if new_workers else 'warm'}: fastbp {our_time:.2f} s, ", end="")
                print(f"scikit-learn {their_time:.2f} s, {ratios_text(times)}", flush=True)


if __name__ == "__main__":
    main()
