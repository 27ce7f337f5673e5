"""Waiting for other threads."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from fastbp.threads.pool import count_open
from support.limits import HANG_SECONDS

T = TypeVar("T")


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; fail if it never does."""
    end = time.monotonic() + HANG_SECONDS
    while not condition():
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.001)


def wait_for_idle_workers() -> None:
    """Wait until all workers are done with what earlier tests have left to them."""
    wait_for(lambda: count_open() == 0)


def result_of(function: Callable[[], T]) -> T:
    """Return what a function returns; fail if it hangs, as deadlocked threads would."""
    results: list[T] = []
    # A daemon, so that one that hangs does not keep the tests from ending.
    thread = threading.Thread(target=lambda: results.append(function()), daemon=True)
    thread.start()
    thread.join(HANG_SECONDS)
    assert results, "it hangs"
    return results[0]
