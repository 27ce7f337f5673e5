"""Optimizers against scikit-learn's, bit by bit, and by hand."""

import numpy as np
import pytest

import refbp

pytestmark = pytest.mark.smoke


@pytest.fixture(scope="module")
def sklearn_optimizers():
    return pytest.importorskip("sklearn.neural_network._stochastic_optimizers")


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_is_scikit_learns(momentum, nesterov, check_optimizer, sklearn_optimizers):
    check_optimizer(
        refbp.SGD(0.1, momentum=momentum, nesterov=nesterov),
        lambda params: sklearn_optimizers.SGDOptimizer(params, 0.1, momentum=momentum, nesterov=nesterov),
    )


@pytest.mark.parametrize(("beta_1", "beta_2", "epsilon"), [(0.9, 0.999, 1e-8), (0.0, 0.5, 1e-3), (0.3, 0.0, 1.0)])
def test_adam_is_scikit_learns(beta_1, beta_2, epsilon, check_optimizer, sklearn_optimizers):
    check_optimizer(
        refbp.Adam(0.01, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon),
        lambda params: sklearn_optimizers.AdamOptimizer(params, 0.01, beta_1, beta_2, epsilon),
    )


def test_momentum_by_hand():
    """Rate 1/2, momentum 1/2, gradients 1 and 2 from 0: v = -1/2, then -1/4 - 1 = -5/4."""
    grads = [np.array([1.0])], [np.array([2.0])]
    classical, nesterov = np.zeros(1), np.zeros(1)
    sgd = refbp.SGD(0.5, momentum=0.5, nesterov=False)
    look_ahead = refbp.SGD(0.5, momentum=0.5, nesterov=True)
    assert sgd.velocities is None
    for grad, ref_classical, ref_nesterov in zip(grads, [-0.5, -1.75], [-0.75, -0.75 - 0.625 - 1], strict=True):
        sgd.step([classical], grad)
        look_ahead.step([nesterov], grad)
        assert classical == ref_classical
        assert nesterov == ref_nesterov
    assert sgd.velocities == look_ahead.velocities == [np.array([-1.25])]


def test_adam_by_hand():
    """Betas 1/2 and 3/4, rate 1, epsilon 1, gradients 2 then 0."""
    theta = np.zeros(1)
    adam = refbp.Adam(1.0, beta_1=0.5, beta_2=0.75, epsilon=1.0)
    adam.step([theta], [np.array([2.0])])
    # m = 1, v = 1, lr = sqrt(1/4) / (1/2) = 1: theta = -1 / (1 + 1)
    assert (adam.ms, adam.vs, adam.t, adam.learning_rate) == ([1.0], [1.0], 1, 1.0)
    assert theta == -0.5
    adam.step([theta], [np.array([0.0])])
    # m = 1/2, v = 3/4, lr = sqrt(7/16) / (3/4)
    assert (adam.ms, adam.vs, adam.t) == ([0.5], [0.75], 2)
    np.testing.assert_allclose(theta, -0.5 - np.sqrt(7) / 3 * 0.5 / (np.sqrt(0.75) + 1), rtol=1e-15)


def test_adamw_by_hand(check_adamw_by_hand):
    check_adamw_by_hand(refbp.AdamW)


@pytest.mark.parametrize("schedule", ["constant", "invscaling", "adaptive"])
def test_schedules_are_scikit_learns(schedule, sklearn_optimizers):
    comp = refbp.SGD(0.3, schedule=schedule, power_t=0.7)
    ref = sklearn_optimizers.SGDOptimizer([], 0.3, lr_schedule=schedule, power_t=0.7)
    for time_step in (10, 20, 30):
        comp.iteration_ends(time_step)
        ref.iteration_ends(time_step)
        assert comp.learning_rate == ref.learning_rate
    for _ in range(12):
        assert comp.trigger_stopping() == ref.trigger_stopping("", verbose=False)
        assert comp.learning_rate == ref.learning_rate


def test_adaptive_divides_by_five_and_gives_up():
    sgd = refbp.SGD(1e-5, schedule="adaptive")
    answers = [sgd.trigger_stopping() for _ in range(3)]
    assert answers == [False, False, True]
    assert sgd.learning_rate == pytest.approx(4e-7)


@pytest.mark.parametrize("optimizer", [refbp.SGD(), refbp.Adam(), refbp.AdamW()], ids=["sgd", "adam", "adamw"])
def test_float32_parameters_stay_float32(optimizer):
    theta = np.ones(3, dtype=np.float32)
    optimizer.step([theta], [np.ones(3, dtype=np.float32)])
    assert theta.dtype == np.float32
    assert (theta < 1).all()
