"""Buffers, worker threads and the compiled loop: everything that a pass over minibatches needs.

An `Engine` takes samples and targets, lays out a network in panel order and runs
minibatches: `session` uses it to train, `objective` to evaluate. Compiled code returns to
Python every few hundredths of a second, so that Ctrl-C is noticed.
"""

import math
import time
from functools import partial
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np

from fastbp.compiler.target import TARGET
from fastbp.compiler.tuning import BARRIER_SPINS, MOST_FLOPS_ALONE, SLICE_SECONDS, SLOW_FLOPS_PER_SECOND
from fastbp.kernels.functions.losses import LOSS_CODES, LOSSES, ONE_HOT_LOG_LOSS
from fastbp.kernels.functions.optimizers import RULE_CODES, RULES
from fastbp.kernels.memory import aligned_zeros
from fastbp.kernels.passes.barrier import (
    CONTROL_SIZE,
    END_STEP,
    FIRST_STEP,
    SHUTDOWN,
    SPINS,
    STEP_COUNT,
    STOP_REQUEST,
)
from fastbp.kernels.passes.step import train_steps, transpose_weights
from fastbp.kernels.passes.views import Buffers, Data
from fastbp.network.checks import check_samples
from fastbp.network.plan import Plan, make_plan, make_view, step_flops, tile_bounds
from fastbp.network.samples import SamplesLike, SparseRows, kernel_samples, place, readable
from fastbp.network.spec import Network, Recipe, Samples
from fastbp.threads.budget import Claim
from fastbp.threads.cpus import allowed_cpus
from fastbp.threads.pool import Call, submit
from fastbp.training.pace import Pace

__all__ = ["Engine", "Team"]


def _targets(loss: str, y: np.ndarray, dtype: np.dtype) -> tuple[int, np.ndarray]:
    """Return the code of a loss and the targets in the form its kernel needs."""
    if loss == "log_loss" and np.count_nonzero(y) == len(y) and (y.max(axis=1) == 1).all():
        return ONE_HOT_LOG_LOSS, y.argmax(axis=1).astype(dtype)
    return LOSS_CODES[loss], np.ascontiguousarray(y, dtype=dtype)


def _flops(sizes: tuple[int, ...], x: SamplesLike, batch: int) -> float:
    """Floating-point operations of a minibatch; for sparse x, its elements count instead of its columns."""
    if not isinstance(x, SparseRows):
        return step_flops(sizes, batch)
    elements = x.values.size / max(len(x), 1)
    # The optimizer updates every weight, whether the minibatch has elements in its column or not.
    return step_flops((1, *sizes[1:]), batch) + sizes[1] * (4.0 * batch * elements + 10.0 * sizes[0])


class Team(NamedTuple):
    """Threads that train together: the first tile of each and the end, and their control array."""

    bounds: np.ndarray
    control: np.ndarray

    @property
    def size(self) -> int:
        """Number of threads."""
        return self.bounds.size - 1


def _make_team(plan: Plan, n_threads: int) -> Team:
    control = np.zeros(CONTROL_SIZE, dtype=np.int64)
    control[SPINS] = 0 if n_threads > allowed_cpus() else BARRIER_SPINS
    return Team(tile_bounds(plan, n_threads), control)


class Engine:
    """A network's buffers, and the threads that run minibatches. Use it as a context manager.

    Parameters
    ----------
    network : Network
    rule : str
        How gradients are applied: see `functions.optimizers.RULES`.
    samples : Samples [read]
    recipe : Recipe
        Minibatches whose weights sum to 0 are skipped.

    Attributes
    ----------
    plan : Plan
    buffers : Buffers
    settings : ndarray of float64
        Settings of the rule; may be set between two calls of `run`.
    order : ndarray of int64, (n,)
        Rows of the minibatches, one after the other; may be written to between two calls of `run`.
    step_count : int
        Number of steps made; may be set before the first call of `run`.
    """

    def __init__(self, network: Network, rule: str, samples: Samples, recipe: Recipe) -> None:
        check_samples(network, samples)
        dtype = network.precision.master
        self._x = readable(samples.x, dtype)
        loss, self._y = _targets(network.loss, samples.y, dtype)
        self._n = samples.count
        self._batch = min(recipe.batch_size, self._n)
        sparse = isinstance(self._x, SparseRows)
        self.plan = make_plan(network.sizes, self._batch, dtype, sparse=sparse, slopes=network.needs_slopes)
        scale = LOSSES[network.loss].scale(network.sizes[-1])
        self._network = make_view(self.plan, network.activation, network.output, loss, scale)
        flops = _flops(network.sizes, self._x, self._batch)
        self._claim = Claim(recipe.n_threads, flops, math.ceil(self.plan.block / TARGET.mr))
        self._n_threads = self._claim.most
        self._rule = RULE_CODES[rule]
        self._weight_decay = float(recipe.weight_decay)
        self.settings = np.zeros(len(RULES[rule].settings))
        self._alone = _make_team(self.plan, 1)
        self._team = self._alone
        self._workers: list[Call] = []
        # Runs slices instead of the calling thread, if they take long.
        self._runner: Call | None = None
        self.step_count = 0
        self.buffers = self._make_buffers(dtype, len(RULES[rule].moments))
        self._samples = kernel_samples(self._x, self.plan.block, self._n_threads)
        weight = samples.weight
        self._data = Data(
            *place(self._x),
            self._x.dtype.type(0),
            self._y.ctypes.data,
            np.empty(0) if weight is None else np.ascontiguousarray(weight, dtype=np.float64),
            np.arange(self._n),
        )
        self._pace = Pace(may_change=recipe.n_threads is None and self._n_threads > 1 and flops < MOST_FLOPS_ALONE)
        # A minibatch that takes longer than a slice must not block the calling thread, which receives Ctrl-C.
        self._long_steps = flops / SLOW_FLOPS_PER_SECOND / self._n_threads > SLICE_SECONDS
        # Compile the kernel before the workers need it, by running a slice without minibatches. Workers are started
        # when there is work, inside the with-block: an error before that leaves no thread behind.
        self._call(self._alone, 0)

    @property
    def order(self) -> np.ndarray:
        """Rows of the minibatches, one after the other."""
        return self._data.order

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.close()
        finally:
            # Again, because Ctrl-C may have interrupted the first call before it did anything.
            self._stop_workers()

    def _make_buffers(self, dtype: np.dtype, moments: int) -> Buffers:
        plan = self.plan
        return Buffers(
            params=aligned_zeros(plan.params, dtype),
            moment_1=aligned_zeros(plan.params, dtype),
            moment_2=aligned_zeros(plan.params if moments > 1 else 0, dtype),
            transposed=aligned_zeros(plan.transposed, dtype),
            gradient=aligned_zeros(plan.gradient, dtype),
            workspace=aligned_zeros(plan.workspace, dtype),
            scratch=aligned_zeros(plan.scratch * self._n_threads, dtype),
            losses=aligned_zeros(plan.block, np.dtype(np.float64)),
            penalties=aligned_zeros(plan.tiles, np.dtype(np.float64)),
            totals=np.zeros(1),
        )

    def transpose(self) -> None:
        """Update the transposed weights."""
        transpose_weights(self._network, self.buffers.params, self.buffers.transposed)

    def _call(self, team: Team, thread: int) -> None:
        train_steps(
            self._network,
            self.buffers,
            self._data,
            self._samples,
            self._rule,
            self.settings,
            self._weight_decay,
            team.bounds,
            team.control,
            thread,
        )

    def _work(self, team: Team, thread: int) -> None:
        """Train with a team until it is shut down; called by workers."""
        try:
            self._call(team, thread)
        except BaseException:
            # Compiled code does not raise, so it has not begun here: no other thread has passed its first barrier.
            team.control[SHUTDOWN] = 1
            raise

    def _start_workers(self, size: int) -> None:
        """Replace the team by one of `size` threads, or of one thread if no worker can be started."""
        self._stop_workers()
        if size == 1:
            return
        team = self._team = _make_team(self.plan, size)
        self._workers = [Call(partial(self._work, team), thread) for thread in range(1, size)]
        if not submit(self._workers):
            self._stop_workers()

    def _stop_workers(self) -> None:
        """Stop the workers. May be called again if a signal handler raises meanwhile."""
        self._stop_runner()
        if self._team is not self._alone:
            self._team.control[SHUTDOWN] = 1
        for worker in self._workers:
            worker.finish()
        self._team, self._workers = self._alone, []

    def _run_slice(self, first: int, end: int) -> None:
        team = self._alone if self._pace.alone else self._team
        team.control[FIRST_STEP], team.control[END_STEP] = first, end
        team.control[STEP_COUNT] = self.step_count
        try:
            if self._long_steps:
                self._run_and_listen(team)
            else:
                self._call(team, 0)
        finally:
            self.step_count = int(team.control[STEP_COUNT])
        if team.control[SHUTDOWN]:
            for worker in self._workers:
                worker.finish()
                if worker.error is not None:
                    raise worker.error

    def _run_and_listen(self, team: Team) -> None:
        """Have a worker run the slice, and handle signals meanwhile."""
        runner = self._runner = Call(partial(self._call, team), 0)
        try:
            if submit([runner]):
                while not runner.wait(SLICE_SECONDS):
                    pass
            else:
                self._call(team, 0)
        finally:
            self._stop_runner()
        if runner.error is not None:
            raise runner.error

    def _stop_runner(self) -> None:
        """Have the runner stop before it changes another weight, and wait for it; does nothing if it has ended."""
        if self._runner is not None:
            for team in (self._team, self._alone):
                team.control[STOP_REQUEST] = 1
            self._runner.finish()
            for team in (self._team, self._alone):
                team.control[STOP_REQUEST] = 0
            self._runner = None

    def run(self) -> float:
        """Run all minibatches; returns the mean of their losses, weighted by rows.

        Raises
        ------
        KeyboardInterrupt
            Between two minibatches.
        """
        self.buffers.totals[:] = 0.0
        self.buffers.penalties[:] = 0.0
        steps = math.ceil(self._n / self._batch)
        done = 0
        while done < steps:
            # Other trainings may have started or ended.
            size = 1 if self._pace.stays_alone else self._claim.threads()
            if size != self._team.size:
                self._start_workers(size)
            end = min(done + self._pace.steps, steps)
            start = time.perf_counter()
            self._run_slice(done, end)
            seconds = time.perf_counter() - start
            self._long_steps = seconds / (end - done) > SLICE_SECONDS
            self._pace.learn(end - done, seconds, self._team.size)
            done = end
        return float((self.buffers.totals[0] + self.buffers.penalties.sum()) / self._n)

    def close(self) -> None:
        """Stop the worker threads, and release the buffers that only they need."""
        try:
            self._stop_workers()
        finally:
            self._claim.release()
            nothing = aligned_zeros(0, self.buffers.params.dtype)
            self.buffers = self.buffers._replace(transposed=nothing, gradient=nothing, workspace=nothing)
            del self._data, self._samples, self._x, self._y
