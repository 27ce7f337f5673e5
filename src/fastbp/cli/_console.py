"""Where the commands print: one rich console, plain text when the output is not a terminal."""

import sys

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from fastbp.cli._errors import printable

# A pipe or a log file has no width; this one keeps every table of this package on one line per row.
WIDTH_OF_A_FILE = 100


def open_console() -> Console:
    """Return a console on stdout that takes every text literally (names come from files)."""
    width = None if sys.stdout.isatty() else WIDTH_OF_A_FILE
    return Console(markup=False, highlight=False, emoji=False, width=width)


def say(console: Console, text: str, style: str | None = None) -> None:
    """Print one paragraph; in a file it is one line."""
    console.print(printable(text), style=style, soft_wrap=not console.is_terminal)


def say_notes(console: Console, notes: list[str]) -> None:
    """Print what was done with the data and might surprise."""
    for note in notes:
        say(console, f"note: {note}", style="yellow")


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
    if seconds < 1e-3:
        return f"{seconds * 1e6:.3g} µs"
    if seconds < 1.0:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 60.0:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"
