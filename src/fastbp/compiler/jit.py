"""The two decorators under which every kernel is compiled.

Numba optimises and generates machine code for every jitted function on its own, and then
copies the code of the callee into the caller, where the optimiser starts again. Kernels
here are small functions that end up inside a few big ones, so most of that work would be
thrown away. The entry points that Python calls are `jit`; what only they call is `inner`:
typed and translated to LLVM's language, and optimised as a part of its callers. That
halves the time of a first fit.
"""

from collections.abc import Callable
from typing import Any

import numba
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.registry import CPUDispatcher
from numba.core.sigutils import normalize_signature

from fastbp.compiler.code_cache import CodeCache
from fastbp.compiler.target import config

__all__ = ["inner", "jit"]

# Divisions follow IEEE arithmetic (no ZeroDivisionError). No fast-math flag is set: NaN and infinity are data, and
# where a fused multiply-add or a re-ordered sum is wanted the kernel says so.
_OPTIONS: dict[str, Any] = {"nopython": True, "nogil": True, "error_model": "numpy"}


def jit(py_func: Callable) -> Any:
    """Compile `py_func` at its first call, to run without the GIL, and keep the code on disk."""
    if config.DISABLE_JIT:
        raise RuntimeError("fastbp's kernels are vector code and cannot run with NUMBA_DISABLE_JIT=1")
    dispatcher: Any = numba.jit(**_OPTIONS)(py_func)
    # Stored code is checked against the sources of this package only.
    if py_func.__module__.startswith("fastbp."):
        dispatcher._cache = CodeCache(py_func)
    return dispatcher


class _Unfinished(JITCodeLibrary):
    """The code of a function and its callees, as the translator left it."""

    def finalize(self) -> None:
        self._raise_if_finalized()
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True


class _InnerCompiler(Compiler):
    """Numba's pipeline, up to the translation to LLVM's language."""

    def compile_extra(self, func: Callable) -> Any:
        self.state.library = _Unfinished(self.state.targetctx.codegen(), func.__qualname__)
        for flag in ("no_compile", "no_cpython_wrapper", "no_cfunc_wrapper"):
            setattr(self.state.flags, flag, True)
        return super().compile_extra(func)


class _InnerDispatcher(CPUDispatcher):
    """Knows a function by its code in LLVM's language, for there is no machine code that Python could call."""

    def add_overload(self, cres: Any) -> None:
        self.targetctx.insert_user_function(cres.library, cres.fndesc, [cres.library])
        self.overloads[tuple(cres.signature.args)] = cres

    def get_overload(self, sig: Any) -> Any:
        args, _ = normalize_signature(sig)
        compiled: Any = self.overloads[tuple(args)]
        return compiled.library

    def _compile_for_args(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"{self.py_func.__qualname__} can be called by compiled code only")


def inner(py_func: Callable) -> Any:
    """Let functions under `jit` and `inner` call `py_func`, and nobody else."""
    return _InnerDispatcher(py_func, targetoptions=_OPTIONS, pipeline_class=_InnerCompiler)
