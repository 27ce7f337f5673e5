"""Finite differences on functions whose derivatives are known, and on those that have none."""

import numpy as np
import pytest

from refbp import numdiff


@pytest.mark.parametrize(
    ("function", "exact"),
    [
        (np.exp, 1.0),
        (np.sin, 1.0),
        (lambda t: np.log(2 + t), 0.5),
        (lambda t: (1 + t) ** 5, 5.0),
        (np.cos, 0.0),
    ],
)
def test_derivative_to_eleven_digits(function, exact):
    assert numdiff.derivative(function) == pytest.approx(exact, abs=2e-12)


def test_a_kink_nearby_shortens_the_step():
    def function(t):
        return abs(t + 1e-4) + t**2

    assert numdiff.derivative(function, lambda t: np.sign(t + 1e-4)) == pytest.approx(1, abs=1e-9)
    assert abs(numdiff.derivative(function) - 1) > 0.1


@pytest.mark.parametrize("place", [0.0, 1e-8, -1e-8])
def test_a_kink_here_is_reported(place):
    with pytest.raises(numdiff.UndefinedDerivativeError, match=r"within 9\.5e-07"):
        numdiff.derivative(lambda t: max(t - place, 0), lambda t: np.sign(t - place))


def test_gradient_of_arrays_leaves_them_as_they_were():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((3, 2)), rng.standard_normal(2)
    before = a.copy(), b.copy()
    da, db = numdiff.numerical_gradient(lambda: float((a @ b).sum() + (b**2).sum()), [a, b])
    np.testing.assert_array_equal(a, before[0])
    np.testing.assert_array_equal(b, before[1])
    np.testing.assert_allclose(da, np.tile(b, (3, 1)), rtol=1e-10)
    np.testing.assert_allclose(db, a.sum(axis=0) + 2 * b, rtol=1e-10)


def test_arrays_are_put_back_even_after_an_error():
    a = np.array([0.0, 0.1])
    with pytest.raises(numdiff.UndefinedDerivativeError):
        numdiff.numerical_gradient(lambda: float(np.abs(a).sum()), [a], piece=lambda: np.sign(a))
    np.testing.assert_array_equal(a, [0.0, 0.1])


CHECKS = {
    "gradient": numdiff.check_gradient,
    "directional": lambda *args: numdiff.check_directional(*args, rng=np.random.default_rng(0)),
}


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_checks_accept_what_is_right_and_reject_what_is_not(check):
    a, b = np.array([[1.0, 2.0]]), np.array([3.0])

    def function():
        return float((a**3).sum() * b[0])

    right = [3 * a**2 * b, np.array([9.0])]
    check(function, [a, b], right)
    for i in range(2):
        wrong = [g.copy() for g in right]
        wrong[i].flat[0] *= 1.000_001
        with pytest.raises(AssertionError, match="check failed"):
            check(function, [a, b], wrong)
    with pytest.raises(AssertionError, match="zero everywhere"):
        check(function, [a, b], [np.zeros((1, 2)), np.zeros(1)])


def test_check_names_the_entry():
    a = np.array([[1.0, 2.0]])
    with pytest.raises(AssertionError, match=r"array 0 .* at \(0, 1\) it is 5, finite differences say 4"):
        numdiff.check_gradient(lambda: float((a**2).sum()), [a], [np.array([[2.0, 5.0]])])


def test_check_wants_the_shape_of_the_parameter():
    a = np.array([[1.0, 2.0]])
    with pytest.raises(AssertionError, match="shape"):
        numdiff.check_gradient(lambda: float((a**2).sum()), [a], [2 * a.T])


def test_relative_error():
    assert numdiff.relative_error(np.zeros(2), np.zeros(2)) == 0
    assert numdiff.relative_error(np.array([1.0]), np.array([0.0])) == 1
    assert numdiff.relative_error(np.array([1.0]), np.array([-1.0])) == 2
