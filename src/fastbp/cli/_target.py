"""What is to be predicted: classes or numbers, and why."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api import types

from fastbp.cli._columns import as_numbers, as_text, as_truth, is_boolean, reads_as_number
from fastbp.cli._errors import CommandError

TASKS = ("classification", "regression")
# Whole numbers with at most this many distinct values are taken for class labels.
MAX_INTEGER_CLASSES = 20
# More classes than this share of the rows cannot be learned: the column is no class label.
MAX_CLASSES_PER_ROW = 0.5


@dataclass(frozen=True)
class Target:
    """The column to predict.

    Attributes
    ----------
    name : str
    task : str
        One of `TASKS`.
    kind : str
        How its values are written: "text", "integer", "boolean" or "number".
    reason : str
        What the task was inferred from, for people.
    """

    name: str
    task: str
    kind: str
    reason: str = ""


def infer_target(series: pd.Series, task: str = "auto") -> Target:
    """Find out whether a column holds classes or numbers.

    Parameters
    ----------
    series : Series of shape (n_rows,)
        The target column as read.
    task : "auto", "classification" or "regression"
        What the user wants it to be.
    """
    name = str(series.name)
    kind = _kind(series)
    values = _values(series, kind)
    values = values[pd.notna(values)]
    if not len(values):
        raise CommandError(f"the target {name!r} has no values: all are missing")
    n_distinct = len(pd.unique(values))
    if n_distinct == 1:
        raise CommandError(f"the target {name!r} has a single value ({values[0]}): there is nothing to learn")
    target = _decide(name, kind, task, n_distinct)
    too_many = max(MAX_INTEGER_CLASSES, MAX_CLASSES_PER_ROW * len(values))
    if target.task == "classification" and n_distinct > too_many:
        raise CommandError(
            f"the target {name!r} has {n_distinct} distinct values in {len(values)} rows: no class labels"
        )
    return target


def target_values(series: pd.Series, target: Target) -> tuple[np.ndarray, np.ndarray]:
    """Convert the target column.

    Returns
    -------
    values : ndarray of shape (n_present,)
        float64 for a regression; str objects, int64 or bool for classes.
    present : ndarray of shape (n_rows,), bool
        The rows that have a value.
    """
    values = _values(series, target.kind)
    present = pd.notna(values)
    values = values[present]
    if target.task == "regression":
        return values.astype("float64"), present
    dtypes = {"integer": "int64", "boolean": "bool"}
    return values.astype(dtypes.get(target.kind, object)), present


def _kind(series: pd.Series) -> str:
    if is_boolean(series):
        return "boolean"
    if types.is_numeric_dtype(series.dtype) or reads_as_number(series):
        numbers = as_numbers(series)
        numbers = numbers[~np.isnan(numbers)]
        return "integer" if np.all(numbers == np.floor(numbers)) else "number"
    return "text"


def _values(series: pd.Series, kind: str) -> np.ndarray:
    if kind == "text":
        return as_text(series)
    if kind == "boolean":
        return as_truth(series)
    return as_numbers(series)


def _decide(name: str, kind: str, task: str, n_distinct: int) -> Target:
    if task == "regression":
        if kind == "text":
            raise CommandError(f"the target {name!r} is text: a regression needs numbers")
        return Target(name, task, kind, "as you said")
    if task == "classification":
        if kind == "number":
            raise CommandError(f"the target {name!r} has decimal numbers: classes need text or whole numbers")
        return Target(name, task, kind, "as you said")
    if kind == "text":
        return Target(name, "classification", kind, f"{n_distinct} text values")
    if kind == "boolean":
        return Target(name, "classification", kind, "true and false")
    if kind == "number":
        return Target(name, "regression", kind, "decimal numbers")
    few = n_distinct <= MAX_INTEGER_CLASSES
    return Target(
        name,
        "classification" if few else "regression",
        kind,
        f"{n_distinct} distinct whole numbers, {'at most' if few else 'more than'} {MAX_INTEGER_CLASSES}",
    )
