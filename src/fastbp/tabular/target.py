"""What is to be predicted: classes or numbers, and why."""

from dataclasses import dataclass, replace

import numpy as np

from fastbp.tabular.columns import Column, rewritten
from fastbp.tabular.errors import TableError, counted
from fastbp.tabular.numbers import is_mark
from fastbp.tabular.options import ReadOptions
from fastbp.tabular.sql import category_text
from fastbp.tabular.table import Table
from fastbp.tabular.writing import usual_format, writings

__all__ = ["TASKS", "Target", "class_numbers", "infer_target", "target_numbers"]

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
        What the classes are: "text", "integer" or "boolean"; "number" for a regression.
    classes : tuple of str
        The labels, as the file writes them, in the order of the model's classes; empty for a regression.
    reason : str
        What the task was inferred from, for people.
    decimal, thousands : str
        How its numbers are written.
    """

    name: str
    task: str
    kind: str
    classes: tuple[str, ...] = ()
    reason: str = ""
    decimal: str = "."
    thousands: str = ","

    @property
    def column(self) -> Column:
        """The column of numbers of a regression."""
        return Column(self.name, "number", decimal=self.decimal, thousands=self.thousands)

    @property
    def labels(self) -> np.ndarray:
        """The classes as the model knows them: str objects, int64 or bool; in ascending order."""
        if self.kind == "integer":
            return np.array([int(label) for label in self.classes], dtype=np.int64)
        if self.kind == "boolean":
            return np.array([label == "True" for label in self.classes])
        return np.array(self.classes, dtype=object)


def _label(table: Table, name: str, kind: str = "text") -> str:
    """SQL for a label as the file writes it; true and false as Python does."""
    place = table.place(name)
    if kind == "integer" and table.type(name) == "text":
        return f"CASE WHEN NOT {is_mark(place)} THEN {place} END"
    if table.type(name) == "boolean":
        return f"CASE WHEN {place} THEN 'True' WHEN NOT {place} THEN 'False' END"
    return category_text(place) if table.type(name) == "number" else f"CAST({place} AS VARCHAR)"


def infer_target(table: Table, name: str, task: str, options: ReadOptions) -> Target:
    """Find out whether a column holds classes or numbers.

    Parameters
    ----------
    table : Table
    name : str
    task : "auto", "classification" or "regression"
        What the user wants it to be.
    options : ReadOptions

    Raises
    ------
    TableError
        If it can be neither, or not what the user wants.
    """
    if table.type(name) == "nested":
        raise TableError(f"the target {name!r} has nested values")
    label = _label(table, name)
    present, distinct = table.row([f"count({label})", f"count(DISTINCT {category_text(label)})"])
    if not present:
        raise TableError(f"the target {name!r} has no values: all are missing")
    if distinct == 1:
        (only,) = table.row([f"any_value({label})"])
        raise TableError(f"the target {name!r} has a single value ({only}): there is nothing to learn")
    target, is_whole, doubt = _as_numbers(table, name, options)
    if target is None and task == "regression":
        raise TableError(f"the target {name!r} is no column of numbers: a regression needs numbers")
    if task == "classification" and target is not None and not is_whole:
        raise TableError(f"the target {name!r} has decimal numbers: classes need text or whole numbers")
    said = "as you said" if task != "auto" else ""
    if target is not None and (task == "regression" or (task == "auto" and target.task == "regression")):
        return replace(target, task="regression", reason=(said or target.reason) + doubt)
    reason = (said or (target.reason if target else f"{counted(distinct, 'value')}, not numbers")) + doubt
    return _as_classes(table, name, label, present, distinct, reason)


def _as_numbers(table: Table, name: str, options: ReadOptions) -> tuple[Target | None, bool, str]:
    """Return the target as numbers if it can be, whether all are whole, and a doubt; the task is a proposal."""
    type_, place = table.type(name), table.place(name)
    target = Target(name, "regression", "number")
    leading_zeros, doubt = 0, ""
    if type_ == "text":
        found = writings(table, [name], options)
        if not found[name].nearly_all(max(found[name].numbers.values())):
            return None, False, ""
        usual = usual_format(table, found, options)
        if found[name].is_unclear and options.decimal is None and options.thousands is None:
            others = [other for other in table.names if table.type(other) == "text"]
            usual = usual_format(table, writings(table, others, options), options)
            doubt = f"; the decimal separator is taken to be {usual.decimal!r}, --decimal overrules"
        form = found[name].number_format(usual)
        target = replace(target, decimal=form.decimal, thousands=form.thousands)
        (leading_zeros,) = table.row([f"count(*) FILTER (regexp_full_match({place}, '0[0-9]+'))"])
    elif type_ != "number":
        return None, False, ""
    value = target.column.value(place, type_)
    is_whole, distinct = table.row(
        [f"bool_and({value} = floor({value}))", f"count(DISTINCT {category_text(place)}) FILTER ({value} IS NOT NULL)"]
    )
    if not distinct:
        return None, False, ""
    if not is_whole:
        return replace(target, reason="decimal numbers"), False, doubt
    if leading_zeros:
        return replace(target, task="classification", reason="codes with leading zeros"), True, doubt
    few = distinct <= MAX_INTEGER_CLASSES
    reason = f"{counted(distinct, 'distinct whole number')}, {'at most' if few else 'more than'} {MAX_INTEGER_CLASSES}"
    return replace(target, task="classification" if few else "regression", reason=reason), True, doubt


def _as_classes(table: Table, name: str, label: str, present: int, distinct: int, reason: str) -> Target:
    if distinct > max(MAX_INTEGER_CLASSES, MAX_CLASSES_PER_ROW * present):
        found, number = counted(distinct, "distinct value"), counted(present, "row")
        raise TableError(f"the target {name!r} has {found} in {number}: no class labels")
    cursor = table.connection.execute(
        f"SELECT min({label}), bool_and({is_mark(label)}) FROM data WHERE {label} IS NOT NULL "
        f"GROUP BY {category_text(label)}"
    )
    rows = cursor.fetchall()
    classes = sorted(label for label, _ in rows)
    kind = "text"
    numbers = [label for label, marks_missing in rows if not marks_missing]
    if table.type(name) == "boolean":
        kind = "boolean"
    elif numbers and all(_is_plain_integer(text) for text in numbers):
        kind, classes = "integer", sorted(numbers, key=int)
    if len(classes) == 1:
        raise TableError(f"the target {name!r} has a single value ({classes[0]}): there is nothing to learn")
    return Target(name, "classification", kind, tuple(classes), reason)


def _is_plain_integer(text: str) -> bool:
    try:
        return str(int(text)) == text and -(2**63) <= int(text) < 2**63
    except ValueError:
        return False


def class_numbers(table: Table, target: Target) -> tuple[np.ndarray, list[str]]:
    """Return the number of the class of every row, int32 (n_rows,): -1 where it is missing, -2 where it is unknown.

    Returns
    -------
    numbers : ndarray of int32, (n_rows,)
    unknown : list of str
        Up to three labels that are no classes of the target.
    """
    label = _label(table, target.name, target.kind)
    keys = "[" + ", ".join(category_text("$" + str(index + 1)) for index in range(len(target.classes))) + "]"
    place = f"coalesce(array_position({keys}, {category_text(label)}), -1)"
    query = f"SELECT CASE WHEN {label} IS NULL THEN -1 ELSE {place} - 1 END AS number FROM data"
    cursor = table.connection.cursor().execute(query, list(target.classes))
    numbers = cursor.fetchnumpy()["number"]
    numbers = np.asarray(np.ma.filled(numbers, -1), dtype=np.int32)
    unknown: list[str] = []
    if (numbers == -2).any():
        query = f"SELECT DISTINCT {label} FROM data WHERE {label} IS NOT NULL AND {place} < 0 LIMIT 3"
        unknown = [row[0] for row in table.connection.cursor().execute(query, list(target.classes)).fetchall()]
    return numbers, unknown


def target_numbers(table: Table, target: Target, options: ReadOptions) -> tuple[np.ndarray, int]:
    """Return the target of every row of a regression, float64 (n_rows,) with NaN, and how many cannot be read."""
    (column,), _ = rewritten(table, [target.column], options)
    place, type_ = table.place(target.name), table.type(target.name)
    value = column.value(place, type_)
    lost = 0
    if type_ == "text":
        (lost,) = table.row([f"count(*) FILTER ({place} IS NOT NULL AND NOT {is_mark(place)} AND {value} IS NULL)"])
    elif type_ != "number":
        raise TableError(f"the column {target.name!r} has no numbers to compare with")
    numbers = table.select([f"{value} AS number"]).fetchnumpy()["number"]
    return np.ma.filled(np.ma.asarray(numbers, dtype=np.float64), np.nan), lost
