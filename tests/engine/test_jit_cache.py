"""Compiled code is stored once and found again, by many processes at once, and nothing breaks where it cannot be."""

import importlib
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numba.core.registry import CPUDispatcher

import fastbp
from fastbp.compiler.jit import inner, jit
from fastbp.kernels.vectors.simd import get, pointer
from support.processes import command, environment, run, run_well


@inner
def load_two(array):
    return get(pointer(array), 0) + get(pointer(array), 1)


@jit
def sum_of_two(array):
    return load_two(array)


SOURCE = Path(fastbp.__file__).parent


def stored(folder):
    """Files of compiled code and of its index, with the times they were written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.suffix in (".nbc", ".nbi")}


def test_nothing_is_compiled_at_import(tmp_path):
    output = run_well("cached", "import", NUMBA_CACHE_DIR=str(tmp_path))
    assert output == ""
    assert not stored(tmp_path)


def test_inner_functions_are_for_compiled_code():
    # A caller compiles it; there is still nothing that Python could jump to.
    table = np.arange(6, dtype=np.float32)
    assert sum_of_two(table) == 1.0
    with pytest.raises(TypeError, match="load_two can be called by compiled code only"):
        load_two(table)


def test_what_is_stored_can_be_called(tmp_path):
    run_well("cached", "training", "float32", NUMBA_CACHE_DIR=str(tmp_path))
    names = {path.name.split("-")[0] for path in stored(tmp_path)}
    modules = {path.stem: path.relative_to(SOURCE).with_suffix("") for path in (SOURCE / "kernels").rglob("*.py")}
    for name in names:
        module, function = name.split(".")
        full = ".".join(("fastbp", *modules[module].parts))
        dispatcher = getattr(importlib.import_module(full), function)
        assert type(dispatcher) is CPUDispatcher
    assert "step.train_steps" in names


def test_a_second_process_compiles_nothing(tmp_path):
    first = run_well("cached", "training", "float32", NUMBA_CACHE_DIR=str(tmp_path))
    files = stored(tmp_path)
    assert files
    assert "warning" not in first
    second = run_well("cached", "training", "float32", NUMBA_CACHE_DIR=str(tmp_path), NUMBA_DEBUG_CACHE="1")
    assert stored(tmp_path) == files
    lines = second.splitlines()
    assert any("data loaded from" in line for line in lines)
    assert not any("data saved to" in line for line in lines)
    assert first.splitlines()[-1] in lines


def test_without_a_compiler():
    result = run("cached", "import", NUMBA_DISABLE_JIT="1")
    assert result.returncode == 1
    assert "RuntimeError: fastbp" in result.stderr
    assert "NUMBA_DISABLE_JIT" in result.stderr


def test_array_indices_are_within_bounds(tmp_path):
    # Numba's own check of indices; what goes through pointers is up to the tests with guard pages. The check is no part
    # of the cache's key.
    output = run_well("cached", "training", "float32", NUMBA_CACHE_DIR=str(tmp_path), NUMBA_BOUNDSCHECK="1")
    assert output == run_well("cached", "training", "float32")


def test_a_change_of_any_source_is_a_miss(tmp_path):
    package = copy_of_package(tmp_path / "package")
    cache = tmp_path / "cache"
    settings = {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": path_with(package)}
    run_well("cached", "product", "float32", **settings)
    files = stored(cache)
    with (package / "fastbp" / "kernels" / "tiles" / "epilogue.py").open("a") as source:
        source.write("\n# A change.\n")
    output = run_well("cached", "product", "float32", NUMBA_DEBUG_CACHE="1", **settings)
    assert "data loaded from" not in output
    assert len(stored(cache)) > len(files)


def path_with(package):
    return os.pathsep.join([str(package), environment()["PYTHONPATH"]])


def copy_of_package(target):
    shutil.copytree(SOURCE, target / "fastbp", ignore=shutil.ignore_patterns("__pycache__"))
    return target


def test_nowhere_to_write(tmp_path):
    # A folder below a regular file cannot be made, not even by root.
    package = copy_of_package(tmp_path / "package")
    for folder in {path.parent for path in (package / "fastbp").rglob("*.py")}:
        (folder / "__pycache__").write_text("in the way")
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    nowhere = str(blocked / "folder")
    settings = {
        "PYTHONPATH": path_with(package),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NUMBA_CACHE_DIR": nowhere,
        "HOME": nowhere,
        "XDG_CACHE_HOME": nowhere,
    }
    lines = run_well("cached", "product", "float32", **settings).splitlines()
    assert lines[0].startswith("result")
    warnings = [line for line in lines if line.startswith("warning")]
    assert len(warnings) == 1
    assert "RuntimeWarning" in warnings[0]
    assert "NUMBA_CACHE_DIR" in warnings[0]


def test_a_cache_that_goes_away(tmp_path):
    # The folder is there at import and cannot be written to when the code is compiled.
    package = copy_of_package(tmp_path / "package")
    cache = tmp_path / "cache"
    program = tmp_path / "program.py"
    program.write_text(
        "import shutil, sys, warnings\n"
        "import numpy as np\n"
        "from fastbp.kernels import matmul\n"
        f"shutil.rmtree({str(cache)!r})\n"
        f"open({str(cache)!r}, 'w').close()\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    print(matmul(np.ones((2, 3)), np.ones((3, 1))).tolist())\n"
        "assert caught and all(w.category is RuntimeWarning for w in caught), caught\n"
    )
    variables = environment(NUMBA_CACHE_DIR=str(cache), PYTHONPATH=path_with(package))
    result = subprocess.run(
        [command("cached")[0], str(program)], env=variables, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "[[3.0], [3.0]]\n"


@pytest.mark.parametrize("n_processes", [10])
def test_cold_processes_at_once(n_processes, tmp_path):
    dtypes = [("float32", "float64")[i % 2] for i in range(n_processes)]
    variables = environment(NUMBA_CACHE_DIR=str(tmp_path))
    processes = [
        subprocess.Popen(
            command("cached", "product", dtype),
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for dtype in dtypes
    ]
    outputs = [process.communicate(timeout=240) for process in processes]
    assert [process.returncode for process in processes] == [0] * n_processes, outputs
    results = {dtype: {out for (out, _), d in zip(outputs, dtypes, strict=True) if d == dtype} for dtype in dtypes}
    assert all(len(result) == 1 for result in results.values()), "the same numbers, and no warning"
    for dtype in set(dtypes):
        again = run_well("cached", "product", dtype, NUMBA_CACHE_DIR=str(tmp_path), NUMBA_DEBUG_CACHE="1")
        assert "data saved to" not in again
        assert results[dtype].pop().strip() in again.splitlines()
