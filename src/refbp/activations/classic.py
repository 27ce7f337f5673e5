r"""Identity, relu, logistic and tanh: scikit-learn's hidden activations.

The derivative is written in terms of the *output* :math:`h`, as scikit-learn does: it is what the forward pass
keeps, and each :math:`\phi'` here is a function of it. The products are taken in scikit-learn's order, so that
the last bit of a gradient is the same.
"""

import numpy as np

from refbp.activations.record import Activation

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


CLASSIC = {
    "identity": Activation(identity, identity_backward, lambda f, z: z),
    "relu": Activation(relu, relu_backward, lambda f, z: f.relu(z), continuous_derivatives=0),
    "logistic": Activation(logistic, logistic_backward, lambda f, z: f.logistic(z), glorot_factor=2.0),
    "tanh": Activation(tanh, tanh_backward, lambda f, z: f.tanh(z)),
}
"""The functions of this file by name."""
