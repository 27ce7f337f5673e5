"""Threads of Python that work side by side share the threads of the process, and lose none whatever happens."""

import gc
import itertools
import multiprocessing
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from fastbp.threads import budget
from fastbp.threads.budget import Claim, part_of
from fastbp.threads.helpers import run_on_threads
from fastbp.threads.jobs import choose_threads
from fastbp.training import engine
from fastbp.training.session import Session
from support.networks import assert_identical, make_optimizer, make_problem, train


@pytest.fixture(autouse=True)
def nobody_else(monkeypatch):
    """Nothing is left over from other tests, and nothing lingers unless a test says so."""
    monkeypatch.setattr(budget, "_places", [])
    monkeypatch.setattr(budget, "_LINGER", 0.0)
    monkeypatch.setattr("fastbp.threads.cpus.allowed_cpus", lambda: 8)


@pytest.fixture
def elsewhere():
    """Return a function that calls a function in one other thread and returns what that returns."""
    with ThreadPoolExecutor(1) as pool:
        yield lambda *args: pool.submit(*args).result(timeout=20)


def place(wanted, thread=-1, *, fixed=False, count=0):
    """A place of another thread."""
    return SimpleNamespace(thread=thread, wanted=wanted, fixed=fixed, count=count, end=float("inf"))


def test_alone_one_gets_what_it_wants():
    for wanted in (1, 3, 8):
        claim = Claim(wanted, 8)
        assert (claim.count, claim.most) == (wanted, wanted)
        claim.release()


def test_parts_fill_the_process_and_no_more(monkeypatch):
    for limit in (1, 2, 3, 8):
        for wants in itertools.product((1, 2, 3, 8), repeat=3):
            parts = []
            for i, wanted in enumerate(wants):
                others = [place(min(other, limit)) for j, other in enumerate(wants) if j != i]
                monkeypatch.setattr(budget, "_places", others)
                parts.append(part_of(min(wanted, limit), limit))
            assert sum(parts) <= max(limit, len(wants)), (limit, wants, parts)
            if sum(wants) <= limit:
                assert parts == list(wants)
            for part, wanted in zip(parts, wants, strict=True):
                assert part >= min(wanted, max(1, limit // len(wants))), "at least an equal part"


def test_a_second_thread_gets_its_part_and_the_first_makes_room(elsewhere):
    first = Claim(8, 8)
    # Without a wait for the first, which does not look in this test.
    first._place.count = 4
    second = elsewhere(Claim, 8, 8)
    assert second.count == 4
    assert first.count == 8
    assert first.stale()
    assert first.renew() == first.count == 4
    assert not first.stale()
    second.release()
    assert first.stale()
    assert first.renew() == 8


def test_what_others_do_not_want_is_left_to_the_rest(elsewhere):
    small = elsewhere(Claim, 1, 8)
    assert Claim(8, 8).count == 7
    small.release()


def test_a_newcomer_waits_until_there_is_room(elsewhere, monkeypatch):
    monkeypatch.setattr(budget, "_PATIENCE", 20.0)
    first = Claim(2, 2)
    look = threading.Timer(0.05, first.renew)
    look.start()
    start = time.monotonic()
    second = elsewhere(Claim, 2, 2)
    assert time.monotonic() - start < 10
    assert (first.count, second.count) == (1, 1)


def test_one_that_does_not_look_is_waited_for_once(elsewhere, monkeypatch):
    first = Claim(2, 2)
    elsewhere(Claim, 2, 2).release()
    monkeypatch.setattr(budget, "_PATIENCE", 1e6)
    second = elsewhere(Claim, 2, 2)
    assert (first.count, second.count) == (2, 1)
    assert first.stale(), "it gives threads back when it goes on"
    assert first.renew() == 1


def test_one_that_has_left_is_not_waited_for(elsewhere, monkeypatch):
    monkeypatch.setattr(budget, "_LINGER", 1e6)
    monkeypatch.setattr(budget, "_PATIENCE", 5.0)
    Claim(8, 8).release()
    start = time.monotonic()
    assert elsewhere(Claim, 8, 8).count == 4
    assert time.monotonic() - start < 4


def test_work_inside_of_work_takes_nothing_from_it():
    outer = Claim(4, 4)
    inner = Claim(4, 4)
    assert inner.count == 4
    assert not outer.stale()
    assert part_of(3, 4) == 3


def test_an_ordered_number_is_kept_and_left_alone(elsewhere):
    ordered = elsewhere(Claim, 6, None)
    assert ordered.count == 6
    automatic = Claim(8, 8)
    assert automatic.count == 4
    assert not ordered.stale()
    assert ordered.renew() == 6


def test_the_part_is_kept_for_the_next_fit_of_the_thread(elsewhere, monkeypatch):
    monkeypatch.setattr(budget, "_LINGER", 1e6)
    elsewhere(Claim, 8, 8).release()
    mine = Claim(8, 8)
    assert mine.count == 4, "a search goes on in the other thread"
    theirs = elsewhere(Claim, 8, 8)
    assert theirs.count == 4
    assert len(budget._places) == 2, "its next fit takes the old place"
    mine.release()
    theirs.release()
    assert Claim(8, 8).count == 4


def test_a_claim_that_is_dropped_is_released(elsewhere):
    def fail():
        claim = Claim(8, 8)
        raise ZeroDivisionError(claim.count)

    with pytest.raises(ZeroDivisionError, match="8"):
        elsewhere(fail)
    gc.collect()
    assert Claim(8, 8).count == 8


@pytest.mark.parametrize("broken", ["_make_buffers", "_hire", "_run_slice"])
def test_a_training_that_fails_leaves_no_claim(broken, elsewhere, monkeypatch, rng):
    problem = make_problem(rng, (10, 30, 3), n=200, batch_size=100, epochs=1)
    monkeypatch.setenv("FASTBP_NUM_THREADS", "4")
    with monkeypatch.context() as patch:
        patch.setattr(engine.Engine, broken, lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            elsewhere(train, problem, make_optimizer("Adam"))
    gc.collect()
    assert Claim(8, 8).count == 8


def test_a_call_counts_while_it_lasts(elsewhere):
    during = []

    def work(thread):
        if thread == 0:
            during.append(elsewhere(part_of, 8, 8))

    run_on_threads(work, 3)
    assert during == [5]
    assert elsewhere(part_of, 8, 8) == 8


def test_a_call_that_fails_is_over(elsewhere):
    with pytest.raises(ZeroDivisionError) as caught:
        run_on_threads(lambda thread: 1 // thread, 3)
    assert elsewhere(part_of, 8, 8) == 8, "though the error still holds what was at hand"
    assert caught.tb is not None


def test_a_training_that_is_closed_is_over(elsewhere, monkeypatch, rng):
    monkeypatch.setenv("FASTBP_NUM_THREADS", "4")
    problem = make_problem(rng, (10, 30, 3), n=200, batch_size=100, epochs=1)
    session = Session(
        problem.weights,
        problem.biases,
        make_optimizer("Adam"),
        problem.x,
        problem.y,
        activation="relu",
        loss="squared_error",
        weight_decay=0.0,
        batch_size=100,
    )
    assert elsewhere(part_of, 4, 4) < 4
    session.close()
    assert elsewhere(part_of, 4, 4) == 4


def test_choose_threads_leaves_room(elsewhere, monkeypatch):
    monkeypatch.setenv("FASTBP_NUM_THREADS", "6")
    held = elsewhere(Claim, 6, 6)
    assert choose_threads(None, 1e12, 100) == 3
    assert choose_threads(None, 1.0, 100) == 1
    assert choose_threads(6, 1e12, 100) == 6
    held.release()
    assert choose_threads(None, 1e12, 100) == 6


def child(connection):
    connection.send(Claim(8, 8).count)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_a_forked_child_has_no_claims(elsewhere):
    held = elsewhere(Claim, 8, 8)
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    # Held by another thread at the moment of the fork.
    elsewhere(budget._lock.acquire)
    process = context.Process(target=child, args=(sender,), daemon=True)
    process.start()
    elsewhere(budget._lock.release)
    assert receiver.poll(30), "the child hangs"
    assert receiver.recv() == 8
    process.join(10)
    held.release()


# ---- trainings ----


def test_teams_that_change_size_change_no_bit(rng, monkeypatch):
    class Restless(Claim):
        """Has another number of threads at every look."""

        def stale(self):
            return True

        def renew(self):
            self.count = 1 + getattr(self, "count", 0) % self.most
            return self.count

    problem = make_problem(rng, (20, 33, 17, 4), n=200, batch_size=16, epochs=4, loss="log_loss")
    for optimizer in ("SGD", "Adam"):
        one = train(problem, make_optimizer(optimizer), 1)
        with monkeypatch.context() as patch:
            patch.setattr("fastbp.threads.jobs.Claim", Restless)
            for threads in (2, 3):
                assert_identical(train(problem, make_optimizer(optimizer), threads), one)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("fastbp-")]


def test_trainings_that_come_and_go_stay_within_the_limit(rng, monkeypatch):
    limit = 4
    monkeypatch.setenv("FASTBP_NUM_THREADS", str(limit))
    monkeypatch.setattr(budget, "_LINGER", 0.25)
    monkeypatch.setattr(budget, "_PATIENCE", 20.0)
    problem = make_problem(rng, (40, 64, 5), n=600, batch_size=150, epochs=15)
    one = train(problem, make_optimizer("Adam"), 1)
    lock, running, seen = threading.Lock(), {}, []

    def watch(self, hire=engine.Engine._hire):
        hire(self)
        with lock:
            running[id(self)] = 1 + len(self._workers)
            seen.append(sum(running.values()))

    def leave(self, close=engine.Engine.close):
        close(self)
        with lock:
            del running[id(self)]

    monkeypatch.setattr(engine.Engine, "_hire", watch)
    monkeypatch.setattr(engine.Engine, "close", leave)
    with ThreadPoolExecutor(3) as pool:
        for result in pool.map(lambda _: train(problem, make_optimizer("Adam")), range(9), timeout=100):
            assert_identical(result, one)
    assert max(seen) <= limit
    assert max(seen) > 1
    assert not running
