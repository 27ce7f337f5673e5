"""The worker threads, for trainings and for short calls.

Threads are started when there are more calls than threads, and wait for the next call
when one has ended. Each has one call at a time, so every call that was submitted is run,
without waiting for another one to end: threads of a training may wait for each other.

Signal handlers run between any two instructions of the main thread: they may raise, and
they may submit calls of their own. So the threads that call this module hold no lock
while they do so; every change is one operation that no other thread sees half done, with
or without a global interpreter lock.
"""

import os
import sys
from _thread import allocate_lock, start_new_thread
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from types import BuiltinFunctionType

__all__ = ["Call", "count_open", "submit"]

# gevent, eventlet and some debuggers put functions of their own here. Their threads may share one thread of the
# system, where one that waits in compiled code blocks all others: then there are no workers.
_THREADS_ARE_REAL = isinstance(start_new_thread, BuiltinFunctionType)

_BEGUN, _WITHDRAWN = "begun", "withdrawn"


class Call:
    """A function to be called in a worker thread.

    Parameters
    ----------
    work : callable
        Called with `thread`.
    thread : int
        Number of the thread among those that work together.
    held : object
        Kept alive until the call has ended: what the work knows by address.

    Attributes
    ----------
    error : BaseException or None
        What the work raised.
    """

    def __init__(self, work: Callable[[int], object], thread: int, held: object = None) -> None:
        self.thread = thread
        self.error: BaseException | None = None
        self._work: Callable[[int], object] | None = work
        self._held = held
        # What has become of it. Worker and caller use `setdefault`: the first one decides.
        self._fate: dict[str, str] = {}
        # Set before the lock is released: who has waited for the lock finds it set.
        self._ended = False
        self._running = allocate_lock()
        self._running.acquire()

    def run(self) -> None:
        """Do the work, unless the call has been withdrawn; for workers."""
        if self._fate.setdefault("fate", _BEGUN) is not _BEGUN:
            self._forget()
            return
        try:
            assert self._work is not None
            self._work(self.thread)
        finally:
            self.error = sys.exc_info()[1]
            self._forget()
            self._ended = True
            self._running.release()

    def _forget(self) -> None:
        self._work = self._held = None
        _open.discard(self)

    def withdraw(self) -> bool:
        """Have the call not run, unless it has begun; returns whether it is withdrawn."""
        withdrawn = self._fate.setdefault("fate", _WITHDRAWN) is _WITHDRAWN
        if withdrawn:
            self._forget()
        return withdrawn

    def wait(self, seconds: float = -1) -> bool:
        """Wait until the call has ended, for so long at most; returns whether it has. It must have been submitted."""
        # A signal handler may raise as soon as the lock is acquired: the next one to wait must not need it.
        if not self._ended:
            self._running.acquire(timeout=seconds)
        return self._ended

    def finish(self) -> None:
        """Withdraw the call or wait until it has ended. What signal handlers raise meanwhile is raised afterwards."""
        if not self.withdraw():
            try:
                self.wait()
            finally:
                if not self._ended:
                    self.finish()


_calls: SimpleQueue[Call] = SimpleQueue()
# Calls that were submitted and have not ended.
_open: set[Call] = set()
_workers: set[int] = set()


def _serve(calls: SimpleQueue[Call]) -> None:
    while True:
        # The call has kept what it raised.
        with suppress(BaseException):
            calls.get().run()


def _forget_all() -> None:
    """After a fork: the child has none of the threads."""
    global _calls, _open, _workers
    _calls, _open, _workers = SimpleQueue(), set(), set()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


def count_open() -> int:
    """Return the number of calls that were submitted and have not ended."""
    return len(_open)


def submit(calls: list[Call]) -> bool:
    """Have workers run these calls, all at the same time.

    Whoever submits calls withdraws or finishes them, also when this raises what a signal handler has raised.

    Returns
    -------
    bool
        False if there are no threads for all of them. Then none is run.
    """
    if not _THREADS_ARE_REAL or sys.is_finalizing():
        return False
    _open.update(calls)
    try:
        # A thread that goes uncounted, because a signal handler raised just here, does no harm.
        while len(_workers) < len(_open):
            _workers.add(start_new_thread(_serve, (_calls,)))
    except RuntimeError:
        for call in calls:
            call.withdraw()
        return False
    for call in calls:
        _calls.put(call)
    return True
