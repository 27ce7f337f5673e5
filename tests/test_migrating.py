"""The programs of docs/migrating.md run, and print what they say."""

import ast
import contextlib
import io
import re
import warnings
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[1] / "docs/migrating.md").read_text(encoding="utf-8")
PREPARATION, *PROGRAMS = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
OPTIONAL = ("keras", "skorch", "torch")


def imported(program):
    """Names of the packages that a program imports."""
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.partition(".")[0]


def test_there_are_programs_for_every_library():
    packages = [set(imported(program)) for program in PROGRAMS]
    for library in (*OPTIONAL, "sklearn"):
        assert any(library in names for names in packages), library
    assert sum("fastbp" in names for names in packages) >= len(PROGRAMS) / 2


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_program(number, monkeypatch):
    program = PROGRAMS[number]
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    names = {"__name__": "migrating"}
    with warnings.catch_warnings():
        # Ignore the other libraries' warnings, at import and when they reach the last epoch.
        warnings.simplefilter("ignore")
        for package in OPTIONAL:
            if package in set(imported(program)):
                pytest.importorskip(package)
        exec(compile(PREPARATION, "docs/migrating.md", "exec"), names)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(program, "docs/migrating.md", "exec"), names)
    promised = re.findall(r"^print\(.*\)  # (.*)$", program, re.MULTILINE)
    assert printed.getvalue().splitlines() == promised != []
