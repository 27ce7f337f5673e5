"""What counts as slower, and whether the code or the machine is the cause.

The control consists of benchmarks that run no code of fastbp. Its scatter is the noise that thresholds must exceed. If
a benchmark and the control become slower at the same time, the machine has become slower, and only the rest is
attributed to the code. The median of the control's benchmarks counts, because memory speed alone depends on the other
users of a server.
"""

import math
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median, quantiles
from typing import NamedTuple

from benchmarks.dashboard.results import Key, Series, Value

CONTROL = "control."
# Levels before and after a step are medians of this many values.
_WINDOW = 3
_NOISES = 3.0


class Step(NamedTuple):
    """A benchmark that has become slower and stayed so.

    `last` and `first` are short hashes of the last measured commit before the step and the first one after it.
    `machine` is the factor by which the control has become slower at the same time (1 if it has not, or does not
    matter). `confirmed` says whether a further commit was as slow.
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
        """Ratio of the time after the step to the time before."""
        return self.after / self.before

    @property
    def blamed(self) -> float:
        """The part of the ratio that is due to the code."""
        return self.ratio / self.machine

    @property
    def by_code(self) -> bool:
        """Whether that part is over the threshold."""
        return self.blamed > 1 + self.threshold


class Change(NamedTuple):
    """Two commits, measured alternately: the ratio of the second one's time to the first one's in every round."""

    key: Key
    ratios: tuple[float, ...]
    machine: float
    threshold: float

    @property
    def ratio(self) -> float:
        """The median of the ratios."""
        return median(self.ratios)

    def _grew(self, ratios: Sequence[float]) -> bool:
        """Whether the time grew by more than the threshold, and in every round by more than half of that."""
        return median(ratios) > 1 + self.threshold and min(ratios) > 1 + self.threshold / 2

    @property
    def worse(self) -> bool:
        """Whether the second is slower because of the code."""
        return self._grew([ratio / self.machine for ratio in self.ratios])

    @property
    def better(self) -> bool:
        """Whether the second is faster."""
        return self._grew([1 / ratio for ratio in self.ratios])


def is_control(key: Key) -> bool:
    """Return whether a benchmark is part of the control, which runs no code of fastbp."""
    return key.benchmark.startswith(CONTROL)


def is_time(key: Key) -> bool:
    """Return whether a benchmark gives seconds. Ratios are taken in pairs, and memory use is independent of speed."""
    return key.benchmark.rpartition(".")[2].startswith("time")


def is_judged(key: Key) -> bool:
    """Return whether a benchmark measures what users run: the control, NumPy and unfused kernels are for comparison."""
    return not (is_control(key) or key.benchmark.endswith(("_numpy", "_reference", "_unfused")))


def threshold(key: Key, thresholds: Mapping[str, float], noise: float) -> float:
    """Return the fraction by which a benchmark may grow: the largest match in asv.conf.json, or three times `noise`."""
    return max([_NOISES * noise, *(limit for pattern, limit in thresholds.items() if re.match(pattern, key.full_name))])


def spread(values: Sequence[float]) -> float:
    """Return the relative standard deviation around a level that may drift, from the differences of neighbours."""
    steps = [abs(math.log(b / a)) for a, b in pairwise(values)]
    return 1.4826 * median(steps) / math.sqrt(2) if steps else 0.0


def rounds_noise(ratios: Sequence[float]) -> float:
    """Return the relative standard error of the median of the rounds' ratios.

    It is computed from the interquartile range, because a shared machine is now and then slow for a whole round. For
    five normal values that range is one standard deviation; their median scatters by 1.25 / sqrt(5) of that.
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
    """Return the scatter of the control from commit to commit: the median over its benchmarks."""
    scatters = [_scatter(values, order) for values in _controls(series, threads)]
    return median(scatters) if scatters else 0.0


def _level(values: Mapping[str, Value], commits: Sequence[str]) -> float | None:
    medians = [values[commit].median for commit in commits if commit in values]
    return median(medians) if medians else None


def _slower_machine(ratios: Sequence[float]) -> float:
    """The factor by which the machine has become slower: the median of the control's ratios, at least 1."""
    return max(1.0, median(ratios)) if ratios else 1.0


def steps_of(
    key: Key, values: Mapping[str, Value], controls: Sequence[dict[str, Value]], order: Sequence[str], limit: float
) -> list[Step]:
    """Return the steps where one benchmark has become slower by more than `limit`, oldest first.

    At a step, a commit and the next measured one are slower by more than `limit` than the level before. That level is
    the median of the last three commits since the last step, or the last commit's time if it is less: noise only makes
    times longer, so a commit that was fast once really is that fast.
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
    """Return all steps of the judged benchmarks, including those that the machine explains.

    `series` are those of one machine, `order` has short hashes, oldest first, `thresholds` are those of asv.conf.json.
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
    """Compare the judged benchmarks that were measured for both commits in every round.

    The samples of a round come from one process, where unfavourable cores or addresses may make all of them slow. So a
    round counts as one value: the ratio of two medians that were measured right after each other.
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
        # Five rounds may agree by chance: a benchmark's noise is taken to be at least that of similar ones.
        alike = [other for other in judged if (other.threads, is_time(other)) == (key.threads, is_time(key))]
        usual = median(scatters[other] for other in alike)
        controls = [other for other in ratios if is_control(other) and other.threads == key.threads]
        machine = _slower_machine([median(ratios[other]) for other in controls if is_time(key)])
        # The ratios contain the machine's noise; the control's noise is only a lower bound.
        least = median([scatters[other] for other in controls] or [0.0])
        found.append(
            Change(key, ratios[key], machine, max(threshold(key, thresholds, max(scatters[key], usual)), least))
        )
    return found
