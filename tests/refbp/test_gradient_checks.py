"""Checks of gradients: they accept what is right, and name the element that is wrong."""

import numpy as np
import pytest

import refbp
from refbp import numdiff

NAMES = ["w", "b"]


@pytest.fixture
def cubic():
    """A function of two arrays and its gradient."""
    rng = np.random.default_rng(2)
    w, b = rng.uniform(1, 2, (3, 4)), rng.uniform(1, 2, 5)
    return lambda: float((w**3).sum() * b[0] + (b**2).sum()), [w, b], [3 * w**2 * b[0], cubic_db(w, b)]


def cubic_db(w, b):
    db = 2 * b
    db[0] += (w**3).sum()
    return db


def along_directions(*args, **keywords):
    return refbp.gradcheck_directional(*args, rng=np.random.default_rng(0), **keywords)


CHECKS = {"gradient": refbp.gradcheck, "directional": along_directions}
each_check = pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)


@each_check
def test_what_is_right_passes(check, cubic):
    report = check(*cubic, names=NAMES)
    assert report.passed
    assert report.error <= 1e-9
    assert "passed" in str(report)


@each_check
@pytest.mark.parametrize("factor", [1.01, -1.0, 0.0])
def test_every_single_element_that_is_wrong_is_named(check, factor, cubic):
    function, params, right = cubic
    for i, name in enumerate(NAMES):
        for index in np.ndindex(params[i].shape):
            wrong = [g.copy() for g in right]
            wrong[i][index] *= factor
            with pytest.raises(refbp.GradcheckError, match="check failed: ") as caught:
                check(function, params, wrong, names=NAMES)
            report = caught.value.report
            worst = report.worst
            assert not report.passed
            assert (worst.name, worst.index, worst.analytic) == (name, index, wrong[i][index])
            assert worst.numeric == pytest.approx(right[i][index], rel=1e-9)
            assert worst.relative_error == pytest.approx(abs(1 - factor) / max(1, abs(factor)), rel=1e-3)


@each_check
def test_an_array_forgotten_altogether_is_named(check, cubic):
    function, params, right = cubic
    with pytest.raises(refbp.GradcheckError) as caught:
        check(function, params, [right[0], np.zeros(5)], names=NAMES)
    assert caught.value.report.worst.name == "b"


@each_check
def test_the_error_is_relative(check):
    """A function a million times larger or smaller has the same error."""
    w = np.arange(1.0, 7.0)
    errors = []
    for scale in (2.0**-20, 1.0, 2.0**20):
        with pytest.raises(refbp.GradcheckError) as caught:
            check(lambda scale=scale: float(scale * (w**2).sum()), [w], [2.001 * scale * w])
        errors.append(caught.value.report.error)
    np.testing.assert_allclose(errors, errors[1], rtol=1e-6)
    assert 0 < errors[1] <= 0.001 / 2 * (1 + 1e-6)


def test_report_in_one_line():
    a = np.array([[1.0, 2.0]])
    with pytest.raises(refbp.GradcheckError) as caught:
        refbp.gradcheck(lambda: float((a**2).sum()), [a], [np.array([[2.0, 5.0]])], names=["w1"])
    # |(0, 1)| / |(2, 5)| = 1 / sqrt(29) = 0.186
    assert str(caught.value) == (
        "gradient check failed: 2 elements of 1 array, relative error 1.9e-01 > 1e-07;"
        " worst at w1[0, 1]: analytic 5, numeric 4, relative error 2.0e-01"
    )
    assert str(caught.value.report) == str(caught.value)


def test_arrays_without_names_are_numbered_and_scalars_have_no_index():
    a, b = np.array([1.0]), np.array(2.0)
    with pytest.raises(refbp.GradcheckError, match="worst at array 1: analytic 3, numeric 4"):
        refbp.gradcheck(lambda: float(a[0] + b**2), [a, b], [np.ones(1), np.array(3.0)])


@each_check
def test_what_cannot_be_checked_is_refused(check, cubic):
    function, params, right = cubic
    refusals = {
        "the gradient is zero everywhere": [np.zeros((3, 4)), np.zeros(5)],
        r"the gradient by w has shape \(4, 3\), the parameter \(3, 4\)": [right[0].T, right[1]],
        "1 gradients for 2 parameter arrays": right[:1],
        "the gradient by b is not finite": [right[0], np.full(5, np.nan)],
    }
    for reason, grads in refusals.items():
        with pytest.raises(refbp.GradcheckError, match=reason) as caught:
            check(function, params, grads, names=NAMES)
        assert caught.value.report is None


@each_check
def test_a_kink_is_reported_instead_of_a_number(check):
    w = np.array([[1.0, 0.0]])
    grads = [np.array([[1.0, 0.5]])]  # the mean of both slopes, which central differences would agree to
    with pytest.raises(refbp.UndefinedDerivativeError, match="no derivative"):
        check(lambda: float(np.maximum(w, 0).sum()), [w], grads)


def test_a_gradient_that_is_zero_but_for_rounding():
    """A product of exponentials that cancel: what finite differences find is rounding."""
    w, b = np.random.default_rng(1).standard_normal(6), np.array([2.0])

    def function():
        return float((np.exp(w) * np.exp(-w)).prod() * b[0] ** 2)

    grads = [np.zeros(6), np.array([4.0])]
    (numeric,) = refbp.numerical_gradient(function, [w])
    assert 0 < np.abs(numeric).max() < numdiff.rounding(function(), numdiff.STEPS[0])
    assert refbp.gradcheck(function, [w, b], grads).passed
    with pytest.raises(refbp.GradcheckError):
        refbp.gradcheck(function, [w, b], [np.full(6, 1e-8), grads[1]])


def test_directions_cost_a_handful_of_evaluations_and_blame_a_logarithm():
    calls = []
    w = np.random.default_rng(4).uniform(1, 2, 4096)

    def function():
        calls.append(None)
        return float((w**2).sum())

    along_directions(function, [w], [2 * w])
    assert len(calls) <= 3 * 7 + 1
    calls.clear()
    wrong = 2 * w
    wrong[1234] *= 1.1
    with pytest.raises(refbp.GradcheckError, match=r"array 0\[1234\]"):
        along_directions(function, [w], [wrong])
    # a direction, the same again, 12 halvings, the element
    assert len(calls) <= (1 + 1 + 12 + 1) * 7 + 1


def test_directions_miss_what_is_small_beside_the_rest():
    """The price of few evaluations, as documented."""
    a, b = np.array([1e9]), np.array([1.0])
    grads = [np.ones(1), np.array([2.2e-9])]  # of a + 1e-9 b^2
    along_directions(lambda: float(a[0] + 1e-9 * b[0] ** 2), [a], grads[:1])
    a[:] = 0.0
    assert along_directions(lambda: float(a[0] + 1e-9 * b[0] ** 2), [a, b], grads).passed
    with pytest.raises(refbp.GradcheckError, match=r"array 1\[0\]"):
        refbp.gradcheck(lambda: float(a[0] + 1e-9 * b[0] ** 2), [a, b], grads)


# ---- second derivatives ----


@pytest.fixture
def network():
    """A small network: the gradient of its objective, and the exact Hessian times a direction.

    With one weight matrix, squared error and tanh, o = tanh(W x): dJ/dW = (o - y)(1 - o^2) x^T.
    """
    rng = np.random.default_rng(6)
    w, b, x, y = rng.standard_normal((2, 3)), rng.standard_normal(2), rng.standard_normal(3), rng.standard_normal(2)

    def gradients():
        o = np.tanh(w @ x + b)
        dz = (o - y) * (1 - o**2)
        return [np.outer(dz, x), dz]

    def products(v):
        o = np.tanh(w @ x + b)
        z_dot = v[0] @ x + v[1]
        dz_dot = (1 - o**2) * ((1 - o**2) - 2 * o * (o - y)) * z_dot
        return [np.outer(dz_dot, x), dz_dot]

    return gradients, [w, b], products


def test_second_derivatives(network):
    report = refbp.gradgradcheck(*network, rng=np.random.default_rng(0), names=NAMES)
    assert report.passed
    assert str(report).startswith("second-derivative check passed: 8 elements of 2 arrays")


def test_wrong_second_derivatives_are_named(network):
    gradients, params, products = network
    _, b = params

    def one_element(v):
        hw, hb = products(v)
        hw[1, 2] *= 1.001
        return [hw, hb]

    def path_forgotten(v):
        return products([v[0], np.zeros_like(b)])

    def transposed(v):
        return [products(v)[0][::-1], products(v)[1]]

    for faulty, place in {one_element: r"w\[1, 2\]", path_forgotten: r"[wb]\[", transposed: r"w\["}.items():
        with pytest.raises(refbp.GradcheckError, match=f"second-derivative check failed.*worst at {place}"):
            refbp.gradgradcheck(gradients, params, faulty, rng=np.random.default_rng(0), names=NAMES)


def test_second_derivative_of_relu_is_zero_beside_the_kink_and_none_on_it():
    w = np.array([1.0, -1.0, 2.0])

    def gradients():
        return [2 * np.maximum(w, 0) + 1]  # of relu(w)^2 + w

    def products(v):
        return [2.0 * (w > 0) * v[0]]

    assert refbp.gradgradcheck(gradients, [w], products, rng=np.random.default_rng(0)).passed
    w[1] = 0
    with pytest.raises(refbp.UndefinedDerivativeError, match=r"along array 0\[1\]"):
        refbp.gradgradcheck(gradients, [w], products, rng=np.random.default_rng(0))


def test_relative_error():
    assert refbp.relative_error(np.zeros(2), np.zeros(2)) == 0
    assert refbp.relative_error(np.array([1.0]), np.array([0.0])) == 1
    assert refbp.relative_error(np.array([1.0]), np.array([-1.0])) == 2
    assert refbp.relative_error(np.array([1.0]), np.array([0.0]), floor=4.0) == 0.25
