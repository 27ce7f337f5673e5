"""Activation functions against scalar formulas and finite differences."""

import numpy as np
import pytest

from refbp.activations import ACTIVATIONS, HIDDEN_ACTIVATIONS, logistic, relu_backward
from refbp.activations.rectifiers import SELU_ALPHA, SELU_SCALE


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(name, check_activation):
    check_activation(name, ACTIVATIONS[name])


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(name, dtype):
    z = np.linspace(-2, 2, 6, dtype=dtype).reshape(2, 3)
    h = ACTIVATIONS[name].forward(z)
    assert h.dtype == dtype
    assert ACTIVATIONS[name].backward(np.ones_like(h), ACTIVATIONS[name].kept(z, h)).dtype == dtype


@pytest.mark.parametrize("name", HIDDEN_ACTIVATIONS)
def test_not_a_number_comes_through(name):
    assert np.isnan(ACTIVATIONS[name].forward(np.array([np.nan]))).all()


def test_infinite_gradient_stays_out_of_a_unit_that_is_off():
    np.testing.assert_array_equal(relu_backward(np.array([np.inf, np.inf]), np.array([0.0, 1.0])), [0, np.inf])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logistic_is_as_good_as_scipy(dtype):
    special = pytest.importorskip("scipy.special")
    z = np.linspace(-80, 80, 4001, dtype=dtype)
    np.testing.assert_allclose(logistic(z), special.expit(z), rtol=4 * np.finfo(dtype).eps)


LIMITS = {
    "identity": ([-np.inf, np.inf], [1, 1]),
    "relu": ([0, np.inf], [0, 1]),
    "logistic": ([0, 1], [0, 0]),
    "tanh": ([-1, 1], [0, 0]),
    "leaky_relu": ([-np.inf, np.inf], [0.01, 1]),
    "elu": ([-1, np.inf], [0, 1]),
    "selu": ([-SELU_SCALE * SELU_ALPHA, np.inf], [0, SELU_SCALE]),
    "softplus": ([0, np.inf], [0, 1]),
    "gelu": ([0, np.inf], [0, 1]),
    "silu": ([0, np.inf], [0, 1]),
    "mish": ([0, np.inf], [0, 1]),
}
"""Value and derivative at minus and plus infinity."""


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("name", HIDDEN_ACTIVATIONS)
def test_far_from_zero(name, dtype):
    """At infinity the limits, and near it no overflow; the suite turns NumPy's warnings into errors."""
    activation = ACTIVATIONS[name]
    far = np.finfo(dtype).max / 2
    z = np.array([-np.inf, -far, -1e5, 1e5, far, np.inf], dtype)
    h = activation.forward(z)
    slope = activation.backward(np.ones_like(h), activation.kept(z, h))
    limits, slopes = LIMITS[name]
    np.testing.assert_allclose(h[[0, -1]], np.array(limits, dtype), rtol=1e-6)
    np.testing.assert_allclose(slope, np.repeat(slopes, 3), rtol=1e-6)
    assert np.isfinite(h[1:-1]).all()


@pytest.mark.parametrize("name", HIDDEN_ACTIVATIONS)
def test_accuracy(name):
    """Value and derivative in many digits. Where a derivative crosses zero its error is an absolute one."""
    mpmath = pytest.importorskip("mpmath")
    sigma, s = (lambda z: 1 / (1 + mpmath.exp(-z))), (lambda z: mpmath.log1p(mpmath.exp(z)))
    cdf = mpmath.ncdf
    exact = {
        "identity": lambda z: z,
        "relu": lambda z: max(z, 0),
        "logistic": sigma,
        "tanh": mpmath.tanh,
        "leaky_relu": lambda z: z if z > 0 else z * mpmath.mpf(0.01),
        "elu": lambda z: z if z > 0 else mpmath.expm1(z),
        "selu": lambda z: SELU_SCALE * (z if z > 0 else SELU_ALPHA * mpmath.expm1(z)),
        "softplus": s,
        "gelu": lambda z: z * cdf(z),
        "silu": lambda z: z * sigma(z),
        "mish": lambda z: z * mpmath.tanh(s(z)),
    }[name]
    activation = ACTIVATIONS[name]
    z = np.concatenate([np.linspace(-37, 37, 149), [-700.0, -1e-9, 1e-9, 700.0]])
    z = z[z != 0]
    h = activation.forward(z)
    slope = activation.backward(np.ones_like(h), activation.kept(z, h))
    with mpmath.workdps(700):
        points = [mpmath.mpf(v) for v in z]
        ref = np.array([float(exact(v)) for v in points])
        ref_slope = np.array([float(mpmath.diff(exact, v, h=mpmath.mpf(10) ** -80)) for v in points])
    np.testing.assert_allclose(h, ref, rtol=1e-15, atol=1e-310)
    np.testing.assert_allclose(slope, ref_slope, rtol=2e-14, atol=1e-15)
