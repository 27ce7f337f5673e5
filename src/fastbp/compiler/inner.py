"""Functions that only compiled code calls, compiled as parts of their callers.

This module relies on private names of Numba. If one of its imports fails, Numba has changed; `jit` then compiles these
functions like all others.
"""

from collections.abc import Callable
from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.registry import CPUDispatcher
from numba.core.sigutils import normalize_signature

__all__ = ["InnerDispatcher"]

# The methods that are overridden or called below: check now that they exist, not at the first compilation.
_dispatcher: Any = CPUDispatcher
_METHODS = (
    JITCodeLibrary.finalize,
    JITCodeLibrary._get_module_for_linking,
    Compiler.compile_extra,
    _dispatcher.add_overload,
    _dispatcher.get_overload,
    _dispatcher._compile_for_args,
)


class _Unfinished(JITCodeLibrary):
    """The LLVM IR of a function and its callees, neither optimised nor translated to machine code."""

    def finalize(self) -> None:
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True


class _InnerCompiler(Compiler):
    """Numba's pipeline, up to the translation to LLVM IR."""

    def compile_extra(self, func: Callable) -> Any:
        self.state.library = _Unfinished(self.state.targetctx.codegen(), func.__qualname__)
        for flag in ("no_compile", "no_cpython_wrapper", "no_cfunc_wrapper"):
            setattr(self.state.flags, flag, True)
        return super().compile_extra(func)


class InnerDispatcher(CPUDispatcher):
    """A function that exists as LLVM IR only; there is no machine code that Python could call.

    Parameters
    ----------
    py_func : callable
        The Python function.
    options : dict
        Options of `numba.jit`.
    """

    def __init__(self, py_func: Callable, options: dict[str, Any]) -> None:
        super().__init__(py_func, targetoptions=options, pipeline_class=_InnerCompiler)

    def add_overload(self, cres: Any) -> None:
        """Keep a compiled function, and tell Numba to link its LLVM IR into the callers."""
        self.targetctx.insert_user_function(cres.library, cres.fndesc, [cres.library])
        self.overloads[tuple(cres.signature.args)] = cres

    def get_overload(self, sig: Any) -> Any:
        """Return the LLVM IR for these argument types; Numba's own method returns an address."""
        args, _ = normalize_signature(sig)
        compiled: Any = self.overloads[tuple(args)]
        return compiled.library

    def _compile_for_args(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"{self.py_func.__qualname__} can be called by compiled code only")
