"""Use the kernels and print the results; for tests of compilation and of the cache on disk.

Usage: cached.py [import] [product DTYPE] [training DTYPE]. Prints one line for each result, one for each warning, and
one with the names of the functions that were compiled.
"""

import hashlib
import importlib
import sys
import warnings

import numpy as np
from numba.core import event


class Compilations(event.Listener):
    """The names of the functions that Numba compiles."""

    def __init__(self):
        self.names = []

    def on_start(self, event):
        self.names.append(event.data["dispatcher"].py_func.__qualname__)

    def on_end(self, event):
        pass


def product(dtype: str) -> np.ndarray:
    from fastbp.kernels import matmul

    a = np.random.default_rng(0).standard_normal((20, 30)).astype(dtype)
    result = matmul(a, a.T)
    np.testing.assert_allclose(result, a @ a.T, rtol=1e-3, atol=1e-3)
    return result


def training(dtype: str) -> np.ndarray:
    from support.networks import make_optimizer, make_problem, train

    problem = make_problem(np.random.default_rng(0), (5, 7, 3), dtype=dtype)
    return train(problem, make_optimizer("Adam")).params[0]


def main(what: str, *dtype: str) -> None:
    compilations = Compilations()
    event.register("numba:compile", compilations)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for name in ("fastbp", "fastbp.kernels", "fastbp.training.session", "fastbp.training.fit"):
            importlib.import_module(name)
        if what != "import":
            result = {"product": product, "training": training}[what](*dtype)
            print("result", hashlib.sha256(result.tobytes()).hexdigest())
    for warning in caught:
        print("warning", warning.category.__name__, warning.message)
    print("compiled", *compilations.names)


if __name__ == "__main__":
    main(*sys.argv[1:])
