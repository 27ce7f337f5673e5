"""How many threads a piece of work gets.

Trainings that run at the same time in one process share its thread limit equally. The
threads of a training wait for each other, so a single thread without a CPU would hold up
all the others. Results do not depend on the number of threads.
"""

import math
import os
from numbers import Integral

from fastbp.compiler.tuning import FLOPS_PER_THREAD
from fastbp.threads.cpus import allowed_cpus, thread_limit

__all__ = ["Claim", "choose_threads"]

# More threads than this are useless, unless there are more CPUs.
_MOST_THREADS = 64

# The trainings that are running.
_active: set["Claim"] = set()


def _forget_all() -> None:
    """Reset after a fork: the child process has none of the training threads."""
    global _active
    _active = set()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


def _useful(flops: float, most: int) -> int:
    return max(1, min(most, math.ceil(flops / FLOPS_PER_THREAD)))


def _asked(n_threads: int) -> int:
    """Return the number of threads that the caller asked for, with an upper limit."""
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
        The caller's choice: a positive number, -1 for all CPUs that this process may use, or None for as many as pay
        off, at most a training's share of `cpus.thread_limit`.
    flops : float
        Floating-point operations between two synchronizations.
    most : int
        Largest number of threads that could have work.

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
    """A training's claim to threads; see `choose_threads` for the parameters and errors.

    Attributes
    ----------
    most : int
        Largest number of threads that the training will have. If the caller asked for a number, it always has that
        many, whatever else is running.
    """

    def __init__(self, n_threads: int | None, flops: float, most: int) -> None:
        self._limit = None if n_threads is not None else thread_limit()
        self.most = _asked(n_threads) if n_threads is not None else min(_useful(flops, most), thread_limit())

    def threads(self) -> int:
        """Return how many threads the training has now. It counts as running from the first call until `release`."""
        _active.add(self)
        return self.most if self._limit is None else min(self.most, _share(self._limit, len(_active)))

    def release(self) -> None:
        """Give the threads up for other trainings."""
        _active.discard(self)
