"""One training run between Python and the kernels.

A `Session` takes the caller's parameters into panel order, trains them epoch by epoch,
and writes them back.
"""

import math
from typing import Protocol

import numpy as np

from fastbp.kernels.codes import Optimizer as OptimizerCode
from fastbp.kernels.functions.optimizers import Adam, Optimizer
from fastbp.network.packing import pack_parameters, unpack_parameters
from fastbp.network.plan import layer_sizes
from fastbp.network.samples import SamplesLike
from fastbp.training.engine import Engine

__all__ = ["Session", "Shuffler"]

# Rows whose places are looked up at a time.
_PIECE = 1 << 14


def _optimizer_code(optimizer: Optimizer) -> OptimizerCode:
    if isinstance(optimizer, Adam):
        return OptimizerCode.ADAM
    return OptimizerCode.NESTEROV if optimizer.nesterov else OptimizerCode.SGD


def _set_step_count(optimizer: Adam, t: int) -> None:
    optimizer.t = t
    if t > 0:
        correction = math.sqrt(1.0 - optimizer.beta_2**t) / (1.0 - optimizer.beta_1**t)
        optimizer.learning_rate = optimizer.learning_rate_init * correction


class Shuffler(Protocol):
    """What shuffles an array in place: NumPy's generators do."""

    def shuffle(self, x: np.ndarray) -> None:
        """Shuffle an array."""


class Session(Engine):
    """A training run on the arrays of its caller. Use it as a context manager.

    Parameters
    ----------
    weights, biases : list of ndarray [read+write]
        (n_in, n_out) and (n_out,) arrays, all float32 or all float64. Read at the start, written by `sync`.
    optimizer : SGD or Adam [read+write]
        Settings are read at every epoch; moments at the start, and written by `sync`.
    x, y, activation, loss, weight_decay, batch_size, sample_weight, n_threads
        See `Engine`.
    """

    def __init__(
        self,
        weights: list[np.ndarray],
        biases: list[np.ndarray],
        optimizer: Optimizer,
        x: SamplesLike,
        y: np.ndarray,
        *,
        activation: str,
        loss: str,
        weight_decay: float,
        batch_size: int,
        sample_weight: np.ndarray | None = None,
        n_threads: int | None = None,
    ) -> None:
        self._weights, self._biases, self._optimizer = weights, biases, optimizer
        super().__init__(
            layer_sizes(weights),
            weights[0].dtype,
            _optimizer_code(optimizer),
            x,
            y,
            activation=activation,
            loss=loss,
            weight_decay=weight_decay,
            batch_size=batch_size,
            sample_weight=sample_weight,
            n_threads=n_threads,
        )
        self._pack()

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
        self._transpose()

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

    def shuffle(self, rng: Shuffler) -> None:
        """Shuffle the rows, out of the order that they are in, as `rng` shuffles the numbers of their places."""
        order, permutation = self._data.order, np.arange(self._n)
        rng.shuffle(permutation)
        # Where it lies: a third array would be felt where there are many rows and few columns.
        for start in range(0, self._n, _PIECE):
            piece = permutation[start : start + _PIECE]
            piece[:] = order[piece]
        np.copyto(order, permutation)

    def epoch(self, order: np.ndarray | None) -> float:
        """Train one epoch.

        Parameters
        ----------
        order : ndarray of int64, (n,), or None
            Permutation of the rows; None for the order that they are in: at first their natural one.

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
        return self._run()

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
        try:
            super().close()
        finally:
            self.sync()
