"""How many minibatches run before Python looks for signals, and whether one thread is faster than all."""

import math

__all__ = ["SLICE_SECONDS", "Pace"]

# Seconds that compiled code may run before Python looks for signals.
SLICE_SECONDS = 0.04
# Seconds before the trial. Its slices, by turns on all threads and on one, and the seconds of each.
_TRIAL_AFTER, _TRIAL_SLICES, _TRIAL_SECONDS = 0.01, 12, 0.0005


class Pace:
    """Choose how many minibatches make a slice, and which threads train them, by the time that slices take.

    Threads exchange activations and weights at every minibatch. What that costs depends on the cores that the system
    has given them: where it is much, one thread alone is faster. So a run that takes longer than a moment tries
    both ways, and goes on with the faster one. The results are the same.

    Parameters
    ----------
    may_change : bool
        Whether there is a choice between all threads and one.

    Attributes
    ----------
    steps : int
        Minibatches of the next slice, at most.
    alone : bool
        Whether the calling thread is to train them by itself.
    """

    def __init__(self, *, may_change: bool) -> None:
        self.steps = 1
        self.alone = False
        self._trials_left = _TRIAL_SLICES if may_change else 0
        self._seconds_left = _TRIAL_AFTER
        self._best = {False: math.inf, True: math.inf}

    @property
    def stays_alone(self) -> bool:
        """Whether all slices to come are for the calling thread."""
        return self.alone and self._trials_left == 0

    def learn(self, steps: int, seconds: float, threads: int) -> None:
        """Take note of the `seconds` of a slice of so many `steps`, while there were so many `threads` in all."""
        cost = max(seconds / steps, 1e-9)
        self._seconds_left -= seconds
        due = threads > 1 and self._seconds_left <= 0.0
        if due and self._trials_left > 0:
            self._best[self.alone] = min(cost, self._best[self.alone])
            self._trials_left -= 1
            self.alone = not self.alone if self._trials_left > 0 else self._best[True] < self._best[False]
        longest = _TRIAL_SECONDS if due and self._trials_left > 0 else SLICE_SECONDS
        self.steps = max(1, min(2 * self.steps, int(longest / cost)))
