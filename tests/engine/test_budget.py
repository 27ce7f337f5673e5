"""Trainings side by side share the threads of the process equally, and leave none behind whatever happens."""

import os
import signal
from contextlib import ExitStack

import pytest

from fastbp.threads import budget
from fastbp.threads.budget import Claim, choose_threads
from fastbp.threads.pool import count_open
from fastbp.training import engine
from support.limits import HANG_SECONDS
from support.networks import assert_identical, make_optimizer, make_problem, open_session, train
from support.threads import wait_for_idle_workers

BIG = 1e12  # operations that are worth all CPUs


@pytest.fixture(autouse=True)
def nobody_else(monkeypatch):
    """Eight CPUs, no settings, and nothing left over from other tests."""
    for name in ("FASTBP_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for module in ("cpus", "budget"):
        monkeypatch.setattr(f"fastbp.threads.{module}.allowed_cpus", lambda: 8)
    monkeypatch.setattr(budget, "_active", set())
    wait_for_idle_workers()


@pytest.fixture
def problem(rng):
    return make_problem(rng, (20, 33, 17, 4), n=200, batch_size=16, epochs=4, loss="log_loss")


@pytest.mark.parametrize("most", [1, 3, 8, 100])
def test_alone_one_gets_what_it_can_use(most):
    claim = Claim(None, BIG, most)
    assert claim.threads() == claim.most == min(most, 8)


def test_equal_shares():
    claims = [Claim(None, BIG, 100) for _ in range(10)]
    assert [claim.threads() for claim in claims] == [8, 4, 2, 2, 1, 1, 1, 1, 1, 1]
    assert [claim.threads() for claim in claims] == 10 * [1]
    for claim in claims[2:]:
        claim.release()
        claim.release()
    assert [claim.threads() for claim in claims[:2]] == [4, 4]
    claims[0].release()
    assert claims[1].threads() == 8


def test_a_number_that_was_asked_for_is_kept():
    asked, automatic = Claim(6, 1.0, 1), Claim(None, BIG, 100)
    assert asked.threads() == 6
    assert automatic.threads() == 4
    assert asked.threads() == 6
    assert Claim(1 << 31, 1.0, 1).most == 64


def test_short_calls_take_a_share():
    assert choose_threads(None, BIG, 100) == 8
    claims = [Claim(None, BIG, 100) for _ in range(3)]
    for claim, share in zip(claims, (8, 4, 2), strict=True):
        claim.threads()
        assert choose_threads(None, BIG, 100) == share
    assert choose_threads(None, 1.0, 100) == 1
    assert choose_threads(6, BIG, 100) == 6


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_a_forked_child_has_no_claims():
    held = Claim(None, BIG, 100)
    held.threads()
    child = os.fork()
    if child == 0:
        signal.alarm(HANG_SECONDS)
        os._exit(Claim(None, BIG, 100).threads())
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 8


# ---- trainings ----


@pytest.mark.parametrize("broken", ["_make_buffers", "_start_workers", "_run_slice"])
def test_a_training_that_fails_leaves_no_claim(broken, monkeypatch, problem):
    monkeypatch.setattr(engine.Engine, broken, lambda *_: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        train(problem, make_optimizer("Adam"), 2)
    assert budget._active == set()
    assert count_open() == 0


def test_trainings_side_by_side_share_and_leave_nothing(rng, monkeypatch):
    monkeypatch.setattr(budget, "FLOPS_PER_THREAD", 1.0)
    problem = make_problem(rng, (10, 30, 3), n=200, batch_size=200)
    workers = []
    with ExitStack() as stack:
        sessions = [
            stack.enter_context(
                open_session(problem, make_optimizer("Adam"), problem.weights, problem.biases, n_threads=None)
            )
            for _ in range(3)
        ]
        for session in sessions + sessions:
            session.epoch(None)
            workers.append(count_open())
    # 8; 8 and 4, of which the first ones have not looked yet; and so on. In the end, each has 2.
    assert workers == [7, 7 + 3, 7 + 3 + 1, 1 + 3 + 1, 1 + 1 + 1, 1 + 1 + 1]
    assert (budget._active, count_open()) == (set(), 0)


def test_teams_that_change_size_change_no_bit(monkeypatch, problem):
    class Restless(Claim):
        """Has another number of threads at every look."""

        size = 0

        def threads(self):
            self.size = 1 + self.size % self.most
            return self.size

    for optimizer in ("SGD", "Adam"):
        one = train(problem, make_optimizer(optimizer), 1)
        with monkeypatch.context() as patch:
            patch.setattr(engine, "Claim", Restless)
            for threads in (2, 3):
                assert_identical(train(problem, make_optimizer(optimizer), threads), one)
    assert count_open() == 0
