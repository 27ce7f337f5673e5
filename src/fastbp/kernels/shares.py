"""Work that is split finer than threads, and handed out dynamically.

Threads start late, by 0.05 ms or by 5 ms, and run at the speed that other programs leave
them. If each had a fixed part of the work, all would wait for the slowest. So there are
several shares for each thread, and a thread that is done with one takes the next. No two
shares have a result in common: which thread takes which share changes no bit.

A thread in compiled code calls `begin_shares`, then `next_share` until there is none, and
then `end_shares`.
"""

from collections.abc import Callable, Iterable

import numpy as np

from fastbp.compiler.jit import inner, jit
from fastbp.kernels.vectors.atomics import atomic_add, atomic_load, atomic_store, pause
from fastbp.kernels.vectors.simd import get, pointer
from fastbp.threads.cpus import allowed_cpus
from fastbp.threads.pool import Call, count_open, submit

__all__ = ["begin_shares", "end_shares", "next_share", "run_shares", "share_count", "stop_shares"]

# Places in the table. Those that threads write have a cache line of their own.
NEXT = 0  # the share to be taken next
WORKING = 16  # threads that may have one
STOPPED = 32  # set if the rest was given up
COUNT = 48  # shares
BOUNDS = 49  # where each begins, and where the last one ends

# Looks at what the other threads do before the caller yields its core: about a tenth of a millisecond.
_SPINS = 4_000


def share_count(units: int, each: int, threads: int) -> int:
    """Return how many shares `units` of work have.

    Parameters
    ----------
    units : int
        Rows, say, or panels.
    each : int
        Shares for each thread, if all are equally fast. Large shares make better use of caches, small ones of threads.
    threads : int
    """
    return min(each * threads, units) if threads > 1 else 1


def run_shares(
    work: Callable[[int, np.ndarray], object], units: int, each: int, threads: int, held: Iterable[object]
) -> bool:
    """Call ``work(0, table)``, and ``work(thread, table)`` in idle workers, to take shares from the table.

    The calling thread takes shares until there is none, and waits for the workers that have one. So all is done when
    this returns, whether workers have helped, failed or come too late.

    Parameters
    ----------
    work : callable
    units, each, threads
        See `share_count`. There are no more workers than CPUs.
    held : iterable
        Arrays that the work reads or writes by their addresses. They stay alive until no worker uses them, even if a
        signal handler raises.

    Returns
    -------
    bool
        Whether all was done: nobody called `stop_shares`.
    """
    count = share_count(units, each, threads)
    table = np.zeros(BOUNDS + count + 1, dtype=np.int64)
    table[COUNT] = count
    table[BOUNDS:] = [units * share // count for share in range(count + 1)]
    arrays = list(held)
    helpers = min(threads - 1, allowed_cpus() - count_open()) if threads > 1 else 0
    calls = [Call(lambda thread: work(thread, table), thread, arrays) for thread in range(1, helpers + 1)]
    try:
        submit(calls)
        work(0, table)
    finally:
        _close(table)
        for call in calls:
            call.withdraw()
    # A worker that is late holds none of them.
    arrays.clear()
    return not table[STOPPED]


@inner
def begin_shares(table):
    """Say that this thread may take shares; `table` is a pointer."""
    atomic_add(table, WORKING, 1)


@inner
def next_share(table):
    """Take a share. Returns its first unit and its end: 0 and 0 if there is none left."""
    share = atomic_add(table, NEXT, 1)
    if share >= get(table, COUNT):
        return 0, 0
    return get(table, BOUNDS + share), get(table, BOUNDS + share + 1)


@inner
def stop_shares(table):
    """Leave no share to anyone."""
    atomic_store(table, STOPPED, 1)
    atomic_store(table, NEXT, get(table, COUNT))


@inner
def end_shares(table):
    """Say that this thread takes no more."""
    atomic_add(table, WORKING, -1)


@jit
def _close(table):
    """Leave no share to anyone, and wait until nobody has one."""
    places = pointer(table)
    atomic_store(places, NEXT, get(places, COUNT))
    looks = 0
    # A thread has said that it may take shares before it took one, and none is left.
    while atomic_load(places, WORKING) != 0:
        pause(looks, _SPINS)
        looks += 1
