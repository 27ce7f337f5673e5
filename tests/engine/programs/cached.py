"""Do something with the kernels and say what came out; for tests of the cache on disk.

Usage: cached.py [import] [product DTYPE] [training DTYPE]. Prints one line for each warning, and one for each result.
"""

import hashlib
import importlib
import sys
import warnings

import numpy as np


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


def main() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for name in ("fastbp", "fastbp.kernels", "fastbp.training.session", "fastbp.training.fit"):
            importlib.import_module(name)

        if sys.argv[1] != "import":
            function = {"product": product, "training": training}[sys.argv[1]]
            print("result", hashlib.sha256(function(sys.argv[2]).tobytes()).hexdigest())
    for warning in caught:
        print("warning", warning.category.__name__, warning.message)


if __name__ == "__main__":
    main()
