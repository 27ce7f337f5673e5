"""The two decorators for kernels, `jit` and `inner`.

Numba optimises every jitted function and generates machine code for it, and then copies the
callee's code into the caller and optimises it again. Kernels here are small functions that
end up inside a few big ones, so most of that work would be thrown away. Functions that
Python calls are `jit`. Functions that only compiled code calls are `inner`: they are
translated to LLVM IR and optimised as a part of their callers. That halves the time of a
first fit. If `inner` does not work with the installed Numba, all functions are compiled
alike.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import numba

from fastbp.compiler.code_cache import CodeCache
from fastbp.compiler.target import config

__all__ = ["inner", "jit"]

# Divisions follow IEEE arithmetic (no ZeroDivisionError). No fast-math flag is set: NaN and infinity must be handled
# correctly, and kernels ask explicitly for fused multiply-adds and re-ordered sums.
_OPTIONS: dict[str, Any] = {"nopython": True, "nogil": True, "error_model": "numpy"}

_DISABLED = bool(config.DISABLE_JIT)
_lock = Lock()
_n_compiling = 0

if _DISABLED:
    warnings.warn(
        "NUMBA_DISABLE_JIT has no effect on fastbp: its kernels are vector code, which only a compiler can run",
        RuntimeWarning,
        stacklevel=2,
    )


@contextmanager
def _compiler_enabled() -> Iterator[None]:
    """Let Numba compile even if NUMBA_DISABLE_JIT is set, until the last thread has left this context."""
    global _n_compiling
    with _lock:
        _n_compiling += 1
        config.DISABLE_JIT = 0
    try:
        yield
    finally:
        with _lock:
            _n_compiling -= 1
            config.DISABLE_JIT = int(_DISABLED and _n_compiling == 0)


def _dispatcher(py_func: Callable) -> Any:
    if not _DISABLED:
        return numba.jit(**_OPTIONS)(py_func)
    with _compiler_enabled():
        dispatcher: Any = numba.jit(**_OPTIONS)(py_func)
    # Numba compiles parts of its own library together with their callers; if disabled, it would leave them in Python.
    dispatcher.compile = _compiler_enabled()(dispatcher.compile)
    return dispatcher


def jit(py_func: Callable) -> Any:
    """Compile `py_func` at its first call, to run without the GIL, and store the code on disk."""
    dispatcher = _dispatcher(py_func)
    # The cache detects changes in the sources of this package only.
    if py_func.__module__.startswith("fastbp."):
        dispatcher._cache = CodeCache(py_func)
    return dispatcher


try:
    from fastbp.compiler.inner import InnerDispatcher
except (ImportError, AttributeError) as error:
    warnings.warn(
        f"fastbp does not know Numba {numba.__version__}: compilation takes longer, results are the same ({error})",
        RuntimeWarning,
        stacklevel=2,
    )

    def inner(py_func: Callable) -> Any:
        """Let functions under `jit` and `inner` call `py_func`."""
        return _dispatcher(py_func)

else:

    def inner(py_func: Callable) -> Any:
        """Let functions under `jit` and `inner` call `py_func`; Python cannot call it."""
        return InnerDispatcher(py_func, _OPTIONS)
