"""What every column of a table is, and why.

The kind is decided once, from the training table, and stored with the model. How its values are written is found out
again for every table: a column may have decimal points in one file and decimal commas in the next.

========  ============================================  =======================================
kind      in the training table                         features
========  ============================================  =======================================
number    numbers, also with units and separators       one number
boolean   true and false                                0 or 1
date      dates, with or without a time                 days since 1970; month, weekday, hour
time      times of day, durations                       seconds
category  text with few distinct values                 the text
text      text of several words                         the text
ignored   constant, empty, identifiers, row counters    none
========  ============================================  =======================================
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fastbp.tabular.dates import date_part, days, moment, seconds
from fastbp.tabular.errors import TableError, counted
from fastbp.tabular.numbers import PLAIN, NumberFormat
from fastbp.tabular.options import ReadOptions
from fastbp.tabular.sql import category_text, lower_in
from fastbp.tabular.table import Table
from fastbp.tabular.writing import Writing, clear_format, usual_format, writings

__all__ = ["KINDS", "Column", "infer_columns", "rewritten"]

KINDS = ("number", "boolean", "date", "time", "category", "text", "ignored")
# Text with more distinct values than both of these is an identifier or free text.
MAX_CATEGORIES_OF_FEW_ROWS = 20
MAX_SHARE_OF_DISTINCT = 0.5
# Text with so many words in the mean and so many distinct values is free text, even if values recur.
MIN_WORDS_OF_TEXT, MIN_DISTINCT_OF_TEXT = 3.0, 200
# From here on, distinct whole numbers without gaps are row numbers, in any order.
MIN_ROWS_OF_A_COUNTER = 20
# Numbers beyond this magnitude are divided by a power of two: squares and float32 have limits.
LARGEST, SMALLEST = 1e15, 1e-15
_TRUTH = ("true", "false")
_NAME_OF_AN_ID = re.compile(r"(?i:(.*[_\s\-.])?(id|uuid|guid|index|row|rownum))|.*[a-z](Id|ID)")


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
    decimal, thousands : str
        How its numbers are written, where they are text.
    order : str
        How its dates are written: one of `dates.ORDERS`, or a format.
    parts : tuple of str
        Features of a date beside its day, see `dates.PARTS`.
    exponent : int
        Its numbers are divided by two to this power.
    """

    name: str
    kind: str
    detail: str = ""
    decimal: str = "."
    thousands: str = ","
    order: str = "iso"
    parts: tuple[str, ...] = ()
    exponent: int = 0

    @property
    def number_format(self) -> NumberFormat:
        """How its numbers are written."""
        return NumberFormat(self.decimal, self.thousands)

    def value(self, place: str, type_: str) -> str:
        """Return SQL for its value: a number, or a text.

        Parameters
        ----------
        place : str
            SQL of what the table has.
        type_ : str
            The type of that, see `Table.types`.
        """
        if self.kind == "category":
            # As pandas writes them to a file.
            truth = f"CASE WHEN {place} THEN 'True' WHEN NOT {place} THEN 'False' END"
            return truth if type_ == "boolean" else category_text(place)
        if self.kind == "text":
            return f"CAST({place} AS VARCHAR)"
        number = _NUMBER_OF[self.kind](self, place, type_)
        return f"{number} * {2.0**-self.exponent!r}" if self.exponent else number


def _moment(column: Column, place: str, type_: str) -> str:
    if type_ == "date":
        return f"CAST({place} AS TIMESTAMP)"
    # Numbers are such as 20201231, as float64 perhaps.
    return moment(category_text(place) if type_ == "number" else f"CAST({place} AS VARCHAR)", column.order)


def _as_number(column: Column, place: str, type_: str) -> str:
    if type_ in ("number", "boolean"):
        number = f"CAST({place} AS DOUBLE)"
        return f"CASE WHEN isfinite({number}) THEN {number} END"
    return column.number_format.value(f"CAST({place} AS VARCHAR)")


def _as_truth(column: Column, place: str, type_: str) -> str:
    if type_ == "boolean":
        return f"CAST({place} AS DOUBLE)"
    text = f"lower({category_text(place)})"
    return f"CASE WHEN {text} IN ('true', '1') THEN 1.0 WHEN {text} IN ('false', '0') THEN 0.0 END"


def _as_seconds(column: Column, place: str, type_: str) -> str:
    return f"CAST(epoch({place}) AS DOUBLE)" if type_ == "time" else seconds(f"CAST({place} AS VARCHAR)")


_NUMBER_OF = {
    "number": _as_number,
    "boolean": _as_truth,
    "date": lambda column, place, type_: days(_moment(column, place, type_)),
    "time": _as_seconds,
}


def date_parts(column: Column, place: str, type_: str) -> dict[str, str]:
    """Return SQL for the parts of a date, by their names."""
    when = _moment(column, place, type_)
    return {part: date_part(when, part) for part in column.parts}


def infer_columns(table: Table, options: ReadOptions, target: str) -> tuple[list[Column], list[str]]:
    """Say for every column of a training table but the target what it is.

    Parameters
    ----------
    table : Table
    options : ReadOptions
        `kinds` has the kinds that the user has decided.
    target : str

    Returns
    -------
    columns : list of Column
    notes : list of str
        What had to be guessed.
    """
    names = [name for name in table.names if name != target]
    # The target's numbers, too, show how the table writes them.
    texts = [name for name in table.names if table.type(name) == "text"]
    known = [name for name in texts if options.kinds.get(name, "").partition("=")[0] in ("number", "date")]
    found = writings(table, texts, options, known)
    usual = usual_format(table, found, options)
    columns, notes = [], []
    for name in names:
        column = _infer(table, name, found.get(name), usual, options)
        columns.append(_measure(table, column) if column.kind in _NUMBER_OF else column)
        _check_said(table, column, options)
        notes += _doubts(column, found.get(name), options)
    return columns, notes


def rewritten(table: Table, columns: Sequence[Column], options: ReadOptions) -> tuple[list[Column], list[str]]:
    """Return the columns of a model as another table writes them.

    Parameters
    ----------
    table : Table
        It has all columns.
    columns : sequence of Column
    options : ReadOptions

    Returns
    -------
    columns : list of Column
    notes : list of str
        What had to be guessed.
    """
    known = [c.name for c in columns if c.kind in ("number", "date") and table.type(c.name) == "text"]
    # The others, too, show how the table writes numbers; if none does, it is taken to be as in training.
    texts = [name for name in table.names if table.type(name) == "text"] if known else []
    found = writings(table, texts, options, known)
    usual = clear_format(table, found, options)
    result, notes = [], []
    for column in columns:
        if column.name in known:
            column = _write(column, found[column.name], usual or column.number_format)
            notes += _doubts(column, found[column.name], options)
        result.append(column)
    return result, notes


def _write(column: Column, writing: Writing, usual: NumberFormat) -> Column:
    """Return a column with the formats that read most of its values."""
    if column.kind == "number":
        form = writing.number_format(usual)
        return replace(column, decimal=form.decimal, thousands=form.thousands)
    if column.kind == "date" and any(writing.dates.values()) and "%" not in column.order:
        return replace(column, order=writing.date_order(column.order))
    return column


def _infer(table: Table, name: str, writing: Writing | None, usual: NumberFormat, options: ReadOptions) -> Column:
    type_, place = table.type(name), table.place(name)
    if name in options.kinds:
        kind, _, order = options.kinds[name].partition("=")
        column = Column(name, kind, "as you said", order=order or "iso")
        return _write(column, writing, usual) if writing else column
    if type_ == "nested":
        return Column(name, "ignored", "nested values")
    present, distinct = table.row([f"count({place})", f"count(DISTINCT {place})"])
    if not present:
        return Column(name, "ignored", "all values are missing")
    if distinct == 1 and present == table.n_rows:
        return Column(name, "ignored", "one value throughout")
    if writing is None:
        return Column(name, type_)
    return _infer_text(table, name, writing, usual, present, distinct)


def _infer_text(table: Table, name: str, writing: Writing, usual: NumberFormat, present: int, distinct: int) -> Column:
    place = table.place(name)
    many = distinct > max(MAX_CATEGORIES_OF_FEW_ROWS, MAX_SHARE_OF_DISTINCT * present)
    truth, zeros, words = table.row(
        [
            f"count(*) FILTER ({lower_in(place, _TRUTH)})",
            f"count(*) FILTER (regexp_full_match({place}, '0[0-9]+'))",
            f"avg(length({place}) - length(replace({place}, ' ', '')) + 1)",
        ]
    )
    if truth == writing.values > 0:
        return Column(name, "boolean")
    if writing.nearly_all(max(writing.numbers.values())) and (many or not zeros):
        return _write(Column(name, "number"), writing, usual)
    if writing.dates and writing.nearly_all(max(writing.dates.values())):
        column = Column(name, "date", order="dmy" if usual.decimal == "," else "mdy")
        return _write(column, writing, usual)
    if writing.nearly_all(writing.times):
        return Column(name, "time")
    if words >= MIN_WORDS_OF_TEXT and distinct >= MIN_DISTINCT_OF_TEXT:
        return Column(name, "text", f"{counted(distinct, 'text')}, {counted(round(words), 'word')} each")
    if many:
        if words >= MIN_WORDS_OF_TEXT - 1:
            return Column(name, "text", f"{counted(distinct, 'text')}, {counted(round(words), 'word')} each")
        return Column(name, "ignored", f"identifier: {counted(distinct, 'value')}")
    kinds = ("code with leading zeros", "codes with leading zeros") if zeros else ("value",)
    return Column(name, "category", _join(counted(distinct, *kinds), _missing(table.n_rows - present, table.n_rows)))


def _measure(table: Table, column: Column) -> Column:
    """Describe a column of numbers, and see that it is none of row numbers."""
    place, type_ = table.place(column.name), table.type(column.name)
    value = column.value(place, type_)
    if column.kind == "date":
        return _measure_date(table, column, value)
    present, distinct, is_whole, low, high = table.row(
        ["count(v)", "count(DISTINCT v)", "bool_and(v = floor(v))", "min(v)", "max(v)"], v=value
    )
    missing = _missing(table.n_rows - present, table.n_rows)
    if column.detail or not present:
        return replace(column, exponent=_exponent(low, high))
    if column.kind != "number":
        return replace(column, detail=_join("seconds" if column.kind == "time" else "", missing))
    unique = is_whole and distinct == table.n_rows >= MIN_ROWS_OF_A_COUNTER
    if unique and high - low + 1 == distinct:
        return Column(column.name, "ignored", "numbers the rows")
    if unique and _NAME_OF_AN_ID.fullmatch(column.name):
        return Column(column.name, "ignored", "identifier: all values differ")
    written = "" if column.number_format == PLAIN else f"written like 1{column.thousands}234{column.decimal}5"
    detail = f"whole, {counted(distinct, 'value')}" if is_whole else "decimal"
    return replace(column, detail=_join(detail, written, missing), exponent=_exponent(low, high))


def _measure_date(table: Table, column: Column, value: str) -> Column:
    place, type_ = table.place(column.name), table.type(column.name)
    hour = date_part(_moment(column, place, type_), "hour")
    present, low, high, hours = table.row(["count(v)", "min(v)", "max(v)", "coalesce(max(h), 0)"], v=value, h=hour)
    if not present:
        return column
    span = high - low
    parts = (*(["month"] if span > 45 else []), *(["weekday"] if span > 7 else []), *(["hour"] if hours else []))
    missing = _missing(table.n_rows - present, table.n_rows)
    detail = column.detail or _join(f"days since 1970{''.join(', ' + part for part in parts)}", missing)
    return replace(column, detail=detail, parts=parts)


def _check_said(table: Table, column: Column, options: ReadOptions) -> None:
    """Raise an error if no value of a column can be read as what the user has said that it is."""
    if column.name not in options.kinds or column.kind not in _NUMBER_OF:
        return
    place = table.place(column.name)
    value = column.value(place, table.type(column.name))
    present, read, example = table.row(["count(p)", "count(v)", "any_value(CAST(p AS VARCHAR))"], p=place, v=value)
    if present and not read:
        raise TableError(f"no value of {column.name!r} can be read as a {column.kind}, e.g. {example[:40]!r}")


def _exponent(low: float | None, high: float | None) -> int:
    largest = max(abs(low or 0.0), abs(high or 0.0))
    if largest == 0.0 or SMALLEST <= largest <= LARGEST:
        return 0
    return min(max(math.frexp(largest)[1], -1000), 1000)


def _doubts(column: Column, writing: Writing | None, options: ReadOptions) -> list[str]:
    """Say what could as well have been read otherwise."""
    if writing is None:
        return []
    if column.kind == "number" and options.decimal is None and options.thousands is None and writing.is_unclear:
        other = "," if column.decimal == "." else "."
        what = f"{column.name!r}: a single {other!r} or {column.decimal!r} could mean either"
        return [f"{what}; the decimal separator is taken to be {column.decimal!r}, --decimal overrules"]
    if column.kind == "date" and options.dayfirst is None and column.order in ("mdy", "dmy"):
        counts = writing.dates
        if counts.get("mdy") == counts.get("dmy"):
            first = "day" if column.order == "dmy" else "month"
            return [f"dates in {column.name!r} are read with the {first} first; --dayfirst or --monthfirst overrules"]
    return []


def _missing(n_missing: int, n_rows: int) -> str:
    if n_missing <= 0:
        return ""
    share = 100.0 * n_missing / n_rows
    return f"{share:.1f} % missing" if share >= 0.1 else "< 0.1 % missing"


def _join(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
