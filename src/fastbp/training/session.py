"""One training run between Python and the kernels.

A `Session` copies the caller's parameters into panel order, trains them epoch by epoch,
and writes them back.
"""

from types import TracebackType
from typing import Protocol, Self

import numpy as np

from fastbp.network.checks import check_order, check_parameters
from fastbp.network.optimizer_state import OptimizerState
from fastbp.network.packing import pack_parameters, unpack_parameters
from fastbp.network.spec import Network, Recipe, Samples
from fastbp.training.engine import Engine

__all__ = ["Session", "Shuffler", "shuffle_order"]

# Number of rows looked up at a time.
_PIECE = 1 << 14


class Shuffler(Protocol):
    """An object that shuffles an array in place, such as NumPy's generators."""

    def shuffle(self, x: np.ndarray) -> None:
        """Shuffle an array."""


class Session:
    """A training run on the arrays of its caller. Use it as a context manager.

    Parameters
    ----------
    network : Network
    weights, biases : list of ndarray [read+write]
        (n_in, n_out) and (n_out,) arrays of the network. Read at the start, written by `sync`.
    state : OptimizerState [read+write]
        Read at the start, the learning rate also at every epoch; moments and steps are written by `sync`.
    samples : Samples [read]
    recipe : Recipe

    Raises
    ------
    TypeError, ValueError
        If an array does not fit the network; see `network.checks`.
    """

    def __init__(
        self,
        network: Network,
        weights: list[np.ndarray],
        biases: list[np.ndarray],
        state: OptimizerState,
        samples: Samples,
        recipe: Recipe,
    ) -> None:
        self._parameters = [*weights, *biases]
        check_parameters(network, self._parameters, ("weights", "biases"), written=True)
        self._state = state
        self._moments = _own_moments(network, state)
        self.engine = Engine(network, state.optimizer.rule, samples, recipe)
        self._pack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.engine.__exit__(kind, error, traceback)
        finally:
            self.sync()

    def _moment_buffers(self) -> list[tuple[str, np.ndarray]]:
        """Names of the moments, each with its buffer."""
        buffers = self.engine.buffers
        return list(zip(self._state.rule.moments, (buffers.moment_1, buffers.moment_2), strict=False))

    def _pack(self) -> None:
        plan, buffers = self.engine.plan, self.engine.buffers
        pack_parameters(plan.table, self._parameters, buffers.params, plan.panel_width)
        for name, buffer in self._moment_buffers():
            if name in self._moments:
                pack_parameters(plan.table, self._moments[name], buffer, plan.panel_width)
        self.engine.step_count = self._state.t
        self.engine.transpose()

    def shuffle(self, rng: Shuffler) -> None:
        """Shuffle the current order of the rows by the permutation that `rng` makes of their positions."""
        shuffle_order(self.engine.order, rng)

    def epoch(self, order: np.ndarray | None) -> float:
        """Train one epoch.

        Parameters
        ----------
        order : ndarray of int, (n,), or None
            Row numbers; None for the current order, which at first is the natural one.

        Returns
        -------
        float
            Mean of the minibatches' losses (penalty included), weighted by their numbers of rows.

        Raises
        ------
        KeyboardInterrupt
            Between two minibatches: the weights are those after the last complete one.
        """
        if order is not None:
            check_order(order, len(self.engine.order))
            np.copyto(self.engine.order, order)
        self.engine.settings[:] = self._state.settings()
        return self.engine.run()

    def sync_parameters(self) -> None:
        """Write weights and biases back to the caller's arrays."""
        plan = self.engine.plan
        unpack_parameters(plan.table, self.engine.buffers.params, self._parameters, plan.panel_width)

    def sync(self) -> None:
        """Write weights, biases, moments and the number of steps back to the caller's objects."""
        self.sync_parameters()
        plan = self.engine.plan
        for name, buffer in self._moment_buffers():
            if name not in self._moments:
                self._moments[name] = [np.empty_like(p, order="C") for p in self._parameters]
            unpack_parameters(plan.table, buffer, self._moments[name], plan.panel_width)
        self._state.moments, self._state.t = self._moments, self.engine.step_count


def shuffle_order(order: np.ndarray, rng: Shuffler) -> None:
    """Shuffle row numbers in place, by the permutation that `rng` makes of their positions."""
    permutation = np.arange(len(order))
    rng.shuffle(permutation)
    # In pieces, to avoid a third array as long as the samples.
    for start in range(0, len(order), _PIECE):
        piece = permutation[start : start + _PIECE]
        piece[:] = order[piece]
    np.copyto(order, permutation)


def _own_moments(network: Network, state: OptimizerState) -> dict[str, list[np.ndarray]]:
    """Return the moments in the network's type, which may have changed since they were created."""
    moments = {}
    for name in state.rule.moments if state.moments else ():
        if not isinstance(arrays := state.moments.get(name), list):
            raise TypeError(f"moments[{name!r}] must be a list of arrays, got {type(arrays).__name__}")
        moments[name] = [_in_type(network.precision.master, array) for array in arrays]
        check_parameters(network, moments[name], (f"moments[{name!r}] of weights", f"moments[{name!r}] of biases"))
    return moments


def _in_type(dtype: np.dtype, array: np.ndarray) -> np.ndarray:
    """Return floats as an array of a type that can be written to, and anything else as it is."""
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
        return array
    return array.astype(dtype, copy=not array.flags.writeable)
