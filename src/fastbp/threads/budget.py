"""How threads of Python that train or predict at the same time share the threads of their process.

Fits side by side (joblib's backend "threading", Dask, `concurrent.futures`) must not take
all CPUs each: the threads of a fit wait for each other, and one that is not running holds
up all. So each of `k` threads of Python gets an equal part of the limit `L`, and what the
others do not want besides. Where these want `w[j]` threads, one that wants `w` gets::

    min(w, max(1, L // k, L - sum(w[j])))

These are no more than `L` in all, unless `k` is: a calling thread always works, too. Parts
change while others come and go; results do not depend on them.
"""

import os
import threading
import time
import weakref

__all__ = ["Claim", "part_of"]

# Seconds that a thread of Python keeps its part when its work is done: in a search, the next fit follows at once.
_LINGER = 0.25
# Seconds that a newcomer waits for others to make room, which they do at their next look.
_PATIENCE = 0.25


class _Place:
    """What one piece of work wants and has, for others to see."""

    def __init__(self, wanted: int, *, fixed: bool) -> None:
        self.thread = threading.get_ident()
        self.wanted = wanted
        self.fixed = fixed
        self.count = 0
        self.end = float("inf")

    def leave(self) -> None:
        # May be called by the garbage collector, at any moment in any thread: nothing here that takes a lock.
        self.count = 0
        self.end = time.monotonic() + _LINGER


_places: list[_Place] = []
# One that a thread may take twice: a handler of signals that trains must not wait for the training it interrupts.
_lock = threading.RLock()


def _forget_all() -> None:
    """After a fork the child has none of the threads, and a lock that nobody may ever release."""
    global _places, _lock
    _places = []
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


def _part(thread: int, wanted: int, limit: int) -> int:
    """The formula above; the caller holds the lock."""
    now = time.monotonic()
    others = [place.wanted for place in _places if place.thread != thread and place.end > now]
    return max(1, min(wanted, max(limit // (len(others) + 1), limit - sum(others))))


def part_of(wanted: int, limit: int) -> int:
    """Return how many of `limit` threads the calling one may use for a moment, if it wants so many."""
    with _lock:
        return _part(threading.get_ident(), wanted, limit)


class Claim:
    """The threads of a piece of work that lasts, from now until `release` or the end of this object.

    Parameters
    ----------
    wanted : int
        Threads that the work would use if it were alone.
    limit : int or None
        Threads of the process; None if the work is to have what it wants whatever others do.

    Attributes
    ----------
    most : int
        Threads that it can ever have.
    count : int
        Threads that it may run on now.
    """

    def __init__(self, wanted: int, limit: int | None) -> None:
        self.most = wanted
        self._limit = limit
        self._place = _Place(wanted, fixed=limit is None)
        # Also where nobody releases it, because an error came in between.
        self.release = weakref.finalize(self, self._place.leave)
        self.release.atexit = False
        with _lock:
            now = time.monotonic()
            _places[:] = [place for place in _places if place.end > now and not self._succeeds(place)]
            _places.append(self._place)
        self.count = self.renew()
        if self._limit is not None:
            self._wait_for_room(self._limit)

    def _succeeds(self, place: _Place) -> bool:
        return place.thread == self._place.thread and place.end < float("inf")

    def stale(self) -> bool:
        """Return whether there are more threads or fewer than `count` by now.

        Then it is time to end those there are and to `renew`, in this order: others count on it.
        """
        if self._limit is None:
            return False
        with _lock:
            return _part(self._place.thread, self.most, self._limit) != self.count

    def renew(self) -> int:
        """Take as many threads as there are now; returns `count`."""
        with _lock:
            part = self.most if self._limit is None else _part(self._place.thread, self.most, self._limit)
            self.count = self._place.count = part
        return part

    def _wait_for_room(self, limit: int) -> None:
        end = time.monotonic() + _PATIENCE
        while crowd := self._crowd(limit):
            if time.monotonic() > end:
                # They are paused, between two epochs say. They shall not be waited for again.
                for place, part in crowd:
                    place.count = part
                return
            time.sleep(0.001)

    def _crowd(self, limit: int) -> list[tuple[_Place, int]]:
        """Places of other threads that have more than their part, and that part."""
        with _lock:
            parts = [
                (place, _part(place.thread, place.wanted, limit))
                for place in _places
                if place.thread != self._place.thread and not place.fixed
            ]
        return [(place, part) for place, part in parts if place.count > part]
