"""Random initial weights."""

from itertools import pairwise

import numpy as np

from fastbp.kernels.functions.activations import ACTIVATIONS

__all__ = ["glorot_uniform"]


def glorot_uniform(
    units: list[int], activation: str, rng: np.random.RandomState, dtype: np.dtype
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Draw the weights and biases of a network from uniform distributions.

    For each layer, first the matrix, then the vector, from ``U(-r, r)`` with
    ``r = sqrt(f / (n_in + n_out))``, where f is the hidden activation's `glorot`: 2 for logistic, 6 for all others.
    The numbers are drawn in float64 and then cast, so that a seed gives the same network in both precisions.

    Parameters
    ----------
    units : list of int
        Inputs, widths of the hidden layers, outputs.
    activation : str
        Hidden activation; its factor is also used for the output layer.
    rng : RandomState [read+write]
        Source of the numbers.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    weights : list of ndarray of shape (n_in, n_out)
    biases : list of ndarray of shape (n_out,)

    References
    ----------
    X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    AISTATS 2010, equation 16; the random biases are scikit-learn's.
    """
    factor = ACTIVATIONS[activation].glorot
    weights, biases = [], []
    for n_in, n_out in pairwise(units):
        bound = np.sqrt(factor / (n_in + n_out))
        weights.append(rng.uniform(-bound, bound, (n_in, n_out)).astype(dtype, copy=False))
        biases.append(rng.uniform(-bound, bound, n_out).astype(dtype, copy=False))
    return weights, biases
