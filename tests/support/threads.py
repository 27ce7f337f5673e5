"""Waiting for other threads."""

import time
from collections.abc import Callable

from fastbp.threads.pool import count_open


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until the condition holds, which must be soon."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.001)


def wait_for_idle_workers() -> None:
    """Wait until all workers are done with what earlier tests have left to them."""
    wait_for(lambda: count_open() == 0)
