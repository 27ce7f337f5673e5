# The chores; CONTRIBUTING.md says what each does. All of them work in .venv and make it if there is none.
PYTHON ?= python3
BIN = .venv/bin

# What bench-compare compares.
BASE ?= main
HEAD ?= HEAD

# What a target adds to its message, unless one of these files says that there is an environment.
setup = $(if $(wildcard $(1)),, Before that, the environment: about a minute.)

.PHONY: demo test smoke lint bench bench-compare bench-history dashboard clean

# These three first say how long they take. A prerequisite would be made before that, so the environment is none.
# An editable installation serves the demo as well; an ordinary one must be renewed when the sources change.
demo:
	@echo "The demo takes about 10 seconds; the first time, with compilation, 20.$(call setup,.venv/.test .venv/.cli)"
	@$(MAKE) --silent $(or $(wildcard .venv/.test),.venv/.cli)
	$(BIN)/fastbp demo

test:
	@echo "All tests take 15 to 20 minutes on two CPUs (make smoke: one minute).$(call setup,.venv/.test)"
	@$(MAKE) --silent .venv/.test
	$(BIN)/python -m pytest

smoke:
	@echo "A selection of tests takes about a minute; the first time, with compilation, two.$(call setup,.venv/.test)"
	@$(MAKE) --silent .venv/.test
	$(BIN)/python -m pytest -m smoke

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
	@echo "Installing fastbp and what its commands need into .venv: NumPy, Numba, scikit-learn, pandas, DuckDB and others."
	$(PYTHON) -m venv .venv
	$(BIN)/pip install ".[cli]"
	touch $@

.venv/.test: pyproject.toml
	@echo "Installing fastbp and what its tests need into .venv: NumPy, Numba, scikit-learn, DuckDB, pytest and others."
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -e ".[test]"
	touch $@

.venv/.dev: pyproject.toml .venv/.test
	$(BIN)/pip install --quiet -e ".[dev]"
	touch $@

.venv/.dashboard: pyproject.toml .venv/.test
	$(BIN)/pip install --quiet -e ".[dashboard]"
	touch $@
