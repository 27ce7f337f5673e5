"""The commands without a table, and the program as a process."""

import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pandas as pd
import pytest

from fastbp import machine
from fastbp.cli._console import duration
from fastbp.interop.libraries import install_command


def test_help_lists_the_commands_and_loads_nothing_heavy():
    heavy = "{'pandas', 'sklearn', 'skops', 'duckdb', 'rich'}"
    code = f"import sys, atexit; atexit.register(lambda: print({heavy} & set(sys.modules)))"
    command = [sys.executable, "-c", f"{code}\nfrom fastbp.cli import main; main()", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for name in ("train", "predict", "evaluate", "info", "warmup", "demo", "example"):
        assert re.search(rf"^  {name} ", shown, re.MULTILINE)
    assert shown.endswith("set()\n")


@pytest.mark.parametrize("module", ["click", "rich", "pandas", "duckdb", "skops", "sklearn"])
def test_missing_extras_are_one_line_of_advice(module):
    code = f"import sys; sys.modules[{module!r}] = None; from fastbp.cli import main; main()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr == f"fastbp: error: the command line needs {module}: {install_command('cli')}\n"


def test_no_command_shows_the_help(run):
    result = run()
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: ")


def test_version(run):
    assert re.fullmatch(r"fastbp, version \S+\n", run("--version").stdout)


@pytest.mark.parametrize("command", ["train", "predict", "evaluate", "info", "warmup", "demo"])
def test_every_command_explains_itself(run, command):
    assert run(command, "--help").exit_code == 0


@pytest.mark.smoke
def test_a_process_trains_and_predicts(process, tmp_path, mixed_table):
    mixed_table(n=100).to_csv(tmp_path / "t.csv", index=False)
    trained = process("train", "t.csv", "--target", "label", "--hidden", "8", "--epochs", "2")
    assert trained.returncode == 0
    assert trained.stdout.startswith("\nScores on 20 held-out rows\n")
    assert trained.stderr.startswith("t.csv: 100 rows, 11 columns\n")
    assert not {"\x1b", "\r"} & set(trained.stdout + trained.stderr)
    predicted = process("predict", "model.skops", "t.csv")
    assert predicted.returncode == 0
    assert len(pd.read_csv(tmp_path / "predictions.csv")) == 100
    failed = process("predict", "none.skops", "t.csv", "--out", "other.csv")
    assert (failed.returncode, failed.stdout) == (2, "")
    assert failed.stderr == "fastbp: error: there is no file 'none.skops'\n"


def test_a_terminal_gets_a_bar(tmp_path, mixed_table):
    mixed_table(n=100).to_csv(tmp_path / "t.csv", index=False)
    master, slave = os.openpty()
    command = [
        sys.executable,
        "-c",
        "from fastbp.cli import main; main()",
        "train",
        "t.csv",
        "--target",
        "label",
    ]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(
        [*command, "--hidden", "8", "--epochs", "2"],
        stdout=slave,
        stderr=slave,
        cwd=tmp_path,
        env=environment,
    )
    os.close(slave)
    shown = read_all(master)
    assert process.wait() == 0
    assert "━" in shown
    assert "2/2" in shown
    assert "\x1b[?25h" in shown  # the cursor is back


def read_all(descriptor):
    """Read a pseudo-terminal until its other end is closed."""
    chunks = []
    while True:
        try:
            chunk = os.read(descriptor, 65536)
        except OSError:  # Linux says EIO where a pipe would say end of file
            chunk = b""
        if not chunk:
            os.close(descriptor)
            return b"".join(chunks).decode()
        chunks.append(chunk)


def test_info_describes_the_machine(run, succeeded):
    result = succeeded(run("info"))
    for fact in (
        "CPU",
        "instruction set",
        "vectors",
        "threads",
        "GFLOP/s",
        "compiled kernels",
        "scikit-learn",
        "duckdb",
    ):
        assert fact in result.stdout


def test_warmup_says_where_and_how_long(run, monkeypatch):
    monkeypatch.setattr("fastbp.cli._info.time", SimpleNamespace(perf_counter=iter([10.0, 93.4]).__next__))
    result = run("warmup")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"kernels ready after 1 min 23 s in {machine.describe()['cache_folder']}\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (2.5e-6, "2.5 µs"),
        (0.0123, "12.3 ms"),
        (1.0, "1 s"),
        (12.345, "12.3 s"),
        (59.0, "59 s"),
        (60.0, "1 min 00 s"),
        (83.4, "1 min 23 s"),
        (119.7, "2 min 00 s"),
        (4000.0, "66 min 40 s"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_demo_compares(run):
    result = run("demo", "--hidden", "16", "--epochs", "20")
    assert (result.exit_code, result.stderr) == (0, "")
    ours, theirs = re.search(r"^test accuracy +([\d.]+) +([\d.]+)$", result.stdout, re.MULTILINE).groups()
    assert float(ours) == pytest.approx(float(theirs), abs=0.05)
    assert re.search(r"trained [\d.]+ times as fast", result.stdout)
    assert "first call" in result.stdout
