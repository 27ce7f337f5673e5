"""Numerical derivatives of functions whose derivatives are known, and of functions that have none."""

import math

import numpy as np
import pytest

from refbp import numdiff

EPS = np.finfo(np.float64).eps

ANALYTIC = [
    (np.exp, 1.0),
    (np.sin, 1.0),
    (lambda t: np.log(2 + t), 0.5),
    (lambda t: (1 + t) ** 5, 5.0),
    (np.cos, 0.0),
]


@pytest.mark.parametrize(("function", "exact"), ANALYTIC)
def test_derivative_to_eleven_digits(function, exact):
    assert numdiff.derivative(function) == pytest.approx(exact, abs=2e-12)


# ---- kinks ----

KINKS = {
    "absolute value": abs,
    "relu": lambda t: max(t, 0.0),
    "a weak kink": lambda t: t + 1e-4 * max(t, 0.0),
    "step": lambda t: float(t >= 0),
    "cusp": lambda t: abs(t) ** 0.5,
    "kink in a curve": lambda t: np.exp(t) + abs(t),
    "infinite": lambda t: 1 / t if t else math.inf,
    "not a number": lambda t: math.nan,
}


@pytest.mark.parametrize("name", KINKS)
def test_a_kink_is_seen_in_the_values(name):
    with pytest.raises(numdiff.UndefinedDerivativeError, match=r"the slope over 9\.5e-07 is"):
        numdiff.derivative(KINKS[name])


@pytest.mark.parametrize("place", [0.0, 1e-8, -1e-8])
def test_a_kink_here_is_reported(place):
    with pytest.raises(numdiff.UndefinedDerivativeError, match=r"piece within 3\.8e-06"):
        numdiff.derivative(lambda t: max(t - place, 0), lambda t: np.sign(t - place))
    with pytest.raises(numdiff.UndefinedDerivativeError, match=r"the slope over 9\.5e-07 is"):
        numdiff.derivative(lambda t: max(t - place, 0))


def test_both_slopes_are_told():
    with pytest.raises(numdiff.UndefinedDerivativeError, match="is -2 to the left of this point and 3 to the right"):
        numdiff.derivative(lambda t: max(-2 * t, 3 * t))


@pytest.mark.parametrize("place", [-0.005, 1e-3, 1e-4, -1e-5, 4e-6])
def test_a_kink_nearby_shortens_the_step(place, monkeypatch):
    def function(t):
        return abs(t - place) + t**2

    slope = -np.sign(place)
    # Over the shortest step that may be needed, half an ulp of the value is 1e-10 of the slope.
    assert numdiff.derivative(function, lambda t: np.sign(t - place)) == pytest.approx(slope, abs=1e-9)
    assert numdiff.derivative(function) == pytest.approx(slope, abs=1e-9)
    # what differences across the kink say
    monkeypatch.setattr(numdiff, "is_smooth", lambda *args: True)
    assert abs(numdiff.derivative(function) - slope) > 0.1


SMOOTH = [
    (lambda t: 7.0, 0.0),
    (lambda t: 1e6 + t, 1.0),
    (lambda t: t**3, 0.0),
    (lambda t: 1e-9 * t, 1e-9),
    (lambda t: np.tanh(30 * t), 30.0),
    (lambda t: np.sin(100 * t + 1), 100 * np.cos(1)),
    (lambda t: 1 / (1 + 25 * t * t), 0.0),
    # a loss near zero, of terms near 20: all its digits but six are rounding
    (lambda t: np.log(np.exp(20 + t) + 1) - (20 + t), -1 / (np.exp(20) + 1)),
]


@pytest.mark.parametrize(("function", "exact"), SMOOTH)
def test_a_smooth_function_is_not_taken_for_kinked(function, exact):
    value = abs(function(0.0))
    # a relative part for the steep ones; rounding of numbers of size 20 for the last one
    bound = 1e-10 * abs(exact) + numdiff.rounding(max(20.0, value), numdiff.STEPS[0])
    assert numdiff.derivative(function) == pytest.approx(exact, abs=bound)


def test_a_kink_too_weak_for_the_values_is_seen_by_its_piece():
    def function(t):
        return t + 1e-9 * max(t, 0.0)

    assert numdiff.derivative(function) == pytest.approx(1, abs=1e-8)
    with pytest.raises(numdiff.UndefinedDerivativeError):
        numdiff.derivative(function, np.sign)


# ---- the complex step ----


@pytest.mark.parametrize(("function", "exact"), ANALYTIC)
def test_complex_step_to_the_last_digits(function, exact):
    # one rounding for each operation of the function
    assert numdiff.complex_step(function) == pytest.approx(exact, rel=5 * EPS, abs=1e-300)


def test_complex_step_cancels_nothing():
    def function(t):
        return np.exp(12 * (t + 1)) + 1e9

    exact = 12 * np.exp(12)
    assert abs(numdiff.complex_step(function) / exact - 1) < 16 * EPS
    assert abs(numdiff.derivative(function) / exact - 1) > 16 * EPS


NOT_ANALYTIC = {
    "absolute value": (lambda t: abs(1 + t), "makes a real number of a complex one"),
    "real part": (lambda t: np.real(np.exp(t)), "makes a real number of a complex one"),
    "conjugate": (lambda t: (1 + t) * np.conj(1 + t), "slope is 0 along the imaginary axis and 2 along the real"),
    "part of it": (lambda t: np.exp(t) + np.real(t), "slope is 1 along the imaginary axis and 2 along the real"),
    "real arithmetic": (lambda t: math.exp(t), "does not take complex numbers"),
    "rounding down": (lambda t: t * np.floor(t + 0.5), "does not take complex numbers"),
}


@pytest.mark.parametrize("name", NOT_ANALYTIC)
def test_complex_step_refuses_what_is_not_analytic(name):
    function, reason = NOT_ANALYTIC[name]
    with pytest.raises(numdiff.NotAnalyticError, match=f"no complex step: .*{reason}"):
        numdiff.complex_step(function)


def test_complex_step_of_relu_is_valid_beside_the_kink_only():
    assert numdiff.complex_step(lambda t: np.maximum(1 + t, 0)) == 1
    assert numdiff.complex_step(lambda t: np.maximum(-1 + t, 0) + 0 * t) == 0
    # NumPy compares real parts, then imaginary ones: without the real axis this would be 1
    assert np.imag(np.maximum(complex(0, 1e-100), 0)) == 1e-100
    with pytest.raises(numdiff.UndefinedDerivativeError, match="0 to the left of this point and 1 to the right"):
        numdiff.complex_step(lambda t: np.maximum(t, 0))


# ---- arrays ----


def test_gradient_of_arrays_leaves_them_as_they_were():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((3, 2)), rng.standard_normal(2)
    before = a.copy(), b.copy()
    da, db = numdiff.numerical_gradient(lambda: float((a @ b).sum() + (b**2).sum()), [a, b])
    np.testing.assert_array_equal(a, before[0])
    np.testing.assert_array_equal(b, before[1])
    np.testing.assert_allclose(da, np.tile(b, (3, 1)), rtol=1e-10)
    np.testing.assert_allclose(db, a.sum(axis=0) + 2 * b, rtol=1e-10)


@pytest.mark.parametrize("with_piece", [False, True])
def test_arrays_are_put_back_even_after_an_error(with_piece):
    a, b = np.array([0.2]), np.array([0.1, 0.0])
    piece = (lambda: np.sign(b)) if with_piece else None
    with pytest.raises(numdiff.UndefinedDerivativeError, match=r"no derivative.*\(along array 1\[1\]\)"):
        numdiff.numerical_gradient(lambda: float(a[0] + np.abs(b).sum()), [a, b], piece)
    np.testing.assert_array_equal(a, [0.2])
    np.testing.assert_array_equal(b, [0.1, 0.0])


def test_the_element_without_a_derivative_has_the_name_it_was_given():
    w = np.array([[1.0, 0.0]])
    with pytest.raises(numdiff.UndefinedDerivativeError, match=r"\(along w1\[0, 1\]\)"):
        numdiff.numerical_gradient(lambda: float(np.abs(w).sum()), [w], names=["w1"])
