"""Compiled code on disk.

Numba's own cache has three gaps that a package of many small files meets at once:

- an entry goes stale when a function or constant *in another file* changes;
- decorating fails where no folder for the cache can be written;
- two processes that compile the same function for different types at the same
  time may give one data file to both.

Here an entry is keyed by the hash of all sources of the package, a missing
folder costs a warning and a compilation, and writers take turns by a lock file.
"""

import contextlib
import hashlib
import os
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile, NullCache

try:
    import fcntl
except ImportError:  # Windows: writers may then overwrite each other's entries, which costs a compilation
    fcntl = None  # type: ignore[assignment]

__all__ = ["cache_folder", "open_cache"]

_PACKAGE = Path(__file__).parents[1]


@cache
def source_hash() -> str:
    """Return a hash of the sources that compiled code is made of: all jitted functions are in `kernels`."""
    digest = hashlib.sha256()
    for path in sorted([*_PACKAGE.glob("compiler/*.py"), *_PACKAGE.glob("kernels/**/*.py")]):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def _add_runtime_symbols() -> None:
    """Tell the linker where Numba's runtime is: entry points take arrays from Python by its help."""
    runtime: Any = import_module("numba.core.runtime._nrt_python")
    for name, address in runtime.c_helpers.items():
        llvm.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)


def _only_names(bitcode: bytes) -> bytes:
    """Return a module that defines the same names, and nothing else."""
    module = llvm.parse_bitcode(bitcode)
    functions = [f'define void @"{f.name}"() {{ ret void }}' for f in module.functions if not f.is_declaration]
    variables = [f'@"{v.name}" = global i8 0' for v in module.global_variables if not v.is_declaration]
    return llvm.parse_assembly("\n".join([*variables, *functions])).as_bitcode()


class _MachineCode(CompileResultCacheImpl):
    """What is stored of a function: its machine code.

    Numba also stores LLVM's bitcode, for other functions to link. No function here is linked to a stored one: Numba
    only reads the names in the bitcode, but parses all of it in every process, which takes 5 MB of the first fit.
    """

    def reduce(self, data: Any) -> Any:
        (name, kind, (machine_code, bitcode)), *rest = super().reduce(data)
        return ((name, kind, (machine_code, _only_names(bitcode))), *rest)


class _SourceTreeCache(FunctionCache):
    """Numba's cache of one function, keyed by the sources of the whole package."""

    _impl_class = _MachineCode

    def __init__(self, py_func: Callable) -> None:
        super().__init__(py_func)
        self._lock_path = os.path.join(self._cache_path, "fastbp.lock")
        self._cache_file = IndexDataCacheFile(
            cache_path=self._cache_path,
            filename_base=f"{self._impl.filename_base}.{source_hash()}",
            source_stamp=source_hash(),
        )

    @contextlib.contextmanager
    def _one_writer(self) -> Iterator[None]:
        if fcntl is None:
            yield
            return
        with open(self._lock_path, "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        # Numba's own method first loads all that compiling could need: 30 MB and a tenth of a second, in every process.
        _add_runtime_symbols()
        try:
            with self._guard_against_spurious_io_errors():
                return self._load_overload(sig, target_context)
        except OSError as error:
            _warn_uncached(str(error))
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        # A full disk or a folder that has gone must not end a fit whose code is already compiled.
        try:
            with self._one_writer():
                super().save_overload(sig, data)
        except OSError as error:
            _warn_uncached(str(error))


_warned = False


def _warn_uncached(reason: str) -> None:
    """Warn, once in a process: there are dozens of kernels, and one cause."""
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(
            f"fastbp cannot keep compiled code and will compile anew in every process ({reason}); "
            "set NUMBA_CACHE_DIR to a writable folder",
            RuntimeWarning,
            stacklevel=3,
        )


def open_cache(py_func: Callable) -> Any:
    """Return the cache of one function's compiled code, one that keeps nothing where no folder can be written."""
    try:
        return _SourceTreeCache(py_func)
    except RuntimeError as error:
        _warn_uncached(str(error).rsplit(":", 1)[-1].strip())
        return NullCache()


def cache_folder() -> str:
    """Return the folder that holds the compiled code, or an empty string where none can be written."""
    return str(open_cache(cache_folder).cache_path or "")
