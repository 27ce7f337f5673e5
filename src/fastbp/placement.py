"""On which CPUs threads run.

A thread starts, and wakes up, where the system puts it: often on the CPU of the one that
has called it, though others are idle, and it may take the system milliseconds to see
that the two compete. Then both together are slower than one.
"""

import ctypes
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import NamedTuple

__all__ = ["Place", "here", "put", "settle"]


class Place(NamedTuple):
    """Where a thread runs, and where it may."""

    cpu: int
    allowed: frozenset[int]

    def beside(self, thread: int) -> frozenset[int]:
        """Return a CPU for the thread of that number: this one's for number 0, and for others the next ones."""
        if self.cpu not in self.allowed:  # it has been moved just now
            return self.allowed
        cpus = sorted(self.allowed)
        return frozenset([cpus[(cpus.index(self.cpu) + thread) % len(cpus)]])


@cache
def _cpu_query() -> Callable[[], int] | None:
    try:
        return ctypes.CDLL(None)["sched_getcpu"]
    except (AttributeError, OSError, TypeError):  # no such function, or (Windows) no way to ask for it by name
        return None


def here() -> Place | None:
    """Return the place of the calling thread, or None where the system does not tell, or takes no orders."""
    query = _cpu_query()
    if query is None or not hasattr(os, "sched_setaffinity"):
        return None
    return Place(query(), frozenset(os.sched_getaffinity(0)))


def put(thread: int, cpus: frozenset[int]) -> None:
    """Let a thread run on these CPUs only, from now on; it is best asleep. 0 is the calling thread."""
    with suppress(OSError):  # a CPU has gone, or a container forbids it: the thread runs where it is
        os.sched_setaffinity(thread, cpus)


def settle(caller: Place | None, thread: int) -> None:
    """Move the calling thread, of that number, to a CPU of its own, and leave it free to be moved again."""
    if caller is not None:
        put(0, caller.beside(thread))
        put(0, caller.allowed)
