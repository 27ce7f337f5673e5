"""Costs of a workload: shares of its step played on one core, and real steps to check the model against.

A share is what one thread of many has to do. Here a single thread runs the real row and tile phases of that share,
again and again, and reads the clock between them: so what one core of sixty-four does is measured, with its caches, but
for what the others do to it.
"""

import math
import os
import time
from functools import cached_property
from typing import NamedTuple

import numba
import numpy as np
from numba import types

from benchmarks.common import Problem, Workload, cpus, make_problem, seconds
from benchmarks.scaling.model import CORES, Shares, divide
from fastbp.kernels.functions.optimizers import Adam
from fastbp.kernels.memory import aligned_zeros
from fastbp.kernels.passes.barrier import STEP_COUNT
from fastbp.kernels.passes.run import Block, Buffers, view_network, view_run
from fastbp.kernels.passes.step import _batch_weight, _row_phase, _scalars, _sum_losses, _tile_phase
from fastbp.kernels.vectors.denormals import flush_denormals, restore_denormals
from fastbp.kernels.vectors.simd import at, pointer
from fastbp.network.plan import tile_bounds
from fastbp.training.engine import Team
from fastbp.training.session import Session

# Not `fastbp.compiler.jit`: its disk cache is keyed by the sources of the package, which this file is not one of.
jit = numba.njit(nogil=True, error_model="numpy")

MOST_STEPS = 1000
LEAST_STEPS = 3
_MONOTONIC = time.CLOCK_MONOTONIC
_clock_gettime = types.ExternalFunction("clock_gettime", types.int32(types.int32, types.uintp))


class Effort(NamedTuple):
    """Seconds for a share and for a turn of real steps, and how often everything is done again."""

    share: float
    turn: float
    rounds: int


FULL, QUICK = Effort(0.002, 0.15, 5), Effort(0.0002, 0.002, 1)


class Disagreement(Exception):
    """A step in shares does not give what a step gives."""


@jit
def now(place):
    """Nanoseconds of the system's clock; `place` is an array of two integers for its answer."""
    _clock_gettime(_MONOTONIC, place.ctypes.data)
    return place[0] * 1_000_000_000 + place[1]


@jit
def clock_cost(count):
    """Nanoseconds that reading the clock takes."""
    place = np.zeros(2, np.int64)
    start = now(place)
    for _ in range(count - 1):
        now(place)
    return (now(place) - start) / count


@jit
def _play(network, buffers, data, optimizer, hyper, weight_decay, bounds, control, first, end, spans):
    """Steps of the threads ``first:end`` of a run; `spans` gets the nanoseconds of rows, tiles and the rest."""
    mode = flush_denormals()
    net, view, places = view_network(network), view_run(buffers, data), pointer(control)
    batches, n_threads = data.order.size // net.batch, bounds.size - 1
    block = Block(0, net.batch, net.batch)
    place = np.zeros(2, np.int64)
    for step in range(spans.shape[0]):
        order = at(pointer(data.order), step % batches * net.batch)
        following = (batches - step % batches - 1) * net.batch
        start = now(place)
        for thread in range(first, end):
            _row_phase(net, view, None, order, net.batch, following, places, thread, n_threads)
        rows_done = now(place)
        inverse_weight = 1.0 / _batch_weight(view, order, net.batch)
        scalars = _scalars(optimizer, hyper, inverse_weight, control[STEP_COUNT] + 1)
        begin = now(place)
        # Scratch 0: a thread's own would lie behind that of all threads before it.
        _tile_phase(net, view, None, order, block, optimizer, scalars, weight_decay, bounds[first], bounds[end], 0)
        tiles_done = now(place)
        buffers.totals[0] += _sum_losses(view.losses, net.batch) * net.batch * inverse_weight
        control[STEP_COUNT] += 1
        spans[step, 0] = rows_done - start
        spans[step, 1] = tiles_done - begin
        spans[step, 2] = begin - rows_done + now(place) - tiles_done
    restore_denormals(mode)


class PinnedSession(Session):
    """A run whose threads stay each on a CPU of its own: where else the system would have them is not in the model."""

    @cached_property
    def _cpus(self) -> list[int]:
        return sorted(os.sched_getaffinity(0))

    def _call(self, team: Team, thread: int) -> None:
        os.sched_setaffinity(0, {self._cpus[thread]})
        super()._call(team, thread)


class ReplaySession(Session):
    """A run on one thread that can play any threads of a larger one."""

    def _make_buffers(self, dtype: np.dtype) -> Buffers:
        buffers = super()._make_buffers(dtype)
        # The row phase of a thread looks for its scratch behind that of the threads before it.
        return buffers._replace(scratch=aligned_zeros(self._plan.scratch * max(CORES), dtype))

    def play(self, first: int, end: int, n_threads: int, steps: int) -> np.ndarray:
        """Run steps of the threads ``first:end`` of `n_threads`; returns nanoseconds: of rows, tiles and the rest."""
        self._read_settings()
        spans = np.zeros((steps, 3))
        control = self._alone.control
        control[STEP_COUNT] = self._step_count
        _play(
            self._network,
            self._buffers,
            self._data,
            self._optimizer_code,
            self._hyper,
            self._weight_decay,
            tile_bounds(self._plan, n_threads),
            control,
            first,
            end,
            spans,
        )
        self._step_count = int(control[STEP_COUNT])
        return spans


def open_session(kind: type[Session], problem: Problem, batch: int, threads: int) -> tuple[Session, list[np.ndarray]]:
    """Return a session on copies of the problem's parameters, and the copies."""
    weights, biases = [w.copy() for w in problem.weights], [b.copy() for b in problem.biases]
    session = kind(
        weights,
        biases,
        Adam(),
        problem.x,
        problem.y,
        activation="relu",
        loss="log_loss",
        weight_decay=1e-4,
        batch_size=batch,
        n_threads=threads,
    )
    return session, [*weights, *biases]


def steps_of(workload: Workload) -> int:
    """Return the minibatches of an epoch: enough to hide what an epoch costs, few enough to go undisturbed."""
    return int(np.clip(1e8 / workload.flops, 2, MOST_STEPS))


def check(workload: Workload, dtype: type) -> None:
    """Play all shares of a step, one after the other, for every number of cores.

    Raises
    ------
    Disagreement
        If the weights are not those of a training step, bit by bit.
    """
    problem = make_problem(workload, 2, dtype)
    trained, ours = open_session(Session, problem, workload.batch, 1)
    with trained:
        trained.epoch(problem.order)
    for cores in CORES:
        played, theirs = open_session(ReplaySession, problem, workload.batch, 1)
        with played:
            np.copyto(played._data.order, problem.order)
            played.play(0, cores, cores, 2)
        if not all(map(np.array_equal, ours, theirs)):
            raise Disagreement(f"{workload}: the shares of {cores} threads do not make a training step")


def _share(session: ReplaySession, thread: int, cores: int, limit: float) -> np.ndarray:
    """Return the nanoseconds of a share, the caches as the share leaves them.

    The quickest tenth counts: on a busy machine a long share is interrupted more often than not.
    """
    spans = session.play(thread, thread + 1, cores, LEAST_STEPS)
    steps = int(min(1e9 * limit / spans.sum(axis=1).mean(), MOST_STEPS))
    if steps > LEAST_STEPS:
        spans = session.play(thread, thread + 1, cores, steps)
    return np.quantile(spans, 0.1, axis=0, method="lower")


def measure_shares(workload: Workload, dtype: type, effort: Effort) -> Shares:
    """Return the seconds of the longest shares for every number of cores: each the least of some rounds."""
    problem = make_problem(workload, steps_of(workload), dtype)
    session, _ = open_session(ReplaySession, problem, workload.batch, 1)
    shares = Shares({}, {}, math.inf)
    clock = min(clock_cost(10_000) for _ in range(5))
    with session, cpus(1):
        session.epoch(problem.order)
        for cores in CORES:
            taken = [
                [_share(session, thread, cores, effort.share) for thread in range(cores)] for _ in range(effort.rounds)
            ]
            # The rest is two spans.
            least = np.maximum(np.min(taken, axis=0) - clock * np.array([1, 1, 2]), 0.0) / 1e9
            division = divide(workload, cores, dtype)
            for sizes, size, longest in (
                (shares.rows, division.longest_blocks, least[:, 0].max()),
                (shares.tiles, division.longest_columns, least[:, 1].max()),
            ):
                sizes[size] = min(float(longest), sizes.get(size, math.inf))
            shares = shares._replace(serial=min(shares.serial, float(np.median(least[:, 2]))))
    return shares


def _turn(problem: Problem, batch: int, threads: int, limit: float) -> float:
    """Return the seconds of a real step, the least of some epochs."""
    with cpus(threads):
        session, _ = open_session(PinnedSession, problem, batch, threads)
        with session:
            once = min(seconds(lambda: session.epoch(problem.order)) for _ in range(2))
            epochs = math.ceil(limit / once)
            return min(once, *(seconds(lambda: session.epoch(problem.order)) for _ in range(epochs)))


def measure_steps(workload: Workload, threads: list[int], dtype: type, effort: Effort) -> dict[int, float]:
    """Return the seconds of a real step for each number of threads, which take turns: the least of all rounds."""
    steps = steps_of(workload)
    problem = make_problem(workload, steps, dtype)
    turns = [[_turn(problem, workload.batch, n, effort.turn) / steps for n in threads] for _ in range(effort.rounds)]
    return dict(zip(threads, np.min(turns, axis=0).tolist(), strict=True))
