"""A table of any source as a view in DuckDB."""

import errno
import lzma
import re
import sys
import tempfile
import weakref
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from fastbp.interop.libraries import install_command
from fastbp.tabular.database import Connection, QueryError
from fastbp.tabular.errors import TableError, counted
from fastbp.tabular.options import ReadOptions
from fastbp.tabular.sql import category_text, file_name, identifier, quoted
from fastbp.tabular.text_files import COMPRESSIONS, find_layout, plain_utf8, read_rows
from fastbp.threads.cpus import allowed_cpus

__all__ = ["TABLE_SUFFIXES", "Table", "open_table"]

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
PARQUET_SUFFIXES = (".parquet", ".pq")
JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
EXCEL_SUFFIXES = (".xlsx",)
TABLE_SUFFIXES = TEXT_SUFFIXES + PARQUET_SUFFIXES + JSON_SUFFIXES + EXCEL_SUFFIXES
# What DuckDB may hold in memory while a table is looked at, and later; the rest of the table waits on disk. Every
# thread needs a part of it.
_MEMORY, _LITTLE_MEMORY = "400MB", "150MB"
_MOST_THREADS = 4
# Every query reads the definition of a view, and there are several for every column.
_MOST_COLUMNS_OF_A_VIEW = 200
_NUMBERED = re.compile(r"(.*)_[0-9]+", re.DOTALL)
_BLANKS = " \t\r\n\u00a0\u202f\ufeff"
_BLANK_AT_AN_END = r"^[ \t\r\n\x{00A0}\x{202F}\x{FEFF}]|[ \t\r\n\x{00A0}\x{202F}\x{FEFF}]$"
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL", "U")


@dataclass
class Table:
    """A table.

    Attributes
    ----------
    connection : Connection
        It has the view ``data``: texts without blanks around them, numbers and others as they are; empty texts are
        NULL. Its columns are c0, c1 and so on.
    names : list of str
        Unique names of the columns.
    types : list of str
        "text", "number", "boolean", "date", "time" or "nested".
    renamed : dict of str to str
        For every column whose name had already occurred: its name here to its name in the file.
    notes : list of str
        What was done that the file does not say.
    n_rows : int
    delimiter : str
        Separator of a text file; empty for others.
    """

    connection: Connection
    names: list[str]
    types: list[str]
    renamed: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    n_rows: int = 0
    delimiter: str = ""

    def place(self, name: str) -> str:
        """Return the name of a column in the view."""
        return f"c{self.names.index(name)}"

    def type(self, name: str) -> str:
        """Return the type of a column."""
        return self.types[self.names.index(name)]

    def row(self, expressions: Iterable[str], **given: str) -> tuple[Any, ...]:
        """Return the values of some aggregates over all rows.

        Parameters
        ----------
        expressions : iterable of str
        **given : str
            SQL of what the expressions use under these names, instead of the columns; it is computed once.
        """
        source = "data"
        if given:
            source = f"(SELECT {', '.join(f'{sql} AS {name}' for name, sql in given.items())} FROM data)"
        row = self.connection.execute(f"SELECT {', '.join(expressions)} FROM {source}").fetchone()
        assert row is not None
        return row

    def release_memory(self) -> None:
        """Leave most of the memory to others: from here on, more of the table waits on disk."""
        self.connection.execute(f"SET memory_limit = '{_LITTLE_MEMORY}'")

    def select(self, expressions: Sequence[str]) -> Connection:
        """Return a cursor with some expressions of all rows, in order."""
        return self.connection.cursor().execute(f"SELECT {', '.join(expressions)} FROM data")


def open_table(source: Any, options: ReadOptions | None = None) -> Table:
    """Open a table.

    Parameters
    ----------
    source : path, "-" or data frame
        A file whose extension (before one of a compression) is one of `TABLE_SUFFIXES`; "-" for standard input, which
        must be text; or a data frame of pandas, polars or Arrow.
    options : ReadOptions, optional

    Raises
    ------
    TableError
        If the table cannot be read. The message names the file.
    """
    options = options or ReadOptions()
    folder = _temporary_folder()
    threads = min(_MOST_THREADS, allowed_cpus())
    database = duckdb.connect(config={"memory_limit": _MEMORY, "threads": threads, "temp_directory": folder.name})
    weakref.finalize(database, folder.cleanup)
    title = _title(source)
    connection = Connection(database, f"cannot read {title}")
    connection.execute("SET timezone = 'UTC'")
    if not isinstance(source, str | Path):
        return _open(connection, options, lambda: _from_frame(connection, source), title)
    try:
        path = _copy_of_input(Path(folder.name)) if str(source) == "-" else Path(source)
        return _open(connection, options, lambda: _from_file(connection, path, options, Path(folder.name)), title)
    except FileNotFoundError as error:
        raise TableError(f"there is no file {title}") from error
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        if getattr(error, "errno", None) == errno.ENOSPC:
            reason = f"there is too little space for a copy in {tempfile.gettempdir()}"
        raise TableError(f"cannot read {title}: {reason}") from error


def _title(source: Any) -> str:
    if not isinstance(source, str | Path):
        return "the table"
    return "standard input" if str(source) == "-" else f"'{source}'"


def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="fastbp-", ignore_cleanup_errors=True)
    except OSError as error:
        raise TableError(f"cannot make a folder for temporary files: {error.strerror or error}") from error


def _open(connection: Connection, options: ReadOptions, load: Callable[[], tuple], title: str) -> Table:
    """Load a table into ``cells``, and describe it."""
    try:
        header, notes, delimiter = load()
        names, renamed = _unique_names(header)
        table = Table(connection, names, [], renamed, notes, delimiter=delimiter)
        _make_view(table, options)
    except QueryError:
        raise
    except TableError as error:
        text = str(error)
        raise TableError(f"{title} {text}" if text.startswith("is ") else f"cannot read {title}: {text}") from error
    except duckdb.Error as error:
        raise TableError(f"cannot read {title}: {str(error).splitlines()[0]}") from error
    if not table.n_rows:
        raise TableError(f"{title} has column names but no rows")
    return table


def _copy_of_input(folder: Path) -> Path:
    if sys.stdin is None:
        raise TableError("cannot read standard input: it is closed")
    copy = folder / "input.csv"
    with open(copy, "wb") as file:
        while piece := sys.stdin.buffer.read(1 << 20):
            file.write(piece)
    return copy


def _from_file(
    connection: Connection, path: Path, options: ReadOptions, folder: Path
) -> tuple[list[str], list[str], str]:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    suffix = suffixes[-2] if len(suffixes) > 1 and suffixes[-1] in COMPRESSIONS else (suffixes or [""])[-1]
    if suffix not in TABLE_SUFFIXES:
        raise TableError(f"the file name must end in {' or '.join(TABLE_SUFFIXES)}, or one of these and .gz")
    if path.exists() and not path.is_file():
        raise TableError("it is no ordinary file; - reads from standard input")
    if not path.stat().st_size:
        raise TableError("it is empty")
    if suffix in TEXT_SUFFIXES:
        return _from_text(connection, path, options, folder)
    if suffix in EXCEL_SUFFIXES:
        return _from_excel(connection, path, options)
    if suffix != suffixes[-1] and (suffix in PARQUET_SUFFIXES or suffixes[-1] != ".gz"):
        raise TableError(f"a {suffix} file must not be compressed as {suffixes[-1]}")
    file = file_name(path)
    if suffix in PARQUET_SUFFIXES:
        connection.execute(f"CREATE VIEW source AS FROM read_parquet({file}, hive_partitioning=false)")
        names = f"SELECT name FROM parquet_schema({file})"
    else:
        names = f"SELECT DISTINCT unnest(json_keys(json)) FROM read_json_objects({file}, hive_partitioning=false)"
        _from_json(connection, file, names)
    return _from_source(connection, lambda: {row[0] for row in connection.execute(names).fetchall()})


def _from_json(connection: Connection, file: str, names: str) -> None:
    """Make the view ``source``; numbers are texts in columns with whole numbers that float64 cannot hold."""
    options = "sample_size=-1, map_inference_threshold=-1, hive_partitioning=false"
    connection.execute(f"CREATE VIEW source AS FROM read_json({file}, {options})")
    types = {row[0]: row[1] for row in connection.execute("DESCRIBE source").fetchall()}
    floats = [name for name, kind in types.items() if kind == "DOUBLE"]
    if not floats:
        return
    large = [f"bool_or(abs({identifier(name)}) >= {2.0**53!r})" for name in floats]
    found = connection.execute(f"SELECT {', '.join(large)} FROM source").fetchone()
    assert found is not None
    # Columns that DuckDB has renamed could not be found under their new names.
    if any(found) and set(types) <= {row[0] for row in connection.execute(names).fetchall()}:
        types.update({name: "VARCHAR" for name, is_large in zip(floats, found, strict=True) if is_large})
        columns = ", ".join(f"{quoted(name)}: {quoted(kind)}" for name, kind in types.items())
        connection.execute(
            f"CREATE OR REPLACE VIEW source AS FROM read_json({file}, columns={{{columns}}}, hive_partitioning=false)"
        )


def _from_text(
    connection: Connection, path: Path, options: ReadOptions, folder: Path
) -> tuple[list[str], list[str], str]:
    plain, notes = plain_utf8(path, options.encoding, folder)
    layout = find_layout(plain, options)
    count = len(layout.header)
    read_rows(connection, plain.resolve(), layout, count, options.header)
    notes = notes + layout.notes
    if not options.header:
        return [""] * count, notes, layout.delimiter
    # A header that is repeated among the rows, as in files that were joined. A single name may be a value.
    same = [
        f"trim(c{i}, {quoted(_BLANKS)}) IS NOT DISTINCT FROM {quoted(name.strip())}"
        for i, name in enumerate(layout.header)
        if name.strip()
    ]
    if len(same) > 1:
        deleted = connection.execute(f"DELETE FROM cells WHERE {' AND '.join(same)}").fetchone()
        if deleted and deleted[0]:
            repeating = counted(deleted[0], "row repeats", "rows repeat")
            notes.append(f"{repeating} the column names: left out")
    return layout.header, notes, layout.delimiter


def _from_excel(connection: Connection, path: Path, options: ReadOptions) -> tuple[list[str], list[str], str]:
    import pandas as pd

    try:
        frame = pd.read_excel(path, header=None, dtype=object, na_filter=False)
    except ImportError as error:
        raise TableError(f"it needs openpyxl: {install_command('excel')}") from error
    except Exception as error:  # a damaged archive fails in any layer below
        raise TableError(f"{error or type(error).__name__}") from error
    texts = frame.map(lambda cell: "" if pd.isna(cell) else str(cell))
    texts = texts[(texts != "").any(axis=1)]
    if texts.empty:
        raise TableError("it is empty")
    header = texts.iloc[0].tolist() if options.header else [""] * texts.shape[1]
    texts.columns = [f"c{index}" for index in range(len(header))]
    connection.register("texts", texts.iloc[int(options.header) :].astype("str"))
    connection.execute("CREATE TABLE cells AS FROM texts")
    return header, [], ""


def _from_frame(connection: Connection, frame: Any) -> tuple[list[str], list[str], str]:
    if not hasattr(frame, "columns"):
        raise TypeError(f"a table must be a path or a data frame, got {type(frame).__name__}")
    if len(frame.columns) == 0:
        raise TableError("it has no columns")
    # Otherwise, DuckDB would decide on the type of a column of Python objects by some of its values.
    connection.execute(f"SET pandas_analyze_sample = {len(frame)}")
    try:
        connection.register("frame", frame)
    except (duckdb.Error, RuntimeError, TypeError) as error:
        raise TypeError(f"a table must be a path or a data frame, got {type(frame).__name__}") from error
    # A copy: a registered frame is not visible to cursors.
    connection.execute("CREATE TABLE source AS FROM frame")
    connection.unregister("frame")
    names = getattr(frame, "column_names", None) or frame.columns  # an Arrow table has its data in `columns`
    return _from_source(connection, lambda: set(map(str, names)))


def _from_source(connection: Connection, all_names: Callable[[], set[str]]) -> tuple[list[str], list[str], str]:
    header = [row[0] for row in connection.execute("DESCRIBE source").fetchall()]
    # DuckDB appends _1 and so on to names that had already occurred, also if they differ in case.
    if any(_NUMBERED.fullmatch(name) for name in header):
        names = all_names()
        header = [name if name in names else _NUMBERED.sub(r"\1", name) for name in header]
    places = ", ".join(f"c{index}" for index in range(len(header)))
    connection.execute(f"CREATE VIEW cells AS FROM source AS s({places})")
    return header, [], ""


def _make_view(table: Table, options: ReadOptions) -> None:
    """Make the view ``data`` from ``cells``."""
    values: dict[str, str] = {}
    for place, kind, *_ in table.connection.execute("DESCRIBE cells").fetchall():
        table.types.append(_type(kind))
        values[place] = f"CAST({place} AS VARCHAR)" if kind.startswith("ENUM") or kind == "UUID" else place
        if kind == "JSON" and not _has_nested(table.connection, place):
            table.types[-1], values[place] = "text", f"({place} ->> '$')"
    texts = [place for place, type_ in zip(values, table.types, strict=True) if type_ == "text"]
    # Trimming is slow, and few columns need it.
    blanks = [f"count(*) FILTER (regexp_matches({values[place]}, {quoted(_BLANK_AT_AN_END)}))" for place in texts]
    row = table.connection.execute(f"SELECT {', '.join(['count(*)', *blanks])} FROM cells").fetchone()
    assert row is not None
    table.n_rows, *counts = row
    for place, count in zip(texts, counts, strict=True):
        text = f"trim({values[place]}, {quoted(_BLANKS)})" if count else values[place]
        values[place] = f"nullif({text}, '')"
    if sum(counts):
        table.notes.append(f"blanks around {counted(sum(counts), 'value')} are left out")
    if options.missing:
        marks = ", ".join(category_text(quoted(mark)) for mark in options.missing)
        for place, value in values.items():
            values[place] = f"CASE WHEN {category_text(value)} NOT IN ({marks}) THEN {value} END"
    columns = ", ".join(f"{value} AS {place}" for place, value in values.items())
    kind = "TABLE" if len(values) > _MOST_COLUMNS_OF_A_VIEW else "VIEW"
    table.connection.execute(f"CREATE {kind} data AS SELECT {columns} FROM cells")


def _has_nested(connection: Connection, place: str) -> bool:
    """Whether a column of JSON has more than texts, numbers, true and false."""
    row = connection.execute(f"SELECT bool_or(json_type({place}) IN ('ARRAY', 'OBJECT')) FROM cells").fetchone()
    return row is not None and bool(row[0])


def _type(kind: str) -> str:
    if kind == "BOOLEAN":
        return "boolean"
    if kind in ("DATE",) or kind.startswith("TIMESTAMP"):
        return "date"
    if kind == "INTERVAL" or kind.startswith("TIME"):
        return "time"
    if kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION", "BLOB", "BIT")) or kind == "JSON":
        return "nested"
    return "number" if kind.startswith(_NUMBERS) and kind != "UUID" else "text"


def _unique_names(header: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    renamed: dict[str, str] = {}
    names: dict[str, None] = {}  # a set that keeps its order
    for position, raw in enumerate(header, start=1):
        name = base = str(raw).strip(_BLANKS) or f"column {position}"
        count = 0
        while name in names:
            count += 1
            name = f"{base}.{count}"
        if count:
            renamed[name] = base
        names[name] = None
    return list(names), renamed
