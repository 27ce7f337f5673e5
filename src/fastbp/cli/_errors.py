"""Errors for the user: one line that says what is wrong and, where possible, what to do about it."""

import os
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from fastbp.cli._interrupts import was_interrupted

ISSUES = "the project's issue tracker"


class CommandError(click.ClickException):
    """An error that is shown as one line, ``fastbp: error: <message>``, without a traceback."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line to ``file``, by default stderr."""
        click.echo(f"fastbp: error: {one_line(self.format_message())}", file=file, err=True)


class Unexpected(CommandError):
    """A mistake in fastbp."""

    exit_code = 1


class Interrupted(CommandError):
    """Ctrl-C."""

    exit_code = 130


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn errors into a `CommandError`, those that nobody has foreseen, too."""
    try:
        yield
    except (CommandError, click.exceptions.Exit, click.exceptions.Abort):
        raise
    except click.ClickException as error:
        raise CommandError(error.format_message()) from error
    except KeyboardInterrupt as error:
        raise Interrupted("interrupted") from error
    except MemoryError as error:
        raise CommandError("not enough memory") from error
    except Exception as error:
        from fastbp.tabular.errors import TableError

        if isinstance(error, TableError):
            raise CommandError(str(error)) from error
        if was_interrupted():
            raise Interrupted("interrupted") from error
        if isinstance(error, OSError):
            raise CommandError(str(error)) from error
        raise Unexpected(_report(error)) from error


def _report(error: Exception) -> str:
    """Write the details of an unforeseen error to a file; returns the line for the user."""
    line = f"something unforeseen happened ({type(error).__name__}: {error}); please report it to {ISSUES}"
    try:
        handle, path = tempfile.mkstemp(prefix="fastbp-error-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write("".join(traceback.format_exception(error)))
    except OSError:
        return line
    return f"{line} with the file {path}"


def one_line(text: str) -> str:
    """Join the lines of a message and blank out what a terminal would act on."""
    return " ".join(printable(part) for part in text.split())


def printable(text: str) -> str:
    """Replace control characters: names come from files, and a terminal would obey them."""
    return "".join(character if character.isprintable() else "?" for character in text)
