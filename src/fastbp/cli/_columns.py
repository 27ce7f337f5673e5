"""Kinds of columns, and how each is converted for the pipeline.

A column is one of `KINDS`.  The kind is decided once, from the training table, and stored with the model;
new tables are converted by the stored kind, so that a column read as text one day and as whole numbers the
next means the same on both.

========  ====================================  ===============================================
kind      in the training table                 handed to the pipeline as
========  ====================================  ===============================================
number    numbers; text that is nearly always   float64, missing = NaN
          a number
boolean   true and false                        float64: 1, 0, NaN
date      timestamps; text in one date format   float64: days since 1970-01-01 UTC
category  text with few distinct values         object: str, missing = NaN
ignored   constant, all missing, identifiers    nothing
========  ====================================  ===============================================
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from pandas.api import types

KINDS = ("number", "boolean", "date", "category", "ignored")

# This share of a text column's values must read as numbers (or dates) for it to count as one.
NEARLY_ALL = 0.95
# This many values are tried first, to see whether the whole column is worth parsing.
N_SAMPLED = 1000
# Text with more distinct values than both of these is an identifier or free text.
MAX_CATEGORIES_OF_FEW_ROWS = 20
MAX_SHARE_OF_DISTINCT = 0.5
# From here on, whole numbers going up or down in steps of one are a row counter.
MIN_ROWS_OF_A_COUNTER = 20

ISO_DATE = "ISO8601"
DATE_FORMATS = (ISO_DATE, "%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y")
TRUTH = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0}
DAY = pd.Timedelta(days=1)


@dataclass(frozen=True)
class Column:
    """A column and what it is taken for.

    Attributes
    ----------
    name : str
    kind : str
        One of `KINDS`.
    detail : str
        Why, for the user.
    date_format : str
        How to read a date that is text; empty otherwise.
    """

    name: str
    kind: str
    detail: str = ""
    date_format: str = ""


def infer_columns(frame: pd.DataFrame, forced: Mapping[str, str] | None = None) -> list[Column]:
    """Say for every column of a training table what it is.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
    forced : mapping of str to str, optional
        Kinds that the user has decided, by column name.
    """
    forced = forced or {}
    return [_forced(name, forced[name]) if name in forced else _infer(frame[name]) for name in frame.columns]


def as_features(frame: pd.DataFrame, columns: Sequence[Column]) -> tuple[pd.DataFrame, list[str]]:
    """Convert the used columns by their kinds.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, at least the used columns)
    columns : sequence of Column

    Returns
    -------
    features : DataFrame of shape (n_rows, n_used)
        float64 columns and object columns (categories).
    notes : list of str
        Values that could not be read as what their column is.
    """
    features: dict[str, np.ndarray] = {}
    notes = []
    for column in columns:
        if column.kind == "ignored":
            continue
        series = frame[column.name]
        features[column.name] = _convert(series, column)
        n_lost = int(pd.isna(features[column.name]).sum() - series.isna().sum())
        if n_lost:
            notes.append(f"{n_lost} values in {column.name!r} are not a {column.kind}: taken as missing")
    return pd.DataFrame(features, index=frame.index), notes


def as_numbers(series: pd.Series) -> np.ndarray:
    """Read a column as float64 (n_rows,); what is not a finite number becomes NaN."""
    plain = types.is_numeric_dtype(series.dtype) or types.is_bool_dtype(series.dtype)
    values = series if plain else series.astype("string")
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def as_text(series: pd.Series) -> np.ndarray:
    """Read a column as an object array (n_rows,) of str and NaN; whole numbers lose a trailing ".0"."""
    if types.is_float_dtype(series.dtype) and _is_whole(series):
        series = series.astype("Int64")
    text = np.full(len(series), np.nan, dtype=object)
    present = series.notna().to_numpy()
    text[present] = [str(value) for value in series[present]]
    return text


def as_truth(series: pd.Series) -> np.ndarray:
    """Read a column as float64 (n_rows,): 1 for true, 0 for false, NaN for everything else."""
    words = pd.Series(as_text(series)).astype("string").str.lower()
    return words.map(TRUTH).to_numpy(dtype="float64", na_value=np.nan)


def is_boolean(series: pd.Series) -> bool:
    """Tell whether a column holds true and false only (missing values aside)."""
    if types.is_bool_dtype(series.dtype):
        return True
    return series.dtype == object and all(isinstance(value, bool | np.bool_) for value in series.dropna())


def reads_as_number(series: pd.Series) -> bool:
    """Tell whether nearly all values of a text column are numbers."""
    return _nearly_all_read(series.dropna(), as_numbers)


def _forced(name: str, kind: str) -> Column:
    return Column(name, kind, "as you said")


def _infer(series: pd.Series) -> Column:
    name = str(series.name)
    present = series.dropna()
    if present.empty:
        return Column(name, "ignored", "all values are missing")
    try:
        n_distinct = present.nunique()
    except TypeError:
        return Column(name, "ignored", "nested values")
    missing = _missing(len(series) - len(present), len(series))
    if n_distinct == 1 and not missing:
        return Column(name, "ignored", "one value throughout")
    if is_boolean(series):
        return Column(name, "boolean", missing)
    if types.is_numeric_dtype(series.dtype):
        if _is_counter(series):
            return Column(name, "ignored", "counts the rows")
        detail = f"whole, {n_distinct:,} values" if _is_whole(present) else "decimal"
        return Column(name, "number", _join(detail, missing))
    if types.is_datetime64_any_dtype(series.dtype):
        return Column(name, "date", _join("taken as days since 1970", missing))
    return _infer_text(name, present, n_distinct, missing)


def _infer_text(name: str, present: pd.Series, n_distinct: int, missing: str) -> Column:
    if reads_as_number(present):
        return Column(name, "number", _join("text that is nearly always a number", missing))
    for date_format in DATE_FORMATS:
        if _nearly_all_read(present, partial(_as_days, date_format=date_format)):
            return Column(name, "date", _join("taken as days since 1970", missing), date_format)
    if n_distinct > max(MAX_CATEGORIES_OF_FEW_ROWS, MAX_SHARE_OF_DISTINCT * len(present)):
        return Column(name, "ignored", f"identifier or free text: {n_distinct:,} values")
    return Column(name, "category", _join(f"{n_distinct:,} values", missing))


def _convert(series: pd.Series, column: Column) -> np.ndarray:
    if column.kind == "number":
        return as_numbers(series)
    if column.kind == "boolean":
        return as_truth(series)
    if column.kind == "date":
        return _as_days(series, column.date_format)
    return as_text(series)


def _as_days(series: pd.Series, date_format: str) -> np.ndarray:
    if types.is_datetime64_any_dtype(series.dtype):
        moments = pd.to_datetime(series, utc=True)
    else:
        text = series.astype("string")
        if date_format == ISO_DATE:
            # The parser would also take "2024" or "20240131", which are more likely numbers.
            text = text.where(text.str.match(r"\d{4}-\d{2}", na=False))
        moments = pd.to_datetime(text, format=date_format or ISO_DATE, errors="coerce", utc=True)
    return ((moments - pd.Timestamp(0, tz="UTC")) / DAY).to_numpy(dtype="float64", na_value=np.nan)


def _nearly_all_read(present: pd.Series, read: Callable[[pd.Series], np.ndarray]) -> bool:
    for values in (present.iloc[:N_SAMPLED], present):
        if not len(values) or np.isnan(read(values)).mean() > 1.0 - NEARLY_ALL:
            return False
    return True


def _is_counter(series: pd.Series) -> bool:
    if len(series) < MIN_ROWS_OF_A_COUNTER or series.isna().any():
        return False
    steps = np.diff(as_numbers(series))
    return bool(np.all(steps == 1.0) or np.all(steps == -1.0))


def _is_whole(series: pd.Series) -> bool:
    numbers = as_numbers(series)
    numbers = numbers[~np.isnan(numbers)]
    return bool(np.all(numbers == np.floor(numbers)))


def _missing(n_missing: int, n_rows: int) -> str:
    if not n_missing:
        return ""
    share = 100.0 * n_missing / n_rows
    return f"{share:.1f} % missing" if share >= 0.1 else "< 0.1 % missing"


def _join(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
