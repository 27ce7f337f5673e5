# The chores; CONTRIBUTING.md says what each does. All of them work in .venv and make it if there is none.
PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo test lint clean

# An editable installation serves the demo as well; an ordinary one must be renewed when the sources change.
demo: $(or $(wildcard .venv/.test),.venv/.cli)
	$(BIN)/fastbp demo

test: .venv/.test
	$(BIN)/python -m pytest

lint: .venv/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

.venv/.cli: pyproject.toml $(shell find src -name '*.py')
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet ".[cli]"
	touch $@

.venv/.test: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -e ".[test]"
	touch $@

.venv/.dev: pyproject.toml .venv/.test
	$(BIN)/pip install --quiet -e ".[dev]"
	touch $@
