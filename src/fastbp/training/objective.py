"""The loss over all samples and its gradient, for solvers such as L-BFGS."""

from dataclasses import replace
from itertools import pairwise
from types import TracebackType
from typing import Self

import numpy as np

from fastbp.network.packing import pack_parameters, unpack_parameters
from fastbp.network.spec import Network, Precision, Recipe, Samples
from fastbp.training.engine import Engine

__all__ = ["Objective"]


class Objective:
    """Loss and gradient as functions of the parameters. Use it as a context manager.

    With ``S`` samples, or the sum of their weights, the loss is::

        sum(weight * loss of a sample) / S + weight_decay / (2 * S) * sum(sum(w**2) for w in weights)

    It is computed in float64, whatever the type of the samples: line searches compare losses that differ only in their
    last digits. Samples are processed in blocks of a fixed size and order, so that the workspace does not grow with
    their number and the result does not depend on the number of threads.

    Parameters
    ----------
    network : Network
        May be of any precision.
    samples : Samples [read]
    weight_decay, n_threads
        See `Recipe`.

    Raises
    ------
    ValueError
        If the sample weights sum to 0.
    """

    def __init__(
        self,
        network: Network,
        samples: Samples,
        *,
        weight_decay: float,
        n_threads: int | None = None,
    ) -> None:
        if samples.weight is not None and samples.weight.sum() == 0:
            raise ValueError("sample_weight sums to zero")
        self._shapes = [*pairwise(network.sizes), *((size,) for size in network.sizes[1:])]
        network = replace(network, precision=Precision.of(np.dtype(np.float64)))
        self.engine = Engine(network, "store", samples, Recipe(samples.count, weight_decay, n_threads))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.engine.__exit__(kind, error, traceback)

    def unpack(self, packed: np.ndarray) -> list[np.ndarray]:
        """Return the parts of a vector as arrays that share its memory: all weights, then all biases, row by row."""
        ends = np.cumsum([np.prod(shape, dtype=int) for shape in self._shapes])
        parts = np.split(packed, ends[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, self._shapes, strict=True)]

    def __call__(self, packed: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the loss at a vector of parameters, and its gradient in the same layout.

        Parameters
        ----------
        packed : ndarray, (n_parameters,) [read]
            All weights, then all biases, row by row; see `unpack`.
        """
        plan, buffers = self.engine.plan, self.engine.buffers
        pack_parameters(plan.table, self.unpack(packed), buffers.params, plan.panel_width)
        self.engine.transpose()
        loss = self.engine.run()
        gradient = np.empty(packed.shape)
        unpack_parameters(plan.table, buffers.moment_1, self.unpack(gradient), plan.panel_width)
        return loss, gradient
