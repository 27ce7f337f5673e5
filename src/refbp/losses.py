r"""Loss functions :math:`L = \ell(o, y)`, averaged over a minibatch.

Every loss comes with its *canonical* output activation :math:`o = \mathrm{out}(z)`, the one for which the
derivative by the last pre-activation is the plain residual (Deep Learning 6.5.7 calls it :math:`G`, "the
gradient on the unnormalized log probabilities"):

.. math::
    \frac{\partial \ell}{\partial z} = o - y

There are two numbers for each loss, and they differ:

*reported*
    computed from the output ``o``. It is what scikit-learn prints, keeps in ``loss_curve_`` and stops by. The
    two log losses clip probabilities to :math:`[\epsilon, 1 - \epsilon]`; the squared error averages over the
    outputs.
*objective*
    computed from ``z`` ("unnormalized log probabilities"), never clipped, summed over the outputs. It is the
    function whose gradient is ``o - y``, and so the one that training minimizes.

For the squared error of :math:`k` outputs the objective is :math:`k` times the reported loss: scikit-learn
1.9 reports the mean over outputs and follows the gradient of the sum.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Loss(NamedTuple):
    """A loss function with its canonical output activation.

    Attributes
    ----------
    output : str
        Name of the canonical output activation in `refbp.activations.ACTIVATIONS`.
    reported : callable
        ``reported(y, o, sample_weight=None) -> float`` from the network's output, ``y`` and ``o`` (n, n_out),
        weights (n,).
    objective : callable
        ``objective(y, z, sample_weight=None) -> float`` from the pre-activation of the output, ``z`` (n,
        n_out).
    """

    output: str
    reported: Callable[..., float]
    objective: Callable[..., float]


def residual(y: np.ndarray, o: np.ndarray) -> np.ndarray:
    r"""Differentiate any of the losses by the last pre-activation: :math:`\partial \ell/\partial z = o - y`.

    Parameters
    ----------
    y : (n, n_out) array, may be bool
    o : (n, n_out) array

    Returns
    -------
    (n, n_out) array
    """
    return o - y


def xlogy(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    r"""Compute :math:`x \log y` with :math:`0 \log y = 0`, its limit.

    Where ``x`` is bool or integer, a class label, the result is float64 even if ``y`` is float32. (So is
    scikit-learn's loss of a float32 classifier.)

    Examples
    --------
    >>> xlogy(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    array([0., 0.])
    """
    dtype = np.result_type(x, y) if np.issubdtype(x.dtype, np.floating) else np.float64
    return x * np.log(np.where(x == 0, 1, y.astype(dtype)))


def clip_probability(o: np.ndarray) -> np.ndarray:
    r"""Keep away from 0 and 1 by the machine epsilon of the dtype, so that a logarithm is finite."""
    eps = np.finfo(o.dtype).eps
    return np.clip(o, eps, 1 - eps)


# ---- squared error, output activation identity ----


def squared_error(y: np.ndarray, o: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
    r"""Report :math:`\frac1k \sum_j \frac12 \overline{(y_j - o_j)^2}`, half the squared error."""
    return 0.5 * np.average((y - o) ** 2, weights=sample_weight, axis=0).mean()


def squared_error_objective(y: np.ndarray, z: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
    r"""Sum over the outputs, :math:`\sum_j \frac12 \overline{(y_j - z_j)^2}`; derivative :math:`z - y`."""
    return 0.5 * np.average((y - z) ** 2, weights=sample_weight, axis=0).sum()


# ---- Poisson deviance, output activation exp ----


def poisson(y: np.ndarray, o: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
    r"""Report :math:`\sum_j \overline{y_j \log(y_j/o_j) - y_j + o_j}`, half the Poisson deviance."""
    return np.average(xlogy(y, y / o) - y + o, weights=sample_weight, axis=0).sum()


def poisson_objective(y: np.ndarray, z: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
    r"""The same with :math:`\log o = z`: :math:`y \log y - y z - y + e^z`; derivative :math:`e^z - y`."""
    return np.average(xlogy(y, y) - y * z - y + np.exp(z), weights=sample_weight, axis=0).sum()


# ---- cross-entropy over classes, output activation softmax ----


def log_loss(y: np.ndarray, o: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
    r"""Report :math:`-\sum_j \overline{y_j \log o_j}`, the cross-entropy of clipped probabilities."""
    return -np.average(xlogy(y, clip_probability(o)), weights=sample_weight, axis=0).sum()


def log_loss_objective(y: np.ndarray, z: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
    r"""Compute the cross-entropy on unnormalized log probabilities (Deep Learning, section 6.5.7).

    .. math::
        -\sum_j y_j \log \mathrm{softmax}(z)_j = \sum_j y_j \Big(\log \sum_k e^{z_k} - z_j\Big)

    Exact where a probability underflows; derivative :math:`\mathrm{softmax}(z) - y` when
    :math:`\sum_j y_j = 1`.

    Examples
    --------
    >>> log_loss_objective(np.array([[0.0, 1.0]]), np.array([[1000.0, 0.0]])).item()
    1000.0
    """
    shifted = z - z.max(axis=1, keepdims=True)
    log_probability = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -np.average(y * log_probability, weights=sample_weight, axis=0).sum()


# ---- binary cross-entropy for each output, output activation logistic ----


def binary_log_loss(y: np.ndarray, o: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
    r"""Report :math:`-\sum_j \overline{y_j \log o_j + (1 - y_j) \log(1 - o_j)}` of clipped probabilities."""
    o = clip_probability(o)
    return -np.average(xlogy(y, o) + xlogy(1 - y, 1 - o), weights=sample_weight, axis=0).sum()


def binary_log_loss_objective(y: np.ndarray, z: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
    r"""Compute the same from the logits.

    .. math::
        -y \log \sigma(z) - (1 - y) \log \sigma(-z) = \log(1 + e^z) - y z = \max(z, 0) + \log(1 + e^{-|z|}) -
        y z

    The derivative is :math:`\sigma(z) - y`.

    Examples
    --------
    >>> binary_log_loss_objective(np.array([[0.0]]), np.array([[1000.0]])).item()
    1000.0
    """
    softplus = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
    return np.average(softplus - y * z, weights=sample_weight, axis=0).sum()


LOSSES = {
    "squared_error": Loss("identity", squared_error, squared_error_objective),
    "poisson": Loss("exp", poisson, poisson_objective),
    "log_loss": Loss("softmax", log_loss, log_loss_objective),
    "binary_log_loss": Loss("logistic", binary_log_loss, binary_log_loss_objective),
}
"""All losses by name."""
