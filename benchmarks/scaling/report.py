"""Costs as JSON, and what the model makes of them as tables in Markdown."""

import datetime
import json
from pathlib import Path
from typing import NamedTuple

from benchmarks.common import Workload
from benchmarks.peers.report import digits, rounded
from benchmarks.scaling.machine import medians
from benchmarks.scaling.model import (
    CORES,
    Machine,
    Shares,
    Terms,
    cause,
    curve,
    default_threads,
    divide,
    predict,
    saturation,
)
from fastbp.machine import describe

SCHEMA = 1
BEGIN, END = "<!-- scaling -->", "<!-- /scaling -->"

# What a reader calls the terms.
TITLES = {
    "work": "work",
    "rows": "uneven rows",
    "tiles": "uneven tiles",
    "short": "short shares",
    "barriers": "barriers",
    "traffic": "traffic between cores",
    "serial": "serial part",
    "slices": "slices",
    "memory": "memory",
}


class Costs(NamedTuple):
    """All that was measured for a workload: its shares, and for the check the real step by number of threads."""

    workload: Workload
    shares: Shares
    steps: dict[int, float]

    @property
    def speedup(self) -> float:
        """Speed-up of as many threads as there were."""
        return self.steps[1] / self.steps[max(self.steps)]


class Prediction(NamedTuple):
    """What the model says of a workload, for every number of cores in `CORES`."""

    speedups: list[float]
    terms: list[Terms]
    saturates: int | None
    cause: str


def _by_text(seconds: dict[int, float]) -> dict[str, float]:
    """Keys of JSON are text."""
    return {str(size): seconds[size] for size in sorted(seconds)}


def _by_number(seconds: dict[str, float]) -> dict[int, float]:
    return {int(size): value for size, value in seconds.items()}


def entry(costs: Costs) -> dict:
    """Return the costs of a workload as they are saved."""
    workload, shares = costs.workload, costs.shares
    return {
        "sizes": list(workload.sizes),
        "batch": workload.batch,
        "rows": _by_text(shares.rows),
        "tiles": _by_text(shares.tiles),
        "serial": shares.serial,
        "steps": _by_text(costs.steps),
    }


def as_saved(threads: int, dtype: str, together: float, machines: list[Machine], costs: list[Costs]) -> dict:
    """Return what is saved: when and where the costs were measured, and all of them.

    The machine's were measured more than once; the medians count. ``written`` is the range of what writing costs.
    """
    found = describe()
    written = [machine.near_written for machine in machines]
    return {
        "schema": SCHEMA,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "cpu": found["cpu"],
        "llvm_cpu": found["llvm_cpu"],
        "threads": threads,
        "dtype": dtype,
        "together": together,
        "machine": medians(machines)._asdict(),
        "written": [min(written), max(written)],
        "workloads": [entry(each) for each in costs],
    }


def costs_of(saved: dict) -> Costs:
    """Return the costs of a workload from what `entry` has made of them."""
    shares = Shares(_by_number(saved["rows"]), _by_number(saved["tiles"]), saved["serial"])
    return Costs(Workload(tuple(saved["sizes"]), saved["batch"]), shares, _by_number(saved["steps"]))


def save(result: dict, path: Path) -> None:
    """Write costs into a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rounded(result), indent=1) + "\n", encoding="utf-8")


def prediction(costs: Costs, machine: Machine, dtype: str) -> Prediction:
    """Ask the model about a workload."""
    divisions = [divide(costs.workload, cores, dtype) for cores in CORES]
    speedups = curve(machine, costs.shares, divisions)
    terms = [predict(machine, costs.shares, division) for division in divisions]
    saturates = saturation(list(CORES), speedups)
    last = CORES.index(saturates) if saturates is not None else len(CORES) - 2
    return Prediction(speedups, terms, saturates, cause(terms[last], terms[last + 1]))


def predictions(result: dict) -> list[tuple[Costs, Prediction]]:
    """Return the costs of all workloads, and what the model says of each."""
    machine = Machine(**result["machine"])
    return [(costs, prediction(costs, machine, result["dtype"])) for costs in map(costs_of, result["workloads"])]


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---", *["--:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _name(costs: Costs) -> list[str]:
    return ["-".join(map(str, costs.workload.sizes)), str(costs.workload.batch)]


def speedup_table(result: dict) -> str:
    """Return the predicted speed-ups, the number of cores at which they saturate, and why."""
    rows = []
    for costs, said in predictions(result):
        speedups = [digits(speedup) for speedup in said.speedups[1:]]
        until = "more than 64" if said.saturates is None else str(said.saturates)
        threads = str(default_threads(costs.workload, max(CORES)))
        rows.append([*_name(costs), *speedups, until, TITLES[said.cause], threads])
    heads = ["network", "batch", *map(str, CORES[1:]), "worth it up to", "then held by", "fastbp takes"]
    return _table(heads, rows)


def term_table(result: dict) -> str:
    """Return the terms of a step on as many cores as are worth it, as parts of the step."""
    rows = []
    for costs, said in predictions(result):
        cores = said.saturates or max(CORES)
        terms = said.terms[CORES.index(cores)]
        parts = [f"{100 * seconds / sum(terms):.0f} %" for seconds in terms]
        rows.append([*_name(costs), str(cores), digits(1e6 * sum(terms)), *parts])
    return _table(["network", "batch", "cores", "µs a step", *TITLES.values()], rows)


def check_table(result: dict) -> str:
    """Return predictions beside measurements, on one thread and on all there were."""
    machine, threads = Machine(**result["machine"]), result["threads"]
    rows = []
    for costs in map(costs_of, result["workloads"]):
        one, many = (divide(costs.workload, n, result["dtype"]) for n in (1, threads))
        step = sum(predict(machine, costs.shares, one))
        speedup = curve(machine, costs.shares, [one, many])[1]
        rows.append(
            [
                *_name(costs),
                digits(1e6 * step),
                digits(1e6 * costs.steps[1]),
                f"{100 * (step / costs.steps[1] - 1):+.0f} %",
                digits(speedup),
                digits(costs.speedup),
                f"{speedup - costs.speedup:+.2f}",
            ]
        )
    heads = ["network", "batch", "µs, predicted", "measured", "difference"]
    return _table([*heads, f"{threads} threads, predicted", "measured", "difference"], rows)


def machine_text(result: dict) -> str:
    """Return the costs of the machine in a sentence."""
    m = Machine(**result["machine"])
    least, most = (1e12 * seconds for seconds in result["written"])
    return (
        f"{result['dtype']}, {result['cpu']} ({result['llvm_cpu']}), {result['threads']} cores, {result['date']}. "
        f"A barrier takes {1e9 * m.barrier_alone:.0f} ns alone and {1e9 * m.barrier_pair:.0f} ns for two, "
        f"an empty slice {1e6 * m.slice:.1f} µs. Memory gives {m.bandwidth_core / 1e9:.0f} Gbyte/s to one core and "
        f"{m.bandwidth / 1e9:.0f} to all, the L3 {m.l3_core / 1e9:.0f} to one and {m.l3_pair / 1e9:.0f} to each of "
        f"two. Beyond what one's own bytes cost, those of another core take {1e12 * m.near_read:.0f} ps each to read "
        f"and {1e12 * m.near_written:.0f} to write (from {least:.0f} to {most:.0f} in this run) where an L2 would hold "
        f"them, {1e12 * m.far_read:.0f} and "
        f"{1e12 * m.far_written:.0f} where only the L3 does. All cores at once multiply and add "
        f"{result['together']:.2f} times as much as one alone."
    )


def memory_text(result: dict) -> str:
    """Return what would be if nothing had to wait for memory, for the networks that do; empty if there are none."""
    machine = Machine(**result["machine"])
    boundless = machine._replace(bandwidth=float("inf"), bandwidth_core=float("inf"))
    parts = []
    for costs, said in predictions(result):
        if said.terms[-1].memory > 0:
            speedup = prediction(costs, boundless, result["dtype"]).speedups[-1]
            parts.append(f"{_name(costs)[0]} {digits(speedup)} instead of {digits(said.speedups[-1])}")
    if not parts:
        return ""
    return f"On {max(CORES)} cores, if nothing had to wait for memory: {', '.join(parts)}."


def section(result: dict) -> str:
    """Return what stands between the marks in docs/scaling.md."""
    parts = [
        machine_text(result),
        "**Predicted speed-up over one core**",
        speedup_table(result),
        memory_text(result),
        "**Where the time goes, on as many cores as are worth it**",
        term_table(result),
        "**The check**",
        check_table(result),
    ]
    return "\n\n".join(filter(None, parts))
