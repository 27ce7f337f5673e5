"""exp, log, tanh and logistic function of whole vectors beside a loop that calls libm for each element, on one core.

    python -m benchmarks.vmath

Arguments and results stay in L1. The loop is what a plain Numba function gives: `math.exp`, `math.log`, `math.tanh` and
`1 / (1 + math.exp(-x))`, without fast-math flags. Both are checked before they are timed: the largest error of the
vectors on the sample is printed, in units of the last place.
"""

import argparse
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np

from benchmarks.common import cpus, seconds
from fastbp.kernels.vectors.simd import lanes_of, load, pointer, store
from fastbp.kernels.vectors.vmath import vexp, vlog, vlogistic, vtanh

# Not `fastbp.compiler.jit`: its disk cache is keyed by the sources of the package, which this file is not one of.
jit = numba.njit(nogil=True, error_model="numpy")

L1_BYTES = 8192  # of arguments, and as many of results
# Over the arguments in one timing: of both about as long, and much shorter than a slice of the scheduler.
VECTOR_PASSES, SCALAR_PASSES = 100, 20
MOST_ULP = 2.0


@jit
def _logistic(x):
    one = type(x)(1)
    return one / (one + math.exp(-x))


class Function(NamedTuple):
    """A function as it is measured: of vectors, of numbers, of arrays in a wider type, and its arguments."""

    vector: Any
    scalar: Any
    exact: Callable[[np.ndarray], np.ndarray]
    low: float
    high: float


FUNCTIONS = {
    "exp": Function(vexp, jit(lambda x: math.exp(x)), np.exp, -10, 10),
    "log": Function(vlog, jit(lambda x: math.log(x)), np.log, 1e-3, 1e3),
    "tanh": Function(vtanh, jit(lambda x: math.tanh(x)), np.tanh, -4, 4),
    "logistic": Function(vlogistic, _logistic, lambda x: 1 / (1 + np.exp(-x)), -10, 10),
}


def _of_vectors(function: Any) -> Callable[[np.ndarray, np.ndarray, int], None]:
    @jit
    def apply(out, x, passes):
        target, source = pointer(out), pointer(x)
        for _ in range(passes):
            for i in range(0, x.size, lanes_of(source)):
                store(target, i, function(load(source, i)))

    return apply


def _of_numbers(function: Any) -> Callable[[np.ndarray, np.ndarray, int], None]:
    @jit
    def apply(out, x, passes):
        for _ in range(passes):
            for i in range(x.size):
                out[i] = function(x[i])

    return apply


def ulp_error(out: np.ndarray, exact: np.ndarray) -> float:
    """Return the largest error in units of the last place."""
    return float(np.max(abs(out - exact) / np.spacing(abs(exact).astype(out.dtype))))


def measure(name: str, dtype: type, rounds: int) -> None:
    """Print the figures of one function: medians over rounds, in which both have their turn."""
    function = FUNCTIONS[name]
    size = L1_BYTES // np.dtype(dtype).itemsize
    x = np.random.default_rng(0).uniform(function.low, function.high, size).astype(dtype)
    out = np.empty_like(x)
    ours, theirs = _of_vectors(function.vector), _of_numbers(function.scalar)
    exact = function.exact(x.astype(np.float64 if dtype is np.float32 else np.longdouble))
    theirs(out, x, 1)
    assert ulp_error(out, exact) <= MOST_ULP
    ours(out, x, 1)
    error = ulp_error(out, exact)
    assert error <= MOST_ULP
    us, them = [], []
    for _ in range(rounds):
        us.append(seconds(lambda: ours(out, x, VECTOR_PASSES)) / (VECTOR_PASSES * size) * 1e9)
        them.append(seconds(lambda: theirs(out, x, SCALAR_PASSES)) / (SCALAR_PASSES * size) * 1e9)
    ratios = np.array(them) / us
    print(
        f"{np.dtype(dtype).name} {name:8}   {np.median(us):6.3f} ns   libm {np.median(them):6.3f} ns   "
        f"{np.median(ratios):5.1f} times (worst {ratios.min():.1f})   {error:.2f} ulp",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=101)
    options = parser.parse_args()
    with cpus(1):
        for dtype in (np.float32, np.float64):
            for name in FUNCTIONS:
                measure(name, dtype, options.rounds)


if __name__ == "__main__":
    main()
