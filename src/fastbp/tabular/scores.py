"""Scores of predictions, with those of a constant prediction beside them."""

import warnings
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from sklearn import metrics

# Two classes are very unbalanced if the rarer one has a smaller share.
SMALL_SHARE = 0.05

Label: TypeAlias = str | bool | float | np.generic


@dataclass(frozen=True)
class Scores:
    """Scores by name.

    Attributes
    ----------
    model : dict of str to float
    baseline : dict of str to float
        The same scores for always predicting `constant`.
    constant : str, bool or number
        The most frequent class, or the mean, of the training targets.
    per_class : list of (class, precision, recall, F1, number of rows)
        Empty for a regression.
    unbalanced : bool
        Whether one of two classes has a very small share of the training rows.
    """

    model: dict[str, float]
    baseline: dict[str, float]
    constant: Label
    per_class: list[tuple[Label, float, float, float, int]] = field(default_factory=list)
    unbalanced: bool = False

    @property
    def decisive(self) -> str:
        """The score that says whether the model is better than the constant."""
        if "RMSE" in self.model:
            return "RMSE"
        # The log-loss of a rare class is small whatever the model says.
        return "ROC AUC" if self.unbalanced and "ROC AUC" in self.model else "log-loss"

    @property
    def beats_baseline(self) -> bool:
        """Whether the model is better than the constant, by the decisive score."""
        model, baseline = self.model[self.decisive], self.baseline[self.decisive]
        return model > baseline if self.decisive == "ROC AUC" else model < baseline


def score_classes(y: np.ndarray, proba: np.ndarray, classes: np.ndarray, frequency: np.ndarray) -> Scores:
    """Score class probabilities.

    Parameters
    ----------
    y : ndarray of shape (n,)
        True classes; some may be missing from ``classes``.
    proba : ndarray of shape (n, n_classes)
    classes : ndarray of shape (n_classes,)
    frequency : ndarray of shape (n_classes,)
        Shares of the classes in training: the baseline's probabilities.
    """
    predicted = classes[np.argmax(proba, axis=1)]
    constant = classes[np.argmax(frequency)]
    labels = np.unique(y)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        y, predicted, labels=labels, zero_division=0.0
    )
    return Scores(
        model=_class_scores(y, predicted, proba, classes),
        baseline=_class_scores(y, np.full_like(y, constant), np.tile(frequency, (len(y), 1)), classes),
        constant=constant,
        per_class=list(zip(labels, precision, recall, f1, support, strict=True)),
        unbalanced=len(classes) == 2 and min(frequency) < SMALL_SHARE,
    )


def score_numbers(y: np.ndarray, predicted: np.ndarray, mean: float) -> Scores:
    """Score predicted numbers (n,) against ``y`` (n,); the baseline predicts ``mean``."""
    return Scores(_number_scores(y, predicted), _number_scores(y, np.full(len(y), mean)), mean)


def _class_scores(y: np.ndarray, predicted: np.ndarray, proba: np.ndarray, classes: np.ndarray) -> dict[str, float]:
    known = np.isin(y, classes)
    column = np.searchsorted(classes, y[known])
    p = np.clip(proba[known, column].astype("float64"), np.finfo(proba.dtype).eps, 1.0)
    with warnings.catch_warnings():
        # A predicted class need not occur in a small set.
        warnings.simplefilter("ignore", UserWarning)
        balanced = metrics.balanced_accuracy_score(y, predicted)
    scores = {
        "accuracy": float(np.mean(y == predicted)),
        "balanced accuracy": float(balanced),
        "log-loss": float(-np.log(p).mean()) if len(p) else float("nan"),
    }
    if len(classes) == 2 and len(np.unique(y[known])) == 2:
        scores["ROC AUC"] = float(metrics.roc_auc_score(y[known] == classes[1], proba[known, 1]))
    return scores


def _number_scores(y: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    # In units of the largest value, so that squares neither overflow nor vanish.
    unit = float(np.abs(y).max()) or 1.0
    error = (y - predicted.astype("float64")) / unit
    spread = np.sum((y / unit - (y / unit).mean()) ** 2)
    return {
        "R²": float(1.0 - np.sum(error**2) / spread) if spread > 0.0 else float("nan"),
        "RMSE": float(np.sqrt(np.mean(error**2))) * unit,
        "MAE": float(np.mean(np.abs(error))) * unit,
    }
