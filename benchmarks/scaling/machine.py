"""Costs of the machine: barriers, slices, streams from L3 and memory, and data that go from core to core."""

import os
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.common import WORKLOADS, cpus, make_problem, seconds
from benchmarks.scaling.model import Machine
from benchmarks.scaling.replay import jit, now, open_session
from fastbp.kernels.memory import aligned_zeros
from fastbp.kernels.passes.barrier import CONTROL_SIZE, SPINS, barrier
from fastbp.kernels.vectors.simd import pointer
from fastbp.machine import fma_peak
from fastbp.threads.jobs import Job
from fastbp.training.session import Session

_BARRIERS = 100
_SLICES = 2_000


def at_once(work: Callable[[int], object], threads: int) -> None:
    """Call ``work(thread)`` on threads that may wait for each other, each on a CPU of its own.

    Left to itself, a busy system keeps threads that wait for each other on one CPU, where nothing has to change hands.
    """
    allowed = os.sched_getaffinity(0)

    def pinned(thread: int) -> None:
        os.sched_setaffinity(0, {sorted(allowed)[thread]})
        work(thread)

    jobs = [Job(pinned, thread) for thread in range(1, threads)]
    try:
        pinned(0)
    finally:
        os.sched_setaffinity(0, allowed)
    for job in jobs:
        job.finish()


def _control() -> np.ndarray:
    control = np.zeros(CONTROL_SIZE, np.int64)
    control[SPINS] = 2000
    return control


@jit
def _barriers(control, n_threads, spans):
    """Fill `spans` with the nanoseconds of so many barriers in a row."""
    places, place = pointer(control), np.zeros(2, np.int64)
    for turn in range(spans.size):
        start = now(place)
        for _ in range(_BARRIERS):
            barrier(places, n_threads)
        spans[turn] = now(place) - start


def barrier_seconds(threads: int, rounds: int) -> float:
    """Return the seconds of a barrier at which all arrive at once."""
    medians = []
    for _ in range(rounds):
        control, spans = _control(), np.zeros((threads, 200))
        at_once(lambda thread, c=control, s=spans: _barriers(c, threads, s[thread]), threads)
        medians.append(np.median(spans[0]))
    return float(min(medians)) / 1e9 / _BARRIERS


def slice_seconds(rounds: int) -> float:
    """Return the seconds of a slice without minibatches."""
    workload = WORKLOADS[0]
    session, _ = open_session(Session, make_problem(workload, 2, np.float32), workload.batch, 1)

    def slices() -> None:
        for _ in range(_SLICES):
            session._run_slice(0, 0)

    with session:
        return min(seconds(slices) for _ in range(rounds)) / _SLICES


@jit
def _total(buffer):
    total = 0
    for index in range(buffer.size):
        total += buffer[index]
    return total


@jit
def _fill(buffer, value):
    for index in range(buffer.size):
        buffer[index] = value


@jit
def _read(buffer, times):
    total = 0
    for _ in range(times):
        total += _total(buffer)
    return total


def read_speed(size: int, threads: int, rounds: int) -> float:
    """Return the bytes a second that each thread reads from a buffer of its own, over and over."""
    buffers = [np.ones(size // 8, np.int64) for _ in range(threads)]
    times = max(1, (1 << 26) // size)
    _read(buffers[0][:1], 1)
    taken = [seconds(lambda: at_once(lambda thread: _read(buffers[thread], times), threads)) for _ in range(rounds)]
    return times * size / min(taken)


@jit
def _pass_on(buffer, control, thread, writer, spans):
    """Thread `writer` writes and thread 0 reads, by turns; `spans` gets the nanoseconds of both."""
    places, place = pointer(control), np.zeros(2, np.int64)
    total = 0
    for turn in range(spans.shape[0]):
        barrier(places, 2)
        if thread == writer:
            start = now(place)
            _fill(buffer, turn)
            spans[turn, 1] = now(place) - start
        barrier(places, 2)
        if thread == 0:
            start = now(place)
            total += _total(buffer)
            spans[turn, 0] = now(place) - start
    return total


def _passing(size: int, writer: int, rounds: int) -> np.ndarray:
    buffer = aligned_zeros(size // 8, np.dtype(np.int64))
    taken = []
    for _ in range(rounds):
        control, spans = _control(), np.zeros((max(5, (1 << 25) // size), 2))
        at_once(lambda thread, c=control, s=spans: _pass_on(buffer, c, thread, writer, s), 2)
        taken.append(np.median(spans[1:], axis=0))
    return np.min(taken, axis=0) / 1e9 / size


def passing_seconds(size: int, rounds: int) -> tuple[float, float]:
    """Return the seconds a byte of reading what another core wrote, and of writing what it read, beyond one's own."""
    return tuple(np.maximum(_passing(size, 1, rounds) - _passing(size, 0, rounds), 0.0).tolist())


def cache_bytes(level: int, default: int) -> int:
    """Return the size of a cache, as Linux tells it."""
    try:
        text = Path(f"/sys/devices/system/cpu/cpu0/cache/index{level}/size").read_text(encoding="utf-8")
    except OSError:
        return default
    return int(text.strip().removesuffix("K")) << 10


def measure_machine(threads: int, rounds: int) -> Machine:
    """Measure what the model needs of this machine; it takes two threads."""
    l2, l3 = cache_bytes(2, 1 << 20), cache_bytes(3, 1 << 25)
    with cpus(threads):
        near, far = passing_seconds(l2 // 4, rounds), passing_seconds(l3 // 4, rounds)
        return Machine(
            l2_bytes=l2,
            l3_bytes=l3,
            barrier_alone=barrier_seconds(1, rounds),
            barrier_pair=barrier_seconds(2, rounds),
            slice=slice_seconds(rounds),
            bandwidth_core=read_speed(4 * l3, 1, rounds),
            bandwidth=threads * read_speed(4 * l3, threads, rounds),
            l3_core=read_speed(l3 // 4, 1, rounds),
            l3_pair=read_speed(l3 // 4, 2, rounds),
            near_read=near[0],
            near_written=near[1],
            far_read=far[0],
            far_written=far[1],
        )


def medians(machines: list[Machine]) -> Machine:
    """Return what was measured in the middle, cost by cost: a virtual machine's cores may move while it runs."""
    return Machine(*map(statistics.median_low, zip(*machines, strict=True)))


def together(threads: int, dtype: type, rounds: int) -> float:
    """Return how many times as much as one core alone all multiply and add at once: at best, as many as they are."""
    ratios = []
    with cpus(threads):
        for _ in range(rounds):
            peaks = np.zeros(threads)
            alone = fma_peak(dtype, seconds=0.02)
            at_once(lambda thread, p=peaks: p.__setitem__(thread, fma_peak(dtype, seconds=0.02)), threads)
            ratios.append(peaks.sum() / alone)
    return float(np.median(ratios))
