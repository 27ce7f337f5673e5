# The chores; CONTRIBUTING.md says what each does. All of them work in .venv and make it if there is none.
PYTHON ?= python3
BIN = .venv/bin

# What bench-compare compares.
BASE ?= main
HEAD ?= HEAD

.PHONY: demo test lint bench bench-compare bench-history dashboard clean

# An editable installation serves the demo as well; an ordinary one must be renewed when the sources change.
demo: $(or $(wildcard .venv/.test),.venv/.cli)
	$(BIN)/fastbp demo

test: .venv/.test
	$(BIN)/python -m pytest

lint: .venv/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: .venv/.dashboard
	$(BIN)/python -m benchmarks.dashboard run

bench-compare: .venv/.dashboard
	$(BIN)/python -m benchmarks.dashboard compare $(BASE) $(HEAD)

bench-history: .venv/.dashboard
	$(BIN)/python -m benchmarks.dashboard history

dashboard: .venv/.dashboard
	$(BIN)/python -m benchmarks.dashboard serve

clean:
	rm -rf .venv .asv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

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

.venv/.dashboard: pyproject.toml .venv/.test
	$(BIN)/pip install --quiet -e ".[dashboard]"
	touch $@
