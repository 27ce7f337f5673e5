"""Single steps held to a bound of their rounding errors, in float32 above all; losses and trajectories of float32."""

import numpy as np
import pytest

from fastbp.compiler.target import TARGET
from support.error_analysis import check_one_step, gradient_errors
from support.lattice import DTYPES, HIDDEN, panel_width
from support.networks import LOSSES, OPTIMIZERS, make_optimizer, make_problem, train, train_reference

MR = TARGET.mr

each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def with_moments(name, problem, rng):
    """Return the state of an optimizer in mid-training."""
    state = make_optimizer(name)
    for moment in state.rule.moments:
        state.moments[moment] = [rng.uniform(0.01, 0.1, p.shape).astype(p.dtype) for p in problem.params]
    state.t = 4
    return state


@pytest.mark.smoke
@pytest.mark.parametrize("activation", HIDDEN)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@each_dtype
def test_one_step(dtype, activation, loss, optimizer, rng):
    nr = panel_width(dtype)
    for sizes, n in [((6, nr + 1, 3), MR), ((3, MR - 1, nr, 2), 2 * MR + 3), ((5, 4, 4, 4, 4, 1), 1)]:
        weighted = n > MR
        problem = make_problem(
            rng, sizes, n=n, batch_size=n, activation=activation, loss=loss, weighted=weighted, dtype=dtype
        )
        check_one_step(problem, with_moments(optimizer, problem, rng))


@pytest.mark.parametrize("size", [1, 15, 16, 17, 47, 48, 49, 97, 129, 145, 193])
@each_dtype
def test_layer_sizes(dtype, size, rng):
    for sizes in [(size, 5, 2), (4, size, 2), (3, size), (size, size, size)]:
        problem = make_problem(rng, sizes, n=MR + 2, batch_size=50, dtype=dtype, activation="logistic")
        check_one_step(problem, with_moments("Nesterov", problem, rng))


@each_dtype
def test_along_a_trajectory(dtype, rng):
    # Every step starts where the last one ended, in the precision it ended in: errors of earlier steps do not count.
    problem = make_problem(rng, (5, 20, 30, 4), n=30, batch_size=30, loss="log_loss", dtype=dtype)
    optimizer = with_moments("Adam", problem, rng)
    for _ in range(10):
        result = check_one_step(problem, optimizer)
        problem.weights, problem.biases = result.params[:3], result.params[3:]
        optimizer = result.optimizer


@each_dtype
def test_the_bound_is_tight_enough_to_mean_something(dtype, rng):
    problem = make_problem(rng, (6, 49, 17, 3), n=21, batch_size=21, dtype=dtype)
    eps = np.finfo(dtype).eps
    for error in gradient_errors(problem):
        assert error.max() < 2000 * eps


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_in_float32(loss, rng):
    problem = make_problem(rng, (6, 10, 4), loss=loss, dtype=np.float32, weighted=True)
    comp = train(problem, make_optimizer("SGD", learning_rate=1e-6))
    ref = train_reference(problem.as_type(np.float64), make_optimizer("SGD", learning_rate=1e-6))
    # Outputs are off by some K eps (K = 10 here) and the loss is about as smooth as they are.
    np.testing.assert_allclose(comp.losses, ref.losses, rtol=30 * np.finfo(np.float32).eps)


def test_ten_epochs_in_float32(rng):
    problem = make_problem(rng, (6, 30, 20, 4), n=64, batch_size=16, loss="log_loss", dtype=np.float32, epochs=10)
    comp = train(problem, make_optimizer("Nesterov"))
    ref = train_reference(problem.as_type(np.float64), make_optimizer("Nesterov"))
    # 40 steps of a smooth problem; each is off by some tens of eps, and steps of 0.02 do not amplify them much.
    np.testing.assert_allclose(comp.losses, ref.losses, rtol=40 * 30 * np.finfo(np.float32).eps)
    assert comp.losses[-1] < comp.losses[0]
