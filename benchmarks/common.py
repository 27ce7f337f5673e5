"""Workloads, data and the machine's peak, shared by the benchmarks.

Only add to this file, and do not change what is there: figures are compared across versions.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np


class Workload(NamedTuple):
    """A network and its minibatch size."""

    sizes: tuple[int, ...]
    batch: int

    def __str__(self) -> str:
        return f"{'-'.join(map(str, self.sizes))}, batch {self.batch}"

    @property
    def flops(self) -> int:
        """Floating-point operations of a training step: forward, dW, and dX for all layers but the first."""
        products = [n_in * n_out for n_in, n_out in pairwise(self.sizes)]
        return 2 * self.batch * (3 * sum(products) - products[0])


WORKLOADS = (
    Workload((4, 16, 3), 32),
    Workload((30, 100, 2), 200),
    Workload((64, 100, 10), 200),
    Workload((784, 100, 10), 200),
    Workload((784, 256, 256, 10), 128),
    Workload((54, 256, 256, 256, 7), 256),
    Workload((784, 1024, 1024, 10), 256),
    Workload((100, 512, 512, 512, 2), 1024),
    Workload((1024, 4096, 1000), 512),
)


class Problem(NamedTuple):
    """Data for a workload: samples, one-hot classes, initial parameters and the order of the rows."""

    x: np.ndarray
    y: np.ndarray
    weights: list[np.ndarray]
    biases: list[np.ndarray]
    order: np.ndarray


def make_problem(workload: Workload, steps: int, dtype: type) -> Problem:
    """Return random data for an epoch of `steps` minibatches."""
    rng = np.random.RandomState(0)
    n = workload.batch * steps
    x = rng.rand(n, workload.sizes[0]).astype(dtype)
    y = np.eye(workload.sizes[-1], dtype=dtype)[rng.randint(workload.sizes[-1], size=n)]
    weights, biases = [], []
    for n_in, n_out in pairwise(workload.sizes):
        bound = np.sqrt(6 / (n_in + n_out))
        weights.append(rng.uniform(-bound, bound, (n_in, n_out)).astype(dtype))
        biases.append(np.zeros(n_out, dtype))
    return Problem(x, y, weights, biases, rng.permutation(n))


def seconds(work: Callable[[], object]) -> float:
    """Return the duration of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@contextmanager
def cpus(count: int) -> Iterator[None]:
    """Confine this process and its children to the last `count` of its CPUs."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[-count:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def alternately(
    ours: Callable[[], object], theirs: Callable[[], object], rounds: int, calls: int = 1, rest: float = 0.0
) -> np.ndarray:
    """Time two functions alternately; returns the seconds of each one's best call per round, (rounds, 2).

    The function that goes first alternates, too. `rest` is a pause in seconds before each: idle threads of OpenBLAS
    spin for a while, and would take a CPU from the next call.
    """
    times = np.empty((rounds, 2))
    for number, row in enumerate(times):
        for which in (0, 1) if number % 2 == 0 else (1, 0):
            time.sleep(rest)
            row[which] = min(seconds((ours, theirs)[which]) for _ in range(calls))
    return times


def ratios_text(times: np.ndarray) -> str:
    """Return a text with the ratio of their time to ours: the median over the pairs, and the lowest."""
    ratios = times[:, 1] / times[:, 0]
    return f"ratio {np.median(ratios):.2f} (worst {ratios.min():.2f})"


def in_process(module: str, function: str, *arguments: object, **environment: str) -> Any:
    """Call a function of a module of benchmarks in a new process; returns its result, which must fit into JSON."""
    code = f"import json; from benchmarks import {module}; print(json.dumps({module}.{function}{arguments!r}))"
    command, settings = [sys.executable, "-c", code], {**os.environ, **environment}
    return json.loads(subprocess.run(command, env=settings, check=True, stdout=subprocess.PIPE, text=True).stdout)
