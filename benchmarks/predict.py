"""`predict_proba` beside scikit-learn's: a single row, and a hundred thousand.

python -m benchmarks.predict

Both estimators have the same weights: fastbp's are put into a scikit-learn model. The probabilities are compared
first, and calls alternate.
"""

import time
import warnings

import numpy as np
from sklearn.neural_network import MLPClassifier as Rival

from benchmarks.common import seconds
from fastbp import MLPClassifier

HIDDEN = ((16,), (100,), (256, 256), (512, 512, 512))
FEATURES, CLASSES = 50, 10
ROWS = (1, 100_000)
ROUNDS = 15
# Seconds: threads of OpenBLAS spin for a while when they have nothing left to do, and would take a CPU from fastbp's.
REST = 0.3


def fitted(hidden: tuple[int, ...], dtype: str) -> tuple[MLPClassifier, Rival]:
    """Return two estimators with the same weights."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((500, FEATURES)).astype(dtype)
    y = np.arange(500) % CLASSES
    ours, theirs = (kind(hidden, max_iter=1, random_state=0).fit(x, y) for kind in (MLPClassifier, Rival))
    theirs.coefs_, theirs.intercepts_ = ours.coefs_, ours.intercepts_
    return ours, theirs


def compare(ours: MLPClassifier, theirs: Rival, x: np.ndarray) -> tuple[float, float, list[float]]:
    """Return the median times of both and the ratios of all rounds, once the results have been found equal."""
    tolerance = 1e3 * np.finfo(x.dtype).eps
    np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), rtol=0, atol=tolerance)
    calls = max(2, 1000 // len(x))

    def best(model: MLPClassifier | Rival) -> float:
        time.sleep(REST)
        return min(seconds(lambda: model.predict_proba(x)) for _ in range(calls))

    times = [(best(ours), best(theirs)) for _ in range(ROUNDS)]
    our_time, their_time = np.median(times, axis=0)
    return our_time, their_time, [theirs / ours for ours, theirs in times]


def main() -> None:
    warnings.simplefilter("ignore")
    for dtype in ("float32", "float64"):
        for hidden in HIDDEN:
            models = fitted(hidden, dtype)
            for rows in ROWS:
                x = np.random.default_rng(1).standard_normal((rows, FEATURES)).astype(dtype)
                ours, theirs, ratios = compare(*models, x)
                print(
                    f"{dtype} {FEATURES}-{'-'.join(map(str, hidden))}-{CLASSES}, {rows:6} rows: {1e6 * ours:9.1f} us, "
                    f"scikit-learn {1e6 * theirs:9.1f} us, ratio {np.median(ratios):.2f} (worst {min(ratios):.2f})",
                    flush=True,
                )


if __name__ == "__main__":
    main()
