"""Text files: encoding, separator and column names, before DuckDB reads the rows."""

import bz2
import codecs
import csv
import gzip
import lzma
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

import duckdb

from fastbp.tabular.database import Connection, QueryError
from fastbp.tabular.errors import TableError, counted
from fastbp.tabular.options import ReadOptions
from fastbp.tabular.sql import file_name, quoted

__all__ = ["COMPRESSIONS", "Layout", "find_layout", "plain_utf8", "read_rows"]

DELIMITERS = (",", ";", "\t", "|")
COMPRESSIONS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_PIECE = 1 << 20
# Lines that are looked at to find the separator.
_LINES_SNIFFED = 200
_MOST_CHARACTERS_SNIFFED = 1 << 20


@dataclass(frozen=True)
class Layout:
    """Where the fields of a text file are.

    Attributes
    ----------
    delimiter : str
    skipped : int
        Lines before the row of names, or before the first row if there are no names.
    header : list of str
        The first row.
    notes : list of str
    """

    delimiter: str
    skipped: int
    header: list[str]
    notes: list[str]


def plain_utf8(path: Path, encoding: str | None, folder: Path) -> tuple[Path, list[str]]:
    """Return a text file as UTF-8 without compression and with the same line ends: the file itself, or a copy.

    Parameters
    ----------
    path : Path
    encoding : str or None
        None finds it out: by a byte order mark, UTF-8, UTF-16 by its zeros, else Windows-1252.
    folder : Path
        Where to write the copy.

    Returns
    -------
    path : Path
    notes : list of str
    """
    opener = COMPRESSIONS.get(path.suffix.lower(), open)
    found, notes = (encoding, []) if encoding else _find_encoding(path, opener)
    if found == "utf-8" and opener is open and not encoding and not _has_mixed_line_ends(path):
        return path, notes
    copy = folder / "table.txt"
    try:
        with opener(path, "rt", encoding=found) as source, open(copy, "w", encoding="utf-8", newline="\n") as target:
            shutil.copyfileobj(source, target, _PIECE)
    except LookupError as error:
        raise TableError(f"there is no encoding {found!r}") from error
    except UnicodeError as error:
        raise TableError(f"it is not {found} text: {error}") from error
    return copy, notes


def _find_encoding(path: Path, opener: Callable[..., Any]) -> tuple[str, list[str]]:
    with opener(path, "rb") as file:
        start = file.read(_PIECE)
        for mark, name in _MARKS:
            if start.startswith(mark):
                return name, []
        even, odd = start[::2].count(0), start[1::2].count(0)
        if max(even, odd) > len(start) // 8:
            name = "utf-16-be" if even > odd else "utf-16-le"
            return name, [f"the text is read as {name}; --encoding overrules"]
        decoder = codecs.getincrementaldecoder("utf-8")()
        piece = start
        try:
            while piece:
                decoder.decode(piece)
                piece = file.read(_PIECE)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            name = "latin-1" if _undefined_in_windows(path, opener) else "cp1252"
            return name, [f"the text is not UTF-8: read as {name}; --encoding overrules"]
    return "utf-8", []


def _has_mixed_line_ends(path: Path) -> bool:
    """Whether lines end in more than one way, as in files that were joined: DuckDB loses rows of such files."""
    newlines = returns = both = 0
    with open(path, "rb") as file:
        last = b""
        while piece := file.read(_PIECE):
            newlines += piece.count(b"\n")
            returns += piece.count(b"\r")
            both += piece.count(b"\r\n") + (last == b"\r" and piece.startswith(b"\n"))
            last = piece[-1:]
    return [newlines - both, returns - both, both].count(0) < 2


def _undefined_in_windows(path: Path, opener: Callable[..., Any]) -> bool:
    with opener(path, "rb") as file:
        while piece := file.read(_PIECE):
            if any(byte in piece for byte in (b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d")):
                return True
    return False


def find_layout(path: Path, options: ReadOptions) -> Layout:
    """Find out where the fields of a UTF-8 file are.

    Parameters
    ----------
    path : Path
    options : ReadOptions
    """
    with open(path, encoding="utf-8-sig", newline="") as file:
        lines = list(islice(_records(file), _LINES_SNIFFED))
    skipped = 0
    while lines and not lines[0].strip("\r\n \t"):
        lines.pop(0)
        skipped += 1
    notes = []
    delimiter = options.sep
    if lines and lines[0].lower().startswith("sep="):  # what Excel writes, and obeys
        delimiter = delimiter or lines[0].rstrip("\r\n")[4:5] or None
        lines.pop(0)
        skipped += 1
    if not lines:
        raise TableError("it is empty")
    if delimiter is not None and len(delimiter) != 1:
        raise TableError(f"a separator is one character, not {delimiter!r}")
    if delimiter is None:
        delimiter = _sniff(lines)
        if delimiter not in ",\t":
            notes.append(f"the columns are separated by {delimiter!r}")
    try:
        header = next(csv.reader(lines, delimiter=delimiter, skipinitialspace=True))
    except csv.Error as error:
        raise TableError(f"its column names cannot be read: {error}") from error
    return Layout(delimiter, skipped, header, notes)


def _records(file: IO[str]) -> Iterator[str]:
    """Lines, up to a limit of characters."""
    left = _MOST_CHARACTERS_SNIFFED
    for line in file:
        left -= len(line)
        yield line
        if left < 0:
            return


def _sniff(lines: list[str]) -> str:
    """Return the separator with which most rows have as many fields as the first, more than one."""
    lines = [line for line in lines if len(line) < csv.field_size_limit()]

    def quality(delimiter: str) -> tuple[float, int, int]:
        try:
            rows = [row for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True) if row]
        except csv.Error:
            return 0.0, 0, 0
        width = len(rows[0]) if rows else 0
        # The last record may have been cut.
        alike = sum(len(row) == width for row in rows[:-1] or rows) / len(rows[:-1] or rows)
        # A blank follows the commas of a sentence more often than separators.
        blanks = sum(line.count(f"{delimiter} ") for line in lines)
        return (alike, width, -blanks) if width > 1 else (0.0, 0, 0)

    return max(DELIMITERS, key=quality)


def read_rows(connection: Connection, path: Path, layout: Layout, count: int, header: bool) -> None:
    """Read the rows of a file into the table ``cells``, whose columns are the texts c0, c1 and so on.

    Parameters
    ----------
    connection : Connection
    path : Path
    layout : Layout
    count : int
        Number of columns.
    header : bool
        Whether the first row holds names.
    """
    columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(count))
    try:
        connection.execute(
            f"CREATE TABLE cells AS FROM read_csv({file_name(path)}, auto_detect=false, hive_partitioning=false, "
            f"columns={{{columns}}}, delim={quoted(layout.delimiter)}, quote='\"', escape='\"', "
            f"header={str(header).lower()}, skip={layout.skipped}, strict_mode=true)"
        )
    except QueryError as error:
        if not isinstance(error.__cause__, duckdb.InvalidInputException):
            raise
        raise TableError(f"is not a regular table: {_reason(str(error.__cause__))}") from error


def _reason(message: str) -> str:
    """Return what DuckDB says about a damaged row, in a line."""
    lines = message.splitlines()
    place = next((line for line in lines if "CSV Error on Line" in line), "")
    if not place:
        return lines[0]
    widths = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
    words = f"expected {counted(int(widths[1]), 'field')}, found {widths[2]}" if widths else ""
    if any("unterminated quote" in line for line in lines):
        words = "a quote that does not end, or text after its end"
    return f"line {place.rpartition(':')[2].strip()}: {words or ' '.join(lines[1:3])}"
