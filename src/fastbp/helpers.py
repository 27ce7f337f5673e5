"""Threads that help for a moment, and then wait to be called again.

To start a thread takes a tenth of a millisecond, to wake one up half of that. A helper is
put on a CPU other than the caller's before it wakes up (see `placement`), and the caller
does not wait for one that comes too late to find anything to do.
"""

import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue

from fastbp.budget import Claim
from fastbp.cpus import allowed_cpus
from fastbp.placement import Place, here, put
from fastbp.threads import uninterrupted

__all__ = ["run_on_threads"]

# Work of a thread that takes a few hundredths of a second: so long it may keep its CPU, whoever else comes to want it.
_BRIEF_FLOPS = 1_000_000_000.0
# Seconds of sleep after which the system may have gathered threads on few CPUs, to save the others.
_REST = 0.01


class _Call:
    """What a helper is asked to do, and what becomes of it."""

    def __init__(self, work: Callable[[int], object], thread: int) -> None:
        self._work: Callable[[int], object] | None = work
        self.thread = thread
        self.error: BaseException | None = None
        # Taken once: by the helper that begins with it, or by the caller who wants it no more.
        self._fate = threading.Lock()
        self._running = threading.Lock()
        self._running.acquire()

    def run(self) -> None:
        """Do it, unless it has been withdrawn, and keep an error for the caller."""
        if self._fate.acquire(blocking=False):
            with self:
                assert self._work is not None
                self._work(self.thread)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        self.error = error
        self._work = None
        self._running.release()
        return True

    def withdraw(self) -> bool:
        """Have nothing done. Returns whether that was in time."""
        return self._fate.acquire(blocking=False)

    def ended(self) -> bool:
        return not self._running.locked()

    def wait(self) -> None:
        with self._running:
            pass


class _Helper:
    """A thread that runs calls, one after the other."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[_Call] = SimpleQueue()
        self._asked = 0
        self._answered = 0
        self._asleep_since = -math.inf
        self._cpus: frozenset[int] = frozenset()
        self._thread = threading.Thread(target=self._serve, name="fastbp helper", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            self._calls.get().run()
            self._asleep_since = time.monotonic()
            self._answered += 1

    def calls(self) -> int:
        """Return how many calls it has to run before the next one."""
        return self._asked - self._answered

    def rested(self) -> bool:
        """Return whether it has slept for long."""
        return self.calls() == 0 and time.monotonic() - self._asleep_since > _REST

    def call(self, call: _Call, cpus: frozenset[int] | None) -> None:
        """Have `call` run, on these CPUs."""
        if cpus is not None and cpus != self._cpus and self._thread.native_id is not None:
            put(self._thread.native_id, cpus)
            self._cpus = cpus
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


def _call_helpers(calls: list[_Call], place: Place | None, *, brief: bool) -> bool:
    """Hand the calls to helpers, no more than there are CPUs; returns whether one of these has rested."""
    with _lock:
        # Those first that have nothing else to do.
        helpers = sorted(_helpers, key=_Helper.calls)[: len(calls)]
        while (len(helpers) < len(calls) or helpers[-1].calls() > 0) and len(_helpers) < allowed_cpus():
            _helpers.append(_Helper())
            helpers = sorted(_helpers, key=_Helper.calls)[: len(calls)]
        rested = any(helper.rested() for helper in helpers)
        for i, call in enumerate(calls):
            cpus = None
            if place is not None:
                cpus = place.beside(call.thread) if brief else place.allowed
            helpers[i % len(helpers)].call(call, cpus)
    return rested


def _wait_for(calls: list[_Call]) -> None:
    for call in calls:
        call.wait()


@contextmanager
def _kept_at(place: Place | None) -> Iterator[None]:
    """Keep the calling thread on its CPU."""
    if place is None:
        yield
        return
    put(0, place.beside(0))
    try:
        yield
    finally:
        put(0, place.allowed)


def run_on_threads(work: Callable[[int], bool], n_threads: int, flops: float) -> None:
    """Call ``work(0)`` and, in helpers that have time meanwhile, ``work(thread)`` for numbers below `n_threads`.

    When this returns or raises, all calls have ended, for they work on memory that the caller may let go then; but for
    those that, as number 0 has said, find nothing to do any more.

    Parameters
    ----------
    work : callable
        Called with the number of the thread; takes shares of the work until there are none. Number 0 returns whether
        it knows that all are done.
    n_threads : int
    flops : float
        Floating-point operations of all threads.
    """
    if n_threads == 1:
        work(0)
        return
    place, brief = here(), flops < n_threads * _BRIEF_FLOPS
    calls = [_Call(work, thread) for thread in range(1, n_threads)]
    done = False
    try:
        rested = _call_helpers(calls, place, brief=brief)
        claim = Claim(n_threads, None)
        try:
            # The system might put this thread beside a helper that has just woken up.
            with _kept_at(place if brief and rested else None):
                done = work(0)
        finally:
            claim.release()
    finally:
        begun = [call for call in calls if not call.withdraw()]
        if not done:
            uninterrupted(lambda: all(call.ended() for call in begun), lambda: _wait_for(begun))
    for call in begun:
        if not done and call.error is not None:
            raise call.error
