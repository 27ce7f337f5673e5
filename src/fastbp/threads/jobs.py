"""Calls in threads of their own.

Threads are plain Python threads that call one compiled, GIL-free function each with
its thread number: nothing to install, nothing that a fork or a second fit at the same
time could trip over.
"""

import threading
from collections.abc import Callable

__all__ = ["Job", "uninterrupted"]


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
