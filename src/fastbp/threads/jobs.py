"""How many threads to use, and calls in threads of their own.

Threads are plain Python threads that call one compiled, GIL-free function each with
its thread number: nothing to install, nothing that a fork or a second fit at the same
time could trip over.
"""

import math
import threading
from collections.abc import Callable

from fastbp.threads.budget import Claim, part_of
from fastbp.threads.cpus import allowed_cpus, thread_limit

__all__ = ["Job", "allowed_cpus", "choose_threads", "claim_threads", "uninterrupted"]

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


class _Kept:
    """A context in which what is raised is kept for later."""

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        self.error = error or self.error
        return True


def uninterrupted(wait: Callable[[], object]) -> None:
    """Call `wait` until it returns, whatever handlers of signals raise meanwhile; that is raised afterwards."""
    kept, waiting = _Kept(), True
    while waiting:
        with kept:
            wait()
            waiting = False
    if kept.error is not None:
        raise kept.error


class Job:
    """A call in a thread of its own, to be waited for while signals come in.

    `Thread.join` is no way to do that: interrupted by Ctrl-C, it takes the thread for finished in some versions of
    Python (https://bugs.python.org/issue45274).

    Parameters
    ----------
    work : callable
        Called with the number of the thread.
    thread : int
        Number of the thread.
    """

    def __init__(self, work: Callable[[int], object], thread: int) -> None:
        self._work = work
        self._thread = thread
        self._done = threading.Event()
        threading.Thread(target=self._run, name=f"fastbp-{thread}", daemon=True).start()

    def _run(self) -> None:
        try:
            self._work(self._thread)
        finally:
            self._done.set()

    def wait(self, seconds: float) -> bool:
        """Wait for so long at most; returns whether the call has ended."""
        return self._done.wait(seconds)

    def finish(self) -> None:
        """Wait until the call has ended. What handlers of signals raise meanwhile (KeyboardInterrupt) comes after."""
        uninterrupted(self._done.wait)
