"""Check that time grows like the floating-point operations if rows, minibatch, width or depth are doubled.

    python -m benchmarks.growth
    python -m benchmarks.growth --series depth outputs --threads 2

In each series one size grows and all others stay the same; float32, Adam, ReLU, log-loss. The networks of a series are
timed in turn, round by round, and each is compared with the one before: `growth` is the ratio of their times over the
ratio of their flops, the median over the rounds. More than 1.15 is flagged, with the cache that the working set no
longer fits into, if any. Rows are measured per epoch, everything else per step. Values below 1 come from the fixed
costs of small networks.
"""

import argparse
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.common import Workload, cpus, make_problem, seconds
from benchmarks.session import open_session
from fastbp.network.plan import make_plan

TOO_MUCH = 1.15
# Long enough for the clock, short enough for many rounds.
SECONDS = 0.03
SLOW_FLOPS_PER_SECOND = 2e10


class Case(NamedTuple):
    """A network and the rows of an epoch; 0 means enough rows to fill a measurement."""

    size: int
    workload: Workload
    rows: int = 0

    @property
    def steps(self) -> int:
        """Minibatches in one measurement."""
        wanted = self.rows / self.workload.batch or SECONDS * SLOW_FLOPS_PER_SECOND / self.workload.flops
        return int(np.clip(wanted, 1, 2000))

    @property
    def unit(self) -> int:
        """Minibatches whose cost is compared: an epoch if its rows are given, a step otherwise."""
        return self.steps if self.rows else 1

    @property
    def flops(self) -> int:
        """Floating-point operations of the compared unit."""
        return self.unit * self.workload.flops

    @property
    def working_set(self) -> int:
        """Bytes of parameters, moments, transposed weights and activations; with given rows also of the samples."""
        plan = make_plan(self.workload.sizes, self.workload.batch, np.dtype(np.float32))
        samples = self.rows * (self.workload.sizes[0] + self.workload.sizes[-1])
        return 4 * (3 * plan.params + plan.transposed + plan.gradient + plan.workspace + samples)


SERIES = {
    "rows": [Case(n, Workload((64, 128, 10), 128), n) for n in (2**k for k in range(10, 17))],
    "batch": [Case(n, Workload((64, 256, 256, 10), n)) for n in (2**k for k in range(5, 13))],
    "width": [Case(n, Workload((64, n, n, 10), 256)) for n in (2**k for k in range(4, 12))],
    "depth": [Case(n, Workload((64, *[128] * n, 10), 256)) for n in (1, 2, 4, 8, 16, 20)],
    "outputs": [Case(n, Workload((64, 256, n), 256)) for n in (1, 2, 10, 100, 1000)],
}


def _caches() -> dict[str, int]:
    """Bytes of each cache, smallest first, if the system provides them."""
    sizes = {}
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((folder / name).read_text().strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            sizes[f"L{level}"] = 1024 * int(size.removesuffix("K"))
    return sizes


def _home(size: int) -> str:
    """The smallest cache that holds `size` bytes."""
    return next((name for name, capacity in _caches().items() if size <= capacity), "memory")


def _times(cases: list[Case], threads: int, rounds: int) -> np.ndarray:
    """Seconds of each case, (rounds, cases); short epochs are repeated until a measurement is long enough."""
    times = np.empty((rounds, len(cases)))
    with ExitStack() as stack:
        epochs, calls = [], []
        for case in cases:
            problem = make_problem(case.workload, case.steps, np.float32)
            session = stack.enter_context(open_session(problem, case.workload.batch, threads))
            epochs.append(partial(session.epoch, problem.order))
            epochs[-1]()
            calls.append(max(1, round(SECONDS / seconds(epochs[-1]))))
        for row in times:
            for index, case in enumerate(cases):
                row[index] = min(seconds(epochs[index]) for _ in range(calls[index])) * case.unit / case.steps
    return times


def measure(name: str, threads: int, rounds: int) -> int:
    """Print the table of one series; returns how many of its steps cost more than they should."""
    cases = SERIES[name]
    times = _times(cases, threads, rounds)
    medians = np.median(times, axis=0)
    flagged = 0
    print(f"{name:>8}      seconds    GFLOP/s   time x   flops x   growth   working set")
    for index, case in enumerate(cases):
        line = f"{case.size:8} {medians[index]:12.3e} {case.flops / medians[index] / 1e9:10.1f}"
        home, flag = _home(case.working_set), ""
        if index > 0:
            before = cases[index - 1]
            ratio, expected = np.median(times[:, index] / times[:, index - 1]), case.flops / before.flops
            line += f" {ratio:8.2f} {expected:9.2f} {ratio / expected:8.2f}"
            if ratio / expected > TOO_MUCH:
                flagged += 1
                left = _home(before.working_set)
                flag = "   SUPER-LINEAR" + (f": the working set has left {left}" if left != home else "")
        print(f"{line:59}   {case.working_set / 1e6:8.2f} MB in {home}{flag}", flush=True)
    return flagged


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--series", nargs="+", choices=SERIES, default=list(SERIES))
    options = parser.parse_args()
    with cpus(options.threads):
        flagged = sum(measure(name, options.threads, options.rounds) for name in options.series)
    print(f"{flagged} super-linear steps")


if __name__ == "__main__":
    main()
