"""What refbp promises about itself: its examples run, its files are short, it needs NumPy alone."""

import ast
import doctest
import importlib
import pkgutil
import sys
from pathlib import Path

import pytest

import refbp

MODULES = ["refbp", *(module.name for module in pkgutil.walk_packages(refbp.__path__, "refbp."))]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    failed, _ = doctest.testmod(module)
    assert failed == 0


def test_there_are_examples():
    assert sum(len(test.examples) for name in MODULES for test in doctest.DocTestFinder().find(sys.modules[name])) > 20


@pytest.mark.parametrize("name", MODULES)
def test_imports(name):
    tree = ast.parse(Path(importlib.import_module(name).__file__).read_text())
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.split(".")[0])
    assert imported <= {"numpy", "refbp"} | sys.stdlib_module_names


@pytest.mark.parametrize("name", MODULES)
def test_length(name):
    assert len(Path(importlib.import_module(name).__file__).read_text().splitlines()) <= 300


@pytest.mark.parametrize("name", MODULES)
def test_everything_public_is_documented(name):
    module = importlib.import_module(name)
    for key, value in vars(module).items():
        if not key.startswith("_") and callable(value) and value.__module__ == name:
            assert value.__doc__, f"{name}.{key}"


def test_everything_exported_exists():
    assert all(hasattr(refbp, name) for name in refbp.__all__)
