"""The features of a table, a piece of its rows at a time."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from fastbp.tabular.columns import Column, date_parts
from fastbp.tabular.errors import counted
from fastbp.tabular.numbers import is_mark
from fastbp.tabular.table import Table

__all__ = ["MISSING_CATEGORY", "feature_kinds", "feature_pieces", "unreadable_values"]

MISSING_CATEGORY = "(missing)"
# Rows of a piece: DuckDB hands them over by 2,048.
_VECTORS_OF_A_PIECE = 32
_CONDITIONS_OF_A_QUERY = 100
# The types of which every value can be read as what a column is.
_TYPES = ("text", "number", "boolean", "date", "time", "nested")
_ALWAYS_READ = {
    "number": ("number", "boolean"),
    "boolean": ("boolean",),
    "date": ("date",),
    "time": ("time",),
    **dict.fromkeys(("category", "text", "ignored"), _TYPES),
}


def feature_kinds(columns: Sequence[Column]) -> dict[str, str]:
    """Return the kind of every feature, "number", "category" or "text", by its name."""
    kinds = {}
    names = {column.name for column in columns}
    for column in columns:
        if column.kind in ("category", "text"):
            kinds[column.name] = column.kind
        elif column.kind != "ignored":
            kinds[column.name] = "number"
            for part in column.parts:
                name = f"{column.name} ({part})"
                while name in names:  # another column may have this name
                    name += "'"
                kinds[name] = "number"
    return kinds


def feature_pieces(table: Table, columns: Sequence[Column]) -> Iterator[pd.DataFrame]:
    """Yield the features of a table, in the order of its rows.

    Parameters
    ----------
    table : Table
        It has all columns that are not ignored.
    columns : sequence of Column

    Yields
    ------
    DataFrame of shape (rows of the piece, n_features)
        float64 columns with NaN for missing values; object columns of str, without missing values, for categories and
        texts.
    """
    expressions = []
    for column in columns:
        if column.kind == "ignored":
            continue
        place, type_ = table.place(column.name), table.type(column.name)
        value = column.value(place, type_)
        if column.kind in ("category", "text"):
            empty = MISSING_CATEGORY if column.kind == "category" else ""
            value = f"coalesce({value}, '{empty}')"
        expressions += [value, *date_parts(column, place, type_).values()]
    kinds = feature_kinds(columns)
    cursor = table.select([f"{value} AS f{index}" for index, value in enumerate(expressions)])
    while len(piece := cursor.fetch_df_chunk(_VECTORS_OF_A_PIECE)):
        arrays = {}
        for (name, kind), (_, series) in zip(kinds.items(), piece.items(), strict=True):
            dtype = np.float64 if kind == "number" else object
            arrays[name] = series.to_numpy(dtype=dtype)
        yield pd.DataFrame(arrays)


def unreadable_values(table: Table, columns: Sequence[Column]) -> list[str]:
    """Say which values could not be read as what their column is, and are taken as missing."""
    columns = [column for column in columns if table.type(column.name) not in _ALWAYS_READ[column.kind]]
    conditions = []
    for column in columns:
        place, type_ = table.place(column.name), table.type(column.name)
        mark = is_mark(f"CAST({place} AS VARCHAR)")
        conditions.append(f"{place} IS NOT NULL AND NOT {mark} AND ({column.value(place, type_)}) IS NULL")
    counts: list[int] = []
    for first in range(0, len(conditions), _CONDITIONS_OF_A_QUERY):
        some = conditions[first : first + _CONDITIONS_OF_A_QUERY]
        counts += table.row([f"count(*) FILTER ({condition})" for condition in some])
    notes = []
    for column, condition, count in zip(columns, conditions, counts, strict=True):
        if count:
            (example,) = table.row([f"any_value(CAST({table.place(column.name)} AS VARCHAR)) FILTER ({condition})"])
            percent = 100.0 * count / table.n_rows
            share = f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"
            notes.append(
                f"{counted(count, 'value')} ({share}) in {column.name!r} cannot be read as a {column.kind}, "
                f"e.g. {example[:40]!r}: taken as missing"
            )
    return notes
