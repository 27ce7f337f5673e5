"""Writing files so that a failure leaves the old file, or none, but never half of one."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from fastbp.cli._errors import CommandError


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
    if path.exists() and not path.is_file():
        raise CommandError(f"cannot write '{path}': it exists and is not a regular file")
    if path.exists() and not os.access(path, os.W_OK):
        raise CommandError(f"cannot write '{path}': it exists and is read-only")
    if not path.parent.is_dir():
        raise CommandError(f"cannot write '{path}': there is no folder '{path.parent}'")
    probe = _beside(Path(os.path.realpath(path)))
    try:
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise CommandError(f"cannot write '{path}': {error.strerror}") from error


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write to a temporary file in the same folder, then move it over ``path``.

    Parameters
    ----------
    path : Path
        Where the file shall be; a symbolic link is followed, not replaced.
    write : callable
        Receives the open binary file.
    """
    target = Path(os.path.realpath(path))
    temporary = _beside(target)
    try:
        with open(temporary, "xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:
        raise CommandError(f"cannot write '{path}': {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")
