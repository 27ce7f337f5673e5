"""Waiting for other threads."""

import time
from collections.abc import Callable

from fastbp.threads import helpers


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until the condition holds, which must be soon."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.001)


def wait_for_idle_helpers() -> None:
    """Wait until all helpers are done with what earlier tests have left to them."""
    wait_for(lambda: all(helper.calls() == 0 for helper in helpers._helpers))
