"""Streams that are closed or full: the work is done all the same; and errors that nobody has foreseen."""

import errno
from pathlib import Path

import pandas as pd
import pytest

from fastbp import load_model
from fastbp.cli._streams import GuardedStream

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


@pytest.mark.parametrize("shell", ["| true", ">&-", "> /dev/full", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("train", "--help"), ()])
def test_whoever_reads_what_fastbp_says_of_itself(process, arguments, shell):
    result = process(*arguments, shell=shell)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("shell", ["| true", "> /dev/full"])
def test_whoever_reads_about_a_model(process, run_fast, table, shell):
    assert run_fast(table, "label").exit_code == 0
    for arguments in (("info", "model.skops"), ("evaluate", "model.skops", "mixed.csv", "--json")):
        result = process(*arguments, shell=shell)
        assert result.returncode == 0
        assert "error" not in result.stderr


def test_a_stream_that_cannot_be_written_is_given_up():
    with open("/dev/full", "w") as full:
        stream = GuardedStream(full)
        assert stream.failure is None
        assert stream.write("text") == 4
        stream.flush()
        assert stream.failure.errno == errno.ENOSPC
        full.flush()  # Python does so at its end


def test_what_is_closed_from_the_beginning_takes_every_text():
    stream = GuardedStream(None)
    assert stream.failure.strerror == "it is closed"
    assert stream.write("text") == 4
    stream.flush()
    assert not stream.isatty()
    assert stream.encoding == "utf-8"


def test_a_name_that_the_terminal_cannot_show_is_replaced(process, tmp_path):
    (tmp_path / "t.csv").write_text("größe,y\n1,2\n", encoding="utf-8")
    result = process("train", "t.csv", before="import sys\nsys.stderr.reconfigure(encoding='ascii', errors='strict')")
    assert result.returncode == 2
    assert "gr??e" in result.stderr


@pytest.mark.parametrize("shell", ["2> /dev/full", "2>&-"])
def test_the_status_of_an_error_is_there_without_its_line(process, shell):
    result = process("train", "none.csv", "--target", "y", shell=shell)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", "")


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
