"""`predict_proba` compared with scikit-learn's, for a single row and for a hundred thousand.

python -m benchmarks.predict

Both estimators have the same weights. Their probabilities are compared first.
"""

import warnings

import numpy as np
from sklearn.neural_network import MLPClassifier as Rival

from benchmarks.common import alternately, ratios_text
from fastbp import MLPClassifier

HIDDEN = ((16,), (100,), (256, 256), (512, 512, 512))
FEATURES, CLASSES = 50, 10
ROWS = (1, 100_000)


def fitted(hidden: tuple[int, ...], dtype: str) -> tuple[MLPClassifier, Rival]:
    """Return two estimators with the same weights."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((500, FEATURES)).astype(dtype)
    y = np.arange(500) % CLASSES
    ours, theirs = (kind(hidden, max_iter=1, random_state=0).fit(x, y) for kind in (MLPClassifier, Rival))
    theirs.coefs_, theirs.intercepts_ = ours.coefs_, ours.intercepts_
    return ours, theirs


def compare(ours: MLPClassifier, theirs: Rival, x: np.ndarray) -> np.ndarray:
    """Check that the probabilities are equal, and return the seconds of all rounds."""
    tolerance = 1e3 * np.finfo(x.dtype).eps
    np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), rtol=0, atol=tolerance)
    calls = max(2, 1000 // len(x))
    return alternately(lambda: ours.predict_proba(x), lambda: theirs.predict_proba(x), 15, calls, rest=0.3)


def main() -> None:
    warnings.simplefilter("ignore")
    for dtype in ("float32", "float64"):
        for hidden in HIDDEN:
            models = fitted(hidden, dtype)
            for rows in ROWS:
                x = np.random.default_rng(1).standard_normal((rows, FEATURES)).astype(dtype)
                times = compare(*models, x)
                ours, theirs = 1e6 * np.median(times, axis=0)
                name = f"{dtype} {FEATURES}-{'-'.join(map(str, hidden))}-{CLASSES}, {rows:6} rows"
                print(f"{name}: {ours:9.1f} us, scikit-learn {theirs:9.1f} us, {ratios_text(times)}", flush=True)


if __name__ == "__main__":
    main()
