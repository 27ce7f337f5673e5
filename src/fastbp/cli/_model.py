"""A trained pipeline together with what it was trained on."""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from fastbp.cli._columns import Column
from fastbp.cli._scores import Scores, score_classes, score_numbers
from fastbp.cli._target import Target


@dataclass(frozen=True)
class Model:
    """A fitted pipeline and the description that is saved with it.

    Attributes
    ----------
    pipeline : Pipeline
    target : Target
    columns : list of Column
        The columns that the pipeline takes.
    class_shares : list of float
        Shares of the classes among the training rows, in the order of `classes`; empty for a regression.
    target_mean : float
        Mean of the training targets; 0 for a classification.
    """

    pipeline: Pipeline
    target: Target
    columns: list[Column]
    class_shares: list[float]
    target_mean: float

    @classmethod
    def describe(cls, pipeline: Pipeline, target: Target, columns: list[Column], y: np.ndarray) -> "Model":
        """Describe a pipeline that was fitted to the targets ``y`` (n,)."""
        used = [column for column in columns if column.kind != "ignored"]
        if target.task == "regression":
            return cls(pipeline, target, used, [], float(y.mean()))
        counts = np.unique(y, return_counts=True)[1]
        return cls(pipeline, target, used, [float(count / len(y)) for count in counts], 0.0)

    @property
    def is_classifier(self) -> bool:
        """Whether the target is a class."""
        return self.target.task == "classification"

    @property
    def classes(self) -> np.ndarray:
        """The classes in the order of the probabilities."""
        return self.pipeline.classes_

    def outputs(self, features: pd.DataFrame) -> np.ndarray:
        """Return class probabilities (n, n_classes) or predicted numbers (n,)."""
        with warnings.catch_warnings():
            # Unseen categories are reported by `unseen_categories`, with their column's name.
            warnings.filterwarnings("ignore", message="Found unknown categories", category=UserWarning)
            predict = self.pipeline.predict_proba if self.is_classifier else self.pipeline.predict
            return predict(features)

    def decide(self, outputs: np.ndarray) -> np.ndarray:
        """Turn outputs into predictions (n,): the most probable class, or the number itself."""
        return self.classes[np.argmax(outputs, axis=1)] if self.is_classifier else outputs

    def score(self, outputs: np.ndarray, y: np.ndarray) -> Scores:
        """Score outputs against the targets ``y`` (n,)."""
        if self.is_classifier:
            return score_classes(y, outputs, self.classes, np.array(self.class_shares))
        return score_numbers(y, outputs, self.target_mean)
