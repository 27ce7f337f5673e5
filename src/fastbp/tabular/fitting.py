"""From a table to a trained model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from fastbp.tabular.columns import Column
from fastbp.tabular.errors import TableError, counted
from fastbp.tabular.features import feature_pieces
from fastbp.tabular.inputs import Inputs, compact_inputs
from fastbp.tabular.model import Model, as_estimator
from fastbp.tabular.options import ReadOptions
from fastbp.tabular.pipeline import build_preprocessing
from fastbp.tabular.scores import Scores
from fastbp.tabular.table import Table
from fastbp.tabular.target import Target, class_numbers, target_numbers
from fastbp.tabular.training import Settings, Trained, split, train_network

__all__ = ["Rows", "choose_rows", "fit_model", "score_rows"]

# Medians, means and categories of larger tables are those of so many rows, chosen at random.
MOST_ROWS_FITTED = 200_000
# With fewer training rows a network is not worth its name.
MIN_TRAINING_ROWS = 4


@dataclass(frozen=True)
class Rows:
    """Targets, and the rows for training, validation and the report.

    Attributes
    ----------
    y : ndarray, (n_rows,)
        Class numbers, negative where there is none; or numbers, NaN where there is none.
    fitting, validation, test : ndarray of int
        Numbers of rows with a target, ascending.
    notes : list of str
    """

    y: np.ndarray
    fitting: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    notes: list[str]

    @property
    def training(self) -> np.ndarray:
        """Rows for training, then those for validation."""
        return np.concatenate([self.fitting, self.validation])


def choose_rows(table: Table, target: Target, options: ReadOptions, settings: Settings, test_fraction: float) -> Rows:
    """Read the target, and split the rows that have one.

    Raises
    ------
    TableError
        If there are too few rows.
    """
    classes = target.task == "classification"
    notes = []
    if classes:
        y, _ = class_numbers(table, target)
        present = np.flatnonzero(y >= 0)
        counts = np.bincount(y[present], minlength=len(target.classes))
        single = [target.classes[index] for index in np.flatnonzero(counts == 1)]
        if single:
            alone = counted(len(single), "class has", "classes have")
            notes.append(f"{alone} a single row, e.g. {single[0]!r}: not in the report")
    else:
        y, lost = target_numbers(table, target, options)
        present = np.flatnonzero(np.isfinite(y))
        if lost:
            notes.append(f"{counted(lost, 'value')} of the target {target.name!r} cannot be read as a number: left out")
    if len(present) < table.n_rows:
        notes.append(f"{counted(table.n_rows - len(present), 'row')} without a target: left out")
    training, test = split(y[present], test_fraction, settings.seed, stratify=classes)
    if len(training) < MIN_TRAINING_ROWS:
        raise TableError(f"{counted(len(training), 'row')} left for training: too few")
    if test_fraction and not len(test):
        raise TableError(f"there are too few rows to hold out {test_fraction:.0%} of them; try --test-fraction 0")
    training, test = present[training], present[test]
    fitting, validation = split(y[training], settings.validation_fraction, settings.seed, stratify=classes)
    if settings.validation_fraction and len(validation) < 2:
        notes.append("too few rows for a validation set: the network trains for all epochs")
        fitting, validation = np.arange(len(training)), fitting[:0]
    return Rows(y, training[fitting], training[validation], test, notes)


def fit_model(
    table: Table, target: Target, columns: Sequence[Column], rows: Rows, settings: Settings, options: ReadOptions
) -> tuple[Model, Trained]:
    """Train a model.

    Parameters
    ----------
    table : Table
    target : Target
    columns : sequence of Column
        At least one that is not ignored.
    rows : Rows
    settings : Settings
    options : ReadOptions
    """
    used = [column for column in columns if column.kind != "ignored"]
    training = rows.training
    preprocessing = build_preprocessing(used, settings.dtype, len(training))
    preprocessing.fit(_some_rows(table, used, training, settings.seed))
    table.release_memory()
    x = _inputs(table, used, preprocessing, training)
    y = rows.y[training]
    classes = target.task == "classification"
    mean, scale, shares = 0.0, 1.0, []
    if classes:
        n_classes = len(target.classes)
        shares = [float(count) / len(y) for count in np.bincount(y, minlength=n_classes)]
        loss, n_outputs = ("log_loss", n_classes) if n_classes > 2 else ("binary_log_loss", 1)
        y = y if n_classes > 2 else y.astype(settings.dtype)
    else:
        loss, n_outputs = "squared_error", 1
        mean, scale = _mean_and_scale(y)
        y = ((y - mean) / scale).astype(settings.dtype)
    trained = train_network(x, y, len(rows.fitting), loss, n_outputs, settings)
    model = as_estimator(trained.network, target, settings, (mean, scale))
    pipeline = Pipeline([*preprocessing.steps, ("model", model)])
    return Model(pipeline, target, used, shares, mean, ReadOptions(missing=options.missing)), trained


def score_rows(model: Model, table: Table, rows: np.ndarray, y: np.ndarray) -> Scores:
    """Score a model on some rows of its training table.

    Parameters
    ----------
    model : Model
    table : Table
    rows : ndarray of int
        Ascending.
    y : ndarray, (n_rows,)
        See `Rows`.
    """
    outputs = [model._predict(piece) for _, piece in _pieces_of(table, model.columns, rows)]
    truth = model.classes[y[rows]] if model.is_classifier else y[rows]
    return model.score(np.concatenate(outputs), truth)


def _mean_and_scale(y: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation, without overflow for targets of any magnitude."""
    unit = float(np.abs(y).max()) or 1.0
    mean = float((y / unit).mean())
    return mean * unit, float((y / unit - mean).std()) * unit or unit


def _pieces_of(table: Table, columns: Sequence[Column], rows: np.ndarray) -> Iterator[tuple[np.ndarray, pd.DataFrame]]:
    """Yield some rows, given in ascending order: their numbers, and their features."""
    begin = 0
    for piece in feature_pieces(table, columns):
        first, last = np.searchsorted(rows, [begin, begin + len(piece)])
        if last > first:
            yield rows[first:last], piece.iloc[rows[first:last] - begin]
        begin += len(piece)


def _some_rows(table: Table, columns: Sequence[Column], rows: np.ndarray, seed: int) -> pd.DataFrame:
    """Return the features of at most `MOST_ROWS_FITTED` of some rows."""
    if len(rows) > MOST_ROWS_FITTED:
        rows = np.random.default_rng(seed).choice(rows, MOST_ROWS_FITTED, replace=False)
    return pd.concat([piece for _, piece in _pieces_of(table, columns, np.sort(rows))], ignore_index=True)


def _inputs(table: Table, columns: Sequence[Column], preprocessing: Pipeline, rows: np.ndarray) -> Inputs:
    """Return the inputs of the network for some rows, in their order."""
    order = np.argsort(rows, kind="stable")

    def pieces() -> Iterator[tuple[np.ndarray, pd.DataFrame]]:
        begin = 0
        for numbers, piece in _pieces_of(table, columns, rows[order]):
            yield order[begin : begin + len(numbers)], piece
            begin += len(numbers)

    return compact_inputs(preprocessing, pieces(), len(rows))
