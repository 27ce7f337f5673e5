"""Small tables, and ways to run the command line on them."""

import shlex
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from fastbp.cli._app import app
from support.limits import HANG_SECONDS


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that runs a command in an empty folder, in this process."""
    monkeypatch.chdir(tmp_path)
    return lambda *args: CliRunner().invoke(app, [str(arg) for arg in args])


@pytest.fixture
def run_fast(run):
    """Return a function that trains a tiny network on a table."""

    def train(table, target, *args):
        return run("train", table, "--target", target, "--hidden", "8", "--epochs", "3", *args)

    return train


@pytest.fixture
def refused(run, tmp_path):
    """Return a function that runs a command that must fail politely, and gives back the line that says why."""

    def check(*args):
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
        result = run(*args)
        after = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
        assert result.exit_code == 2, (result.output, result.exception)
        assert isinstance(result.exception, SystemExit), result.exception
        assert result.stdout == ""
        *others, line = result.stderr.splitlines(keepends=True)
        assert line.startswith("fastbp: error: ")
        assert line.endswith("\n")
        assert not any("error" in other for other in others)
        assert after == before
        return line

    return check


@pytest.fixture
def succeeded():
    """Return a function that checks that a command went well; what it printed has no control sequences."""

    def check(result):
        assert result.exit_code == 0, (result.output, result.exception)
        assert "\x1b" not in result.output
        return result

    return check


@pytest.fixture
def process(tmp_path):
    """Return a function that runs the program in a new process, in the folder of the test.

    `before` is Python that runs first, `shell` what a shell adds behind the command.
    """

    def run_process(*args, before="", shell=""):
        code = f"{before}\nfrom fastbp.cli import main; main()"
        command = shlex.join([sys.executable, "-c", code, *map(str, args)])
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", f"{command} {shell}"],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            timeout=HANG_SECONDS,
            # A shell's background job ignores SIGINT, and so does what it starts.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    return run_process


@pytest.fixture
def mixed_table():
    """Return `make_mixed_table`."""
    return make_mixed_table


def make_mixed_table(n=300, seed=0):
    """Make a table with every kind of column and two learnable targets, "label" and "price"."""
    rng = np.random.default_rng(seed)
    width, height = rng.normal(size=(2, n))
    color = rng.choice(["red", "green", "blue"], size=n)
    table = pd.DataFrame(
        {
            "width": np.where(rng.random(n) < 0.1, np.nan, width),
            "height": height,
            "color": np.where(rng.random(n) < 0.1, "?", color),
            "new": rng.random(n) < 0.5,
            "day": pd.date_range("2020-01-01", periods=n, freq="D").strftime("%Y-%m-%d"),
            "serial": np.arange(n),
            "code": [f"{value:08x}" for value in rng.integers(2**32, size=n)],
            "unit": "cm",
            "nothing": np.nan,
        }
    )
    total = height + (color == "red")
    return table.assign(label=np.where(total > 0.3, "big", "small"), price=100.0 + 5.0 * total)


@pytest.fixture
def table(tmp_path):
    """Write the table of `make_mixed_table` to mixed.csv."""
    make_mixed_table().to_csv(tmp_path / "mixed.csv", index=False)
    return tmp_path / "mixed.csv"
