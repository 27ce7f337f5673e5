"""asv's results as series: for each benchmark, parameters and number of threads, one value per commit."""

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.dashboard.tool import THREADS

_DIGITS = 5
_SKIPPED = ("machine.json", "benchmarks.json")


class Key(NamedTuple):
    """The key of a series: a benchmark's name, its parameters, and the number of threads."""

    benchmark: str
    params: tuple[str, ...]
    threads: int

    def __str__(self) -> str:
        name = f"{self.benchmark}({', '.join(self.params)})" if self.params else self.benchmark
        return f"{name}, {self.threads} thread{'s' * (self.threads > 1)}"

    @property
    def full_name(self) -> str:
        """Name with parameters, which asv's thresholds are matched against."""
        return f"{self.benchmark}({', '.join(self.params)})" if self.params else self.benchmark


def interval(samples: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Return a distribution-free confidence interval of the median.

    It goes from the k-th smallest to the k-th largest sample, with the largest k that the binomial distribution allows.
    Fewer than six samples do not allow 95 %: then it is the range of all samples.
    """
    ordered = sorted(samples)
    n = len(ordered)
    tail, k = 0.0, 0
    while 2 * (tail + math.comb(n, k) / 2**n) <= 1 - confidence:
        tail += math.comb(n, k) / 2**n
        k += 1
    k = max(k, 1)
    return ordered[k - 1], ordered[n - k]


class Value(NamedTuple):
    """A median with its samples; tracked benchmarks have one value and no samples."""

    median: float
    samples: tuple[float, ...] = ()

    @property
    def band(self) -> tuple[float, float]:
        """95 % confidence interval."""
        return interval(self.samples) if self.samples else (self.median, self.median)


# By key, then by the commit's short hash.
Series = dict[Key, dict[str, Value]]


class Outcome(NamedTuple):
    """The content of one file of results: values, and which benchmarks failed or were skipped."""

    values: dict[Key, Value]
    failed: list[Key]
    skipped: list[Key]


def _parameter(text: str) -> str:
    """Return a parameter from its `repr`, which asv stores."""
    return text[1:-1] if text[:1] in "'\"" else text


def load_outcome(path: Path, versions: Mapping[str, str] | None = None) -> Outcome:
    """Return the content of a results file in asv's format 2.

    With `versions`, results of older versions of a benchmark are left out: asv's versions are hashes of the benchmarks'
    source code.
    """
    data = json.loads(path.read_text(encoding="utf-8"))
    columns = data["result_columns"]
    threads = int(data["env_vars"].get(THREADS, 1))
    outcome = Outcome({}, [], [])
    for name, row in data["results"].items():
        fields = dict(zip(columns, row, strict=False))
        if versions is not None and versions.get(name) != fields["version"]:
            continue
        combinations = list(itertools.product(*(fields.get("params") or [])))
        medians = fields["result"] or [None] * len(combinations)
        samples = fields.get("samples") or [None] * len(combinations)
        for combination, middle, taken in zip(combinations, medians, samples, strict=True):
            key = Key(name, tuple(map(_parameter, combination)), threads)
            if middle is None:
                outcome.failed.append(key)
            elif math.isnan(middle):
                outcome.skipped.append(key)
            else:
                outcome.values[key] = Value(middle, tuple(taken or ()))
    return outcome


def result_files(folder: Path) -> list[Path]:
    """Return the results files of one machine."""
    return sorted(path for path in folder.glob("*.json") if path.name not in _SKIPPED)


def load_versions(results: Path) -> dict[str, str]:
    """Return the current versions of the benchmarks."""
    listed = json.loads((results / "benchmarks.json").read_text(encoding="utf-8"))
    return {name: benchmark["version"] for name, benchmark in listed.items() if isinstance(benchmark, dict)}


def load_series(folder: Path, versions: Mapping[str, str]) -> Series:
    """Return the series of these versions of the benchmarks in a machine's folder."""
    series: Series = {}
    for path in result_files(folder):
        for key, value in load_outcome(path, versions).values.items():
            series.setdefault(key, {})[path.name.partition("-")[0]] = value
    return series


def machines(folder: Path) -> list[dict]:
    """Return asv's description of each machine that has results, the one with the newest results first."""
    found = []
    for path in folder.glob("*/machine.json"):
        started = [
            max((row[3] for row in json.loads(file.read_text(encoding="utf-8"))["results"].values()), default=0)
            for file in result_files(path.parent)
        ]
        if started:
            found.append((max(started), json.loads(path.read_text(encoding="utf-8"))))
    return [machine for _, machine in sorted(found, key=lambda item: -item[0])]


def _rounded(value: object) -> object:
    if isinstance(value, float) and math.isfinite(value):
        return float(f"{value:.{_DIGITS - 1}e}")
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return value


def tidy(folder: Path) -> None:
    """Round the results of a machine to the significant digits, and write one benchmark per line, for small files."""
    for path in result_files(folder):
        data = json.loads(path.read_text(encoding="utf-8"))
        rows = [f"  {json.dumps(name)}: {json.dumps(_rounded(row))}" for name, row in sorted(data["results"].items())]
        others = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in data.items() if key != "results"]
        text = "{\n" + ",\n".join(others) + ',\n"results": {\n' + ",\n".join(rows) + "\n}\n}\n"
        if text != path.read_text(encoding="utf-8"):
            path.write_text(text, encoding="utf-8")
