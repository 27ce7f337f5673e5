"""The number of threads changes no bit, and trainings side by side do not disturb each other."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

import fastbp.training.engine
from fastbp.compiler.target import TARGET
from fastbp.kernels import matmul
from fastbp.network.prediction import predict
from fastbp.threads.budget import choose_threads
from fastbp.training.pace import Pace
from support.lattice import DTYPES, HIDDEN, panel_width
from support.networks import (
    LOSSES,
    OPTIMIZERS,
    assert_identical,
    check_training,
    make_optimizer,
    make_problem,
    open_session,
    train,
)
from support.sparse import sparse_of
from support.threads import result_of

THREADS = (2, 3, 4, 7)

each_dtype = pytest.mark.parametrize("dtype", DTYPES)


@pytest.mark.smoke
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@each_dtype
def test_threads_change_no_bit(dtype, optimizer, rng):
    nr = panel_width(dtype)
    for i, sizes in enumerate([(1, 1), (3, 2, 1), (nr + 1, 2 * nr + 1, 7), (20, 30, 40, 50, 3)]):
        problem = make_problem(
            rng,
            sizes,
            n=100,
            batch_size=(3, TARGET.mr + 1, 33, 100)[i],
            activation=HIDDEN[i],
            loss=LOSSES[i],
            weighted=True,
            epochs=2,
            dtype=dtype,
        )
        one = train(problem, make_optimizer(optimizer), 1)
        for threads in THREADS:
            assert_identical(train(problem, make_optimizer(optimizer), threads), one)


@pytest.mark.parametrize("activation", HIDDEN)
@each_dtype
def test_threads_change_no_bit_of_any_activation(dtype, activation, rng):
    nr = panel_width(dtype)
    problem = make_problem(
        rng, (5, nr + 1, 2 * nr + 1, 3), n=60, batch_size=33, activation=activation, loss="log_loss", dtype=dtype
    )
    for given in (problem, replace(problem, x=sparse_of(problem.x))):
        for optimizer in ("Nesterov", "AdamW"):
            one = train(given, make_optimizer(optimizer), 1)
            for threads in (2, 3, 7):
                assert_identical(train(given, make_optimizer(optimizer), threads), one)


def test_more_threads_than_rows_or_tiles(rng):
    problem = make_problem(rng, (1, 1), n=3, batch_size=1, epochs=2)
    for threads in (7, 16):
        check_training(problem, make_optimizer("Adam"), threads)


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_the_same_run_again(threads, rng):
    problem = make_problem(rng, (20, 33, 17, 4), n=200, batch_size=40, epochs=3, loss="log_loss")
    first = train(problem, make_optimizer("Adam"), threads)
    for _ in range(4):
        assert_identical(train(problem, make_optimizer("Adam"), threads), first)


def test_changes_between_all_threads_and_one_change_no_bit(rng, monkeypatch):
    class Restless(Pace):
        """Changes at every slice."""

        def learn(self, steps, seconds, threads):
            self.steps = 1 + steps % 3
            self.alone = not self.alone

    problem = make_problem(rng, (20, 33, 17, 4), n=200, batch_size=16, epochs=4, loss="log_loss")
    for optimizer in OPTIMIZERS:
        one = train(problem, make_optimizer(optimizer), 1)
        with monkeypatch.context() as patch:
            patch.setattr(fastbp.training.engine, "Pace", Restless)
            for threads in (2, 3):
                assert_identical(train(problem, make_optimizer(optimizer), threads), one)


class PausingOrders(list):
    """Orders of epochs, between which workers have time to fall asleep."""

    def __iter__(self):
        for order in super().__iter__():
            time.sleep(0.004)
            yield order


@pytest.mark.parametrize("threads", [2, 4])
@pytest.mark.parametrize("without_weight", [40, 64])
def test_slices_without_a_step(threads, without_weight, rng):
    # In a slice of minibatches without weight there is nothing that the threads of a step would wait for, and workers
    # that have waited for long are slow to wake up.
    problem = make_problem(rng, (5, 2), n=64, batch_size=8, weighted=True, shuffled=False, epochs=3)
    problem.sample_weight[:without_weight] = 0
    one = train(problem, make_optimizer("Adam"), 1)
    problem.orders = PausingOrders(problem.orders)
    for _ in range(30):
        assert_identical(result_of(lambda: train(problem, make_optimizer("Adam"), threads)), one)


def test_trainings_side_by_side(rng):
    problems = [
        make_problem(rng, (10 + i, 20, 3), n=300, batch_size=32, epochs=5, loss=LOSSES[i % 4]) for i in range(6)
    ]
    alone = [train(problem, make_optimizer("Adam")) for problem in problems]
    with ThreadPoolExecutor(6) as pool:
        futures = [pool.submit(train, p, make_optimizer("Adam"), 1 + i % 3) for i, p in enumerate(problems)]
        together = [future.result() for future in futures]
    for a, b in zip(alone, together, strict=True):
        assert_identical(a, b)


def test_products_and_predictions_side_by_side(rng):
    a, b = rng.standard_normal((200, 100)), rng.standard_normal((100, 150))
    problem = make_problem(rng, (10, 20, 3), n=3000)

    def work(threads):
        outputs = predict(
            problem.weights, problem.biases, problem.x, activation="tanh", output="identity", n_threads=threads
        )
        return matmul(a, b, n_threads=threads), outputs

    ref = work(1)
    with ThreadPoolExecutor(8) as pool:
        for result in pool.map(work, [1, 2, 3, 4] * 4):
            for r, c in zip(ref, result, strict=True):
                np.testing.assert_array_equal(c, r)


def test_a_crowd_of_threads(rng):
    # Far more threads than cores: each barrier costs a switch of threads or a nap, and no more.
    problem = make_problem(rng, (10, 20, 3), n=400, batch_size=20, epochs=1)
    crowd = result_of(lambda: train(problem, make_optimizer("Adam"), 1 << 31))
    assert_identical(crowd, train(problem, make_optimizer("Adam"), 1))


# ---- choosing a number of threads ----


@pytest.fixture
def cores(monkeypatch):
    """Pretend to have eight cores, no settings, and no other threads that work."""
    for name in ("FASTBP_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for module in ("cpus", "budget"):
        monkeypatch.setattr(f"fastbp.threads.{module}.allowed_cpus", lambda: 8)
    monkeypatch.setattr("fastbp.threads.budget._active", set())


def test_tiny_work_gets_one_thread(cores):
    assert choose_threads(None, 1e4, 100) == 1


def test_large_work_gets_all_cores_that_can_be_busy(cores):
    assert choose_threads(None, 1e12, 100) == 8
    assert choose_threads(None, 1e12, 3) == 3
    assert choose_threads(None, 1e12, 0) == 1


def test_a_given_number_is_taken_within_reason(cores):
    assert choose_threads(13, 1.0, 100) == 13
    assert choose_threads(-1, 1.0, 100) == 8
    assert choose_threads(13, 1.0, 5) == 5, "no more than could have anything to do"
    assert choose_threads(1 << 40, 1.0, 1 << 50) == 64
    assert choose_threads(np.int64(2), 1.0, 100) == 2


@pytest.mark.parametrize("wrong", [0, -2, 1.5, "two"])
def test_what_is_no_number_of_threads(wrong, cores):
    with pytest.raises(ValueError, match="n_threads must be a positive integer, -1 or None, got"):
        choose_threads(wrong, 1.0, 100)


def test_setting_by_environment(cores, monkeypatch):
    monkeypatch.setenv("FASTBP_NUM_THREADS", "3")
    assert choose_threads(None, 1e12, 100) == 3
    assert choose_threads(5, 1e12, 100) == 5
    for wrong in ("0", "-1", "two", "1.5", ""):
        monkeypatch.setenv("FASTBP_NUM_THREADS", wrong)
        with pytest.raises(ValueError, match="FASTBP_NUM_THREADS"):
            choose_threads(None, 1e12, 100)


def test_a_session_without_epochs(rng):
    problem = make_problem(rng, (3, 4, 2))
    for _ in range(20):
        with open_session(problem, make_optimizer("SGD"), n_threads=4):
            pass
