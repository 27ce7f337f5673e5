"""Writing a file so that a failure leaves the old one, or none, but never half of one."""

import os
import threading
from pathlib import Path

__all__ = ["write_atomically"]


def write_atomically(path: Path, data: bytes) -> None:
    """Write to a temporary file in the same folder, then move it over `path`.

    Parameters
    ----------
    path : Path
        Where the file shall be; a symbolic link is followed, not replaced.
    data : bytes
        All of the file.

    Raises
    ------
    OSError
        If there is something at `path` that is not a regular file, or the system refuses.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        # Moving a file over a device or a pipe would replace it.
        raise OSError(f"{path} exists and is not a regular file")
    temporary = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
