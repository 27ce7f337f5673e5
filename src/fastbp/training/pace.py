"""How long compiled code may run before Python looks around, and whether one thread would not be quicker."""

__all__ = ["SLICE_SECONDS", "Pace"]

# Seconds that compiled code may run before Python looks for signals.
SLICE_SECONDS = 0.04
# Seconds of training after which the other number of threads is tried: the first time, and from then on.
_FIRST, _NEXT = 0.005, 2.0
# A slice that takes so many times the usual time of its minibatches is slow; after two of them the trial is due.
_SLOW = 1.3
# Seconds of a trial, and the part of the usual time that it may take at most for a change to pay.
_TRIAL, _GAIN = 0.005, 0.95
# Seconds of each of its slices, and those after which it ends where it is slow: a short run has no time to lose.
_TRIAL_SLICE, _TRIAL_SLOW = 0.0005, 0.001


class Pace:
    """Choose how many minibatches make a slice, and who trains them, by the time that slices take.

    Threads hand each other activations and weights at every minibatch. What that costs depends on the cores that the
    system has given them, and on a virtual machine may change by a factor of four while a program runs. So now and then
    a few slices are trained the other way, and the quicker one goes on. The numbers that come out are the same.

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
        self._may_change = may_change
        self._usual = 0.0
        self._begin(trying=False, seconds=_FIRST)

    def _begin(self, *, trying: bool, seconds: float) -> None:
        self._trying = trying
        self._wanted = seconds
        # The first slice finds threads asleep and caches with other data: it does not count.
        self._settled = False
        self._steps_seen, self._seconds_seen = 0, 0.0
        self._slow = 0

    def learn(self, steps: int, seconds: float) -> None:
        """Take note of the `seconds` that a slice of so many `steps` has taken."""
        longest = _TRIAL_SLICE if self._trying else SLICE_SECONDS
        self.steps = max(1, min(2 * self.steps, int(longest * steps / max(seconds, 1e-9))))
        if not self._may_change:
            return
        if not self._settled:
            self._settled = True
            return
        if not self._trying and seconds > _TRIAL and seconds > _SLOW * self._usual * steps > 0.0:
            self._slow += 1
            if self._slow == 2:
                self._try_the_other_way(seconds / steps)
            return
        self._slow = 0
        self._steps_seen += steps
        self._seconds_seen += seconds
        mean = self._seconds_seen / self._steps_seen
        hopeless = self._trying and self._seconds_seen > _TRIAL_SLOW and mean > _SLOW * self._usual
        if self._seconds_seen < self._wanted and not hopeless:
            return
        if not self._trying:
            self._try_the_other_way(mean)
            return
        if mean < _GAIN * self._usual:
            self._usual = mean
        else:
            self.alone = not self.alone
        self._begin(trying=False, seconds=_NEXT)

    def _try_the_other_way(self, usual: float) -> None:
        self._usual = usual
        self.alone = not self.alone
        self.steps = max(1, int(_TRIAL_SLICE / usual))
        self._begin(trying=True, seconds=_TRIAL)
