"""What counts as slower, and whether the code or the machine is to blame.

The control, benchmarks in which no line of fastbp runs, gives the noise that thresholds must exceed. It also excuses:
if seconds grow while the control grows too, the machine has become slower, and only the rest is the code's. The middle
one of the control's benchmarks counts, for memory alone depends on who else is on the server.
"""

import math
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median, quantiles
from typing import NamedTuple

from benchmarks.dashboard.results import Key, Series, Value

CONTROL = "control."
# Levels before and after a step are medians of so many values.
_WINDOW = 3
_NOISES = 3.0


class Step(NamedTuple):
    """A benchmark that has become slower for good.

    `last` and `first` are short hashes of the last measured commit before and the first after, `machine` is by what
    factor the control has become slower at the same time (1 if it has not, or does not matter), and `confirmed` says
    whether a further commit was as slow.
    """

    key: Key
    last: str
    first: str
    before: float
    after: float
    machine: float
    threshold: float
    confirmed: bool

    @property
    def ratio(self) -> float:
        """How many times as long it takes."""
        return self.after / self.before

    @property
    def blamed(self) -> float:
        """The part of it that is the code's."""
        return self.ratio / self.machine

    @property
    def by_code(self) -> bool:
        """Whether that part is over the threshold."""
        return self.blamed > 1 + self.threshold


class Change(NamedTuple):
    """Two commits, measured by turns: how many times as long the second takes in every round."""

    key: Key
    ratios: tuple[float, ...]
    machine: float
    threshold: float

    @property
    def ratio(self) -> float:
        """The middle one."""
        return median(self.ratios)

    def _grew(self, ratios: Sequence[float]) -> bool:
        """Whether it grew by more than the threshold, and in every round by half of that."""
        return median(ratios) > 1 + self.threshold and min(ratios) > 1 + self.threshold / 2

    @property
    def worse(self) -> bool:
        """Whether the second is slower, and the code is to blame."""
        return self._grew([ratio / self.machine for ratio in self.ratios])

    @property
    def better(self) -> bool:
        """Whether the second is faster."""
        return self._grew([1 / ratio for ratio in self.ratios])


def is_control(key: Key) -> bool:
    """Tell whether no line of fastbp runs in a benchmark."""
    return key.benchmark.startswith(CONTROL)


def is_time(key: Key) -> bool:
    """Tell whether a benchmark gives seconds: ratios are taken in pairs, and memory does not depend on the machine."""
    return key.benchmark.rpartition(".")[2].startswith("time")


def is_judged(key: Key) -> bool:
    """Tell whether a benchmark measures fastbp: neither the control nor NumPy's side of a comparison does."""
    return not (is_control(key) or key.benchmark.endswith(("_numpy", "_reference")))


def threshold(key: Key, thresholds: Mapping[str, float], noise: float) -> float:
    """Return by what share a benchmark may grow: the largest of asv.conf.json's that match, or three noises."""
    return max([_NOISES * noise, *(limit for pattern, limit in thresholds.items() if re.match(pattern, key.full_name))])


def spread(values: Sequence[float]) -> float:
    """Return how far values scatter around a level that may drift: a standard deviation, relative, from neighbours."""
    steps = [abs(math.log(b / a)) for a, b in pairwise(values)]
    return 1.4826 * median(steps) / math.sqrt(2) if steps else 0.0


def rounds_noise(ratios: Sequence[float]) -> float:
    """Return by what share the median of the rounds' ratios is off by chance.

    From the distance of their quartiles, for a shared machine is slow for a whole round now and then. Of five normal
    values that distance is one standard deviation; their median scatters by 1.25 / sqrt(5) of that.
    """
    if len(ratios) < 2:
        return 0.0
    low, _, high = quantiles(map(math.log, ratios), n=4, method="inclusive")
    return 1.25 * (high - low) / math.sqrt(len(ratios))


def _scatter(values: Mapping[str, Value], order: Sequence[str]) -> float:
    return spread([values[commit].median for commit in order if commit in values])


def _controls(series: Series, threads: int) -> list[dict[str, Value]]:
    return [values for key, values in series.items() if is_control(key) and key.threads == threads]


def noise(series: Series, threads: int, order: Sequence[str]) -> float:
    """Return how the control scatters from commit to commit: the middle one of its benchmarks."""
    scatters = [_scatter(values, order) for values in _controls(series, threads)]
    return median(scatters) if scatters else 0.0


def _level(values: Mapping[str, Value], commits: Sequence[str]) -> float | None:
    medians = [values[commit].median for commit in commits if commit in values]
    return median(medians) if medians else None


def _slower_machine(ratios: Sequence[float]) -> float:
    """By what factor the machine has become slower: the middle one of the control's ratios, and not below 1."""
    return max(1.0, median(ratios)) if ratios else 1.0


def steps_of(
    key: Key, values: Mapping[str, Value], controls: Sequence[dict[str, Value]], order: Sequence[str], limit: float
) -> list[Step]:
    """Return where one benchmark has become slower by more than `limit`, oldest first.

    A step is where a commit and the next measured one are slower by that than the level before: the median of the last
    three since the last step, or the last commit's time if that is less. For times err upwards: a commit that was fast
    once can be as fast.
    """
    commits = [commit for commit in order if commit in values]
    found, start = [], 0
    for place in range(1, len(commits)):
        before, now = commits[max(start, place - _WINDOW) : place], commits[place : place + 2]
        if values[before[-1]].median < _level(values, before):
            before = before[-1:]
        old, medians = _level(values, before), [values[commit].median for commit in now]
        if max(medians) < old / (1 + limit):
            start = place
        elif min(medians) > old * (1 + limit):
            start = place
            levels = [(_level(control, before), _level(control, now)) for control in controls if is_time(key)]
            machine = _slower_machine([after / earlier for earlier, after in levels if earlier and after])
            found.append(Step(key, before[-1], now[0], old, median(medians), machine, limit, len(now) > 1))
    return found


def regressions(series: Series, order: Sequence[str], thresholds: Mapping[str, float]) -> list[Step]:
    """Return all steps up of what is judged, those that the machine explains included.

    `series` are those of one machine, `order` has short hashes, oldest first, `thresholds` are asv.conf.json's.
    """
    noises = {threads: noise(series, threads, order) for threads in {key.threads for key in series}}
    steps = []
    for key, values in sorted(series.items()):
        if is_judged(key):
            limit = threshold(key, thresholds, max(noises[key.threads], _scatter(values, order)))
            steps += steps_of(key, values, _controls(series, key.threads), order, limit)
    return steps


def changes(
    before: Sequence[Mapping[Key, Value]], after: Sequence[Mapping[Key, Value]], thresholds: Mapping[str, float]
) -> list[Change]:
    """Compare what is judged and was measured of both in every round.

    Samples of one round are of one process, in which the same cores, or the same addresses, may make all of them slow.
    So a round counts as one value: the ratio of two medians that were taken right after each other.
    """
    keys = set.intersection(*(set(values) for values in (*before, *after)))
    ratios = {
        key: tuple(new[key].median / old[key].median for old, new in zip(before, after, strict=True))
        for key in sorted(keys)
    }
    scatters = {key: rounds_noise(values) for key, values in ratios.items()}
    judged = [key for key in ratios if is_judged(key)]
    found = []
    for key in judged:
        # Five rounds may agree by chance: a benchmark's noise counts as no less than that of similar ones.
        alike = [other for other in judged if (other.threads, is_time(other)) == (key.threads, is_time(key))]
        usual = median(scatters[other] for other in alike)
        controls = [other for other in ratios if is_control(other) and other.threads == key.threads]
        machine = _slower_machine([median(ratios[other]) for other in controls if is_time(key)])
        # The ratios contain the machine's noise; that of the control is only the least.
        least = median([scatters[other] for other in controls] or [0.0])
        found.append(
            Change(key, ratios[key], machine, max(threshold(key, thresholds, max(scatters[key], usual)), least))
        )
    return found
