"""Partial derivative, gradient and Jacobian by their definitions (Deep Learning 6.5.6, notes 1 and 2)."""

import numpy as np
import pytest

import refbp

RULES = {"differences": (refbp.derivative, 1e-10), "complex step": (refbp.complex_step, 1e-14)}
each_rule = pytest.mark.parametrize(("rule", "rtol"), RULES.values(), ids=RULES)


def field(x):
    """From R^3 to R^2."""
    return np.array([x[0] * x[1] + np.sin(x[2]), np.exp(x[0]) * x[2] ** 2])


POINT = np.array([0.5, -1.0, 2.0])
FIELD_JACOBIAN = [
    [POINT[1], POINT[0], np.cos(POINT[2])],
    [np.exp(POINT[0]) * POINT[2] ** 2, 0, 2 * np.exp(POINT[0]) * POINT[2]],
]


@each_rule
def test_the_jacobian_has_a_row_for_each_output_and_a_column_for_each_input(rule, rtol):
    comp = refbp.jacobian(field, POINT, rule)
    assert comp.shape == (2, 3)
    np.testing.assert_allclose(comp, FIELD_JACOBIAN, rtol=rtol, atol=rtol)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(comp.T, FIELD_JACOBIAN, rtol=rtol, atol=rtol)


@each_rule
def test_its_rows_are_gradients_and_its_entries_partial_derivatives(rule, rtol):
    comp = refbp.jacobian(field, POINT, rule)
    for i in range(2):
        np.testing.assert_array_equal(comp[i], refbp.gradient(lambda x, i=i: field(x)[i], POINT, rule))
        for j in range(3):
            assert comp[i, j] == refbp.partial_derivative(lambda x, i=i: field(x)[i], POINT, (j,), rule)


def test_only_one_variable_moves():
    seen = []

    def function(x):
        seen.append(x.copy())
        return x[0, 0] * x[1, 2]

    x = np.arange(6.0).reshape(2, 3)
    assert refbp.partial_derivative(function, x, (1, 2)) == 0.0
    moved = np.any([point != x for point in seen], axis=0)
    np.testing.assert_array_equal(np.argwhere(moved), [[1, 2]])
    np.testing.assert_array_equal(x, np.arange(6.0).reshape(2, 3))


@each_rule
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 1, 3)])
def test_a_gradient_has_the_shape_of_its_variable(shape, rule, rtol):
    """D2L's exercise: the input is a matrix."""
    rng = np.random.default_rng(3)
    x, c = rng.standard_normal(shape), rng.standard_normal(shape)
    comp = refbp.gradient(lambda x: (c * x**2).sum(), x, rule)
    assert comp.shape == shape
    np.testing.assert_allclose(comp, 2 * c * x, rtol=rtol)


@each_rule
def test_jacobian_of_a_tensor_by_a_tensor(rule, rtol):
    rng = np.random.default_rng(4)
    a, x = rng.standard_normal((2, 4)), rng.standard_normal((4, 3))
    comp = refbp.jacobian(lambda x: a @ x, x, rule)
    # d(a x)_ik / dx_jl = a_ij [k = l]
    np.testing.assert_allclose(comp, np.einsum("ij,kl->ikjl", a, np.eye(3)), rtol=rtol, atol=rtol)


def test_a_function_without_a_derivative_says_so_and_by_which_variable():
    """Deep Learning 6.5, introduction: the correct response."""
    x = np.array([1.0, 0.0, -1.0])
    with pytest.raises(refbp.UndefinedDerivativeError, match=r"no derivative found: .*\(along x\[1\]\)"):
        refbp.gradient(lambda x: np.maximum(x, 0).sum(), x)
    with pytest.raises(refbp.UndefinedDerivativeError, match=r"\(along x\[1\]\)"):
        refbp.jacobian(np.abs, x)
    np.testing.assert_array_equal(refbp.gradient(lambda x: np.maximum(x, 0).sum(), x[::2]), [1, 0])


def test_the_complex_step_refuses_a_norm():
    with pytest.raises(refbp.NotAnalyticError):
        refbp.gradient(np.linalg.norm, POINT, refbp.complex_step)
