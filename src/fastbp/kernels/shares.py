"""Dynamic distribution of work: it is split into more shares than threads, and each thread takes the next free one.

Threads may start late, by 0.05 ms or by 5 ms, and other programs may slow them down. If
each had a fixed part of the work, all would wait for the slowest. So there are several
shares for each thread, and a thread that has finished one takes the next. No two shares
write the same result, so the result does not depend on which thread takes which share.

A thread in compiled code calls `begin_shares`, then `next_share` until there is none left,
and then `end_shares`.
"""

from collections.abc import Callable, Iterable

import numpy as np

from fastbp.compiler.jit import inner, jit
from fastbp.compiler.tuning import SHARES_SPINS
from fastbp.kernels.vectors.atomics import atomic_add, atomic_load, atomic_store, pause
from fastbp.kernels.vectors.simd import get, pointer
from fastbp.threads.cpus import allowed_cpus
from fastbp.threads.pool import Call, count_open, submit

__all__ = ["begin_shares", "end_shares", "next_share", "run_shares", "share_count", "stop_shares"]

# Indices into the table. Those that threads write are on cache lines of their own.
NEXT = 0  # the next share to take
WORKING = 16  # number of threads that may hold a share
STOPPED = 32  # set if the remaining shares were cancelled
COUNT = 48  # number of shares
BOUNDS = 49  # where each share begins, and where the last one ends


def share_count(units: int, each: int, threads: int) -> int:
    """Return how many shares to split `units` of work into.

    Parameters
    ----------
    units : int
        Number of rows or panels, for example.
    each : int
        Shares per thread. Large shares use caches better, small ones balance the threads better.
    threads : int
    """
    return min(each * threads, units) if threads > 1 else 1


def run_shares(
    work: Callable[[int, np.ndarray], object], units: int, each: int, threads: int, held: Iterable[object]
) -> bool:
    """Call ``work(0, table)``, and ``work(thread, table)`` in idle workers, to take shares from the table.

    The calling thread takes shares until there is none left, and waits for the workers that hold one. So all work is
    done when this returns, whether workers helped, failed or started too late.

    Parameters
    ----------
    work : callable
    units, each, threads
        See `share_count`. There are at most as many workers as CPUs.
    held : iterable
        Arrays that the work reads or writes by their addresses. They stay alive until no worker uses them, even if a
        signal handler raises.

    Returns
    -------
    bool
        Whether all work was done, that is, `stop_shares` was not called.
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
    # A worker that starts late does not need these arrays.
    arrays.clear()
    return not table[STOPPED]


@inner
def begin_shares(table):
    """Register this thread as a taker of shares; `table` is a pointer."""
    atomic_add(table, WORKING, 1)


@inner
def next_share(table):
    """Take a share; returns its first unit and its end, or 0 and 0 if there is none left."""
    share = atomic_add(table, NEXT, 1)
    if share >= get(table, COUNT):
        return 0, 0
    return get(table, BOUNDS + share), get(table, BOUNDS + share + 1)


@inner
def stop_shares(table):
    """Cancel all shares that have not been taken."""
    atomic_store(table, STOPPED, 1)
    atomic_store(table, NEXT, get(table, COUNT))


@inner
def end_shares(table):
    """Unregister this thread: it takes no more shares."""
    atomic_add(table, WORKING, -1)


@jit
def _close(table):
    """Cancel all shares that have not been taken, and wait until no thread holds one."""
    places = pointer(table)
    atomic_store(places, NEXT, get(places, COUNT))
    looks = 0
    # Threads register before they take a share, and none is left to take.
    while atomic_load(places, WORKING) != 0:
        pause(looks, SHARES_SPINS)
        looks += 1
