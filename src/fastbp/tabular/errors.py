"""The error that a table or a model file raises, and how messages write names and numbers."""

import difflib
from collections.abc import Iterable

__all__ = ["TableError", "counted", "listing", "no_such_column"]

_N_NAMES_SHOWN = 8


class TableError(ValueError):
    """A table or a model file cannot be used; the message is one line for the user."""


def counted(n: int, one: str, several: str = "") -> str:
    """Write a number and what it counts.

    Parameters
    ----------
    n : int
    one : str
        "row" for ``1 row``.
    several : str
        "rows" for ``2,000 rows``; empty for `one` with an s.
    """
    return f"{n:,} {one if n == 1 else several or one + 's'}"


def listing(names: Iterable[str], limit: int = _N_NAMES_SHOWN) -> str:
    """Write names as ``'a', 'b', ... (and 3 more)``."""
    known = list(names)
    shown = ", ".join(repr(name) for name in known[:limit])
    return shown if len(known) <= limit else f"{shown} (and {len(known) - limit} more)"


def no_such_column(name: str, names: Iterable[str]) -> TableError:
    """Return the error for a column that a table lacks, with the nearest names that it has.

    Parameters
    ----------
    name : str
        The column asked for.
    names : iterable of str
        The table's columns.
    """
    known = list(names)
    folded = {other.casefold(): other for other in known}
    close = difflib.get_close_matches(name.casefold(), list(folded), n=3)
    if close:
        hint = "did you mean " + " or ".join(repr(folded[match]) for match in close) + "?"
    else:
        hint = "it has " + listing(known)
    return TableError(f"the table has no column {name!r}; {hint}")
