"""docs/persistence.md and the examples in the docstrings are run, and print what they say."""

import contextlib
import doctest
import importlib
import io
import re
from pathlib import Path

import pytest

for library in ("onnxruntime", "safetensors", "skl2onnx", "skops", "torch"):
    pytest.importorskip(library)

PAGE = Path(__file__).parents[2] / "docs" / "persistence.md"
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("program", PROGRAMS, ids=range(len(PROGRAMS)))
def test_programs_print_what_they_say(program, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program, str(PAGE), "exec"), {"__name__": "page"})
    promised = re.findall(r"^ *print\(.*\)  # (.*)$", program, re.MULTILINE)
    assert printed.getvalue().splitlines() == promised != []


@pytest.mark.parametrize(
    "name",
    [
        "fastbp.estimators.skl2onnx",
        "fastbp.interop.onnx",
        "fastbp.interop.safetensors",
        "fastbp.interop.sklearn",
        "fastbp.interop.torch",
    ],
)
def test_examples_in_docstrings(name):
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert (failed, tried > 5) == (0, True)
