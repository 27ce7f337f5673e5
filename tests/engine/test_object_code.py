"""Object files are loaded as LLVM would load them, or refused as a whole."""

import ctypes
import sys
from pathlib import Path

import llvmlite.binding as llvm
import pytest

from fastbp.compiler import code_cache
from fastbp.compiler.object_code import ObjectCode, UnfitCodeError
from fastbp.compiler.target import IS_X86
from support.processes import run_well

pytestmark = pytest.mark.skipif(sys.platform != "linux" or not IS_X86, reason="for Linux on x86-64")

# A table, a variable with a value, one without, a name from outside, a call within and a call out.
SOURCE = """
declare i64 @outside(i64)
@table = internal constant [4 x i64] [i64 10, i64 20, i64 30, i64 40]
@counter = global i64 5
@place = common global i64 0
@outer = external global i64

define i64 @entry_of_table(i64 %index) {
  %p = getelementptr [4 x i64], [4 x i64]* @table, i64 0, i64 %index
  %value = load i64, i64* %p
  ret i64 %value
}
define i64 @count() {
  %old = load i64, i64* @counter
  %new = add i64 %old, 1
  store i64 %new, i64* @counter
  ret i64 %new
}
define i64 @get_place() {
  %value = load i64, i64* @place
  ret i64 %value
}
define i64 @get_outer() {
  %value = load i64, i64* @outer
  ret i64 %value
}
define i64 @twice(i64 %x) {
  %y = call i64 @outside(i64 %x)
  %z = call i64 @outside(i64 %y)
  ret i64 %z
}
"""

CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)
triple = CALLBACK(lambda x: 3 * x)
OUTER = ctypes.c_int64(77)
NAMES = {
    "outside": ctypes.cast(triple, ctypes.c_void_p).value,
    "outer": ctypes.addressof(OUTER),
}


def compiled(source, code_model="large"):
    module = llvm.parse_assembly(source)
    return llvm.Target.from_default_triple().create_target_machine(codemodel=code_model).emit_object(module)


@pytest.fixture(scope="module")
def code():
    return compiled(SOURCE)


@pytest.fixture
def loaded(code):
    return ObjectCode(code, NAMES.get)


def call(loaded, name, *arguments):
    function = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * len(arguments))(loaded.addresses[name])
    return function(*arguments)


def test_functions_find_what_they_name(loaded):
    assert [call(loaded, "entry_of_table", index) for index in range(4)] == [10, 20, 30, 40]
    assert [call(loaded, "count") for _ in range(3)] == [6, 7, 8]
    assert call(loaded, "get_outer") == 77
    assert call(loaded, "twice", 7) == 63


def test_what_is_not_initialized_is_zero_and_ours_to_set(loaded):
    assert call(loaded, "get_place") == 0
    ctypes.c_int64.from_address(loaded.addresses["place"]).value = 1 << 40
    assert call(loaded, "get_place") == 1 << 40


def test_each_has_its_own_variables(loaded, code):
    other = ObjectCode(code, NAMES.get)
    assert call(loaded, "count") == 6
    assert call(other, "count") == 6


def test_only_public_names_are_told(loaded):
    functions = {"entry_of_table", "count", "get_place", "get_outer", "twice"}
    assert set(loaded.addresses) == {*functions, "counter", "place"}


def access(address):
    for line in Path("/proc/self/maps").read_text().splitlines():
        first, _, end = line.split()[0].partition("-")
        if int(first, 16) <= address < int(end, 16):
            return line.split()[1]
    raise AssertionError(f"{address:x} is not mapped")


def test_no_page_is_both_written_to_and_run(loaded):
    assert access(loaded.addresses["count"]) == "r-xp"
    assert access(loaded.addresses["counter"]) == "rw-p"
    assert access(loaded.addresses["place"]) == "rw-p"


def test_the_stack_can_be_unwound(loaded):
    find = ctypes.CDLL("libgcc_s.so.1")["_Unwind_FindEnclosingFunction"]
    find.restype, find.argtypes = ctypes.c_void_p, (ctypes.c_void_p,)
    for name in ("twice", "count"):
        assert find(loaded.addresses[name] + 1) == loaded.addresses[name]


def mapped_pages():
    return len(Path("/proc/self/maps").read_text().splitlines())


def test_an_unknown_name_is_told(code):
    before = mapped_pages()
    for _ in range(20):
        with pytest.raises(UnfitCodeError, match="unknown name outer"):
            ObjectCode(code, {"outside": NAMES["outside"]}.get)
    assert mapped_pages() < before + 20, "its memory is given back"


def test_other_code_models_are_left_to_linkers():
    with pytest.raises(UnfitCodeError, match="code model"):
        ObjectCode(compiled(SOURCE, "small"), NAMES.get)


def test_what_is_no_object_file():
    for code in (b"", b"\x7fELF", b"MZ" + bytes(200), bytes(1000)):
        with pytest.raises(UnfitCodeError):
            ObjectCode(code, NAMES.get)


def test_a_part_of_a_file(code):
    for length in range(0, len(code), 7):
        with pytest.raises(UnfitCodeError):
            ObjectCode(code[:length], NAMES.get)


def test_not_for_other_systems(code, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(UnfitCodeError, match="Linux"):
        ObjectCode(code, NAMES.get)


# What is in the cache is loaded without LLVM, and by LLVM where that cannot be.
PROGRAM = """
import sys
from fastbp.compiler import code_cache
sys.path.insert(0, {programs!r})
import cached
Kept, loaded = code_cache.ObjectCode, []
def load(code, address_of):
    if {refuse}:
        raise code_cache.UnfitCodeError("planted")
    loaded.append(Kept(code, address_of))
    return loaded[-1]
code_cache.ObjectCode = load
sys.argv = ["cached", "training", "float64"]
cached.main()
print("loaded", len(loaded))
"""


def test_the_cache_is_loaded_either_way(tmp_path):
    cache = str(tmp_path / "cache")
    expected = run_well("cached", "training", "float64", NUMBA_CACHE_DIR=cache)
    programs = str(Path(__file__).parent / "programs")
    for refuse in (False, True):
        program = tmp_path / f"refuse_{refuse}.py"
        program.write_text(PROGRAM.format(programs=programs, refuse=refuse))
        output = run_well(str(program.with_suffix("")), NUMBA_CACHE_DIR=cache, NUMBA_DEBUG_CACHE="1")
        assert "data loaded from" in output
        assert "data saved to" not in output
        lines = output.splitlines()
        assert expected.strip() in lines
        assert (int(lines[-1].removeprefix("loaded ")) > 0) is not refuse


def test_a_library_says_what_it_lacks():
    library = code_cache._Library(compiled("define i64 @one() { ret i64 1 }"))
    assert ctypes.CFUNCTYPE(ctypes.c_int64)(library.get_pointer_to_function("one"))() == 1
    with pytest.raises(UnfitCodeError, match="unknown name two"):
        library.get_pointer_to_function("two")
    with pytest.raises(UnfitCodeError, match="unknown name environment"):
        library.set_env("environment", object())
