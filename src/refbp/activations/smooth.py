r"""Softplus, GELU, SiLU and Mish: smooth relatives of the rectifier.

The last three fall below zero and come back up, so two inputs have the same output, and the derivative has to
be a function of :math:`z`. Names are PyTorch's.

Far from zero the factors of :math:`z` differ from 0 or 1 by less than the smallest number. There `FAR` stands
in for :math:`z`, so that infinity times zero never occurs.
"""

import math

import numpy as np

from refbp.activations.classic import logistic
from refbp.activations.record import Activation, elementwise

FAR = 2e4
r"""Beyond this, :math:`e^{-|z|}` is zero in every floating-point type of NumPy."""

# ---- softplus ----


def softplus(z: np.ndarray) -> np.ndarray:
    r"""Compute :math:`h = \log(1 + e^z)` (C. Dugas et al., NIPS 2000).

    As :math:`\max(0, z) + \log(1 + e^{-|z|})`, in which nothing can overflow. PyTorch returns :math:`z` itself
    above its threshold of 20, which is smaller by at most :math:`2.1 \cdot 10^{-9}`.

    Examples
    --------
    >>> softplus(np.array([-800.0, 0.0, 800.0]))
    array([0.00000000e+00, 6.93147181e-01, 8.00000000e+02])
    """
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def softplus_derivative(z: np.ndarray) -> np.ndarray:
    r"""Compute :math:`\phi'(z) = \sigma(z)`."""
    return logistic(z)


# ---- Gaussian error linear unit ----


def normal_cdf(z: np.ndarray) -> np.ndarray:
    r"""Compute :math:`\Phi(z) = \frac12 \mathrm{erfc}(-z/\sqrt 2)`, the probability of a normal variable below z.

    Python's erfc takes its argument :math:`x = -z/\sqrt 2` in float64. For large z it magnifies the rounding of x by
    :math:`z^2`, so the part that was rounded off is put back, with the derivative :math:`-2 e^{-x^2} / \sqrt\pi`.
    """
    x = -np.clip(z, -FAR, FAR) * np.sqrt(np.longdouble(0.5))
    rounded = x.astype(np.float64)
    rest = (x - rounded) * -2 * np.exp(-(x**2)) / math.sqrt(math.pi)
    return ((erfc(rounded) + rest) / 2).astype(z.dtype)


erfc = np.vectorize(math.erfc, otypes=[np.float64])
"""The complementary error function, element by element."""


def normal_density(z: np.ndarray) -> np.ndarray:
    r"""Compute :math:`\Phi'(z) = e^{-z^2/2} / \sqrt{2\pi}`."""
    return np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)


def gelu(z: np.ndarray) -> np.ndarray:
    r"""Compute :math:`h = z \, \Phi(z)` (D. Hendrycks, K. Gimpel, arXiv:1606.08415, equation 1).

    The exact form, PyTorch's ``approximate="none"``, and not the one with a hyperbolic tangent.

    Examples
    --------
    >>> gelu(np.array([-np.inf, 0.0, 1.0, np.inf])).round(6)
    array([-0.      ,  0.      ,  0.841345,       inf])
    """
    return np.maximum(z, -FAR) * normal_cdf(z)


def gelu_derivative(z: np.ndarray) -> np.ndarray:
    r"""Compute :math:`\phi'(z) = \Phi(z) + z \, \Phi'(z)`."""
    near = np.clip(z, -FAR, FAR)
    return normal_cdf(near) + near * normal_density(near)


# ---- sigmoid linear unit ----


def silu(z: np.ndarray) -> np.ndarray:
    r"""Compute :math:`h = z \, \sigma(z)` (S. Elfwing et al., arXiv:1702.03118); also called swish.

    Examples
    --------
    >>> silu(np.array([-np.inf, 0.0, 1.0, np.inf])).round(6)
    array([-0.      ,  0.      ,  0.731059,       inf])
    """
    return np.maximum(z, -FAR) * logistic(z)


def silu_derivative(z: np.ndarray) -> np.ndarray:
    r"""Compute :math:`\phi'(z) = \sigma(z) \, (1 + z \, \sigma(-z))`, with :math:`\sigma(-z) = 1 - \sigma(z)`."""
    near = np.clip(z, -FAR, FAR)
    return logistic(near) * (1 + near * logistic(-near))


# ---- mish ----


def mish(z: np.ndarray) -> np.ndarray:
    r"""Compute :math:`h = z \tanh(s)` with :math:`s = \log(1 + e^z)` (D. Misra, arXiv:1908.08681).

    Examples
    --------
    >>> mish(np.array([-np.inf, 0.0, 1.0, np.inf])).round(6)
    array([-0.      ,  0.      ,  0.865098,       inf])
    """
    return np.maximum(z, -FAR) * np.tanh(softplus(z))


def mish_derivative(z: np.ndarray) -> np.ndarray:
    r"""Compute :math:`\phi'(z) = \tanh(s) + z \, \sigma(z) \, (1 - \tanh^2 s)`.

    The last factor, as :math:`4 e^{-2s} / (1 + e^{-2s})^2`, stays accurate where :math:`\tanh s` rounds to 1.
    """
    near = np.clip(z, -FAR, FAR)
    s = softplus(near)
    e = np.exp(-2 * s)
    return np.tanh(s) + near * logistic(near) * (4 * e / (1 + e) ** 2)


SMOOTH = {
    "softplus": Activation(softplus, elementwise(softplus_derivative), lambda f, z: f.softplus(z), keeps="input"),
    "gelu": Activation(gelu, elementwise(gelu_derivative), lambda f, z: z * f.normal_cdf(z), keeps="input"),
    "silu": Activation(silu, elementwise(silu_derivative), lambda f, z: z * f.logistic(z), keeps="input"),
    "mish": Activation(mish, elementwise(mish_derivative), lambda f, z: z * f.tanh(f.softplus(z)), keeps="input"),
}
"""The functions of this file by name."""
