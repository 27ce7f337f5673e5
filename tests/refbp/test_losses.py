"""Losses: the residual rule, the two numbers, and scikit-learn's values."""

import numpy as np
import pytest

import refbp
from refbp.activations import ACTIVATIONS
from refbp.losses import LOSSES, residual, xlogy

pytestmark = pytest.mark.smoke

N_OUT = {"squared_error": 3, "poisson": 2, "log_loss": 3, "binary_log_loss": 2}


def example(loss, dtype=np.float64):
    rng = np.random.default_rng(7)
    z = rng.standard_normal((6, N_OUT[loss]))
    if loss == "log_loss":
        y = np.eye(3)[rng.integers(3, size=6)]
    elif loss == "binary_log_loss":
        y = rng.integers(2, size=z.shape).astype(float)
    else:
        y = np.abs(rng.standard_normal(z.shape)).round(1)
    return y.astype(dtype), z.astype(dtype), rng.uniform(0.2, 2, 6).astype(dtype)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
def test_residual_is_the_gradient_by_the_last_pre_activation(loss, weighted):
    y, z, c = example(loss)
    c = c if weighted else np.ones(6)
    o = ACTIVATIONS[LOSSES[loss].output].forward(z)
    refbp.gradcheck(
        lambda: LOSSES[loss].objective(y, z, c), [z], [residual(y, o) * c[:, np.newaxis] / c.sum()], rtol=1e-9
    )


@pytest.mark.parametrize("loss", LOSSES)
def test_residual_is_the_chain_rule_through_the_output_activation(loss):
    """dl/dz = (do/dz)^T dl/do (Deep Learning, equation 6.46), with dl/do written out for each loss."""
    y, z, _ = example(loss)
    output = ACTIVATIONS[LOSSES[loss].output]
    o = output.forward(z)
    dl_do = {
        "squared_error": lambda: o - y,
        "poisson": lambda: 1 - y / o,
        "log_loss": lambda: -y / o,
        "binary_log_loss": lambda: -y / o + (1 - y) / (1 - o),
    }[loss]()
    np.testing.assert_allclose(output.backward(dl_do, o), residual(y, o), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
def test_reported_and_objective_agree_where_nothing_is_clipped(loss, weighted):
    y, z, c = example(loss)
    c = c if weighted else None
    o = ACTIVATIONS[LOSSES[loss].output].forward(z)
    per_output = N_OUT[loss] if loss == "squared_error" else 1
    np.testing.assert_allclose(LOSSES[loss].objective(y, z, c), per_output * LOSSES[loss].reported(y, o, c), rtol=1e-13)


@pytest.mark.parametrize(
    ("loss", "labels"), [*((loss, False) for loss in LOSSES), ("log_loss", True), ("binary_log_loss", True)]
)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_reported_is_what_scikit_learn_reports(loss, labels, weighted, dtype):
    base = pytest.importorskip("sklearn.neural_network._base")
    y, z, c = example(loss, dtype)
    y = y.astype(bool) if labels else y
    c = c if weighted else None
    o = ACTIVATIONS[LOSSES[loss].output].forward(z)
    ref = base.LOSS_FUNCTIONS[loss](y, o, c)
    comp = LOSSES[loss].reported(y, o, c)
    assert comp.dtype == ref.dtype
    np.testing.assert_allclose(comp, ref, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("loss", ["log_loss", "binary_log_loss"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_reported_log_losses_are_clipped_and_objectives_are_not(loss, dtype):
    z = np.array([[500.0, -500.0]], dtype=dtype)
    y = np.array([[0.0, 1.0]], dtype=dtype)
    reported = LOSSES[loss].reported(y, ACTIVATIONS[LOSSES[loss].output].forward(z))
    terms = 1 if loss == "log_loss" else 2
    np.testing.assert_allclose(reported, -terms * np.log(np.finfo(dtype).eps), rtol=1e-2)
    np.testing.assert_allclose(LOSSES[loss].objective(y, z), 1000)


def test_hand_worked_losses():
    y, o = np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[3.0, 1.0], [0.0, 2.0]])
    # 1/2 * mean over examples of (4, 0) is 1 for the first output, of (1, 4) is 1.25 for the second
    assert LOSSES["squared_error"].reported(y, o) == pytest.approx((1 + 1.25) / 2)
    assert LOSSES["squared_error"].objective(y, o) == pytest.approx(1 + 1.25)
    # weights 3 and 1: (12 + 0) / 4 / 2 = 1.5 and (3 + 4) / 4 / 2 = 0.875
    weights = np.array([3.0, 1.0])
    assert LOSSES["squared_error"].objective(y, o, weights) == pytest.approx(1.5 + 0.875)
    # y log(y/o) - y + o: 1 log(1/e) - 1 + e = e - 2 and, at y = 0, o itself
    assert LOSSES["poisson"].reported(np.array([[1.0, 0.0]]), np.array([[np.e, 2.0]])) == pytest.approx(np.e)
    assert LOSSES["log_loss"].reported(np.array([[0.0, 1.0]]), np.array([[0.75, 0.25]])) == pytest.approx(np.log(4))
    assert LOSSES["binary_log_loss"].reported(np.array([[0.0]]), np.array([[0.75]])) == pytest.approx(np.log(4))


def test_xlogy_of_zero_ignores_the_logarithm():
    np.testing.assert_array_equal(xlogy(np.array([0.0, 0.0, 2.0]), np.array([0.0, -1.0, 1.0])), [0, 0, 0])
