"""A model of a table: columns in, predictions out."""

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from fastbp.estimators import MLPClassifier, MLPRegressor
from fastbp.interop.labels import make_binarizer
from fastbp.mlp import MLP
from fastbp.tabular.columns import Column, rewritten
from fastbp.tabular.errors import TableError, listing
from fastbp.tabular.features import feature_pieces, unreadable_values
from fastbp.tabular.options import ReadOptions
from fastbp.tabular.pipeline import add_unseen, unseen_categories, unseen_notes
from fastbp.tabular.scores import Scores, score_classes, score_numbers
from fastbp.tabular.table import Table, open_table
from fastbp.tabular.target import Target
from fastbp.tabular.training import Settings

__all__ = ["Model", "as_estimator"]


@dataclass(frozen=True)
class Model:
    """What `fastbp train` saves: a scikit-learn pipeline, and what its table looked like.

    Attributes
    ----------
    pipeline : Pipeline
        From features to predictions.
    target : Target
    columns : list of Column
        The columns that it takes.
    class_shares : list of float
        Shares of the classes among the training rows, in the order of `classes`; empty for a regression.
    target_mean : float
        Mean of the training targets; 0 for a classification.
    options : ReadOptions
        What the user has said about missing values.
    id_column : str
        The column that says which row is which; empty for none.
    """

    pipeline: Pipeline
    target: Target
    columns: list[Column]
    class_shares: list[float]
    target_mean: float
    options: ReadOptions
    id_column: str = ""

    @property
    def is_classifier(self) -> bool:
        """Whether the target is a class."""
        return self.target.task == "classification"

    @property
    def classes(self) -> np.ndarray:
        """The classes, in the order of the probabilities."""
        return self.target.labels

    def predict(self, table: Any) -> np.ndarray:
        """Return the predictions for the rows of a table, (n_rows,).

        Parameters
        ----------
        table : path or data frame
            A file, or a data frame of pandas, polars or Arrow. It is read as the command line reads it: numbers, dates
            and categories may be text. Columns may be in any order, and more than the model needs.

        Raises
        ------
        TableError
            If the table cannot be read or lacks a column.

        Warns
        -----
        UserWarning
            If values could not be read or had to be guessed, or categories did not occur in training.
        """
        return self.decide(self._all_outputs(table))

    def predict_proba(self, table: Any) -> np.ndarray:
        """Return the probabilities of the classes for the rows of a table, (n_rows, n_classes); see `predict`."""
        if not self.is_classifier:
            raise AttributeError("a regression has no probabilities")
        return self._all_outputs(table)

    def _all_outputs(self, source: Any) -> np.ndarray:
        table = open_table(source, self.options)
        columns, notes = self.settle(table, self.options)
        pieces, unseen = [], dict[str, tuple[int, str]]()
        for piece, found in self.outputs(table, columns):
            pieces.append(piece)
            add_unseen(unseen, found)
        for note in [*notes, *unseen_notes(unseen)]:
            warnings.warn(note, UserWarning, stacklevel=3)
        return np.concatenate(pieces)

    def settle(self, table: Table, options: ReadOptions) -> tuple[list[Column], list[str]]:
        """Return the columns as a table writes them, and notes.

        Raises
        ------
        TableError
            If the table lacks a column.
        """
        missing = [column.name for column in self.columns if column.name not in table.names]
        if missing:
            raise TableError(f"the table lacks columns that the model needs: {listing(missing)}")
        columns, notes = rewritten(table, self.columns, options)
        notes += unreadable_values(table, columns)
        empty = [c.name for c in columns if table.row([f"count({table.place(c.name)})"]) == (0,)]
        if empty and table.n_rows > 1:  # in one row it is a missing value like any other
            notes.append(f"columns that the model needs are empty: {listing(empty)}")
        return columns, notes

    def unused(self, table: Table) -> list[str]:
        """Return the names of columns that the model does not use."""
        used = {column.name for column in self.columns} | {self.target.name, self.id_column}
        return [name for name in table.names if name not in used]

    def outputs(
        self, table: Table, columns: Sequence[Column]
    ) -> Iterator[tuple[np.ndarray, dict[str, tuple[int, str]]]]:
        """Yield outputs a piece at a time, with the categories that did not occur in training.

        The outputs are class probabilities (n, n_classes) or predicted numbers (n,).
        """
        for piece in feature_pieces(table, columns):
            yield self._predict(piece), unseen_categories(self.pipeline, piece)

    def _predict(self, features: pd.DataFrame) -> np.ndarray:
        with warnings.catch_warnings():
            # Unseen categories are reported with their column's name.
            warnings.filterwarnings("ignore", message="Found unknown categories", category=UserWarning)
            if self.is_classifier:
                return self.pipeline.predict_proba(features)
            inputs = self.pipeline[:-1].transform(features)
        model = self.pipeline["model"]
        # In float64, whatever the network's precision: the scale of the target may be beyond the range of float32.
        scaled = model.regressor_.predict(inputs).astype(np.float64)
        return scaled * model.transformer_.scale_ + model.transformer_.mean_

    def decide(self, outputs: np.ndarray) -> np.ndarray:
        """Turn outputs into predictions (n,): the most probable class, or the number itself."""
        return self.classes[np.argmax(outputs, axis=1)] if self.is_classifier else outputs

    def score(self, outputs: np.ndarray, y: np.ndarray) -> Scores:
        """Score outputs against targets ``y`` (n,): labels or numbers."""
        if self.is_classifier:
            return score_classes(y, outputs, self.classes, np.array(self.class_shares))
        return score_numbers(y, outputs, self.target_mean)


def as_estimator(network: MLP, target: Target, settings: Settings, scale: tuple[float, float]) -> Any:
    """Return a trained network as a fitted scikit-learn estimator.

    Parameters
    ----------
    network : MLP
    target : Target
    settings : Settings
    scale : (mean, standard deviation)
        A regression was trained on targets from which the mean was subtracted before they were divided.
    """
    kind = MLPClassifier if target.task == "classification" else MLPRegressor
    model = kind(
        hidden_layer_sizes=settings.hidden,
        activation=settings.activation,
        alpha=settings.weight_decay,
        learning_rate_init=settings.learning_rate,
        max_iter=max(1, network.history.n_iter),
        random_state=settings.seed,
        n_jobs=settings.n_threads,
    )
    model.coefs_, model.intercepts_ = list(network.weights), list(network.biases)
    model.out_activation_ = network.output
    model.n_features_in_, model.n_outputs_ = network.layer_sizes[0], network.layer_sizes[-1]
    model.n_layers_ = len(network.layer_sizes)
    model.n_iter_, model.t_ = network.history.n_iter, network.history.t
    model._no_improvement_count = 0
    model.loss_curve_, model.best_loss_ = list(network.history.loss_curve), math.inf
    model.validation_scores_ = model.best_validation_score_ = None
    if target.task == "classification":
        model.classes_ = target.labels
        model._label_binarizer = make_binarizer(model.classes_)
        return model
    scaler = StandardScaler()
    scaler.mean_, scaler.scale_ = np.array([scale[0]]), np.array([scale[1]])
    with np.errstate(over="ignore", under="ignore"):  # nobody reads it
        scaler.var_ = scaler.scale_**2
    scaler.n_samples_seen_, scaler.n_features_in_ = 1, 1
    whole = TransformedTargetRegressor(model, transformer=scaler, check_inverse=False)
    whole.regressor_, whole.transformer_, whole._training_dim = model, scaler, 1
    return whole
