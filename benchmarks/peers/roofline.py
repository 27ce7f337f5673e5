"""The roofline: the machine's limits, and what a training step needs. See docs/design.md, "Why it is fast".

The time on the roofline is the larger of flops / peak and bytes / bandwidth. Peak and bandwidth are measured with as
many threads as the peers have, all at once.
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from benchmarks.common import Workload, seconds
from fastbp.machine import fma_peak

_COPIED_BYTES = 1 << 27  # more than the caches hold
_MEASURE_SECONDS = 0.04


class Machine(NamedTuple):
    """Peak of multiply-adds and memory bandwidth, of all threads together."""

    gflops: float
    gbytes: float


def step_bytes(workload: Workload, itemsize: int) -> int:
    """Return the minimum memory traffic of a step of Adam.

    Weights and both moments are read and written, and so are the transposed weights of all layers but the first;
    rows of samples, activations and targets once.
    """
    products = [n_in * n_out for n_in, n_out in pairwise(workload.sizes)]
    weights = 2 * (4 * sum(products) - products[0])
    rows = workload.batch * (sum(workload.sizes) + workload.sizes[-1])
    return itemsize * (weights + rows)


def step_seconds(workload: Workload, itemsize: int, machine: Machine) -> float:
    """Return the time of a step on the roofline."""
    return max(workload.flops / machine.gflops, step_bytes(workload, itemsize) / machine.gbytes) / 1e9


def _at_once(work: Callable[[int], object], threads: int) -> None:
    """Call ``work(thread)`` in new threads, each pinned to its own CPU: the system might put two on one CPU."""
    cpus = sorted(os.sched_getaffinity(0))

    def run(thread: int) -> None:
        os.sched_setaffinity(0, {cpus[thread % len(cpus)]})
        work(thread)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, range(threads)))


def _peak(dtype: str, threads: int) -> float:
    """GFLOP/s of all threads at once."""
    peaks = np.zeros(threads)

    def work(thread: int) -> None:
        peaks[thread] = fma_peak(np.dtype(dtype), seconds=_MEASURE_SECONDS)

    _at_once(work, threads)
    return float(peaks.sum())


@cache
def _arrays() -> tuple[np.ndarray, np.ndarray]:
    return np.ones(_COPIED_BYTES, np.uint8), np.ones(_COPIED_BYTES, np.uint8)


def _bandwidth(threads: int) -> float:
    """Gbyte/s of copying, read and written, by all threads at once; the fastest of a few copies counts."""
    source, target = _arrays()
    bounds = np.linspace(0, _COPIED_BYTES, threads + 1).astype(int)

    def work(thread: int) -> None:
        part = slice(bounds[thread], bounds[thread + 1])
        np.copyto(target[part], source[part])

    best = np.inf
    deadline = time.perf_counter() + _MEASURE_SECONDS
    while time.perf_counter() < deadline:
        best = min(best, seconds(lambda: _at_once(work, threads)))
    return 2 * _COPIED_BYTES / best / 1e9


def measure(dtype: str, threads: int) -> Machine:
    """Measure the current speed of the machine."""
    return Machine(_peak(dtype, threads), _bandwidth(threads))
