"""What a session reads, writes back and leaves alone, and how one goes on where another ended."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from fastbp.threads.pool import count_open
from support.lattice import DTYPES, panel_width
from support.networks import (
    MOMENTS,
    OPTIMIZERS,
    Result,
    assert_identical,
    assert_same,
    check_training,
    make_optimizer,
    make_problem,
    open_session,
    train,
    train_reference,
)
from support.threads import wait_for_idle_workers

each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS)


@each_dtype
def test_packing_and_unpacking_changes_nothing(dtype, rng):
    nr = panel_width(dtype)
    for sizes in [(1, 1), (nr, nr), (nr + 1, nr - 1, 2 * nr + 1, 3)]:
        problem = make_problem(rng, sizes, dtype=dtype)
        for optimizer in OPTIMIZERS:
            result = train(replace(problem, orders=[]), make_optimizer(optimizer))
            for before, after in zip(problem.params, result.params, strict=True):
                np.testing.assert_array_equal(after, before)
            assert tuple(result.moments()) == MOMENTS[type(result.optimizer.optimizer).__name__]
            for moments in result.moments().values():
                for moment, p in zip(moments, problem.params, strict=True):
                    assert moment.shape == p.shape
                    assert moment.dtype == dtype
                    assert not moment.any()


@each_optimizer
@each_dtype
def test_a_second_session_goes_on(dtype, optimizer, rng):
    problem = make_problem(rng, (5, 20, 3), epochs=4, dtype=dtype)
    at_once = train(problem, make_optimizer(optimizer))
    first = train(replace(problem, orders=problem.orders[:1]), make_optimizer(optimizer))
    rest = replace(problem, weights=first.params[:2], biases=first.params[2:], orders=problem.orders[1:])
    second = train(rest, first.optimizer)
    assert_identical(replace_losses(second, first.losses + second.losses), at_once)


def replace_losses(result, losses):
    return Result(result.params, losses, result.optimizer)


@each_optimizer
def test_given_moments(optimizer, rng):
    problem = make_problem(rng, (5, 9, 3), epochs=2)
    given = make_optimizer(optimizer)
    for name in MOMENTS[type(given.optimizer).__name__]:
        given.moments[name] = [rng.uniform(0, 0.1, p.shape) for p in problem.params]
    if "ms" in given.moments:
        given.t = 7
    check_training(problem, given)


@each_optimizer
def test_sync_in_between(optimizer, rng):
    problem = make_problem(rng, (5, 9, 3), epochs=3)
    ref = train(problem, make_optimizer(optimizer))
    weights, biases, comp = copy.deepcopy(problem.weights), copy.deepcopy(problem.biases), make_optimizer(optimizer)
    losses = []
    with open_session(problem, comp, weights, biases, n_threads=1) as session:
        for i, order in enumerate(problem.orders):
            losses.append(session.epoch(order))
            session.sync()
            so_far = train_reference(replace(problem, orders=problem.orders[: i + 1]), make_optimizer(optimizer))
            assert_same(Result([*weights, *biases], losses, comp), so_far)
    assert_identical(Result([*weights, *biases], losses, comp), ref)


def test_shuffles_compose(rng):
    n = 40_000
    problem = make_problem(rng, (1, 1), n=n, batch_size=n)
    order, drawn = np.arange(n), np.random.RandomState(3)
    with open_session(problem, make_optimizer("SGD"), problem.weights, problem.biases) as session:
        given = np.random.RandomState(3)
        for _ in range(3):
            session.shuffle(given)
            permutation = np.arange(n)
            drawn.shuffle(permutation)
            order = order[permutation]
            np.testing.assert_array_equal(session.engine.order, order)
            session.epoch(None)
            np.testing.assert_array_equal(session.engine.order, order)
    assert given.randint(1 << 30) == drawn.randint(1 << 30)


def test_learning_rate_is_read_at_every_epoch(rng):
    problem = make_problem(rng, (5, 9, 3), epochs=2)
    weights, biases, optimizer = copy.deepcopy(problem.weights), copy.deepcopy(problem.biases), make_optimizer("SGD")
    with open_session(problem, optimizer, weights, biases) as session:
        session.epoch(problem.orders[0])
        session.sync()
        after_one = copy.deepcopy(weights)
        optimizer.learning_rate /= 5
        session.epoch(problem.orders[1])
    half = replace(problem, weights=after_one, biases=copy.deepcopy(problem.biases), orders=problem.orders[1:])
    first = train_reference(replace(problem, orders=problem.orders[:1]), make_optimizer("SGD"))
    half.biases = first.params[2:]
    second = train_reference(half, make_optimizer("SGD", learning_rate=0.02 / 5))
    for comp, ref in zip([*weights, *biases], second.params, strict=True):
        np.testing.assert_allclose(comp, ref, rtol=1e-11)


def test_data_is_left_alone(rng):
    problem = make_problem(rng, (5, 9, 3), weighted=True, epochs=2)
    before = copy.deepcopy([problem.x, problem.y, problem.sample_weight, *problem.orders, *problem.params])
    train(problem, make_optimizer("Adam"))
    for old, new in zip(
        before, [problem.x, problem.y, problem.sample_weight, *problem.orders, *problem.params], strict=True
    ):
        np.testing.assert_array_equal(new, old)


def test_targets_may_be_bool(rng):
    problem = make_problem(rng, (5, 9, 3), loss="log_loss")
    ref = train(problem, make_optimizer("Adam"))
    assert_identical(train(replace(problem, y=problem.y.astype(bool)), make_optimizer("Adam")), ref)


def test_weights_of_any_layout(rng):
    problem = make_problem(rng, (5, 9, 3), epochs=2)
    ref = train(problem, make_optimizer("Adam"))
    weights = [np.asfortranarray(w) for w in problem.weights]
    biases = [np.repeat(b, 2)[::2] for b in problem.biases]
    with open_session(problem, make_optimizer("Adam"), weights, biases) as session:
        for order in problem.orders:
            session.epoch(order)
    for comp, r in zip([*weights, *biases], ref.params, strict=True):
        np.testing.assert_array_equal(comp, r)


def test_no_worker_is_kept(rng):
    problem = make_problem(rng, (5, 9, 3))
    wait_for_idle_workers()
    with open_session(problem, make_optimizer("Adam"), n_threads=4) as session:
        session.epoch(None)
        assert count_open() == 3
    assert count_open() == 0


def test_no_worker_is_kept_by_an_error(rng):
    problem = make_problem(rng, (5, 9, 3))
    wait_for_idle_workers()

    def fail():
        with open_session(problem, make_optimizer("Adam"), n_threads=3) as session:
            session.epoch(None)
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fail()
    assert count_open() == 0


@pytest.mark.parametrize("n_threads", [0, -2])
def test_number_of_threads_is_checked(n_threads, rng):
    with pytest.raises(ValueError, match=r"^n_threads must be"):
        open_session(make_problem(rng, (5, 9, 3)), make_optimizer("Adam"), n_threads=n_threads)


@each_dtype
def test_non_finite_data_is_seen_in_the_loss(dtype, rng):
    problem = make_problem(rng, (5, 9, 3), dtype=dtype)
    problem.x[3, 2] = np.nan
    assert np.isnan(train(problem, make_optimizer("SGD")).losses[0])


@each_dtype
def test_denormals_are_zero_in_training_only(dtype, rng):
    tiny = np.array([np.finfo(dtype).smallest_normal])
    problem = make_problem(rng, (5, 9, 3), dtype=dtype)
    for threads in (1, 2):
        train(problem, make_optimizer("Adam"), threads)
        assert (tiny / 4 > 0).all()


@each_dtype
def test_moments_that_die_away_do_so_in_every_thread(dtype, rng):
    problem = make_problem(rng, (5, 9, 3), dtype=dtype, weight_decay=0.0)
    optimizer = make_optimizer("momentum")
    smallest = np.finfo(dtype).smallest_normal
    optimizer.moments["velocities"] = [np.full(p.shape, 1.1 * smallest, dtype=dtype) for p in problem.params]
    problem.x[:] = 0
    one, *others = [train(problem, optimizer, threads) for threads in (1, 2, 3)]
    for other in others:
        assert_identical(other, one)
    # Without an input the weights of the first layer have no gradient: what is left is momentum * velocity.
    assert not one.moments()["velocities"][0].any()
