"""Streams that are closed or full: the work is done all the same; and errors that nobody has foreseen."""

import io
import re
import sys
from pathlib import Path

import pandas as pd
import pytest

from fastbp import load_model
from fastbp.cli._console import GuardedStream

STREAMS = [
    "| head -1",
    "2>&1 | head -1",
    "| true",
    ">&-",
    "2>&-",
    ">&- 2>&-",
    "> /dev/full",
    "2> /dev/full",
    "> /dev/full 2> /dev/full",
    "--json > /dev/full",
]


@pytest.mark.parametrize("shell", STREAMS)
def test_a_model_is_trained_whoever_reads_the_report(process, table, tmp_path, shell):
    result = process("train", "mixed.csv", "--target", "label", "--hidden", "8", "--epochs", "2", shell=shell)
    assert result.returncode == 0
    assert "Traceback" not in result.stdout + result.stderr
    assert "Error" not in result.stdout + result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mixed.csv", "model.skops"]
    assert len(load_model(tmp_path / "model.skops").predict(table)) == 300


@pytest.mark.parametrize("shell", ["| true", "2>&-", "> /dev/full"])
def test_predictions_are_written_whoever_reads_the_scores(process, run_fast, table, tmp_path, shell):
    assert run_fast(table, "label").exit_code == 0
    result = process("predict", "model.skops", "mixed.csv", shell=shell)
    assert result.returncode == 0
    assert "Traceback" not in result.stdout + result.stderr
    assert len(pd.read_csv(tmp_path / "predictions.csv")) == 300


class Full(io.StringIO):
    """A stream that cannot be written."""

    def flush(self):
        raise OSError(28, "No space left on device")


def test_a_stream_that_cannot_be_written_is_given_up(monkeypatch):
    full = Full()
    monkeypatch.setattr("sys.stdout", full)
    GuardedStream("stdout").flush()
    assert sys.stdout is not full


def test_a_finalizer_leaves_the_stream_of_that_moment_alone(monkeypatch):
    monkeypatch.setattr("sys.stdout", Full())
    stream = GuardedStream("stdout")
    another = io.StringIO()
    monkeypatch.setattr("sys.stdout", another)
    del stream
    assert sys.stdout is another


@pytest.mark.parametrize("shell", ["2> /dev/full", "2>&-"])
def test_the_status_of_an_error_is_there_without_its_line(process, shell):
    result = process("train", "none.csv", "--target", "y", shell=shell)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", "")


def test_a_help_that_cannot_be_written_is_one_line(process):
    result = process("--help", shell="> /dev/full")
    assert result.returncode == 2
    assert re.fullmatch("fastbp: error: .*No space left on device\n", result.stderr)


@pytest.mark.parametrize("command", [("train", "t.csv", "--target", "y"), ("predict", "m.skops", "t.csv"), ("info",)])
def test_an_unforeseen_error_is_one_line_and_a_file_with_the_details(run, monkeypatch, tmp_path, command):
    def fails(*args, **options):
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for place in ("_train.open_table", "_predict.read_model", "_info.machine.describe"):
        monkeypatch.setattr(f"fastbp.cli.{place}", fails)
    result = run(*command)
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("fastbp: error: something unforeseen happened (RuntimeError: two lines); please report it")
    path = Path(line.rpartition(" ")[2])
    details = path.read_text(encoding="utf-8")
    assert details.startswith("Traceback (most recent call last):\n")
    assert details.endswith("RuntimeError: two\nlines\n")
    assert [path] == list(tmp_path.iterdir())


def test_too_little_memory_is_one_line(refused, monkeypatch):
    def fails(*args, **options):
        raise MemoryError

    monkeypatch.setattr("fastbp.cli._train.open_table", fails)
    assert refused("train", "t.csv", "--target", "y") == "fastbp: error: not enough memory\n"
