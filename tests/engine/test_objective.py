"""Loss and gradient over all samples against refbp's, and against the loss itself."""

import numpy as np
import pytest

import refbp
from fastbp.compiler.target import TARGET
from fastbp.compiler.tuning import MOST_ROWS
from fastbp.threads.pool import count_open
from fastbp.training.objective import Objective
from support.bounds import check_reference
from support.lattice import HIDDEN, panel_width
from support.networks import LOSSES, Problem, assert_close, make_problem, network_of, samples_of
from support.threads import wait_for_idle_workers

MR, NR = TARGET.mr, panel_width(np.float64)


def packed(arrays):
    return np.concatenate([array.ravel() for array in arrays])


def make_objective(problem: Problem, n_threads: int = 1):
    network, samples = network_of(problem), samples_of(problem)
    return Objective(network, samples, weight_decay=problem.weight_decay, n_threads=n_threads)


def evaluate(problem: Problem, n_threads: int = 1):
    with make_objective(problem, n_threads) as objective:
        return objective(packed(problem.params))


def reference(problem: Problem):
    check_reference(refbp.loss_and_gradient)
    loss, gradients = refbp.loss_and_gradient(
        problem.weights,
        problem.biases,
        problem.x,
        problem.y,
        activation=problem.activation,
        loss=problem.loss,
        weight_decay=problem.weight_decay,
        sample_weight=problem.sample_weight,
    )
    return loss, packed(gradients.dweights + gradients.dbiases)


def check(problem: Problem):
    loss, gradient = evaluate(problem)
    ref_loss, ref_gradient = reference(problem)
    np.testing.assert_allclose(loss, ref_loss, rtol=1e-12)
    assert np.abs(ref_gradient).max() > 1e-6
    assert_close(gradient, ref_gradient, 1e-12, "gradient")


@pytest.mark.smoke
@pytest.mark.parametrize("activation", HIDDEN)
@pytest.mark.parametrize("loss", LOSSES)
def test_against_the_reference(activation, loss, rng):
    for sizes, weighted in [((4, NR + 1, 3), False), ((3, 5, MR + 1, 2), True), ((5, 4), False)]:
        check(make_problem(rng, sizes, n=3 * MR + 1, activation=activation, loss=loss, weighted=weighted))


@pytest.mark.parametrize("n", [1, MOST_ROWS - 1, MOST_ROWS, MOST_ROWS + 1, 2 * MOST_ROWS + MR + 1])
def test_blocks_of_samples(n, rng):
    for weight_decay in (0.0, 0.7):
        check(make_problem(rng, (3, 5, 2), n=n, weight_decay=weight_decay, weighted=n > 1))


def test_threads_do_not_change_results(rng):
    problem = make_problem(rng, (7, NR + 3, 3), n=MOST_ROWS + 77, weighted=True)
    loss, gradient = evaluate(problem)
    for n_threads in (2, 3, 7):
        other_loss, other_gradient = evaluate(problem, n_threads=n_threads)
        assert other_loss == loss
        np.testing.assert_array_equal(other_gradient, gradient)


def test_many_calls_at_different_places(rng):
    # Nothing of a call may be left over in the next one.
    problem = make_problem(rng, (4, 6, 3), n=50, loss="log_loss", activation="relu")
    with make_objective(problem, n_threads=2) as objective:
        for _ in range(5):
            params = [rng.standard_normal(p.shape) for p in problem.params]
            problem.weights, problem.biases = params[:2], params[2:]
            loss, gradient = objective(packed(params))
            ref_loss, ref_gradient = reference(problem)
            np.testing.assert_allclose(loss, ref_loss, rtol=1e-12)
            assert_close(gradient, ref_gradient, 1e-12, "gradient")


def test_gradient_is_that_of_the_loss(rng):
    problem = make_problem(rng, (4, 6, 3), n=20, activation="tanh", loss="poisson", weighted=True)
    with make_objective(problem) as objective:
        place = packed(problem.params)
        _, gradient = objective(place)
        for index in rng.choice(place.size, 20, replace=False):
            step = np.zeros_like(place)
            step[index] = 1e-5
            slope = (objective(place + step)[0] - objective(place - step)[0]) / 2e-5
            assert abs(slope - gradient[index]) <= 1e-8 * np.abs(gradient).max()


def test_single_precision_samples_are_as_good_as_double_ones(rng):
    problem = make_problem(rng, (5, 7, 2), n=30)
    single = problem.x.astype(np.float32)
    for x in (single, np.asfortranarray(single), single[:, ::-1][:, ::-1]):
        problem.x = x
        loss, gradient = evaluate(problem)
        problem.x = single.astype(np.float64)
        ref_loss, ref_gradient = evaluate(problem)
        assert loss == ref_loss
        np.testing.assert_array_equal(gradient, ref_gradient)


def test_parts_share_the_memory_of_the_vector(rng):
    problem = make_problem(rng, (4, 6, 3), n=5)
    with make_objective(problem) as objective:
        vector = packed(problem.params)
        parts = objective.unpack(vector)
        assert [part.shape for part in parts] == [p.shape for p in problem.params]
        assert all(np.shares_memory(part, vector) for part in parts)
        for part, p in zip(parts, problem.params, strict=True):
            np.testing.assert_array_equal(part, p)


def test_the_vector_is_only_read(rng):
    problem = make_problem(rng, (4, 6, 3), n=5)
    vector = packed(problem.params)
    before = vector.copy()
    vector.flags.writeable = False
    with make_objective(problem) as objective:
        objective(vector)
    np.testing.assert_array_equal(vector, before)


def test_weights_that_sum_to_zero_are_refused(rng):
    problem = make_problem(rng, (4, 6, 3), n=4)
    problem.sample_weight = np.array([1.0, -1.0, 2.0, -2.0])
    with pytest.raises(ValueError, match="sample_weight sums to zero"):
        make_objective(problem)


def test_no_thread_is_left(rng):
    wait_for_idle_workers()
    problem = make_problem(rng, (4, 6, 3), n=64)
    with make_objective(problem, n_threads=3) as objective:
        objective(packed(problem.params))
        assert count_open() == 2
    assert count_open() == 0
