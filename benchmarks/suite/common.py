"""Data, bounds and pairs of times, shared by the suite. Only add to this file, and do not change what is there."""

import time
from collections.abc import Callable
from functools import cache
from inspect import signature
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

import fastbp.kernels
from benchmarks.common import Problem, make_problem
from benchmarks.trainings import TRAININGS

# Rows, inputs and outputs of a dense layer. The smallest takes 0.1 ms, so that a single call can be timed.
SHAPES = {
    "m128_k256_n256": (128, 256, 256),
    "m200_k784_n100": (200, 784, 100),
    "m512_k512_n512": (512, 512, 512),
}
# OpenBLAS threads spin for a while when they are idle, and would take a CPU from the next call.
_REST = 0.1
_PAIRS = 5


class Layer(NamedTuple):
    """Operands of a dense layer: input (the output of a ReLU), weights, biases, and the gradient of its result."""

    x: np.ndarray
    w: np.ndarray
    b: np.ndarray
    dz: np.ndarray


@cache
def layer(shape: str, dtype: str) -> Layer:
    """Return random operands of the shape of that name."""
    m, k, n = SHAPES[shape]
    rng = np.random.RandomState(0)
    x, w, b, dz = (rng.standard_normal(size).astype(dtype) for size in ((m, k), (k, n), (n,), (m, n)))
    return Layer(np.maximum(x, 0), w, b, dz)


@cache
def problem(network: str) -> Problem:
    """Return the data for a training of `TRAININGS`."""
    workload, steps, _ = TRAININGS[network]
    return make_problem(workload, steps, np.float32)


def assert_product(found: np.ndarray, exact: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    """Raise unless `found` is the product a @ b up to rounding; `exact` is the same product in float64."""
    bound = 2 * a.shape[1] * np.finfo(found.dtype).eps * (abs(a).astype(np.float64) @ abs(b))
    worst = float(np.max(abs(found - exact) - bound))
    if not worst <= 0:
        raise AssertionError(f"a product is off by {worst:.3g} more than rounding allows")


def median_ratio(ours: Callable[[], float], theirs: Callable[[], float]) -> float:
    """Return the median ratio of the seconds that `ours()` and `theirs()` return, measured in pairs."""

    def rested(work: Callable[[], float]) -> float:
        time.sleep(_REST)
        return work()

    ours(), theirs()
    ratios = []
    for number in range(_PAIRS):
        if number % 2:
            denominator = rested(theirs)
            ratios.append(rested(ours) / denominator)
        else:
            numerator = rested(ours)
            ratios.append(numerator / rested(theirs))
    return float(np.median(ratios))


def _old_name(function: Callable) -> Callable:
    """Accept `activation` for `x_activation` (its name since 0.6): asv identifies benchmarks by their source code."""
    if "x_activation" not in signature(function).parameters:
        return function
    return lambda *args, activation, **keywords: function(*args, x_activation=activation, **keywords)


kernels = SimpleNamespace(
    matmul=fastbp.kernels.matmul,
    linear=fastbp.kernels.linear,
    linear_backward=_old_name(fastbp.kernels.linear_backward),
    linear_backward_update=_old_name(fastbp.kernels.linear_backward_update),
    LinearState=fastbp.kernels.LinearState,
)
