"""How a training step would scale to more cores than were available: a model based on measured costs.

    python -m benchmarks.scaling                    # print the tables
    python -m benchmarks.scaling --bandwidth 200    # with 200 Gbyte/s of memory
    python -m benchmarks.scaling --write            # put the tables into docs/scaling.md

See docs/scaling.md. The costs, and how fastbp divides each step among the cores, are in
benchmarks/results/scaling-*.json. They were measured with release 0.5.0.
"""

import argparse
import json
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.documents import markdown_table, put_between
from benchmarks.peers.report import digits

ROOT = Path(__file__).parents[1]
COSTS = ROOT / "benchmarks" / "results" / "scaling-amd-epyc-znver4-float32.json"
BEGIN, END = "<!-- scaling -->", "<!-- /scaling -->"
CORES = (1, 2, 4, 8, 16, 32, 64)
# Doubling the cores is worth it if the step gets faster by this factor.
WORTH = 1.2
# Seconds after which release 0.5.0 returned from compiled code to Python.
_SLICE_SECONDS = 0.04

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
"""Display names of the fields of `Terms`."""


class Terms(NamedTuple):
    """Seconds of a step by cause; their sum is the time of the step."""

    work: float
    rows: float
    tiles: float
    short: float
    barriers: float
    traffic: float
    serial: float
    slices: float
    memory: float


class Costs(NamedTuple):
    """A workload's measured costs, and how its step is divided.

    `rows` and `tiles` are the seconds of the two phases, by the number of blocks or computed columns in a share.
    `serial` are the seconds in which only thread 0 works. `divisions`, by the number of cores, have the blocks and
    columns in total and of the longest share; the bytes that a core reads after another has written them (`read`) and
    vice versa (`written`); the bytes of everything (`working_set`) and those that pass through the caches
    (`streamed`). `measured` are real steps on one thread and on two, for the check. `chosen` is the number of threads
    that fastbp chooses by itself on 64 cores.
    """

    name: str
    batch: str
    rows: dict[int, float]
    tiles: dict[int, float]
    serial: float
    divisions: dict[int, dict[str, float]]
    measured: tuple[float, float]
    chosen: int


def load_costs(result: dict) -> list[Costs]:
    """Return the costs of all workloads in a saved result."""

    def by_number(seconds: dict[str, float]) -> dict[int, float]:
        return {int(size): value for size, value in seconds.items()}

    return [
        Costs(
            "-".join(map(str, saved["sizes"])),
            str(saved["batch"]),
            by_number(saved["rows"]),
            by_number(saved["tiles"]),
            saved["serial"],
            {division["cores"]: division for division in saved["divisions"]},
            (saved["steps"]["1"], saved["steps"]["2"]),
            saved["chosen_threads"],
        )
        for saved in result["workloads"]
    ]


def interpolate(seconds: dict[int, float], size: int) -> float:
    """Return the seconds of a share of this size; below the smallest measured one they stay constant."""
    sizes = sorted(seconds)
    return float(np.interp(size, sizes, [seconds[key] for key in sizes]))


def traffic(machine: dict, division: dict) -> float:
    """Return the seconds for moving data between cores: from L2 if they fit into one, else from L3."""
    kind = "near" if division["read"] <= machine["l2_bytes"] else "far"
    return division["read"] * machine[f"{kind}_read"] + division["written"] * machine[f"{kind}_written"]


def memory(machine: dict, division: dict) -> float:
    """Return the minimum memory time of a step in seconds; 0 if everything fits into the caches of all cores."""
    cores = division["cores"]
    if division["working_set"] <= machine["l3_bytes"] + cores * machine["l2_bytes"]:
        return 0.0
    return division["streamed"] / min(machine["bandwidth"], cores * machine["bandwidth_core"])


def predict(machine: dict, costs: Costs, cores: int) -> Terms:
    """Return the terms of a step on `cores` cores: the equations of docs/scaling.md."""
    division = costs.divisions[cores]
    rows, tiles = interpolate(costs.rows, division["blocks"]), interpolate(costs.tiles, division["columns"])
    row_part = division["longest_blocks"] / division["blocks"]
    tile_part = division["longest_columns"] / division["columns"]
    longest_rows = interpolate(costs.rows, division["longest_blocks"])
    longest_tiles = interpolate(costs.tiles, division["longest_columns"])
    barrier = machine["barrier_alone"] + (machine["barrier_pair"] - machine["barrier_alone"]) * (cores - 1)
    terms = Terms(
        work=(rows + tiles + costs.serial) / cores,
        rows=rows * (row_part - 1 / cores),
        tiles=tiles * (tile_part - 1 / cores),
        short=longest_rows - rows * row_part + longest_tiles - tiles * tile_part,
        barriers=2 * barrier,
        traffic=traffic(machine, division),
        serial=costs.serial * (1 - 1 / cores),
        slices=0.0,
        memory=0.0,
    )
    step = sum(terms)
    slices = (machine["slice"] + 2 * barrier) / max(1, int(_SLICE_SECONDS / step))
    return terms._replace(slices=slices, memory=max(0.0, memory(machine, division) - step))


def speedups(machine: dict, costs: Costs) -> dict[int, float]:
    """Return the predicted speed-up over one core, by the number of cores."""
    steps = {cores: sum(predict(machine, costs, cores)) for cores in costs.divisions}
    return {cores: steps[1] / step for cores, step in steps.items()}


def saturation(gains: dict[int, float]) -> int | None:
    """Return the largest number of cores that pays off; None if all do."""
    worth = [1, *(after for before, after in pairwise(gains) if gains[after] >= WORTH * gains[before])]
    return worth[-1] if worth[-1] != max(gains) else None


def cause(now: Terms, then: Terms) -> str:
    """Return the term that loses most between two numbers of cores: the one furthest above its share of the work."""
    part = then.work / now.work
    lost = {name: getattr(then, name) - part * getattr(now, name) for name in Terms._fields}
    return max(lost, key=lost.__getitem__)


def limit(machine: dict, costs: Costs) -> tuple[int | None, str]:
    """Return the largest number of cores that pays off (None: all do), and the title of the term that limits it."""
    until = saturation(speedups(machine, costs))
    now = CORES[-2] if until is None else until
    return until, TITLES[cause(predict(machine, costs, now), predict(machine, costs, 2 * now))]


def _compared(what: str) -> list[str]:
    return [what, "measured", "difference"]


def section(result: dict) -> str:
    """Return the text between the marks in docs/scaling.md."""
    machine, workloads = result["machine"], load_costs(result)
    gains, parts, check = [], [], []
    for costs in workloads:
        name, predicted = [costs.name, costs.batch], speedups(machine, costs)
        until, held = limit(machine, costs)
        cells = [digits(predicted[cores]) for cores in CORES[1:]]
        gains.append([*name, *cells, str(until or f"more than {CORES[-1]}"), held, str(costs.chosen)])
        terms = predict(machine, costs, until or CORES[-1])
        cells = [f"{100 * seconds / sum(terms):.0f} %" for seconds in terms]
        parts.append([*name, str(until or CORES[-1]), digits(1e6 * sum(terms)), *cells])
        step, (one, two) = sum(predict(machine, costs, 1)), costs.measured
        cells = [digits(1e6 * step), digits(1e6 * one), f"{100 * (step / one - 1):+.0f} %"]
        check.append([*name, *cells, digits(predicted[2]), digits(one / two), f"{predicted[2] - one / two:+.2f}"])
    heads = ["network", "batch"]
    tables = [
        "**Predicted speed-up over one core**",
        markdown_table([*heads, *map(str, CORES[1:]), "worth it up to", "then held by", "fastbp takes"], gains),
        "**Where the time goes, on as many cores as are worth it**",
        markdown_table([*heads, "cores", "µs a step", *TITLES.values()], parts),
        "**The check**",
        markdown_table([*heads, *_compared("µs, predicted"), *_compared("2 threads, predicted")], check),
    ]
    return "\n\n".join(tables)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__.splitlines()[0])
    parser.add_argument("--bandwidth", type=float, help="Gbyte/s of memory, instead of the measured machine's")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/scaling.md")
    options = parser.parse_args()
    result = json.loads(COSTS.read_text(encoding="utf-8"))
    if options.write:
        page = ROOT / "docs" / "scaling.md"
        page.write_text(put_between(page.read_text(encoding="utf-8"), BEGIN, END, section(result)), encoding="utf-8")
    if options.bandwidth:
        result["machine"]["bandwidth"] = 1e9 * options.bandwidth
    print(section(result))


if __name__ == "__main__":
    main()
