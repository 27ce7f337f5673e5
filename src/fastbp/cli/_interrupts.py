"""Ctrl-C, wherever it strikes.

Python raises KeyboardInterrupt between two instructions of whatever runs. Some libraries turn it into an exception of
their own, and what Python calls in passing, finalizers for example, cannot raise at all.
"""

import _thread
import signal
import sys
import threading
from typing import Any

_SOON = 0.01  # seconds

_struck = False


def listen() -> None:
    """Take notice of Ctrl-C before it raises KeyboardInterrupt, and raise it again where it was dropped."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return  # what a shell starts in the background ignores Ctrl-C
    signal.signal(signal.SIGINT, _interrupt)
    sys.unraisablehook = _raise_again


def ignore() -> None:
    """Ignore Ctrl-C: nothing is left to be done but to exit."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def was_interrupted() -> bool:
    """Whether there was a Ctrl-C since `listen`."""
    return _struck


def _interrupt(*_: Any) -> None:
    global _struck
    _struck = True
    raise KeyboardInterrupt


def _raise_again(dropped: Any) -> None:
    if not isinstance(dropped.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(dropped)
        return
    # From another thread and a little later: here it would be dropped again.
    timer = threading.Timer(_SOON, _thread.interrupt_main)
    timer.daemon = True
    timer.start()
