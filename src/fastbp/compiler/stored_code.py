"""Compiled functions as bytes, in Numba's private format.

An import that fails here means that Numba has changed; `code_cache` then stores nothing.
"""

import pickle
from functools import cache
from importlib import import_module
from typing import Any

import llvmlite.binding as llvm
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

__all__ = ["pack", "unpack"]

_reduce, _rebuild = CompileResult._reduce, CompileResult._rebuild
_runtime: Any = import_module("numba.core.runtime._nrt_python")
_RUNTIME_SYMBOLS: dict[str, int] = _runtime.c_helpers


@cache
def _add_runtime_symbols() -> None:
    """Tell LLVM the addresses of Numba's runtime: entry points use it to take arrays from Python.

    Numba's own way is to set up all that compiling could need: 35 MB and 0.2 s in every process.
    """
    for name, address in _RUNTIME_SYMBOLS.items():
        llvm.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)


def _only_names(bitcode: bytes) -> bytes:
    """Return a module that defines the same names, and nothing else."""
    module = llvm.parse_bitcode(bitcode)
    functions = [f'define void @"{f.name}"() {{ ret void }}' for f in module.functions if not f.is_declaration]
    variables = [f'@"{v.name}" = global i8 0' for v in module.global_variables if not v.is_declaration]
    return llvm.parse_assembly("\n".join([*variables, *functions])).as_bitcode()


def pack(result: Any) -> bytes:
    """Return a compiled function as bytes.

    Numba also stores LLVM's bitcode, for other functions to link. No function here is linked to a stored one: Numba
    only reads the names in the bitcode, but parses all of it in every process, which takes 5 MB of the first fit.
    """
    (name, kind, (machine_code, bitcode)), *rest = _reduce(result)
    return dumps(((name, kind, (machine_code, _only_names(bitcode))), *rest))


def unpack(target_context: Any, data: bytes) -> Any:
    """Return the compiled function that `pack` has made `data` of, ready to be called."""
    _add_runtime_symbols()
    return _rebuild(target_context, *pickle.loads(data))
