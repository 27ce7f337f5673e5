"""How many threads a piece of work gets.

Trainings that run at the same time, in threads of one process, share its limit equally:
the threads of a training wait for each other, so one that has no CPU holds up all.
Results do not depend on the number of threads.
"""

import math
import os
from numbers import Integral

from fastbp.threads.cpus import allowed_cpus, thread_limit

__all__ = ["Claim", "choose_threads"]

# Work that is worth a thread of its own: about ten microseconds of multiply-adds, ten times what a barrier costs.
_FLOPS_PER_THREAD = 1_000_000.0
# More threads than this are of no use, unless there are more CPUs.
_MOST_THREADS = 64

# The trainings that run now.
_active: set["Claim"] = set()


def _forget_all() -> None:
    """After a fork: the child has none of the threads that train."""
    global _active
    _active = set()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


def _useful(flops: float, most: int) -> int:
    return max(1, min(most, math.ceil(flops / _FLOPS_PER_THREAD)))


def _asked(n_threads: int) -> int:
    """Return the number of threads that the caller asked for, within reason."""
    if not isinstance(n_threads, Integral) or (n_threads < 1 and n_threads != -1):
        raise ValueError(f"n_threads must be a positive integer, -1 or None, got {n_threads!r}")
    return allowed_cpus() if n_threads == -1 else min(int(n_threads), max(_MOST_THREADS, allowed_cpus()))


def _share(limit: int, count: int) -> int:
    return max(1, limit // max(1, count))


def choose_threads(n_threads: int | None, flops: float, most: int) -> int:
    """Return the number of threads for a product or a prediction.

    Parameters
    ----------
    n_threads : int or None
        What the caller asked for: a positive number, -1 for all CPUs that this process may use, None for as many as
        pay off. Then a training's share of `cpus.thread_limit` is the limit.
    flops : float
        Floating-point operations between two synchronizations.
    most : int
        Threads that could be given any work.

    Raises
    ------
    ValueError
        If `n_threads` is neither None, -1 nor positive.
    """
    if n_threads is not None:
        return max(1, min(_asked(n_threads), most))
    useful = _useful(flops, most)
    return 1 if useful == 1 else min(useful, _share(thread_limit(), len(_active)))


class Claim:
    """The threads of a training; see `choose_threads` for the parameters and errors.

    Attributes
    ----------
    most : int
        Threads that it ever has. That many, whatever others do, if the caller asked for a number.
    """

    def __init__(self, n_threads: int | None, flops: float, most: int) -> None:
        self._limit = None if n_threads is not None else thread_limit()
        self.most = _asked(n_threads) if n_threads is not None else min(_useful(flops, most), thread_limit())

    def threads(self) -> int:
        """Return how many threads the training has now. It counts as running from the first call to `release`."""
        _active.add(self)
        return self.most if self._limit is None else min(self.most, _share(self._limit, len(_active)))

    def release(self) -> None:
        """Leave the threads to others."""
        _active.discard(self)
