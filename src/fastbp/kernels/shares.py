"""Work that threads take in shares, one after the other, until none is left.

Threads start late, by a twentieth of a millisecond or by five, and run at the pace that
other programs leave them: where each has a fixed part of the work, all wait for the
slowest. So there are a few shares for each thread, and who is done with one takes the
next. Results of different shares lie apart: who takes which changes no bit.

A thread in compiled code calls `begin_shares`, then `next_share` until there is none, and
then `end_shares`.
"""

from collections.abc import Callable, Iterable

import numpy as np

from fastbp.compiler.jit import inner
from fastbp.kernels.vectors.atomics import atomic_add, atomic_load, atomic_store, spin_hint
from fastbp.kernels.vectors.simd import get
from fastbp.threads.helpers import run_on_threads

__all__ = ["begin_shares", "end_shares", "next_share", "run_shares", "share_count", "stop_shares"]

# Places in the table. Those that threads write have a cache line of their own.
NEXT = 0  # the share to be taken next
WORKING = 16  # threads that may have one
STOPPED = 32  # set if the rest was given up
COUNT = 48  # shares
BOUNDS = 49  # where each begins, and where the last one ends

# Looks at what others do before the calling thread has Python wait for them: a tenth of a millisecond, more or less.
_LOOKS = 4_000


def share_count(units: int, each: int, threads: int) -> int:
    """Return how many shares `units` of work have.

    Parameters
    ----------
    units : int
        What there is to be shared out.
    each : int
        Shares for each thread, if all are equally fast. Large ones make better use of caches, small ones of threads.
    threads : int
    """
    return min(each * threads, units) if threads > 1 else 1


def run_shares(
    work: Callable[[int, np.ndarray], bool], units: int, each: int, threads: int, held: Iterable[object]
) -> bool:
    """Call ``work(thread, table)`` in so many threads, to take shares from the table.

    Parameters
    ----------
    work : callable
        Returns what `end_shares` says.
    units, each, threads
        See `share_count`.
    held : iterable
        Arrays that the work reads or writes by their addresses.

    Returns
    -------
    bool
        Whether all was done: nobody called `stop_shares`.
    """
    count = share_count(units, each, threads)
    table = np.zeros(BOUNDS + count + 1, dtype=np.int64)
    table[COUNT] = count
    table[BOUNDS:] = [units * share // count for share in range(count + 1)]

    def take(thread: int) -> bool:
        try:
            return work(thread, table)
        except BaseException:
            # The caller is waited for by nobody: the others need not go on. If it is a helper that lacks memory, say,
            # the others do its work.
            if thread == 0:
                table[NEXT] = count
            raise

    error = run_on_threads(take, threads, held)
    if error is not None and (table[NEXT] < count or table[WORKING] != 0):
        raise error
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
def end_shares(table, thread):
    """Say that this thread takes no more. Returns whether all shares are done, where thread 0 learns so in a moment."""
    atomic_add(table, WORKING, -1)
    if thread == 0:
        # Who has a share has said so before it took it, and all have been taken by now.
        for _ in range(_LOOKS):
            if atomic_load(table, WORKING) == 0:
                return True
            spin_hint()
    return False
