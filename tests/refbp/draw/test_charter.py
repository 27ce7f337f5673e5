"""What refbp.draw promises about itself: its examples run, its files are short, it needs NumPy alone."""

import ast
import doctest
import importlib
import pkgutil
import sys
from pathlib import Path

import pytest

from refbp import draw

MODULES = ["refbp.draw", *(f"refbp.draw.{module.name}" for module in pkgutil.iter_modules(draw.__path__))]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


def test_there_are_examples():
    modules = map(importlib.import_module, MODULES)
    assert sum(len(test.examples) for module in modules for test in doctest.DocTestFinder().find(module)) > 10


@pytest.mark.parametrize("name", MODULES)
def test_length(name):
    assert len(Path(importlib.import_module(name).__file__).read_text(encoding="utf-8").splitlines()) <= 300


@pytest.mark.parametrize("name", MODULES)
def test_imports(name):
    tree = ast.parse(Path(importlib.import_module(name).__file__).read_text(encoding="utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.split(".")[0])
    assert imported <= {"numpy", "refbp"} | sys.stdlib_module_names


def test_everything_exported_exists():
    assert all(hasattr(draw, name) for name in draw.__all__)
