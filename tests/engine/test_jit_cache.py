"""Compiled code is stored once and found again, by many processes at once, and nothing breaks where it cannot be."""

import compileall
import importlib
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numba.core.registry import CPUDispatcher

import fastbp
from fastbp.compiler import code_cache
from fastbp.compiler.jit import inner, jit
from fastbp.kernels.vectors.simd import get, pointer
from support.limits import HANG_SECONDS
from support.processes import command, environment, run_well


@inner
def load_two(array):
    return get(pointer(array), 0) + get(pointer(array), 1)


@jit
def sum_of_two(array):
    return load_two(array)


SOURCE = Path(fastbp.__file__).parent


def stored(folder):
    """Files of compiled code, with the times they were written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*.nbc")}


def words(output, kind):
    """What the lines of `cached.py` say that begin with this word."""
    lines = [line for line in output.splitlines() if line.split(" ")[0] == kind]
    return [line.removeprefix(kind).strip() for line in lines]


def test_nothing_is_compiled_at_import(tmp_path):
    output = run_well("cached", "import", NUMBA_CACHE_DIR=str(tmp_path))
    assert output == "compiled\n"
    assert not stored(tmp_path)


def test_inner_functions_are_for_compiled_code():
    # A caller compiles it; there is still nothing that Python could jump to.
    table = np.arange(6, dtype=np.float32)
    assert sum_of_two(table) == 1.0
    with pytest.raises(TypeError, match="load_two can be called by compiled code only"):
        load_two(table)


@pytest.fixture(scope="module")
def whole_cache(tmp_path_factory):
    """A cache for `training`, and the result."""
    folder = tmp_path_factory.mktemp("whole")
    output = run_well("cached", "training", "float32", NUMBA_CACHE_DIR=str(folder))
    assert not words(output, "warning")
    return folder, words(output, "result")


def test_what_is_stored_can_be_called(whole_cache):
    names = {path.name.split("-")[0] for path in stored(whole_cache[0])}
    modules = {path.stem: path.relative_to(SOURCE).with_suffix("") for path in (SOURCE / "kernels").rglob("*.py")}
    for name in names:
        module, function = name.split(".")
        full = ".".join(("fastbp", *modules[module].parts))
        dispatcher = getattr(importlib.import_module(full), function)
        assert type(dispatcher) is CPUDispatcher
    assert "step.train_steps" in names


def test_a_second_process_compiles_nothing(whole_cache):
    folder, result = whole_cache
    files = stored(folder)
    assert files
    second = run_well("cached", "training", "float32", NUMBA_CACHE_DIR=str(folder))
    assert stored(folder) == files
    assert second.splitlines() == [f"result {result[0]}", "compiled"]


def test_functions_of_others_are_not_stored():
    # The key of stored code is a hash of this package's sources.
    assert not isinstance(sum_of_two._cache, code_cache.CodeCache)


def test_array_indices_are_within_bounds(whole_cache, tmp_path):
    # Numba's own check of indices; what goes through pointers is up to the tests with guard pages.
    cache = shutil.copytree(whole_cache[0], tmp_path / "cache")
    output = run_well("cached", "training", "float32", NUMBA_CACHE_DIR=str(cache), NUMBA_BOUNDSCHECK="1")
    assert words(output, "result") == whole_cache[1]
    assert "train_steps" in words(output, "compiled")[0], "code without the check is not taken for code with it"


def test_a_change_of_any_source_is_a_miss(tmp_path):
    package = copy_of_package(tmp_path / "package")
    cache = tmp_path / "cache"
    settings = {"NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": path_with(package)}
    run_well("cached", "product", "float32", **settings)
    files = stored(cache)
    with (package / "fastbp" / "kernels" / "tiles" / "epilogue.py").open("a") as source:
        source.write("\n# A change.\n")
    run_well("cached", "product", "float32", **settings)
    assert len(stored(cache)) == 2 * len(files)


def path_with(package):
    return os.pathsep.join([str(package), environment()["PYTHONPATH"]])


def copy_of_package(target):
    shutil.copytree(SOURCE, target / "fastbp", ignore=shutil.ignore_patterns("__pycache__"))
    return target


def test_nowhere_to_write(tmp_path):
    # A folder below a regular file cannot be made, not even by root.
    package = copy_of_package(tmp_path / "package")
    (package / "fastbp" / "__pycache__").write_text("in the way")
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    for settings in ({"NUMBA_CACHE_DIR": str(blocked)}, {"NUMBA_CACHE_DIR": None, "XDG_CACHE_HOME": str(blocked)}):
        output = run_well("cached", "product", "float32", PYTHONPATH=path_with(package), **settings)
        assert words(output, "result")
        (warning,) = words(output, "warning")
        assert warning.startswith("RuntimeWarning fastbp cannot store compiled code")
        assert "Set NUMBA_CACHE_DIR to a writable folder" in warning


def test_a_cache_that_can_only_be_read(tmp_path):
    first = run_well("cached", "product", "float32", NUMBA_CACHE_DIR=str(tmp_path))
    folder = next(iter(stored(tmp_path))).parent
    folder.chmod(0o555)
    output = run_well("cached", "product", "float32", NUMBA_CACHE_DIR=str(tmp_path))
    folder.chmod(0o755)
    assert output.splitlines() == [f"result {words(first, 'result')[0]}", "compiled"]


@pytest.mark.parametrize("kind", ["archive", "no sources"])
def test_a_package_without_source_files(kind, tmp_path):
    package = copy_of_package(tmp_path / "package")
    if kind == "archive":
        package = Path(shutil.make_archive(str(tmp_path / "archive"), "zip", package, "fastbp"))
    else:
        compileall.compile_dir(package, quiet=2, legacy=True)
        for path in package.rglob("*.py"):
            path.unlink()
    cache = tmp_path / "cache"
    output = run_well("cached", "product", "float32", NUMBA_CACHE_DIR=str(cache), PYTHONPATH=path_with(package))
    expected = run_well("cached", "product", "float32")
    assert words(output, "result") == words(expected, "result")
    (warning,) = words(output, "warning")
    assert warning.startswith("RuntimeWarning fastbp cannot store compiled code")
    assert "imported from an archive or without its .py files" in warning
    assert not cache.exists()


def flipped(position):
    def damage(content):
        changed = bytearray(content)
        changed[int(position * (len(content) - 1))] ^= 4
        return bytes(changed)

    return damage


DAMAGES = {
    "empty": lambda content: b"",
    "a part": lambda content: content[: len(content) // 2],
    "more": lambda content: content + b"junk",
    "zeros": lambda content: bytes(len(content)),
    "first byte": flipped(0),
    "middle": flipped(0.5),
}


def check_repair(cache, result):
    """A process must find the damage, and the next one none."""
    first = run_well("cached", "training", "float32", NUMBA_CACHE_DIR=str(cache))
    assert words(first, "result") == result
    (warning,) = words(first, "warning")
    assert warning.startswith("RuntimeWarning fastbp found damaged files of compiled code")
    assert str(cache) in warning
    second = run_well("cached", "training", "float32", NUMBA_CACHE_DIR=str(cache))
    assert second.splitlines() == [f"result {result[0]}", "compiled"]


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_file_is_replaced(kind, whole_cache, tmp_path):
    cache = shutil.copytree(whole_cache[0], tmp_path / "cache")
    (path,) = cache.rglob("panels.pack_array-*")
    path.write_bytes(DAMAGES[kind](path.read_bytes()))
    check_repair(cache, whole_cache[1])


def test_every_damaged_file_is_replaced(whole_cache, tmp_path):
    cache = shutil.copytree(whole_cache[0], tmp_path / "cache")
    damages = list(DAMAGES.values())
    for i, path in enumerate(stored(cache)):
        path.write_bytes(damages[i % len(damages)](path.read_bytes()))
    check_repair(cache, whole_cache[1])


def test_a_file_of_another_name_is_damaged(whole_cache, tmp_path):
    cache = shutil.copytree(whole_cache[0], tmp_path / "cache")
    (target,), (other,) = cache.rglob("panels.pack_array-*"), cache.rglob("panels.unpack_array-*")
    shutil.copy(other, target)
    check_repair(cache, whole_cache[1])


def test_no_change_passes():
    content = code_cache._seal("name", b"payload")
    assert code_cache._unseal("name", content) == b"payload"
    for i in range(8 * len(content)):
        changed = bytearray(content)
        changed[i // 8] ^= 1 << i % 8
        assert code_cache._unseal("name", bytes(changed)) is None
    assert all(code_cache._unseal("name", content[:length]) is None for length in range(len(content)))


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
    outputs = [process.communicate(timeout=HANG_SECONDS) for process in processes]
    assert [process.returncode for process in processes] == [0] * n_processes, outputs
    results = {dtype: set() for dtype in dtypes}
    for dtype, (output, _) in zip(dtypes, outputs, strict=True):
        assert not words(output, "warning")
        results[dtype].update(words(output, "result"))
    for dtype, (result,) in results.items():
        again = run_well("cached", "product", dtype, NUMBA_CACHE_DIR=str(tmp_path))
        assert again.splitlines() == [f"result {result}", "compiled"]
    assert all(path.suffix == ".nbc" for path in tmp_path.rglob("*.*")), "temporary files are gone"
