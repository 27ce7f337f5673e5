"""Atomic writes: after a failure the old file is intact, or there is no file."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import BinaryIO

__all__ = ["check_writable", "open_atomically"]


@contextmanager
def open_atomically(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """Open a temporary file in the same folder; move it over `path` when the with-block ends without an error.

    Symbolic links are followed: the link stays, and the file that it points to is replaced. The new file gets the mode
    of the old one.

    Parameters
    ----------
    path : str or path-like
        The file to write.

    Yields
    ------
    file : binary file

    Raises
    ------
    OSError
        If `path` exists and is not a regular file, or cannot be written. The error names `path`.
    """
    target, mode = _find(path)
    temporary = _temporary(target)
    try:
        with _naming(path):
            with open(temporary, "xb") as file:
                if mode is not None:
                    os.fchmod(file.fileno(), mode)
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: str | PathLike[str]) -> None:
    """Raise the error that `open_atomically` would raise, as far as it can be predicted.

    Parameters
    ----------
    path : str or path-like
        The file to write later.

    Raises
    ------
    OSError
        If the file cannot be written. The error names `path`.
    """
    temporary = _temporary(_find(path)[0])
    with _naming(path):
        temporary.touch(exist_ok=False)
        temporary.unlink()


def _find(path: str | PathLike[str]) -> tuple[Path, int | None]:
    """Return the file behind all links, and its mode if it exists; raise if it cannot be replaced."""
    target = Path(os.path.realpath(path))
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        for folder in (Path(path).parent, target.parent):
            if not folder.is_dir():
                raise FileNotFoundError(errno.ENOENT, f"there is no folder '{folder}'", os.fspath(path)) from None
        return target, None
    # Moving a file over a device or a pipe would replace it.
    if not stat.S_ISREG(mode):
        raise FileExistsError(errno.EEXIST, "it exists and is not a regular file", os.fspath(path))
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "it exists and is read-only", os.fspath(path))
    return target, stat.S_IMODE(mode)


def _temporary(target: Path) -> Path:
    # A random name: other threads and processes may write the same file, and a killed one may have left its own behind.
    return target.with_name(f".fastbp-{secrets.token_hex(8)}.tmp")


@contextmanager
def _naming(path: str | PathLike[str]) -> Iterator[None]:
    """Put the user's path into system errors, which name the temporary file or none."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from error
