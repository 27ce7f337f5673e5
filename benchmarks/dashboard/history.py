"""The content of a page: the results of one machine in the order of commits, and values derived from them."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.dashboard import commits, rules
from benchmarks.dashboard.charts import Frame, Line, Point
from benchmarks.dashboard.commits import Commit
from benchmarks.dashboard.results import Key, Series, load_series, load_versions
from benchmarks.trainings import TRAININGS

FIT = "step.Adam.time_fit"


class History(NamedTuple):
    """Results of one machine. Commits are oldest first; steps may be due to the code or to the machine."""

    machine: dict
    all_commits: list[Commit]
    measured: list[Commit]
    series: Series
    steps: list[rules.Step]

    @property
    def confirmed(self) -> list[rules.Step]:
        """Steps caused by the code and confirmed by a later commit."""
        return [step for step in self.steps if step.by_code and step.confirmed]

    @property
    def frame(self) -> Frame:
        """Data shared by all charts."""
        releases = {place: commit.release for place, commit in enumerate(self.measured) if commit.release}
        return Frame(len(self.measured), releases, (self.measured[0].short, self.measured[-1].short))

    @property
    def threads(self) -> list[int]:
        """Numbers of threads for which there are results."""
        return sorted({key.threads for key in self.series})

    def noise(self, threads: int) -> float:
        """Return the scatter of the control."""
        return rules.noise(self.series, threads, [commit.short for commit in self.measured])

    def place(self, short: str) -> int:
        """Return the position of a commit among the measured ones, by eight digits of its hash."""
        return [commit.short for commit in self.measured].index(short)

    def commit(self, short: str) -> Commit:
        """Return a commit by eight digits of its hash."""
        return self.measured[self.place(short)]

    def between(self, step: rules.Step) -> int:
        """Return how many commits may have caused a step: those after the last fast one, up to the first slow one."""
        places = {commit.short: place for place, commit in enumerate(self.all_commits)}
        return places[step.first] - places[step.last]

    def line(
        self, name: str, color: str, key: Key, convert: Callable[[float], float], label: Callable[[float], str]
    ) -> Line | None:
        """Return a benchmark's converted values as a line; None if it has no values."""
        points = []
        for place, commit in enumerate(self.measured):
            if value := self.series.get(key, {}).get(commit.short):
                low, high = sorted(map(convert, value.band))
                middle = convert(value.median)
                band = f" (95 %: {label(low)} to {label(high)})" if value.samples else ""
                text = f"{label(middle)}{band}, {commit.short} {commit.date} {commit.subject}"
                points.append(Point(place, middle, low, high, text))
        return Line(name, color, points) if points else None


def load_history(folder: Path, machine: dict, thresholds: dict[str, float]) -> History:
    """Read the results of a machine, without those of commits that are not in this repository."""
    series = load_series(folder / machine["machine"], load_versions(folder))
    with_results = {short for values in series.values() for short in values}
    all_commits = commits.history()
    measured = [commit for commit in all_commits if commit.short in with_results]
    order = [commit.short for commit in measured]
    return History(machine, all_commits, measured, series, rules.regressions(series, order, thresholds))


def throughput(network: str) -> Callable[[float], float]:
    """Return the function that converts the seconds of a fit to samples per second."""
    samples = TRAININGS[network].samples
    return lambda seconds: samples / seconds


def speed_up(history: History, since: Commit, threads: int) -> float:
    """Return the speed-up of the newest commit over `since`: the geometric mean over the workloads that both have."""
    newest = history.measured[-1].short
    logs = []
    for network in TRAININGS:
        values = history.series.get(Key(FIT, (network,), threads), {})
        if since.short in values and newest in values:
            logs.append(math.log(values[since.short].median / values[newest].median))
    return math.exp(sum(logs) / len(logs)) if logs else math.nan
