"""Softmax and exp: activations of the output. The products are taken in scikit-learn's order."""

import numpy as np

from refbp.activations.record import Activation

# ---- softmax (output of a classifier with more than two classes) ----


def softmax(z: np.ndarray) -> np.ndarray:
    r"""Turn unnormalized log probabilities into probabilities, :math:`h_i = e^{z_i} / \sum_k e^{z_k}`.

    The sum goes over the last axis.

    Adding a constant to all :math:`z_i` changes nothing, so the largest is subtracted first and no
    exponential overflows.

    Examples
    --------
    >>> softmax(np.array([[1000.0, 1000.0], [0.0, -1000.0]]))
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_backward(dh: np.ndarray, h: np.ndarray) -> np.ndarray:
    r"""Multiply by the Jacobian :math:`\partial h_i/\partial z_k = h_i ([i = k] - h_k)`; not diagonal.

    .. math::
        \frac{\partial J}{\partial z_k}
        = h_k \Big(\frac{\partial J}{\partial h_k} - \sum_i h_i \frac{\partial J}{\partial h_i}\Big)
    """
    return h * (dh - (dh * h).sum(axis=-1, keepdims=True))


# ---- exponential (output of Poisson regression) ----


def exp(z: np.ndarray) -> np.ndarray:
    r"""Make positive: :math:`h = e^z`, the inverse of the log link."""
    return np.exp(z)


def exp_backward(dh: np.ndarray, h: np.ndarray) -> np.ndarray:
    r"""Multiply by :math:`\phi'(z) = h`."""
    return dh * h


OUTPUT = {
    "softmax": Activation(softmax, softmax_backward),
    "exp": Activation(exp, exp_backward),
}
"""The functions of this file by name."""
