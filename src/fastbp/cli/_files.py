"""Output files of the commands: `fastbp.storage.files`, with errors in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from fastbp.cli._errors import CommandError
from fastbp.storage import files


def check_writable(path: Path, suffixes: tuple[str, ...]) -> None:
    """Refuse an output path now and not after an hour of training.

    Parameters
    ----------
    path : Path
        The file to be written later.
    suffixes : tuple of str
        The extensions allowed.
    """
    if path.suffix.lower() not in suffixes:
        raise CommandError(f"cannot write '{path}': the file name must end in {' or '.join(suffixes)}")
    with explained(path):
        files.check_writable(path)


@contextmanager
def open_atomically(path: Path) -> Iterator[BinaryIO]:
    """Open a file that replaces ``path`` when it is complete, see `fastbp.storage.files.open_atomically`."""
    with explained(path), files.open_atomically(path) as file:
        yield file


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an error of the system into one line that says why the file cannot be written."""
    try:
        yield
    except OSError as error:
        raise CommandError(f"cannot write '{path}': {error.strerror or error}") from error
