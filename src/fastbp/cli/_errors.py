"""Errors for the user: one line that says what is wrong and, where possible, what to do about it."""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

N_NAMES_SHOWN = 8


class CommandError(click.ClickException):
    """An error that is shown as one line, ``fastbp: error: <message>``, without a traceback."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line to ``file``, by default stderr."""
        click.echo(f"fastbp: error: {one_line(self.format_message())}", file=file, err=True)


class Interrupted(CommandError):
    """Ctrl-C where there is nothing to save."""

    exit_code = 130


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn errors that are not bugs into a `CommandError`."""
    try:
        yield
    except CommandError:
        raise
    except click.ClickException as error:
        raise CommandError(error.format_message()) from error
    except KeyboardInterrupt as error:
        raise Interrupted("interrupted") from error
    except MemoryError as error:
        raise CommandError("not enough memory") from error


def one_line(text: str) -> str:
    """Join the lines of a message and blank out what a terminal would act on."""
    return " ".join(printable(part) for part in text.split())


def printable(text: str) -> str:
    """Replace control characters: names come from files, and a terminal would obey them."""
    return "".join(character if character.isprintable() else "?" for character in text)


def no_such_column(name: str, names: Iterable[str]) -> CommandError:
    """Build the error for a column that a table lacks, with the nearest names it does have.

    Parameters
    ----------
    name : str
        The column asked for.
    names : iterable of str
        The columns there are.
    """
    known = list(names)
    folded = {other.casefold(): other for other in known}
    close = difflib.get_close_matches(name.casefold(), list(folded), n=3)
    if close:
        hint = "did you mean " + " or ".join(repr(folded[match]) for match in close) + "?"
    else:
        hint = "it has " + listing(known)
    return CommandError(f"the table has no column {name!r}; {hint}")


def listing(names: Iterable[str], limit: int = N_NAMES_SHOWN) -> str:
    """Write names as ``'a', 'b', ... (and 3 more)``."""
    known = list(names)
    shown = ", ".join(repr(name) for name in known[:limit])
    return shown if len(known) <= limit else f"{shown} (and {len(known) - limit} more)"
