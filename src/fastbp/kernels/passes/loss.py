"""The mean loss of given outputs, for validation."""

import numpy as np

from fastbp.compiler.jit import jit
from fastbp.kernels.functions.losses import LOSS_CODES, LOSSES
from fastbp.kernels.passes.output import add_loss
from fastbp.kernels.vectors.simd import first_lanes, hsum, lanes_of, load, load_where, pointer, select, zeros

__all__ = ["mean_loss"]


@jit
def _sum_losses(loss, y, output):
    """Sum of the losses of all elements of two flat arrays of float64."""
    target, out, size = pointer(y), pointer(output), y.size
    total = zeros(out)
    lanes = lanes_of(out)
    whole = size // lanes * lanes
    for index in range(0, whole, lanes):
        total, _ = add_loss(loss, total, load(target, index), load(out, index))
    if whole < size:
        inside = first_lanes(size - whole, out)
        last, _ = add_loss(loss, zeros(out), load_where(target, whole, inside), load_where(out, whole, inside))
        total = total + select(inside, last, zeros(out))
    return hsum(total)


def mean_loss(loss: str, y: np.ndarray, output: np.ndarray) -> float:
    """Return the mean loss of the rows of `output`, as training reports it.

    Parameters
    ----------
    loss : str
    y, output : ndarray, (n, n_outputs) [read]
        Targets, and the network's outputs.
    """
    if y.shape != output.shape or y.ndim != 2 or y.size == 0:
        raise ValueError(f"y and output must be matrices of one shape, got {y.shape} and {output.shape}")
    flat = (np.ascontiguousarray(array, dtype=np.float64).ravel() for array in (y, output))
    return float(_sum_losses(LOSS_CODES[loss], *flat)) * LOSSES[loss].scale(y.shape[1]) / len(y)
