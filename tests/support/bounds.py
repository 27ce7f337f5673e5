"""How far a sum in floating point may be from the sum of the reals, and checks that hold results to it.

A sum of K products, in any order of additions and with or without fused multiply-adds, is off by at most
``gamma_K * sum(abs(a * b))`` with ``gamma_K = K u / (1 - K u)`` and u = eps / 2 (Higham, "Accuracy and Stability of
Numerical Algorithms", 2nd edition, section 3.1). The bounds here are in eps: twice that.

References are computed in float64 for float32 results, and in long double for float64 results.
"""

from collections.abc import Callable

import numpy as np

import refbp

LIPSCHITZ = {
    "identity": 1.0,
    "relu": 1.0,
    "tanh": 1.0,
    "logistic": 0.25,
    "gelu": 1.129,
    "silu": 1.1,
    "mish": 1.089,
    "selu": 1.7581,
    "elu": 1.0,
    "leaky_relu": 1.0,
    "softplus": 1.0,
}
"""Largest derivative of an activation."""

FUNCTION_ERROR = 3.0
"""Error in eps, relative to the result, that an elementwise function may add."""

EXACT = ("identity", "relu")
"""Activations that do not round."""


def function_error(activation: str) -> float:
    """Error in eps, relative to the result, that an activation may add: 0 for those that do not round.

    Measured, gelu, a polynomial's value times three rounded factors, is off by at most 4.2 eps, all others by 2.2.
    """
    if activation in EXACT:
        return 0.0
    return 2 * FUNCTION_ERROR if activation == "gelu" else FUNCTION_ERROR


def wide(a: np.ndarray) -> np.ndarray:
    """Return the values in the type that references are computed in."""
    return a.astype(np.float64 if a.dtype == np.float32 else np.longdouble)


def check_reference(ref: Callable) -> None:
    """Refuse to compare the package with itself."""
    module = ref.__module__ or ""
    assert module.startswith(("refbp", "numpy")), f"{module}.{ref.__qualname__} is no reference"


def assert_within(comp: np.ndarray, ref: np.ndarray, bound: np.ndarray, what: str = "result") -> None:
    """Assert abs(comp - ref) <= bound element by element; `ref` and `bound` in a wider type than `comp`."""
    assert comp.shape == ref.shape, f"{what}: shape {comp.shape} instead of {ref.shape}"
    error = np.abs(comp.astype(ref.dtype) - ref)
    bad = ~(error <= bound)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        raise AssertionError(
            f"{what}: {int(bad.sum())} of {bad.size} elements are off, first at {where}: {comp[where]!r} instead of "
            f"{ref[where]!r}, error {float(error[where]):.3g}, bound {float(bound[where]):.3g}"
        )


def check_matmul(comp: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    """Check a product by abs(C - ref) <= K eps (abs(A) @ abs(B))."""
    assert comp.dtype == a.dtype
    eps = np.finfo(a.dtype).eps
    assert_within(comp, wide(a) @ wide(b), a.shape[1] * eps * (np.abs(wide(a)) @ np.abs(wide(b))), "matmul")


def check_linear(comp: np.ndarray, x: np.ndarray, w: np.ndarray, b: np.ndarray | None, activation: str) -> None:
    """Check act(x @ w + b): the error of z through the slope of act, plus that of act itself."""
    ref_activation = refbp.ACTIVATIONS[activation].forward
    check_reference(ref_activation)
    eps = np.finfo(x.dtype).eps
    bias = np.zeros(w.shape[1], dtype=x.dtype) if b is None else b
    z = wide(x) @ wide(w) + wide(bias)
    z_bound = (x.shape[1] + 1) * eps * (np.abs(wide(x)) @ np.abs(wide(w)) + np.abs(wide(bias)))
    ref = ref_activation(z)
    slope = np.abs(ref) * np.exp(z_bound) if activation == "exp" else LIPSCHITZ[activation]
    # A result below the normal numbers has fewer digits.
    own = function_error(activation) * eps * np.maximum(np.abs(ref), np.finfo(x.dtype).smallest_normal)
    assert comp.dtype == x.dtype
    assert_within(comp, ref, slope * z_bound + own, f"linear, {activation}")


def ref_linear_backward(
    dz: np.ndarray, x: np.ndarray, w: np.ndarray, activation: str | None, weight_decay: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dx, dw and db of one layer from refbp: the last of a network whose output is dz and whose targets are zero."""
    check_reference(refbp.backward)
    dz, x, w = wide(dz), wide(x), wide(w)
    n = len(x)
    first = np.zeros((1, x.shape[1]), dtype=x.dtype)
    arrays = [np.zeros((n, 1), dtype=x.dtype), x, dz]
    gradients = refbp.backward(
        refbp.ForwardPass(arrays, arrays),
        [first, w],
        np.zeros_like(dz),
        activation=activation or "identity",
        weight_decay=weight_decay,
    )
    return gradients.deltas[0], gradients.dweights[1] * n, gradients.dbiases[1] * n


def backward_bounds(
    dz: np.ndarray, x: np.ndarray, w: np.ndarray, activation: str | None, weight_decay: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bounds of dx, dw and db: sums over n_out, n and n; the derivative from h, to an eps of 1; the decay term."""
    eps = np.finfo(x.dtype).eps
    dz, x, w = np.abs(wide(dz)), wide(x), np.abs(wide(w))
    sums = dz @ w.T
    slope = np.abs(refbp.ACTIVATIONS[activation or "identity"].backward(np.ones_like(x), x))
    dx = sums * ((dz.shape[1] + 2) * eps * slope + (0.0 if activation in (None, *EXACT) else 2 * eps))
    dw = (len(x) + 1) * eps * (np.abs(x).T @ dz + weight_decay * w)
    return dx, dw, len(x) * eps * dz.sum(axis=0)


def check_linear_backward(
    comp: tuple[np.ndarray, np.ndarray, np.ndarray],
    dz: np.ndarray,
    x: np.ndarray,
    w: np.ndarray,
    activation: str | None = None,
    weight_decay: float = 0.0,
) -> None:
    """Check dx, dw and db against refbp, each by its own bound."""
    refs = ref_linear_backward(dz, x, w, activation, weight_decay)
    bounds = backward_bounds(dz, x, w, activation, weight_decay)
    for name, result, ref, bound in zip(("dx", "dw", "db"), comp, refs, bounds, strict=True):
        assert result.dtype == x.dtype
        # A few units may all be dead by chance.
        assert ref.any() or ref.size < 16, f"{name} of the reference is all zero: nothing would be checked"
        assert_within(result, ref, bound, f"{name}, {activation}")


def check_by_projection(comp: np.ndarray, a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> None:
    """Check a large product in O(n^2) as BLIS does: C t against A (B t) for random t, by the norm of the bound."""
    t = rng.choice([-1.0, 1.0], size=comp.shape[1])
    k, n = b.shape
    ref = wide(a) @ (wide(b) @ t)
    # Rounding errors have random signs, within a row of C and, thanks to t, along it: both add up like random walks.
    # The 4 is what such walks do not exceed; a wrong element would add its whole size.
    sums = np.abs(wide(a)) @ np.abs(wide(b)).sum(axis=1)
    bound = 4 * np.sqrt(k) * np.finfo(a.dtype).eps * sums / np.sqrt(n)
    assert_within(wide(comp) @ t, ref, bound, "projection of a product")
