"""One training run between Python and the kernels: buffers, packing, worker threads.

A `Session` takes the caller's arrays into panel order, trains on them epoch by epoch,
and writes back. Between the minibatches of an epoch nothing returns to Python, but for
a breath every few hundredths of a second in which Ctrl-C is noticed.
"""

import math
import time
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np

from fastbp.kernels.barrier import (
    CONTROL_SIZE,
    END_STEP,
    FIRST_STEP,
    SHUTDOWN,
    SPINS,
    STEP_COUNT,
    STOP_REQUEST,
)
from fastbp.kernels.codes import LOSSES, OUTPUT_OF_LOSS, Loss
from fastbp.kernels.codes import Optimizer as OptimizerCode
from fastbp.kernels.run import Buffers, Data
from fastbp.kernels.step import train_steps, transpose_weights
from fastbp.memory import addressable, aligned_zeros
from fastbp.optimizers import Adam, Optimizer
from fastbp.pace import SLICE_SECONDS, Pace
from fastbp.packing import pack_parameters, unpack_parameters
from fastbp.plan import Plan, layer_sizes, make_network, make_plan, step_flops, tile_bounds
from fastbp.target import TARGET
from fastbp.threads import Job, allowed_cpus, choose_threads

__all__ = ["Session", "Team"]

# A guess of a core's speed that errs on the slow side: whether a minibatch may outlast a slice, before any was timed.
_SLOW_FLOPS_PER_SECOND = 2e10
# Minibatches of more work than this are trained quicker by more threads wherever the system has put them.
_MOST_FLOPS_ALONE = 1e8


def _optimizer_code(optimizer: Optimizer) -> OptimizerCode:
    if isinstance(optimizer, Adam):
        return OptimizerCode.ADAM
    return OptimizerCode.NESTEROV if optimizer.nesterov else OptimizerCode.SGD


def _targets(loss: str, y: np.ndarray, dtype: np.dtype) -> tuple[Loss, np.ndarray]:
    """Return the code of a loss and the targets as its kernel wants them."""
    code = LOSSES[loss]
    if code == Loss.LOG_LOSS and np.count_nonzero(y) == len(y) and (y.max(axis=1) == 1).all():
        return Loss.ONE_HOT_LOG_LOSS, y.argmax(axis=1).astype(dtype)
    return code, np.ascontiguousarray(y, dtype=dtype)


def _set_step_count(optimizer: Adam, t: int) -> None:
    optimizer.t = t
    if t > 0:
        correction = math.sqrt(1.0 - optimizer.beta_2**t) / (1.0 - optimizer.beta_1**t)
        optimizer.learning_rate = optimizer.learning_rate_init * correction


class Team(NamedTuple):
    """Threads that train together: the first tile of each and the end, and the array that directs them."""

    bounds: np.ndarray
    control: np.ndarray


def _make_team(plan: Plan, n_threads: int) -> Team:
    control = np.zeros(CONTROL_SIZE, dtype=np.int64)
    control[SPINS] = 0 if n_threads > allowed_cpus() else 2000
    return Team(tile_bounds(plan, n_threads), control)


class Session:
    """A training run on the arrays of its caller. Use it as a context manager.

    Parameters
    ----------
    weights, biases : list of ndarray [read+write]
        (n_in, n_out) and (n_out,) arrays, all float32 or all float64. Read at the start, written by `sync`.
    optimizer : SGD or Adam [read+write]
        Settings are read at every epoch; moments at the start, and written by `sync`.
    x : ndarray, (n, n_in) [read]
        Samples; any strides. Must not change while the session lives.
    y : ndarray, (n, n_out) [read]
        Targets.
    activation : str
        Of the hidden layers.
    loss : str
        Name of the loss.
    weight_decay : float
        Strength of the penalty.
    batch_size : int
        Rows in a minibatch.
    sample_weight : ndarray, (n,), optional [read]
        Weights of the samples. Minibatches whose weights sum to 0 are passed over.
    n_threads : int, optional
        See `threads.choose_threads`.
    """

    def __init__(
        self,
        weights: list[np.ndarray],
        biases: list[np.ndarray],
        optimizer: Optimizer,
        x: np.ndarray,
        y: np.ndarray,
        *,
        activation: str,
        loss: str,
        weight_decay: float,
        batch_size: int,
        sample_weight: np.ndarray | None = None,
        n_threads: int | None = None,
    ) -> None:
        dtype = weights[0].dtype
        sizes = layer_sizes(weights)
        self._weights, self._biases, self._optimizer = weights, biases, optimizer
        self._x = addressable(x, dtype)
        loss_code, self._y = _targets(loss, y, dtype)
        self._n = x.shape[0]
        self._batch = min(batch_size, self._n)
        self._plan = make_plan(sizes, self._batch, dtype)
        output = OUTPUT_OF_LOSS[LOSSES[loss]]
        self._network = make_network(self._plan, activation, output, loss_code)
        flops = step_flops(sizes, self._batch)
        self._n_threads = choose_threads(n_threads, flops, math.ceil(self._plan.block / TARGET.mr))
        self._optimizer_code = int(_optimizer_code(optimizer))
        self._weight_decay = float(weight_decay)
        self._hyper = np.zeros(5)
        self._alone = _make_team(self._plan, 1)
        self._team = _make_team(self._plan, self._n_threads) if self._n_threads > 1 else self._alone
        self._step_count = 0
        self._buffers = self._make_buffers(dtype)
        self._data = Data(
            self._x.ctypes.data,
            self._x.strides[0] // dtype.itemsize,
            self._x.strides[1] // dtype.itemsize,
            self._y.ctypes.data,
            np.empty(0) if sample_weight is None else np.ascontiguousarray(sample_weight, dtype=np.float64),
            np.arange(self._n),
        )
        self._pack()
        self._pace = Pace(may_change=n_threads is None and self._n_threads > 1 and flops < _MOST_FLOPS_ALONE)
        # A minibatch that outlasts a slice must not keep the calling thread: it is the one that hears Ctrl-C.
        self._long_steps = flops / _SLOW_FLOPS_PER_SECOND / self._n_threads > SLICE_SECONDS
        # Have the kernel compiled before the workers ask for it, by a slice without minibatches.
        self._call(self._alone, 0)
        self._workers = self._start_workers()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _make_buffers(self, dtype: np.dtype) -> Buffers:
        plan = self._plan
        adam = isinstance(self._optimizer, Adam)
        return Buffers(
            params=aligned_zeros(plan.params, dtype),
            moment_1=aligned_zeros(plan.params, dtype),
            moment_2=aligned_zeros(plan.params if adam else 0, dtype),
            transposed=aligned_zeros(plan.transposed, dtype),
            gradient=aligned_zeros(plan.gradient, dtype),
            workspace=aligned_zeros(plan.workspace, dtype),
            scratch=aligned_zeros(plan.scratch * self._n_threads, dtype),
            losses=aligned_zeros(plan.block, np.dtype(np.float64)),
            penalties=aligned_zeros(plan.tiles, np.dtype(np.float64)),
            totals=np.zeros(1),
        )

    def _moments(self) -> list[tuple[str, np.ndarray]]:
        """Names of the optimizer's lists of moments, and the buffer of each."""
        if isinstance(self._optimizer, Adam):
            return [("ms", self._buffers.moment_1), ("vs", self._buffers.moment_2)]
        return [("velocities", self._buffers.moment_1)]

    def _pack(self) -> None:
        table, width = self._plan.table, self._plan.panel_width
        pack_parameters(table, [*self._weights, *self._biases], self._buffers.params, width)
        for name, buffer in self._moments():
            arrays = getattr(self._optimizer, name)
            if arrays is not None:
                pack_parameters(table, arrays, buffer, width)
        if isinstance(self._optimizer, Adam):
            self._step_count = self._optimizer.t
        transpose_weights(self._network, self._buffers.params, self._buffers.transposed)

    def _call(self, team: Team, thread: int) -> None:
        train_steps(
            self._network,
            self._buffers,
            self._data,
            self._optimizer_code,
            self._hyper,
            self._weight_decay,
            team.bounds,
            team.control,
            thread,
        )

    def _start_workers(self) -> list[Job]:
        return [Job(lambda thread: self._call(self._team, thread), thread) for thread in range(1, self._n_threads)]

    def _run_slice(self, first: int, end: int) -> None:
        team = self._alone if self._pace.alone else self._team
        team.control[FIRST_STEP], team.control[END_STEP] = first, end
        team.control[STEP_COUNT] = self._step_count
        try:
            if self._long_steps:
                self._wait_for_slice(team)
            else:
                self._call(team, 0)
        finally:
            self._step_count = int(team.control[STEP_COUNT])

    def _wait_for_slice(self, team: Team) -> None:
        runner = Job(lambda thread: self._call(team, thread), 0)
        try:
            while not runner.wait(SLICE_SECONDS):
                pass
        except BaseException:
            team.control[STOP_REQUEST] = 1
            runner.finish()
            raise
        finally:
            team.control[STOP_REQUEST] = 0

    def _read_settings(self) -> None:
        optimizer = self._optimizer
        if isinstance(optimizer, Adam):
            self._hyper[:] = (
                optimizer.learning_rate_init,
                0.0,
                optimizer.beta_1,
                optimizer.beta_2,
                optimizer.epsilon,
            )
        else:
            self._hyper[:2] = optimizer.learning_rate, optimizer.momentum

    def epoch(self, order: np.ndarray | None) -> float:
        """Train one epoch.

        Parameters
        ----------
        order : ndarray of int64, (n,), or None
            Permutation of the rows; None for their natural order.

        Returns
        -------
        float
            Mean of the minibatches' losses (penalty included), weighted by their numbers of rows.

        Raises
        ------
        KeyboardInterrupt
            Between two minibatches: the weights are those after the last whole one.
        """
        if order is not None:
            np.copyto(self._data.order, order)
        self._read_settings()
        self._buffers.totals[:] = 0.0
        self._buffers.penalties[:] = 0.0
        steps = math.ceil(self._n / self._batch)
        done = 0
        while done < steps:
            end = min(done + self._pace.steps, steps)
            start = time.perf_counter()
            self._run_slice(done, end)
            seconds = time.perf_counter() - start
            self._long_steps = seconds / (end - done) > SLICE_SECONDS
            self._pace.learn(end - done, seconds)
            done = end
        return float((self._buffers.totals[0] + self._buffers.penalties.sum()) / self._n)

    def sync_parameters(self) -> None:
        """Write weights and biases back to the caller's arrays."""
        parameters = [*self._weights, *self._biases]
        unpack_parameters(self._plan.table, self._buffers.params, parameters, self._plan.panel_width)

    def sync(self) -> None:
        """Write weights, biases and moments back to the arrays and the optimizer of the caller."""
        self.sync_parameters()
        table, width = self._plan.table, self._plan.panel_width
        for name, buffer in self._moments():
            arrays = getattr(self._optimizer, name)
            if arrays is None:
                arrays = [np.empty_like(p, order="C") for p in (*self._weights, *self._biases)]
                setattr(self._optimizer, name, arrays)
            unpack_parameters(table, buffer, arrays, width)
        if isinstance(self._optimizer, Adam):
            _set_step_count(self._optimizer, self._step_count)

    def close(self) -> None:
        """Write everything back and let the worker threads go."""
        self._team.control[SHUTDOWN] = 1
        if self._workers:
            self._call(self._team, 0)
        try:
            for worker in self._workers:
                worker.finish()
        finally:
            self._workers = []
            # What only training needs makes room for the arrays of moments that are handed out.
            nothing = aligned_zeros(0, self._buffers.params.dtype)
            self._buffers = self._buffers._replace(transposed=nothing, gradient=nothing, workspace=nothing)
            del self._data, self._x, self._y
            self.sync()
