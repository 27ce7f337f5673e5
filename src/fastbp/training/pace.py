"""How many minibatches run before Python looks for signals, and whether one thread is faster than all."""

import math

from fastbp.compiler.tuning import SLICE_SECONDS, TRIAL_AFTER, TRIAL_SECONDS, TRIAL_SLICES

__all__ = ["Pace"]


class Pace:
    """Choose the number of minibatches in a slice, and whether one thread or all train, from the time of past slices.

    Threads exchange activations and weights at every minibatch. The cost depends on the cores on which the system runs
    them; if it is high, one thread alone is faster. So a run that takes longer than a moment tries both, and continues
    with the faster one. The results are the same.

    Parameters
    ----------
    may_change : bool
        Whether to choose between all threads and one.

    Attributes
    ----------
    steps : int
        Maximum number of minibatches in the next slice.
    alone : bool
        Whether the calling thread trains them alone.
    """

    def __init__(self, *, may_change: bool) -> None:
        self.steps = 1
        self.alone = False
        self._trials_left = TRIAL_SLICES if may_change else 0
        self._seconds_left = TRIAL_AFTER
        self._best = {False: math.inf, True: math.inf}

    @property
    def stays_alone(self) -> bool:
        """Whether the calling thread trains all remaining slices alone."""
        return self.alone and self._trials_left == 0

    def learn(self, steps: int, seconds: float, threads: int) -> None:
        """Record that a slice of `steps` minibatches took `seconds`, with a team of `threads` threads."""
        cost = max(seconds / steps, 1e-9)
        self._seconds_left -= seconds
        due = threads > 1 and self._seconds_left <= 0.0
        if due and self._trials_left > 0:
            self._best[self.alone] = min(cost, self._best[self.alone])
            self._trials_left -= 1
            self.alone = not self.alone if self._trials_left > 0 else self._best[True] < self._best[False]
        longest = TRIAL_SECONDS if due and self._trials_left > 0 else SLICE_SECONDS
        self.steps = max(1, min(2 * self.steps, int(longest / cost)))
