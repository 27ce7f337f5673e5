"""Activation functions against scalar formulas and finite differences."""

import numpy as np
import pytest

from refbp.activations import ACTIVATIONS, HIDDEN_ACTIVATIONS, logistic, relu_backward


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(name, check_activation):
    check_activation(name, ACTIVATIONS[name])


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(name, dtype):
    z = np.linspace(-2, 2, 6, dtype=dtype).reshape(2, 3)
    h = ACTIVATIONS[name].forward(z)
    assert h.dtype == dtype
    assert ACTIVATIONS[name].backward(np.ones_like(h), h).dtype == dtype


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
