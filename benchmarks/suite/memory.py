"""Peak resident memory of processes that fit and predict. `peakmem_reference` is what all of them need."""

from functools import cache

import numpy as np

import refbp
from fastbp import MLP

_SIZES = (784, 256, 128, 10)
_ROWS, _BATCH = 20_000, 128


@cache
def _data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.eye(_SIZES[-1], dtype=np.float32)[rng.integers(_SIZES[-1], size=_ROWS)]
    return rng.random((_ROWS, _SIZES[0]), dtype=np.float32), y


def setup_cache():
    """Compile, and compare a prediction with refbp's: what is compiled is loaded later, without a compiler."""
    benchmark = Process()
    benchmark.setup()
    benchmark.peakmem_fit()
    benchmark.peakmem_predict()
    weights, biases = (
        [p.astype(np.float64) for p in params] for params in (benchmark.net.weights, benchmark.net.biases)
    )
    x = benchmark.x[:_BATCH].astype(np.float64)
    exact = refbp.predict(weights, biases, x, activation="relu", output="softmax")
    np.testing.assert_allclose(benchmark.net.predict(benchmark.x[:_BATCH]), exact, atol=1e3 * np.finfo(np.float32).eps)


class Process:
    """784-256-128-10 on 20,000 rows, one epoch."""

    def setup(self):
        self.x, self.y = _data()
        self.net = MLP(_SIZES, loss="log_loss", seed=0)

    def peakmem_reference(self):
        """Interpreter, imports, data, and a network."""

    def peakmem_fit(self):
        self.net.partial_fit(self.x, self.y, batch_size=_BATCH)

    def peakmem_predict(self):
        self.net.predict(self.x)
