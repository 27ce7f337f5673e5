"""Compiled code on disk, one file for each function and each set of argument types.

Numba's own cache does not notice a change in *another* source file, fails if no folder is writeable, loses entries when
two processes write at once, and unpickles whatever it finds. Here

- the name of a file contains a hash of everything that its code depends on, so a change of any source is a miss;
- files are written under another name and then renamed, so processes need no lock;
- a file starts with a checksum, and a damaged file is a miss too: the code is compiled again and the file overwritten;
- if nothing can be stored, there is one warning, at the first compilation.
"""

import hashlib
import os
import sys
import warnings
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import llvmlite
import numba

from fastbp.compiler.target import config, processor_key

__all__ = ["CodeCache", "cache_folder"]

_PACKAGE = Path(__file__).parents[1]
_MAGIC = b"fastbp code 1\n"
_DIGEST_SIZE = hashlib.sha256().digest_size


@cache
def _source_hash() -> str:
    """Return a hash of the sources of compiled code, or an empty string if there are no source files."""
    paths = sorted([*_PACKAGE.glob("compiler/*.py"), *_PACKAGE.glob("kernels/**/*.py")])
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.relative_to(_PACKAGE).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest() if paths else ""


@cache
def _stored_code() -> Any:
    """Return the module that can read and write Numba's format."""
    return import_module("fastbp.compiler.stored_code")


def _unknown_format(error: Exception) -> str:
    return f"fastbp does not know how Numba {numba.__version__} stores compiled code ({error})"


@cache
def _obstacle() -> str:
    """Return why no code can be stored in any folder; empty if it can be."""
    if not _source_hash():
        return "it was imported from an archive or without its .py files, by which it recognises stored code"
    try:
        _stored_code()
    except (ImportError, AttributeError) as error:
        return _unknown_format(error)
    return ""


def _folders() -> list[Path]:
    """Return the folders where code may be stored, the best one first."""
    if config.CACHE_DIR:
        return [Path(config.CACHE_DIR, "fastbp").absolute()]
    user = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "fastbp")
    return [_PACKAGE / "__pycache__", *([user] if user.is_absolute() else [])]


def _write(path: Path, content: bytes) -> None:
    """Write a file atomically: other processes see all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.urandom(8).hex()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _seal(name: str, payload: bytes) -> bytes:
    return _MAGIC + hashlib.sha256(name.encode() + payload).digest() + payload


def _unseal(name: str, content: bytes) -> bytes | None:
    """Return the payload of a file, or None if the file is damaged or belongs to another name."""
    payload = content[len(_MAGIC) + _DIGEST_SIZE :]
    return payload if content == _seal(name, payload) else None


# Where this process found or stored code, the first folder first.
_used: dict[Path, None] = {}
_NOT_STORED = "not stored"
_warned: set[str] = set()


def _warn_once(subject: str, message: str) -> None:
    """Warn only once per process: dozens of kernels would fail for the same reason."""
    if subject not in _warned:
        _warned.add(subject)
        warnings.warn(message, RuntimeWarning, stacklevel=3)


def _warn_not_stored(reason: str) -> None:
    _warn_once(_NOT_STORED, f"fastbp cannot store compiled code and compiles again in every process: {reason}")


class CodeCache:
    """The stored code of one function; its methods are those that Numba's dispatchers call.

    Parameters
    ----------
    py_func : callable
        The Python function, one of this package.
    """

    def __init__(self, py_func: Callable) -> None:
        self.full_name = f"{py_func.__module__}.{py_func.__qualname__}"
        self.short_name = f"{py_func.__module__.rpartition('.')[2]}.{py_func.__qualname__}"

    def file_name(self, signature: Any) -> str:
        """Return the name of the file for these argument types."""
        versions = (sys.implementation.cache_tag, numba.__version__, llvmlite.__version__)
        options = (processor_key(), config.OPT, config.BOUNDSCHECK)
        key = repr((self.full_name, signature, versions, options, _source_hash()))
        return f"{self.short_name}-{hashlib.sha256(key.encode()).hexdigest()[:32]}.nbc"

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the stored code for these argument types, None if there is none."""
        if _obstacle():
            return None
        name = self.file_name(sig)
        for folder in _folders():
            try:
                content = (folder / name).read_bytes()
            except OSError:
                continue
            payload = _unseal(name, content)
            if payload is not None:
                _used[folder] = None
                return _stored_code().unpack(target_context, payload)
            _warn_once("damage", f"fastbp found damaged files of compiled code in {folder} and replaces them")
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Store compiled code. A failure to store it never stops the fit that needed the code."""
        if _obstacle():
            _warn_not_stored(_obstacle())
            return
        name = self.file_name(sig)
        try:
            content = _seal(name, _stored_code().pack(data))
        except (AttributeError, TypeError, ValueError) as error:
            _warn_not_stored(_unknown_format(error))
            return
        reasons = []
        for folder in _folders():
            try:
                _write(folder / name, content)
            except OSError as error:
                reasons.append(f"{folder}: {error.strerror}")
            else:
                _used[folder] = None
                return
        _warn_not_stored(f"{'; '.join(reasons)}. Set NUMBA_CACHE_DIR to a writable folder")


def cache_folder() -> str:
    """Return where this process found or stored compiled code; before it has, where it would. Empty if nowhere."""
    if _used or _NOT_STORED in _warned:
        return " and ".join(map(str, tuple(_used)))
    for folder in [] if _obstacle() else _folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            TemporaryFile(dir=folder).close()
        except OSError:
            continue
        return str(folder)
    return ""
