r"""Validation scores for early stopping, higher is better: accuracy of classes, :math:`R^2` of numbers."""

from collections.abc import Callable

import numpy as np

from refbp.losses import LOSSES
from refbp.mlp import predict


def accuracy(y: np.ndarray, o: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
    r"""Compute the weighted share of examples whose labels are all right.

    One output or several logistic ones: a label is on where ``o > 0.5``.

    Parameters
    ----------
    y : (n, n_out) array of 0 and 1, or bool
    o : (n, n_out) array
        Probabilities of labels that are on or off each for itself.
    sample_weight : (n,) array or None

    Examples
    --------
    >>> accuracy(np.array([[1, 0], [1, 1]]), np.array([[0.9, 0.4], [0.8, 0.5]]))
    0.5
    """
    right = ((o > 0.5) == y.astype(bool)).all(axis=1)
    return float(np.average(right, weights=sample_weight))


def class_accuracy(y: np.ndarray, o: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
    r"""Compute the weighted share of examples whose most probable class is the true one.

    ``y`` and ``o`` are (n, n_classes), ``sample_weight`` is (n,) or None.

    Examples
    --------
    >>> class_accuracy(np.array([[1, 0, 0], [0, 0, 1]]), np.array([[0.4, 0.3, 0.3], [0.3, 0.4, 0.3]]))
    0.5
    """
    return float(np.average(o.argmax(axis=1) == y.argmax(axis=1), weights=sample_weight))


def r2(y: np.ndarray, o: np.ndarray, sample_weight: np.ndarray | None = None) -> float:
    r"""Compute the share of variance explained, averaged over outputs; NaN if a prediction is not finite.

    .. math::
        R^2 = 1 - \frac{\sum_i c_i (y_i - o_i)^2}{\sum_i c_i (y_i - \bar y)^2}

    An output without variance scores 1 if it is predicted exactly and 0 if not.

    Parameters
    ----------
    y, o : (n, n_out) arrays
    sample_weight : (n,) array or None

    Examples
    --------
    >>> r2(np.array([[1.0], [2.0], [3.0]]), np.array([[1.0], [2.0], [2.0]]))
    0.5
    """
    if not np.isfinite(o).all():
        return np.nan
    c = 1.0 if sample_weight is None else sample_weight[:, np.newaxis]
    unexplained = (c * (y - o) ** 2).sum(axis=0)
    variance = (c * (y - np.average(y, weights=sample_weight, axis=0)) ** 2).sum(axis=0)
    scores = np.where(unexplained == 0, 1.0, 0.0)
    varies = variance != 0
    scores[varies] = 1 - unexplained[varies] / variance[varies]
    return float(scores.mean())


SCORES: dict[str, Callable[..., float]] = {
    "squared_error": r2,
    "poisson": r2,
    "log_loss": class_accuracy,
    "binary_log_loss": accuracy,
}
"""The score that goes with each loss."""


def scorer(
    x: np.ndarray,
    y: np.ndarray,
    *,
    activation: str,
    loss: str,
    sample_weight: np.ndarray | None = None,
) -> Callable[[list[np.ndarray], list[np.ndarray]], float]:
    """Make the ``evaluate`` of `refbp.training.train` from held-out examples.

    Parameters
    ----------
    x, y : (n, n_in) and (n, n_out) arrays
    activation, loss : str
        Those of training; the loss decides the score.
    sample_weight : (n,) array or None

    Returns
    -------
    callable
        ``(weights, biases) -> float``
    """
    output, score = LOSSES[loss].output, SCORES[loss]

    def evaluate(weights: list[np.ndarray], biases: list[np.ndarray]) -> float:
        return score(y, predict(weights, biases, x, activation=activation, output=output), sample_weight)

    return evaluate
