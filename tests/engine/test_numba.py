"""What of Numba is relied on: listed names, with a way out if a private one is gone; its settings are respected."""

import ast
import re
from pathlib import Path

import numba
import pytest

import fastbp
from support.processes import run_well

SOURCE = Path(fastbp.__file__).parent

# What their documentation describes: any file may use it.
PUBLIC = {
    "llvmlite.ir",
    "numba",
    "numba.extending.intrinsic",
    "numba.extending.lower_builtin",
    "numba.extending.models",
    "numba.extending.register_model",
    "numba.extending.type_callable",
    "numba.types",
}

# Everything else is for `fastbp.compiler` only. A new name here is a new risk: what happens if it is gone?
PRIVATE = {
    "code_cache": {"llvmlite"},
    "inner": {
        "numba.core.codegen.JITCodeLibrary",
        "numba.core.compiler.Compiler",
        "numba.core.registry.CPUDispatcher",
        "numba.core.sigutils.normalize_signature",
        "._compile_for_args",
        "._final_module",
        "._finalized",
        "._get_module_for_linking",
        "._linking_libraries",
        "._reload_init",
    },
    "jit": {"._cache"},
    "stored_code": {
        "llvmlite.binding",
        "numba.core.compiler.CompileResult",
        "numba.core.runtime._nrt_python",
        "numba.core.serialize.dumps",
        "._rebuild",
        "._reduce",
    },
    "target": {"llvmlite.binding"},
}


def imported_names(tree):
    """Names that a file imports from Numba and llvmlite, also those given to `import_module`."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.update(re.findall(r"^(?:numba|llvmlite)\.[\w.]+$", node.value))
    return {name for name in names if name.partition(".")[0] in ("numba", "llvmlite")}


def private_attributes(tree):
    """Attributes with an underscore that a file uses or overrides."""
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            used |= {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
    used.discard("_replace")  # of named tuples, and public
    return {f".{name}" for name in used if re.match(r"_(?!_)", name)}


def test_private_names_are_in_the_compiler_folder_and_listed():
    for path in SOURCE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found = imported_names(tree) - PUBLIC
        if path.parent == SOURCE / "compiler":
            assert found | private_attributes(tree) == PRIVATE.get(path.stem, set()), path
        else:
            assert not found, path


def lines_of(output, kind):
    """Lines of `cached.py` that begin with a word."""
    return [line for line in output.splitlines() if line.startswith(f"{kind} ")]


@pytest.mark.parametrize("work", ["product", "training"])
def test_without_inner_functions_the_results_are_the_same(work, tmp_path):
    expected = run_well("cached", work, "float32")
    changes = ("numba.core.codegen:JITCodeLibrary", work, "float32")
    output = run_well("changed_numba", *changes, NUMBA_CACHE_DIR=str(tmp_path))
    assert lines_of(output, "result") == lines_of(expected, "result")
    (warning,) = lines_of(output, "warning")
    assert warning.startswith(f"warning RuntimeWarning fastbp does not know Numba {numba.__version__}: compilation")
    assert list(tmp_path.rglob("*.nbc")), "the code is stored as ever"


def test_without_its_format_nothing_is_stored(tmp_path):
    expected = run_well("cached", "product", "float32")
    changes = ("numba.core.compiler:CompileResult._reduce", "product", "float32")
    output = run_well("changed_numba", *changes, NUMBA_CACHE_DIR=str(tmp_path))
    assert lines_of(output, "result") == lines_of(expected, "result")
    (warning,) = lines_of(output, "warning")
    assert warning.startswith("warning RuntimeWarning fastbp cannot store compiled code")
    assert f"does not know how Numba {numba.__version__} stores" in warning
    assert not list(tmp_path.rglob("*.nbc"))


@pytest.mark.parametrize("work", ["product", "training"])
def test_kernels_are_compiled_even_if_the_compiler_is_disabled(work, tmp_path):
    expected = run_well("cached", work, "float32")
    for compiles in (True, False):
        output = run_well("cached", work, "float32", NUMBA_CACHE_DIR=str(tmp_path), NUMBA_DISABLE_JIT="1")
        assert lines_of(output, "result") == lines_of(expected, "result")
        (warning,) = lines_of(output, "warning")
        assert warning.startswith("warning RuntimeWarning NUMBA_DISABLE_JIT has no effect on fastbp")
        assert ("compiled" not in output.splitlines()) == compiles


PROGRAM = """
import types, warnings
import numba
import numpy as np
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from fastbp import kernels
assert type(numba.njit(lambda: 1)) is types.FunctionType
kernels.matmul(np.ones((2, 3)), np.ones((3, 1)))
assert type(numba.njit(lambda: 1)) is types.FunctionType
"""


def test_functions_of_users_stay_in_python(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    run_well(str(tmp_path / "program"), NUMBA_DISABLE_JIT="1", NUMBA_CACHE_DIR=str(tmp_path))
