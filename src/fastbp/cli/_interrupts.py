"""Ctrl-C, wherever it strikes.

Python raises KeyboardInterrupt between two instructions of whatever runs. Some libraries turn it into an exception of
their own, and what Python calls in passing, finalizers for example, cannot raise at all.

This file imports little: until `listen` is called, Ctrl-C shows a traceback.
"""

import _thread
import signal
import sys
import time

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


def _interrupt(*_: object) -> None:
    global _struck
    _struck = True
    raise KeyboardInterrupt


def _raise_again(dropped: "sys.UnraisableHookArgs") -> None:
    if not isinstance(dropped.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(dropped)
        return
    # From another thread and a little later: here it would be dropped again.
    _thread.start_new_thread(_interrupt_soon, ())


def _interrupt_soon() -> None:
    time.sleep(_SOON)
    _thread.interrupt_main()
