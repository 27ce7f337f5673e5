"""The loss over all samples and its gradient, for solvers that ask for nothing else."""

from itertools import pairwise

import numpy as np

from fastbp.kernels.codes import Optimizer as OptimizerCode
from fastbp.network.packing import pack_parameters, unpack_parameters
from fastbp.network.samples import SamplesLike
from fastbp.training.engine import Engine

__all__ = ["Objective"]


class Objective(Engine):
    """Loss and gradient as functions of the parameters. Use it as a context manager.

    With ``S`` samples, or the sum of their weights, the loss is::

        sum(weight * loss of a sample) / S + weight_decay / (2 * S) * sum(sum(w**2) for w in weights)

    It is computed in float64, whatever the samples are: line searches compare losses that differ in their last digits.
    Samples are taken in blocks of a fixed size and order, so that the workspace does not grow with their number and the
    result does not depend on that of the threads.

    Parameters
    ----------
    sizes : tuple of int
        Units of the input and of each layer.
    x, y, activation, loss, weight_decay, sample_weight, n_threads
        See `Engine`.

    Raises
    ------
    ValueError
        If the sample weights sum to 0.
    """

    def __init__(
        self,
        sizes: tuple[int, ...],
        x: SamplesLike,
        y: np.ndarray,
        *,
        activation: str,
        loss: str,
        weight_decay: float,
        sample_weight: np.ndarray | None = None,
        n_threads: int | None = None,
    ) -> None:
        if sample_weight is not None and sample_weight.sum() == 0:
            raise ValueError("sample_weight sums to zero")
        self._shapes = [*pairwise(sizes), *((size,) for size in sizes[1:])]
        super().__init__(
            sizes,
            np.dtype(np.float64),
            OptimizerCode.STORE,
            x,
            y,
            activation=activation,
            loss=loss,
            weight_decay=weight_decay,
            batch_size=x.shape[0],
            sample_weight=sample_weight,
            n_threads=n_threads,
        )

    def unpack(self, packed: np.ndarray) -> list[np.ndarray]:
        """Return the parts of a vector as arrays that share its memory: all weights, then all biases, row by row."""
        ends = np.cumsum([np.prod(shape, dtype=int) for shape in self._shapes])
        parts = np.split(packed, ends[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, self._shapes, strict=True)]

    def __call__(self, packed: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the loss at a vector of parameters and its gradient, of the same layout.

        Parameters
        ----------
        packed : ndarray, (n_parameters,) [read]
            All weights, then all biases, row by row; see `unpack`.
        """
        table, width = self._plan.table, self._plan.panel_width
        pack_parameters(table, self.unpack(packed), self._buffers.params, width)
        self._transpose()
        loss = self._run()
        gradient = np.empty(packed.shape)
        unpack_parameters(table, self._buffers.moment_1, self.unpack(gradient), width)
        return loss, gradient
