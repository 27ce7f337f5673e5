"""Where the commands print: results on stdout, all else on stderr."""

import json
import math
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from fastbp.cli._errors import printable

# A pipe or a log file has no width; this one keeps every table of this package on one line per row.
WIDTH_OF_A_FILE = 100


class Screen:
    """What a command shows.

    Parameters
    ----------
    quiet : bool
        Only results and errors.
    as_json : bool
        Results as one JSON object.

    Attributes
    ----------
    progress : rich.console.Console
        On stderr.
    notes : list of str
        What was done with the data and might surprise.
    """

    def __init__(self, *, quiet: bool = False, as_json: bool = False) -> None:
        self.quiet = quiet
        self.as_json = as_json
        self.progress = _console("stderr", quiet=quiet)
        self._results = _console("stdout", quiet=as_json)
        self.notes: list[str] = []

    def say(self, text: str, style: str | None = None) -> None:
        """Print a line about what is being done."""
        say(self.progress, text, style)

    def note(self, *notes: str) -> None:
        """Print what was done with the data and might surprise."""
        self.notes += notes
        for text in notes:
            say(self.progress, f"note: {text}", style="yellow")

    def table(self, title: str, table: Table) -> None:
        """Print a table that is no result."""
        show_table(self.progress, title, table)

    def result(self, text: str, style: str | None = None) -> None:
        """Print a line that is a result."""
        say(self._results, text, style)

    def result_table(self, title: str, table: Table) -> None:
        """Print a table that is a result."""
        show_table(self._results, title, table)

    def finish(self, **facts: Any) -> None:
        """Print the results as JSON, if that was asked for."""
        if self.as_json:
            sys.stdout.write(json.dumps(_plain({**facts, "notes": self.notes}), ensure_ascii=False) + "\n")


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it, which has no NumPy, no paths, and no NaN or infinity."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _console(name: str, *, quiet: bool = False) -> Console:
    """Return a console on a stream that takes every text literally (names come from files)."""
    stream = getattr(sys, name)
    width = None if stream.isatty() else WIDTH_OF_A_FILE
    return Console(file=stream, markup=False, highlight=False, emoji=False, width=width, quiet=quiet)


def open_console() -> Console:
    """Return a console on stdout."""
    return _console("stdout")


def say(console: Console, text: str, style: str | None = None) -> None:
    """Print one paragraph; in a file it is one line."""
    console.print(printable(text), style=style, soft_wrap=not console.is_terminal)


def new_table(*headers: str, n_text: int = 1) -> Table:
    """Return an empty table: the first ``n_text`` columns hold text, the others numbers."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for index, header in enumerate(headers):
        table.add_column(printable(header), justify="left" if index < n_text else "right", overflow="fold")
    return table


def add_row(table: Table, *cells: object) -> None:
    """Add a row of anything that can be written as text."""
    table.add_row(*(printable(str(cell)) for cell in cells))


def show_table(console: Console, title: str, table: Table) -> None:
    """Print a table under a title."""
    console.print()
    say(console, title, style="bold")
    console.print(table)


def size(n_bytes: int) -> str:
    """Write a file size."""
    return f"{n_bytes / 1e3:.0f} kB" if n_bytes < 1e6 else f"{n_bytes / 1e6:.1f} MB"


def duration(seconds: float) -> str:
    """Write a time span with three significant digits and a fitting unit."""
    # A bit below the next unit, so that no value is rounded up to it.
    if seconds < 0.9995e-3:
        return f"{seconds * 1e6:.3g} µs"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 59.95:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"
