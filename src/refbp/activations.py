r"""Activation functions :math:`h = \phi(z)`, each with its back-propagation rule beside it.

A rule carries the gradient from the function's output to its input, a Jacobian-gradient product (Deep
Learning, equation 6.46):

.. math::
    \nabla_z J = \Big(\frac{\partial h}{\partial z}\Big)^{\mathsf T} \nabla_h J

For the functions that act on each element alone the Jacobian is diagonal, and the product is D2L's
:math:`\partial J/\partial z = \partial J/\partial h \odot \phi'(z)`. The derivative is written in terms of
the *output* :math:`h`, as scikit-learn does: it is what the forward pass keeps, and each :math:`\phi'` here
is a function of it.

The products are taken in scikit-learn's order, so that the last bit of a gradient is the same.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Activation(NamedTuple):
    """An activation function and its back-propagation rule.

    Attributes
    ----------
    forward : callable
        ``forward(z) -> h``; arrays of one shape, (..., n).
    backward : callable
        ``backward(dh, h) -> dz``: from the gradient by the output and the output itself to the gradient by
        the input.
    """

    forward: Callable[[np.ndarray], np.ndarray]
    backward: Callable[[np.ndarray, np.ndarray], np.ndarray]


# ---- identity ----


def identity(z: np.ndarray) -> np.ndarray:
    r"""Return the pre-activation: :math:`h = z`."""
    return z


def identity_backward(dh: np.ndarray, h: np.ndarray) -> np.ndarray:
    r"""Multiply by :math:`\phi'(z) = 1`."""
    return dh


# ---- rectified linear unit ----


def relu(z: np.ndarray) -> np.ndarray:
    r"""Cut off below zero: :math:`h = \max(0, z)` (Deep Learning, section 6.5.7).

    Examples
    --------
    >>> relu(np.array([-2.0, 0.0, 3.0]))
    array([0., 0., 3.])
    """
    return np.maximum(z, 0)


def relu_backward(dh: np.ndarray, h: np.ndarray) -> np.ndarray:
    r"""Let the gradient through where the unit is on: :math:`\phi'(z) = [z > 0]`.

    At :math:`z = 0` there is no derivative. Zero is the convention, here and in scikit-learn; `refbp.numdiff`
    reports such points. A selection, not a product: an infinite gradient arriving at a unit that is off stays
    out instead of becoming NaN.

    Examples
    --------
    >>> relu_backward(np.array([5.0, 5.0, 5.0]), h=relu(np.array([-2.0, 0.0, 3.0])))
    array([0., 0., 5.])
    """
    return np.where(h == 0, 0, dh)


# ---- logistic sigmoid ----


def logistic(z: np.ndarray) -> np.ndarray:
    r"""Squash into (0, 1): :math:`h = \sigma(z) = 1 / (1 + e^{-z})`.

    With :math:`e = e^{-|z|} \le 1`, which cannot overflow: :math:`1/(1+e)` for :math:`z \ge 0` and
    :math:`e/(1+e)` below.

    Examples
    --------
    >>> logistic(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e))


def logistic_backward(dh: np.ndarray, h: np.ndarray) -> np.ndarray:
    r"""Multiply by :math:`\phi'(z) = h (1 - h)`."""
    return (dh * h) * (1 - h)


# ---- hyperbolic tangent ----


def tanh(z: np.ndarray) -> np.ndarray:
    r"""Squash into (-1, 1): :math:`h = \tanh z`."""
    return np.tanh(z)


def tanh_backward(dh: np.ndarray, h: np.ndarray) -> np.ndarray:
    r"""Multiply by :math:`\phi'(z) = 1 - h^2`."""
    return dh * (1 - h**2)


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


ACTIVATIONS = {
    "identity": Activation(identity, identity_backward),
    "relu": Activation(relu, relu_backward),
    "logistic": Activation(logistic, logistic_backward),
    "tanh": Activation(tanh, tanh_backward),
    "softmax": Activation(softmax, softmax_backward),
    "exp": Activation(exp, exp_backward),
}
"""All activation functions by name."""

HIDDEN_ACTIVATIONS = ("identity", "relu", "logistic", "tanh")
"""Names of those that a hidden layer may have; softmax and exp are for the output."""
