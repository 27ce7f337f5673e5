"""On which CPUs threads run.

A thread starts, and wakes up, where the system puts it: often on the CPU of the one that
has called it, though others are idle, and it may take the system milliseconds to see
that the two compete. Then both together are slower than one.
"""

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple

__all__ = ["Place", "give_way", "here", "settle", "stay"]


class Place(NamedTuple):
    """Where a thread runs, and where it may."""

    cpu: int
    allowed: list[int]


@cache
def _function(name: str) -> Callable[[], int] | None:
    try:
        return ctypes.CDLL(None)[name]
    except (AttributeError, OSError, TypeError):  # no such function, or (Windows) no way to ask for it by name
        return None


def here() -> Place | None:
    """Return the place of the calling thread, or None where the system does not tell or leaves no choice."""
    query = _function("sched_getcpu")
    if query is None or not hasattr(os, "sched_setaffinity"):
        return None
    place = Place(query(), sorted(os.sched_getaffinity(0)))
    return place if place.cpu in place.allowed and len(place.allowed) > 1 else None


@contextmanager
def stay(caller: Place | None, thread: int) -> Iterator[None]:
    """Keep the calling thread on a CPU of its own: the caller's, if it is number 0, and for others the next ones."""
    if caller is None:
        yield
        return
    own = caller.allowed[(caller.allowed.index(caller.cpu) + thread) % len(caller.allowed)]
    try:
        os.sched_setaffinity(0, {own})
    except OSError:  # the CPU has gone, or a container forbids it: the thread runs where it is
        yield
        return
    try:
        yield
    finally:
        os.sched_setaffinity(0, caller.allowed)


def settle(caller: Place | None, thread: int) -> None:
    """Move the calling thread to a CPU of its own, and leave it free to be moved again."""
    with stay(caller, thread):
        pass


def give_way() -> None:
    """Let threads that wait for the CPU of this one have it, and for Python, too."""
    function = _function("sched_yield")
    if function is not None:
        function()
