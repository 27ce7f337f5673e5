r"""Leaky ReLU, ELU and SELU: the identity above zero, something else below.

Names and constants are PyTorch's. Where a derivative does not exist, at :math:`z = 0`, it is the one from the
left, as in PyTorch. The formulas for the graph use :math:`\min(0, z) = z - \max(0, z)`.
"""

import numpy as np

from refbp.activations.record import Activation, elementwise

LEAKY_SLOPE = 0.01
"""PyTorch's ``negative_slope``."""

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
r"""With :math:`\alpha` and :math:`\lambda`, mean 0 and variance 1 are a fixed point of the layers."""

# ---- leaky rectified linear unit ----


def leaky_relu(z: np.ndarray) -> np.ndarray:
    r"""Compute :math:`h = \max(0, z) + a \min(0, z)` with :math:`a = 0.01` (Maas et al., 2013)."""
    return np.where(z > 0, z, LEAKY_SLOPE * z)


def leaky_relu_derivative(z: np.ndarray) -> np.ndarray:
    r"""Compute :math:`\phi'(z) = 1` for :math:`z > 0`, else :math:`a`."""
    return np.where(z > 0, np.ones_like(z), LEAKY_SLOPE)


# ---- exponential linear unit ----


def elu(z: np.ndarray) -> np.ndarray:
    r"""Compute :math:`h = z` for :math:`z > 0`, else :math:`e^z - 1` (Clevert et al., arXiv:1511.07289).

    Examples
    --------
    >>> elu(np.array([-np.inf, 0.0, 3.0]))
    array([-1.,  0.,  3.])
    """
    return np.where(z > 0, z, np.expm1(np.minimum(z, 0)))


def elu_derivative(z: np.ndarray) -> np.ndarray:
    r"""Compute :math:`\phi'(z) = 1` for :math:`z > 0`, else :math:`e^z`."""
    return np.exp(np.minimum(z, 0))


# ---- scaled exponential linear unit ----


def selu(z: np.ndarray) -> np.ndarray:
    r"""Compute :math:`h = \lambda z` for :math:`z > 0`, else :math:`\lambda \alpha (e^z - 1)`.

    G. Klambauer et al., "Self-normalizing neural networks", arXiv:1706.02515, equation 2.
    """
    return SELU_SCALE * np.where(z > 0, z, SELU_ALPHA * elu(np.minimum(z, 0)))


def selu_derivative(z: np.ndarray) -> np.ndarray:
    r"""Compute :math:`\phi'(z) = \lambda` for :math:`z > 0`, else :math:`\lambda \alpha e^z`."""
    return SELU_SCALE * np.where(z > 0, np.ones_like(z), SELU_ALPHA * elu_derivative(z))


RECTIFIERS = {
    "leaky_relu": Activation(
        leaky_relu,
        elementwise(leaky_relu_derivative),
        lambda f, z: f.relu(z) + LEAKY_SLOPE * (z - f.relu(z)),
        keeps="input",
        continuous_derivatives=0,
    ),
    "elu": Activation(
        elu,
        elementwise(elu_derivative),
        lambda f, z: f.relu(z) + f.exp(z - f.relu(z)) - 1,
        keeps="input",
        continuous_derivatives=1,
    ),
    "selu": Activation(
        selu,
        elementwise(selu_derivative),
        lambda f, z: SELU_SCALE * (f.relu(z) + SELU_ALPHA * (f.exp(z - f.relu(z)) - 1)),
        keeps="input",
        continuous_derivatives=0,
    ),
}
"""The functions of this file by name."""
