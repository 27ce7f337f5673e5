"""On which CPUs threads run.

A thread starts, and wakes up, where the system puts it: often on the CPU of the one that
has called it, though others are idle, and it may take the system milliseconds to see
that the two compete. Then both together are slower than one.
"""

import ctypes
import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

__all__ = ["Place", "here", "put", "settle"]


@cache
def _core(cpu: int) -> str:
    """Return what the CPUs of one core have in common, where the system tells."""
    try:
        return Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text(encoding="ascii")
    except OSError:
        return f"that of {cpu}"


@lru_cache
def _from(cpu: int, allowed: frozenset[int]) -> list[int]:
    """Return the CPUs from this one on: one of each core, then the second ones, which slow down the first."""
    cpus = sorted(allowed)
    first = cpus.index(cpu)
    cpus = cpus[first:] + cpus[:first]
    taken: Counter[str] = Counter()
    ranks = {}
    for other in cpus:
        ranks[other] = taken[_core(other)]
        taken[_core(other)] += 1
    return sorted(cpus, key=ranks.__getitem__)


class Place(NamedTuple):
    """Where a thread runs, and where it may."""

    cpu: int
    allowed: frozenset[int]

    def beside(self, thread: int) -> frozenset[int]:
        """Return a CPU for the thread of that number: this one's for number 0, and for others the next ones.

        All that are allowed, if this one is no longer among them.
        """
        if self.cpu not in self.allowed:
            return self.allowed
        cpus = _from(self.cpu, self.allowed)
        return frozenset([cpus[thread % len(cpus)]])


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
