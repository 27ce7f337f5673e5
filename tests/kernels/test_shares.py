"""Every unit of the work is in one share, every share is taken by one thread, and none is left in the end."""

import threading

import numpy as np
import pytest

from fastbp.compiler.jit import jit
from fastbp.kernels.shares import begin_shares, end_shares, next_share, run_shares, stop_shares
from fastbp.kernels.vectors.atomics import nap
from fastbp.kernels.vectors.simd import pointer
from support.threads import wait_for_idle_helpers


@pytest.fixture(autouse=True)
def _idle_helpers():
    wait_for_idle_helpers()


@jit
def take(shares, thread, naps, taken, stop_at):
    """Count how often each unit is taken; the other threads sleep before they touch anything."""
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
                return end_shares(table, thread)
        first, end = next_share(table)
    return end_shares(table, thread)


def run(units, each, threads, naps=0, stop_at=-1, begun=None):
    taken = np.zeros(units, dtype=np.int64)

    def work(thread, shares):
        if begun is not None:
            begun[thread].set()
            if thread == 0:
                assert begun[1].wait(20)
        return take(shares, thread, naps, taken, stop_at)

    return run_shares(work, units, each, threads, ()), taken


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("each", [1, 2, 8])
def test_every_unit_once(threads, each):
    for units in (1, 2, 3, 6, 7, 13, 14, 15, 1000):
        done, taken = run(units, each, threads)
        assert done
        np.testing.assert_array_equal(taken, 1)


def test_slow_threads_are_waited_for():
    # A share that a thread has in hand takes it 20 ms, long after thread 0 has found nothing more to do.
    for _ in range(5):
        wait_for_idle_helpers()
        done, taken = run(8, 4, 2, naps=200, begun=[threading.Event(), threading.Event()])
        assert done
        np.testing.assert_array_equal(taken, 1)


def test_a_thread_that_comes_late_finds_nothing():
    tables = []

    def work(thread, shares):
        tables.append(shares)
        return take(shares, thread, 0, taken, -1)

    taken = np.zeros(10, dtype=np.int64)
    assert run_shares(work, 10, 4, 1, ())
    take(tables[0], 1, 0, taken, -1)
    np.testing.assert_array_equal(taken, 1)


@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_stopped_is_not_done(threads):
    done, taken = run(1000, 500, threads, stop_at=20)
    assert not done
    assert taken[20] == 1
    assert taken.max() == 1
    if threads == 1:
        assert not taken[21:].any()


def test_without_the_caller_the_others_stop():
    begun = threading.Event()

    def work(thread, shares):
        if thread == 0:
            assert begun.wait(20)
            raise MemoryError
        begun.set()
        return take(shares, thread, 20, taken, -1)

    taken = np.zeros(1000, dtype=np.int64)
    with pytest.raises(MemoryError):
        run_shares(work, 1000, 500, 2, ())
    assert 0 < taken.sum() < 500


def test_without_a_helper_the_caller_does_it_all():
    failed = threading.Event()

    def work(thread, shares):
        if thread != 0:
            failed.set()
            raise MemoryError
        assert failed.wait(20)
        return take(shares, thread, 0, taken, -1)

    taken = np.zeros(100, dtype=np.int64)
    assert run_shares(work, 100, 4, 2, ())
    np.testing.assert_array_equal(taken, 1)
