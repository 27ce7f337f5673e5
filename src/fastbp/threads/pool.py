"""A pool of worker threads, for trainings and for short parallel calls.

A thread is started when there are more calls than threads; when its call has ended, it
waits for the next one. Each thread runs one call at a time, and no call waits for another
one to end. This matters because the threads of a training wait for each other.

A signal handler can run between any two instructions of the main thread. It may raise, and
it may submit calls of its own. So no lock is held while state changes: every change is a
single atomic operation, with or without the global interpreter lock.
"""

import os
import sys
from _thread import allocate_lock, start_new_thread
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from types import BuiltinFunctionType

__all__ = ["Call", "count_open", "submit"]

# gevent, eventlet and some debuggers replace these functions. Their threads may share one system thread, where a thread
# that waits in compiled code blocks all others: then there are no workers.
_THREADS_ARE_REAL = isinstance(start_new_thread, BuiltinFunctionType)

_BEGUN, _WITHDRAWN = "begun", "withdrawn"


class Call:
    """A function to be called in a worker thread.

    Parameters
    ----------
    work : callable
        Called with `thread`.
    thread : int
        Number of the thread within its team.
    held : object
        Kept alive until the call has ended: objects that the work uses by address.

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
        # Whether the call was begun or withdrawn. Worker and caller use `setdefault`: the first one decides.
        self._fate: dict[str, str] = {}
        # Set before the lock is released: a thread that has waited for the lock finds it set.
        self._ended = False
        self._running = allocate_lock()
        self._running.acquire()

    def run(self) -> None:
        """Do the work, unless the call has been withdrawn; called by workers."""
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
        """Cancel the call unless it has begun; returns whether it is withdrawn."""
        withdrawn = self._fate.setdefault("fate", _WITHDRAWN) is _WITHDRAWN
        if withdrawn:
            self._forget()
        return withdrawn

    def wait(self, seconds: float = -1) -> bool:
        """Wait until a submitted call has ended, or for `seconds`; returns whether it has ended."""
        # A signal handler may raise as soon as the lock is acquired: later waits must not depend on the lock.
        if not self._ended:
            self._running.acquire(timeout=seconds)
        return self._ended

    def finish(self) -> None:
        """Withdraw the call or wait until it has ended. What signal handlers raise meanwhile is raised at the end."""
        if not self.withdraw():
            try:
                self.wait()
            finally:
                if not self._ended:
                    self.finish()


_calls: SimpleQueue[Call] = SimpleQueue()
# Calls that have been submitted and have not ended.
_open: set[Call] = set()
_workers: set[int] = set()


def _serve(calls: SimpleQueue[Call]) -> None:
    while True:
        # The call has stored the error.
        with suppress(BaseException):
            calls.get().run()


def _forget_all() -> None:
    """Reset after a fork: the child process has none of the threads."""
    global _calls, _open, _workers
    _calls, _open, _workers = SimpleQueue(), set(), set()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


def count_open() -> int:
    """Return the number of calls that have been submitted and have not ended."""
    return len(_open)


def submit(calls: list[Call]) -> bool:
    """Have workers run these calls, all at the same time.

    The caller must withdraw or finish all of them, even if this function raises (an error from a signal handler).

    Returns
    -------
    bool
        False if there are no threads for all of them. Then none is run.
    """
    if not _THREADS_ARE_REAL or sys.is_finalizing():
        return False
    _open.update(calls)
    try:
        # If a signal handler raises right here, the thread is not counted; this does no harm.
        while len(_workers) < len(_open):
            _workers.add(start_new_thread(_serve, (_calls,)))
    except RuntimeError:
        for call in calls:
            call.withdraw()
        return False
    for call in calls:
        _calls.put(call)
    return True
