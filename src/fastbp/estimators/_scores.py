"""Scores on the validation set of early stopping.

They equal `sklearn.metrics.accuracy_score` and `r2_score` on the same data, without the checks of their
input, which would take longer than an epoch of a small network.
"""

import numpy as np

__all__ = ["accuracy", "r2"]


def accuracy(y: np.ndarray, predicted: np.ndarray, sample_weight: np.ndarray | None) -> float:
    """Return the (weighted) share of samples whose labels are all predicted.

    Parameters
    ----------
    y, predicted : ndarray of shape (n, n_labels)
        True and predicted labels in any encoding: one column for one label, several for multilabel targets.
    sample_weight : ndarray of shape (n,) or None
        Weights of the samples.
    """
    return float(np.average((y == predicted).all(axis=1), weights=sample_weight))


def r2(y: np.ndarray, predicted: np.ndarray, sample_weight: np.ndarray | None) -> float:
    """Return the coefficient of determination, averaged over outputs.

    ``1 - sum(s * (y - predicted)**2) / sum(s * (y - mean(y))**2)`` with sample weights ``s``. An output whose
    targets are all equal scores 1 if it is predicted exactly and 0 otherwise.

    Parameters
    ----------
    y, predicted : ndarray of shape (n, n_outputs)
        True and predicted values.
    sample_weight : ndarray of shape (n,) or None
        Weights of the samples.
    """
    weight = 1.0 if sample_weight is None else sample_weight[:, None]
    # A network about to diverge may be finite while its squared errors are not: the score is then -inf.
    with np.errstate(over="ignore"):
        residual = (weight * (y - predicted) ** 2).sum(axis=0)
    total = (weight * (y - np.average(y, axis=0, weights=sample_weight)) ** 2).sum(axis=0)
    scores = np.where(residual == 0, 1.0, 0.0)
    varied = (residual != 0) & (total != 0)
    scores[varied] = 1 - residual[varied] / total[varied]
    return float(scores.mean())
