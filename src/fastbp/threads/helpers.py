"""Threads that help for a moment, and then wait to be called again.

Starting a thread keeps its caller until it runs, for a twentieth of a millisecond; calling
one that sleeps takes half of that. The caller does not wait for a helper that comes too
late to find anything to do.
"""

import os
import threading
from collections.abc import Callable, Iterable
from queue import SimpleQueue

from fastbp.threads.cpus import allowed_cpus
from fastbp.threads.jobs import uninterrupted

__all__ = ["run_on_threads"]

# Calls that a helper may have at a time.
_MOST_CALLS = 2


class _Call:
    """What a helper is asked to do, and what becomes of it.

    `held` are arrays that it works on by address: whatever happens to the caller, they are there until it has ended.
    """

    def __init__(self, work: Callable[[int], object], thread: int, held: list[object]) -> None:
        self._work: Callable[[int], object] | None = work
        self.thread = thread
        self._held: list[object] | None = held
        self.error: BaseException | None = None
        # The helper says that it has begun, and then looks whether it is still wanted; the caller says that it is not,
        # and then looks whether the helper has begun. One of them at least sees the other.
        self._begun = self._unwanted = self._ended = False
        self._running = threading.Lock()
        self._running.acquire()

    def run(self) -> None:
        """Do it, unless it has been withdrawn, and keep an error for the caller."""
        self._begun = True
        with self:
            if not self._unwanted:
                assert self._work is not None
                self._work(self.thread)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        self.error = error
        self._work = self._held = None
        self._ended = True
        self._running.release()
        return True

    def withdraw(self) -> None:
        """Have nothing done, if it has not begun."""
        self._unwanted = True
        if not self._begun:
            self._work = self._held = None

    def wait(self) -> None:
        """Wait until it has ended, if it has begun; to be called after `withdraw`."""
        # Who is interrupted while holding the lock finds the call ended when it looks again.
        if self._begun and not self._ended and self._running.acquire():
            self._running.release()


class _Helper:
    """A thread that runs calls, one after the other."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[_Call] = SimpleQueue()
        self._asked = 0
        self._answered = 0
        threading.Thread(target=self._serve, name="fastbp helper", daemon=True).start()

    def _serve(self) -> None:
        while True:
            self._calls.get().run()
            self._answered += 1

    def calls(self) -> int:
        """Return how many calls it has to run before the next one."""
        return self._asked - self._answered

    def call(self, call: _Call) -> None:
        """Have `call` run."""
        self._asked += 1
        self._calls.put(call)


_helpers: list[_Helper] = []
# One that a thread may take twice: a handler of signals may predict while what it interrupts is calling helpers.
_lock = threading.RLock()


def _forget_helpers() -> None:
    """After a fork the child has none of the threads, and a lock that nobody may ever release."""
    global _helpers, _lock
    _helpers = []
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_helpers)


def _free_helpers(count: int) -> list[_Helper]:
    """Return helpers with next to nothing to do, no more than `count` and no more than there are CPUs."""
    helpers = sorted(_helpers, key=_Helper.calls)[:count]
    while (len(helpers) < count or helpers[-1].calls() > 0) and len(_helpers) < allowed_cpus():
        try:
            _helpers.append(_Helper())
        except RuntimeError:  # there can be no more threads
            break
        helpers = sorted(_helpers, key=_Helper.calls)[:count]
    # One call may be about to end, and no more than one wait behind it.
    return [helper for helper in helpers if helper.calls() < _MOST_CALLS]


def _call_helpers(calls: list[_Call]) -> None:
    """Hand calls to as many helpers as are free, and withdraw the others."""
    with _lock:
        helpers = _free_helpers(len(calls))
        for helper, call in zip(helpers, calls, strict=False):
            helper.call(call)
    for call in calls[len(helpers) :]:
        call.withdraw()


def _end_calls(calls: list[_Call], *, done: bool) -> None:
    """Withdraw calls that have not begun and, unless all is `done`, wait for those that have."""
    for call in calls:
        call.withdraw()
    for call in calls:
        if not done:
            call.wait()


def run_on_threads(work: Callable[[int], bool], n_threads: int, held: Iterable[object] = ()) -> BaseException | None:
    """Call ``work(0)`` and, in helpers that have time meanwhile, ``work(thread)`` for numbers below `n_threads`.

    When this returns or raises, all calls have ended; but for those that, as number 0 has said, find nothing to do any
    more.

    Parameters
    ----------
    work : callable
        Called with the number of the thread; takes shares of the work until there are none. Number 0 returns whether
        it knows that all are done.
    n_threads : int
    held : iterable
        Arrays that the work reads or writes by their addresses. Should ever an exception of a signal's handler come
        through while calls go on, they outlive these.

    Returns
    -------
    BaseException or None
        What a helper has raised, unless number 0 has said that all is done without it.
    """
    if n_threads == 1:
        work(0)
        return None
    arrays = list(held)
    calls = [_Call(work, thread, arrays) for thread in range(1, n_threads)]
    done = False
    try:
        _call_helpers(calls)
        done = work(0)
    finally:
        uninterrupted(lambda: _end_calls(calls, done=done))
    # Nobody asks for these any more: the caller may let go of the memory below them.
    arrays.clear()
    return None if done else next((call.error for call in calls if call.error is not None), None)
