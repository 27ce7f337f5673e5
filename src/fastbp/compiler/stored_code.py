"""Compiled functions as bytes, in Numba's private format.

If an import fails here, Numba has changed; `code_cache` then stores nothing.
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
    """Tell LLVM the addresses of Numba's runtime, which entry points use to take arrays from Python.

    Numba itself would set up everything that compiling could need: 35 MB and 0.2 s in every process.
    """
    for name, address in _RUNTIME_SYMBOLS.items():
        llvm.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)


def _only_names(bitcode: bytes) -> bytes:
    """Return a module that defines the same names and contains nothing else."""
    module = llvm.parse_bitcode(bitcode)
    functions = [f'define void @"{f.name}"() {{ ret void }}' for f in module.functions if not f.is_declaration]
    variables = [f'@"{v.name}" = global i8 0' for v in module.global_variables if not v.is_declaration]
    return llvm.parse_assembly("\n".join([*variables, *functions])).as_bitcode()


def pack(result: Any) -> bytes:
    """Return a compiled function as bytes.

    Numba also stores LLVM bitcode, so that other functions can link to it. No function here links to a stored one:
    Numba only reads the names in the bitcode. But it parses all of it in every process, which costs 5 MB in the first
    fit. So only the names are stored.
    """
    (name, kind, (machine_code, bitcode)), *rest = _reduce(result)
    return dumps(((name, kind, (machine_code, _only_names(bitcode))), *rest))


def unpack(target_context: Any, data: bytes) -> Any:
    """Return the compiled function that `pack` turned into `data`, ready to be called."""
    _add_runtime_symbols()
    return _rebuild(target_context, *pickle.loads(data))
