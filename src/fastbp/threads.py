"""How many threads to use, and running compiled code on them.

Threads are plain Python threads that call one compiled, GIL-free function each with
its thread number: nothing to install, nothing that a fork or a second fit at the same
time could trip over.
"""

import ctypes
import math
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache

from fastbp.budget import Claim, part_of
from fastbp.cpus import allowed_cpus, thread_limit

__all__ = ["Job", "allowed_cpus", "choose_threads", "claim_threads", "run_on_threads"]

# Work that is worth a thread of its own: about ten microseconds of multiply-adds, ten times what a barrier costs.
_FLOPS_PER_THREAD = 1_000_000.0


def _useful(flops: float, most: int) -> int:
    return max(1, min(most, math.ceil(flops / _FLOPS_PER_THREAD)))


def _ordered(n_threads: int) -> int:
    if n_threads == -1:
        return allowed_cpus()
    if n_threads < 1:
        raise ValueError(f"n_threads must be a positive integer, -1 or None, got {n_threads!r}")
    return n_threads


def choose_threads(n_threads: int | None, flops: float, most: int) -> int:
    """Return the number of threads for a piece of work that is done in a moment.

    Parameters
    ----------
    n_threads : int or None
        What the caller asked for: a positive number is taken as it is, -1 means all CPUs this process may use,
        None leaves the choice to the cost model, within the calling thread's part of `cpus.thread_limit`.
    flops : float
        Floating-point operations between two synchronizations.
    most : int
        Threads that could be given any work.

    Raises
    ------
    ValueError
        If `n_threads` is neither None, -1 nor positive.
    """
    if n_threads is not None:
        return _ordered(n_threads)
    useful = _useful(flops, most)
    if useful == 1:
        return 1
    limit = thread_limit()
    return part_of(min(useful, limit), limit)


def claim_threads(n_threads: int | None, flops: float, most: int) -> Claim:
    """Claim threads for a piece of work that lasts; see `choose_threads` for the parameters and errors.

    Of a number that the caller has asked for nothing is taken away while the claim lasts.
    """
    if n_threads is not None:
        return Claim(_ordered(n_threads), None)
    limit = thread_limit()
    return Claim(min(_useful(flops, most), limit), limit)


_pool: ThreadPoolExecutor | None = None
_pool_lock = threading.Lock()


def _forget_pool() -> None:
    """After a fork the child has the pool's bookkeeping, but none of its threads."""
    global _pool, _pool_lock
    _pool = None
    _pool_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def _shared_pool() -> ThreadPoolExecutor:
    global _pool
    with _pool_lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(max_workers=allowed_cpus(), thread_name_prefix="fastbp")
        return _pool


@cache
def _cpu_query() -> Callable[[], int] | None:
    try:
        return ctypes.CDLL(None).sched_getcpu
    except (AttributeError, OSError, TypeError):  # no such function, or (Windows) no way to ask for it by name
        return None


def _current_cpu() -> int:
    """Return the CPU that the calling thread runs on, or -1 where the system does not tell."""
    query = _cpu_query()
    return -1 if query is None else query()


def _settle(thread: int, caller_cpu: int) -> None:
    """Move the calling thread to a CPU of its own, and leave it free to be moved again.

    A thread starts, and wakes up, on the CPU of the one that started it, and the system may take seconds to see that
    the two compete. They wait for each other at barriers: until then both together are slower than one.
    """
    if caller_cpu < 0 or not hasattr(os, "sched_setaffinity"):
        return
    allowed = sorted(os.sched_getaffinity(0))
    if caller_cpu not in allowed or len(allowed) == 1:
        return
    target = allowed[(allowed.index(caller_cpu) + thread) % len(allowed)]
    try:
        os.sched_setaffinity(0, {target})
        os.sched_setaffinity(0, allowed)
    except OSError:  # the CPU has gone, or a container forbids it: the thread runs where it is
        return


class Job:
    """A call in a thread of its own, to be waited for while signals come in.

    `Thread.join` is no way to do that: interrupted by Ctrl-C, it takes the thread for finished in some versions of
    Python (https://bugs.python.org/issue45274).

    Parameters
    ----------
    work : callable
        Called with the number of the thread.
    thread : int
        Number of the thread. Number 0 stands in for the calling thread and stays on its CPU.
    """

    def __init__(self, work: Callable[[int], object], thread: int) -> None:
        self._work = work
        self._thread = thread
        self._caller_cpu = _current_cpu()
        self._done = threading.Event()
        threading.Thread(target=self._run, name=f"fastbp-{thread}", daemon=True).start()

    def _run(self) -> None:
        try:
            _settle(self._thread, self._caller_cpu)
            self._work(self._thread)
        finally:
            self._done.set()

    def wait(self, seconds: float) -> bool:
        """Wait for so long at most; returns whether the call has ended."""
        return self._done.wait(seconds)

    def finish(self) -> None:
        """Wait until the call has ended. A KeyboardInterrupt meanwhile is raised after that."""
        _uninterrupted(self._done.is_set, self._done.wait)


def _uninterrupted(ended: Callable[[], bool], wait_for_it: Callable[[], object]) -> None:
    interruption = None
    while not ended():
        try:
            wait_for_it()
        except KeyboardInterrupt as error:
            interruption = error
    if interruption is not None:
        raise interruption


def run_on_threads(work: Callable[[int], None], n_threads: int) -> None:
    """Call ``work(thread)`` for every thread number below `n_threads`; number 0 runs in the calling thread.

    The calls must not wait for each other: on a busy machine they may run one after the other. All have ended when this
    returns or raises: they work on memory that the caller may let go then.
    """
    if n_threads == 1:
        work(0)
        return
    claim = Claim(n_threads, None)
    caller_cpu = _current_cpu()

    def settled(thread: int) -> None:
        _settle(thread, caller_cpu)
        work(thread)

    pending = [_shared_pool().submit(settled, thread) for thread in range(1, n_threads)]
    try:
        work(0)
    finally:
        _uninterrupted(lambda: all(future.done() for future in pending), lambda: wait(pending))
        claim.release()
    for future in pending:
        future.result()
