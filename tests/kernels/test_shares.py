"""Every unit of the work is in one share, every share is taken by one thread, and none is left in the end."""

import os
import signal
import threading

import numpy as np
import pytest

from fastbp.compiler.jit import jit
from fastbp.kernels import matmul
from fastbp.kernels.shares import begin_shares, end_shares, next_share, run_shares, stop_shares
from fastbp.kernels.vectors.atomics import nap
from fastbp.kernels.vectors.simd import pointer
from fastbp.threads import pool
from fastbp.threads.cpus import allowed_cpus
from support.limits import HANG_SECONDS
from support.threads import wait_for_idle_workers


@pytest.fixture(autouse=True)
def _idle_workers():
    wait_for_idle_workers()


@jit
def take(shares, thread, naps, taken, stop_at):
    """Count how often each unit is taken; the workers sleep before they touch anything."""
    table = pointer(shares)
    begin_shares(table)
    first, end = next_share(table)
    while first < end:
        if thread != 0:
            for _ in range(naps):
                nap()
        for unit in range(first, end):
            taken[unit] += 1
            if unit == stop_at:
                stop_shares(table)
                end_shares(table)
                return
        first, end = next_share(table)
    end_shares(table)


class Work:
    """Takes shares; the calling thread waits until a worker has begun, if told so."""

    def __init__(self, units, *, naps=0, stop_at=-1, wait=False):
        self.taken = np.zeros(units, dtype=np.int64)
        self.seen = set()
        self._naps, self._stop_at, self._wait = naps, stop_at, wait
        self._begun = threading.Event()

    def __call__(self, thread, shares):
        self.seen.add(thread)
        if thread != 0:
            self._begun.set()
            self.fail(thread)
        elif self._wait:
            assert self._begun.wait(HANG_SECONDS)
            self.fail(thread)
        take(shares, thread, self._naps, self.taken, self._stop_at)

    def fail(self, thread):
        pass


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("each", [1, 2, 8])
def test_every_unit_once(threads, each):
    for units in (1, 2, 3, 6, 7, 13, 14, 15, 1000):
        work = Work(units)
        assert run_shares(work, units, each, threads, ())
        np.testing.assert_array_equal(work.taken, 1)


def test_a_slow_worker_is_waited_for():
    # A share takes it 20 ms, long after the caller has found nothing more to do.
    for _ in range(5):
        work = Work(8, naps=200, wait=True)
        assert run_shares(work, 8, 4, 2, ())
        np.testing.assert_array_equal(work.taken, 1)


def test_a_worker_that_comes_late_finds_nothing():
    tables = []
    work = Work(10)
    assert run_shares(lambda thread, shares: (tables.append(shares), work(thread, shares)), 10, 4, 1, ())
    take(tables[0], 1, 0, work.taken, -1)
    np.testing.assert_array_equal(work.taken, 1)


@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_stopped_is_not_done(threads):
    work = Work(1000, stop_at=20)
    assert not run_shares(work, 1000, 500, threads, ())
    assert work.taken[20] == 1
    assert work.taken.max() == 1
    if threads == 1:
        assert not work.taken[21:].any()


def test_if_the_caller_fails_the_workers_stop():
    class Failing(Work):
        def fail(self, thread):
            if thread == 0:
                raise MemoryError

    # All of it would take a worker longer than any machine is too busy to run the caller.
    work = Failing(30_000, naps=20, wait=True)
    with pytest.raises(MemoryError):
        run_shares(work, 30_000, 15_000, 2, ())
    taken = work.taken.copy()
    assert taken.sum() < 30_000
    wait_for_idle_workers()
    np.testing.assert_array_equal(work.taken, taken)


def test_if_a_worker_fails_the_caller_does_it_all():
    class Failing(Work):
        def fail(self, thread):
            if thread != 0:
                raise MemoryError

    work = Failing(100, wait=True)
    assert run_shares(work, 100, 4, 2, ())
    np.testing.assert_array_equal(work.taken, 1)


def test_no_more_workers_than_cpus():
    work = Work(1000)
    assert run_shares(work, 1000, 8, 1000, ())
    assert len(work.seen) <= 1 + allowed_cpus()


def test_where_no_thread_can_be_started(monkeypatch):
    def refuse(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(pool, "_workers", set())
    monkeypatch.setattr(pool, "start_new_thread", refuse)
    work = Work(100)
    assert run_shares(work, 100, 4, 3, ())
    np.testing.assert_array_equal(work.taken, 1)
    assert work.seen == {0}


def test_a_worker_that_has_not_ended_holds_no_array_afterwards():
    released = threading.Event()

    class Stuck(Work):
        def fail(self, thread):
            if thread != 0:
                released.wait(HANG_SECONDS)

    array = np.zeros(1000)
    try:
        run_shares(Stuck(10, wait=True), 10, 4, 2, iter([array]))
        array.resize(2000)  # raises if anything else refers to it
    finally:
        released.set()


def test_side_by_side_and_one_inside_of_the_other():
    def call(depth):
        work = Work(50)

        def both(thread, shares):
            if thread == 0 and depth > 0:
                call(depth - 1)
            work(thread, shares)

        assert run_shares(both, 50, 4, 3, ())
        np.testing.assert_array_equal(work.taken, 1)
        done.append(depth)

    done = []
    callers = [threading.Thread(target=call, args=[3], daemon=True) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(HANG_SECONDS)
    assert sorted(done) == sorted(list(range(4)) * 8)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity on this system")
def test_affinity_is_left_alone():
    before = os.sched_getaffinity(0)
    during = []
    work = Work(50, wait=True)
    run_shares(lambda *args: (during.append(os.sched_getaffinity(0)), work(*args)), 50, 4, 2, ())
    assert during == [before, before]
    assert os.sched_getaffinity(0) == before


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals of POSIX")
def test_signal_handlers_that_raise_or_call_again(rng):
    def handler(number, frame):
        np.testing.assert_array_equal(matmul(a, a, n_threads=2), right)
        if armed[0]:
            armed[:] = [False]
            raise TimeoutError

    a = rng.standard_normal((150, 150))
    right = matmul(a, a, n_threads=1)
    before = signal.signal(signal.SIGALRM, handler)
    raised, armed = 0, [False]
    try:
        for i in range(200):
            try:
                armed[:] = [True]
                signal.setitimer(signal.ITIMER_REAL, 2e-5 * (1 + i % 20))
                for _ in range(10):
                    np.testing.assert_array_equal(matmul(a, a, n_threads=2), right)
                armed[:] = [False]
            except TimeoutError:
                raised += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert raised > 0
    wait_for_idle_workers()
    np.testing.assert_array_equal(matmul(a, a, n_threads=2), right)
