r"""Weight decay: three conventions for the penalty :math:`s` in :math:`J = L + s`.

=============  =============================================  =======================  =======================
name           penalty :math:`s`                              gradient by :math:`W`    source
=============  =============================================  =======================  =======================
d2l            :math:`\frac\lambda2 \sum_l \|W_l\|_F^2`       :math:`\lambda W`        D2L; slides
deep_learning  :math:`\lambda \sum_l \|W_l\|_F^2`             :math:`2 \lambda W`      Deep Learning, eq. 6.56
scikit_learn   :math:`\frac\alpha{2 S} \sum_l \|W_l\|_F^2`    :math:`\frac\alpha S W`  scikit-learn
=============  =============================================  =======================  =======================

:math:`S` is the size of the *minibatch*, or the sum of its sample weights; not the size of the data set.
Biases are never penalized.

The gradient is given times :math:`S`: the backward pass collects sums over the minibatch, adds this, and
divides by :math:`S` once, which is scikit-learn's order of arithmetic.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np


class Penalty(NamedTuple):
    """A penalty on the weights.

    Attributes
    ----------
    value : callable
        ``value(weights, coefficient, total_weight) -> float``, the penalty s of a list of weight matrices.
    summed_gradient : callable
        ``summed_gradient(w, coefficient, total_weight) -> array like w``: total_weight times the gradient of
        s by one matrix.
    """

    value: Callable[[Sequence[np.ndarray], float, float], float]
    summed_gradient: Callable[[np.ndarray, float, float], np.ndarray]


def sum_of_squares(weights: Sequence[np.ndarray]) -> float:
    r"""Add up the squared Frobenius norms, :math:`\sum_l \|W_l\|_F^2`.

    Examples
    --------
    >>> sum_of_squares([np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]])]).item()
    30.0
    """
    flat = (w.ravel() for w in weights)
    return sum(np.dot(w, w) for w in flat)


def d2l(weights: Sequence[np.ndarray], coefficient: float, total_weight: float) -> float:
    r"""Compute :math:`s = \frac{\lambda}{2} (\|W_1\|_F^2 + \|W_2\|_F^2)`."""
    return 0.5 * coefficient * sum_of_squares(weights)


def d2l_summed_gradient(w: np.ndarray, coefficient: float, total_weight: float) -> np.ndarray:
    r"""Compute :math:`S \cdot \partial s/\partial W = S \cdot \lambda W`."""
    return total_weight * (coefficient * w)


def deep_learning(weights: Sequence[np.ndarray], coefficient: float, total_weight: float) -> float:
    r"""Compute :math:`s = \lambda (\sum_{ij} (W^{(1)}_{ij})^2 + \sum_{ij} (W^{(2)}_{ij})^2)` (eq. 6.56)."""
    return coefficient * sum_of_squares(weights)


def deep_learning_summed_gradient(w: np.ndarray, coefficient: float, total_weight: float) -> np.ndarray:
    r"""Compute :math:`S \cdot \partial s/\partial W = S \cdot 2 \lambda W` (section 6.5.7)."""
    return total_weight * (2 * coefficient * w)


def scikit_learn(weights: Sequence[np.ndarray], coefficient: float, total_weight: float) -> float:
    r"""Compute :math:`s = \frac{\alpha}{2 S} \sum_l \|W_l\|_F^2`."""
    return (0.5 * coefficient) * sum_of_squares(weights) / total_weight


def scikit_learn_summed_gradient(w: np.ndarray, coefficient: float, total_weight: float) -> np.ndarray:
    r"""Compute :math:`S \cdot \partial s/\partial W = \alpha W`."""
    return coefficient * w


PENALTIES = {
    "d2l": Penalty(d2l, d2l_summed_gradient),
    "deep_learning": Penalty(deep_learning, deep_learning_summed_gradient),
    "scikit_learn": Penalty(scikit_learn, scikit_learn_summed_gradient),
}
"""All penalty conventions by name."""
