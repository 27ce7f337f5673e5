"""Startup: imports, and the first fit, with code to compile and with code to load."""

import numpy as np

import refbp
from fastbp import MLP

_FIT = """
import numpy as np
from fastbp import MLP
x = np.linspace(-1, 1, 32, dtype=np.float32)[:, None]
net = MLP((1, 8, 1), seed=0)
net.partial_fit(x, x * x, shuffle=False)
loss = net.history.loss
"""
_EMPTY_CACHE = """
import atexit, os, shutil, tempfile
os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp()
atexit.register(shutil.rmtree, os.environ["NUMBA_CACHE_DIR"], ignore_errors=True)
"""


def setup_cache():
    """Compile, and compare the loss of the first step with refbp's."""
    names = {}
    exec(_FIT, names)
    untrained = MLP((1, 8, 1), seed=0)
    weights, biases = ([p.astype(np.float64) for p in params] for params in (untrained.weights, untrained.biases))
    x = names["x"].astype(np.float64)
    exact, _ = refbp.loss_and_gradient(weights, biases, x, x * x, activation="relu", loss="squared_error")
    np.testing.assert_allclose(names["loss"], exact, rtol=64 * np.finfo(np.float32).eps)


class Process:
    """Each measurement is a new process; the start of the interpreter is not counted."""

    repeat = (3, 5, 3.0)
    warmup_time = 0
    number = 1
    rounds = 1

    def timeraw_import(self):
        return "import fastbp, numpy, numba"

    def timeraw_import_estimators(self):
        return "from fastbp import MLPClassifier"

    def timeraw_first_step_warm_cache(self):
        return _FIT

    def timeraw_first_step_cold_cache(self):
        return _FIT, _EMPTY_CACHE

    timeraw_first_step_cold_cache.repeat = 1
