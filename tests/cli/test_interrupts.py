"""Ctrl-C at every moment: status 130, one line, and a model that loads or none."""

import signal

import pytest

from fastbp import load_model

# Where Ctrl-C strikes: a function, which of its calls, and whether something is learned by then.
MOMENTS = [
    ("fastbp.cli._train.check_writable", 1, False),
    ("fastbp.cli._train.open_table", 1, False),
    ("fastbp.tabular.table.find_layout", 1, False),
    ("fastbp.tabular.table.read_rows", 1, False),
    ("fastbp.cli._train.infer_columns", 1, False),
    ("fastbp.cli._train.choose_rows", 1, False),
    ("fastbp.tabular.fitting.build_preprocessing", 1, False),
    ("fastbp.tabular.training._fit", 1, False),
    ("fastbp.cli._progress._status", 1, True),
    ("fastbp.cli._progress._status", 3, True),
    ("fastbp.tabular.training._fit", 2, True),
    ("fastbp.cli._progress._status", 4, True),
    ("fastbp.tabular.fitting.as_estimator", 1, False),
    ("fastbp.cli._train.save_model", 1, False),
    ("os.replace", 1, False),
    ("fastbp.cli._train.score_rows", 1, True),
]


def check_what_is_left(tmp_path, learned):
    """See that there is a model that loads, or nothing."""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mixed.csv", *(["model.skops"] if learned else [])]
    if learned:
        assert len(load_model(tmp_path / "model.skops").predict(tmp_path / "mixed.csv")) == 300


@pytest.fixture
def strike(monkeypatch):
    """Return a function that lets Ctrl-C strike when a function is called."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)

    def at(path, call):
        parent, _, name = path.rpartition(".")
        module = __import__(parent, fromlist=[name])
        original, calls = getattr(module, name), []

        def struck(*args, **options):
            calls.append(name)
            if len(calls) == call:
                signal.raise_signal(signal.SIGINT)
            return original(*args, **options)

        monkeypatch.setattr(path, struck)
        return calls

    yield at
    signal.signal(signal.SIGINT, previous)


@pytest.mark.parametrize(("path", "call", "learned"), MOMENTS)
def test_an_interrupted_training_leaves_a_model_that_loads_or_nothing(
    run_fast, table, tmp_path, strike, path, call, learned
):
    calls = strike(path, call)
    result = run_fast(table, "label")
    assert len(calls) >= call
    assert (result.exit_code, result.stdout.count("Traceback")) == (130, 0)
    last = result.stderr.splitlines()[-1]
    assert last.startswith("fastbp: error: interrupted")
    check_what_is_left(tmp_path, learned)


def test_an_interrupted_training_leaves_the_model_that_was_there(run_fast, table, tmp_path, strike):
    assert run_fast(table, "label").exit_code == 0
    before = (tmp_path / "model.skops").read_bytes()
    strike("os.replace", 1)
    assert run_fast(table, "price").exit_code == 130
    assert (tmp_path / "model.skops").read_bytes() == before


def test_an_interrupted_training_is_reported_in_full(run_fast, table, strike):
    strike("fastbp.cli._progress._status", 2)
    result = run_fast(table, "label", "--epochs", "1000")
    assert "Scores on 60 held-out rows" in result.stdout
    assert "100 epochs in" in result.stderr
    assert "interrupted: 1,000 epochs asked for" in result.stderr
    assert result.stderr.endswith("fastbp: error: interrupted: model.skops has the model trained so far\n")


def test_without_validation_rows_the_weights_reached_are_saved(run_fast, table, tmp_path, strike):
    strike("fastbp.cli._progress._status", 2)
    assert run_fast(table, "label", "--validation-fraction", "0").exit_code == 130
    check_what_is_left(tmp_path, learned=True)


@pytest.mark.parametrize("path", ["fastbp.cli._predict.open_table", "fastbp.cli._predict._write_table", "os.replace"])
def test_an_interrupted_prediction_writes_nothing(run_fast, run, table, tmp_path, strike, path):
    assert run_fast(table, "label").exit_code == 0
    strike(path, 1)
    result = run("predict", "model.skops", table)
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr.endswith("fastbp: error: interrupted\n")
    check_what_is_left(tmp_path, learned=True)


STRIKE = "import os, signal, threading, time\ndef strike(*args, **options): os.kill(os.getpid(), signal.SIGINT)\n"
FINDER = """
import importlib.abc, importlib.util, sys
class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "click":
            strike()
sys.meta_path.insert(0, Finder())
importlib.util.find_spec = lambda name: name
"""
ANOTHER_ERROR = """
from fastbp.tabular.table import Table
def row(self, *args, **options):
    try:
        strike()
    except KeyboardInterrupt:
        raise RuntimeError("interrupted") from None
Table.row = row
"""
# DuckDB calls a function of Python while it plans the query, or as the first step. Then it is busy for days.
LONG_QUERY = """
from fastbp.tabular.table import Table
def begin(number):
    BEGIN
    return number
def row(self, *args, **options):
    self.connection._connection.create_function("begin_", begin, ["BIGINT"], "BIGINT", side_effects=SIDE_EFFECTS)
    rows = "range(1000000) a, range(1000000) b WHERE a.range + b.range = (SELECT begin_(-1))"
    return CONNECTION.execute(f"SELECT VALUE FROM {rows}").fetchone()
Table.row = row
"""
FINALIZER = """
import fastbp.tabular.fitting
class Finalized:
    __del__ = strike
def build(*args):
    Finalized()
    while True:
        time.sleep(0.01)
fastbp.tabular.fitting.build_preprocessing = build
"""
TRAINING = """
import fastbp.cli._progress
fastbp.cli._progress._status = lambda report: strike() or ""
"""
SECOND_TRAINING = TRAINING.replace("strike()", "report.validation_score is None and strike()")
AT_ONCE, LATER = "strike()", "threading.Timer(0.1, strike).start()"
QUERIES = {
    "in a query that is about to begin": (AT_ONCE, "False", "self.connection", "count(*)"),
    "in a query": (LATER, "True", "self.connection", "count(*)"),
    "in a query of a cursor": (LATER, "True", "self.connection.cursor()", "count(*)"),
    "in a query whose rows are fetched one by one": (LATER, "True", "self.connection.cursor()", "a.range"),
}


def long_query(*values):
    """Return Python that makes the first query a long one."""
    program = LONG_QUERY
    for name, value in zip(("BEGIN", "SIDE_EFFECTS", "CONNECTION", "VALUE"), values, strict=True):
        program = program.replace(name, value)
    return program


# Python that runs before the program, and whether a model is saved.
AT = {
    "before anything is imported": ("import importlib.util\nimportlib.util.find_spec = strike", False),
    "while click is imported": (FINDER, False),
    "where a library makes another error of it": (ANOTHER_ERROR, False),
    **{moment: (long_query(*values), False) for moment, values in QUERIES.items()},
    "in a finalizer": (FINALIZER, False),
    "in the first training": (TRAINING, True),
    "in the second training": (SECOND_TRAINING, True),
}


@pytest.mark.parametrize("moment", AT)
def test_an_interrupted_process_is_silent_about_where(process, table, tmp_path, moment):
    before, learned = AT[moment]
    options = ("--target", "label", "--hidden", "8", "--epochs", "3")
    result = process("train", "mixed.csv", *options, before=STRIKE + before)
    assert result.returncode == 130, result.stderr
    assert "Traceback" not in result.stderr
    assert "ignored" not in result.stderr.replace("ignored    ", "")
    assert result.stderr.splitlines()[-1].startswith("fastbp: error: interrupted")
    check_what_is_left(tmp_path, learned)


def test_what_runs_in_the_background_of_a_shell_ignores_ctrl_c(process, table, tmp_path):
    before = STRIKE + "signal.signal(signal.SIGINT, signal.SIG_IGN)\nstrike()\n"
    result = process("train", "mixed.csv", "--target", "label", "--hidden", "8", "--epochs", "2", before=before)
    assert result.returncode == 0
    check_what_is_left(tmp_path, learned=True)
