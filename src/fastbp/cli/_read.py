"""Reading tables from CSV and Parquet files strictly: a ragged file is an error, not a guess."""

import csv
import warnings
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow
import pyarrow.parquet

from fastbp.cli._errors import CommandError

TEXT_SUFFIXES = (".csv", ".tsv")
PARQUET_SUFFIXES = (".parquet", ".pq")
TABLE_SUFFIXES = TEXT_SUFFIXES + PARQUET_SUFFIXES
DELIMITERS = (",", ";", "\t", "|")
# Read as missing beside pandas' own list (empty, NA, N/A, NaN, NULL, None, ...): the UCI archive's mark.
EXTRA_MISSING = ("?",)


@dataclass(frozen=True)
class Table:
    """A table as read from a file.

    Attributes
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
        The data under unique column names.
    renamed : dict of str to str
        For every column whose name had already occurred: its name here to its name in the file.
    notes : list of str
        What was done that the file does not say.
    """

    frame: pd.DataFrame
    renamed: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_table(path: Path, as_text: Collection[str] = ()) -> Table:
    """Read a table.

    Parameters
    ----------
    path : Path
        A file whose extension is one of `TABLE_SUFFIXES`.
    as_text : collection of str
        Columns of a CSV file that stay as written ("007" is not 7).

    """
    suffix = path.suffix.lower()
    if suffix not in TABLE_SUFFIXES:
        raise CommandError(f"cannot read '{path}': the file name must end in {' or '.join(TABLE_SUFFIXES)}")
    try:
        if not path.stat().st_size:
            raise CommandError(f"'{path}' is empty")
        table = _read_text(path, as_text) if suffix in TEXT_SUFFIXES else _read_parquet(path)
    except FileNotFoundError as error:
        raise CommandError(f"there is no file '{path}'") from error
    except OSError as error:
        raise CommandError(f"cannot read '{path}': {error.strerror or error}") from error
    if not len(table.frame):
        raise CommandError(f"'{path}' has column names but no rows")
    return table


def _read_text(path: Path, as_text: Collection[str]) -> Table:
    try:
        delimiter, header = _read_header(path)
        names, renamed = _unique_names(header)
        with warnings.catch_warnings():
            # Surplus fields on every row are only a warning in pandas, and the data behind them are lost.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                path,
                sep=delimiter,
                header=0,
                names=names,
                index_col=False,
                dtype={name: "str" for name in names if name in as_text},
                na_values=list(EXTRA_MISSING),
                skipinitialspace=True,
                encoding="utf-8-sig",
                low_memory=False,
            )
    except UnicodeDecodeError as error:
        raise CommandError(f"'{path}' is not UTF-8 text; convert it first, for example with iconv") from error
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        reason = str(error).removeprefix("Error tokenizing data. C error: ")
        raise CommandError(f"'{path}' is not a regular table: {reason}") from error
    except (pd.errors.EmptyDataError, csv.Error, ValueError) as error:
        raise CommandError(f"cannot read '{path}': {error}") from error
    # pandas fills short rows up with missing values, always including the last column.
    if frame.iloc[:, -1].isna().any():
        _refuse_short_rows(path, delimiter, len(names))
    notes = []
    if delimiter != "," and path.suffix.lower() == ".csv":
        notes.append(f"the columns are separated by {delimiter!r}")
    return Table(frame, renamed, notes)


def _read_header(path: Path) -> tuple[str, list[str]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        line = next((line for line in file if line.strip()), "")
        if not line:
            raise CommandError(f"'{path}' is empty")
        counts = [line.count(delimiter) for delimiter in DELIMITERS]
        delimiter = DELIMITERS[counts.index(max(counts))]
        file.seek(0)
        return delimiter, next(row for row in csv.reader(file, delimiter=delimiter, skipinitialspace=True) if row)


def _refuse_short_rows(path: Path, delimiter: str, n_columns: int) -> None:
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
        for row in reader:
            if row and len(row) < n_columns:
                raise CommandError(
                    f"'{path}' is not a regular table: "
                    f"expected {n_columns} fields in line {reader.line_num}, saw {len(row)}"
                )


def _read_parquet(path: Path) -> Table:
    try:
        table = pyarrow.parquet.read_table(path)
    except pyarrow.ArrowException as error:
        raise CommandError(f"cannot read '{path}': {error}") from error
    names, renamed = _unique_names(table.column_names)
    for position, column in enumerate(table.columns):
        if pyarrow.types.is_dictionary(column.type):
            plain = column.cast(column.type.value_type)
            table = table.set_column(position, table.column_names[position], plain)
    # Without pandas' own metadata, so that a former index is an ordinary column.
    return Table(table.rename_columns(names).to_pandas(ignore_metadata=True), renamed)


def _unique_names(header: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    renamed: dict[str, str] = {}
    names: dict[str, None] = {}  # a set that keeps its order
    for position, raw in enumerate(header, start=1):
        name = base = raw.strip() or f"column {position}"
        count = 0
        while name in names:
            count += 1
            name = f"{base}.{count}"
        if count:
            renamed[name] = base
        names[name] = None
    return list(names), renamed
