"""What refbp.graph promises about itself: its examples run and its files are short."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

from refbp import graph

MODULES = ["refbp.graph", *(f"refbp.graph.{module.name}" for module in pkgutil.iter_modules(graph.__path__))]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_length(name):
    assert len(Path(importlib.import_module(name).__file__).read_text(encoding="utf-8").splitlines()) <= 300


def test_everything_exported_exists():
    assert all(hasattr(graph, name) for name in graph.__all__)
