"""Running a program of tests/engine/programs in a new process."""

import os
import subprocess
import sys
from pathlib import Path

from support.limits import HANG_SECONDS

TESTS = Path(__file__).parents[1]
PROGRAMS = TESTS / "engine" / "programs"


def environment(**changes: str | None) -> dict[str, str]:
    """Return the environment for a process that finds what this one finds; None removes a variable."""
    path = os.pathsep.join([str(TESTS), *(entry for entry in sys.path if entry)])
    variables: dict[str, str | None] = {**os.environ, "PYTHONPATH": path, "PYTHONFAULTHANDLER": "1", **changes}
    return {name: value for name, value in variables.items() if value is not None}


def command(program: str, *arguments: str) -> list[str]:
    """Return the command line of a program; warnings are errors in it, as in tests."""
    return [sys.executable, "-W", "error", str(PROGRAMS / f"{program}.py"), *arguments]


def run(program: str, *arguments: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, whatever that is."""
    return subprocess.run(
        command(program, *arguments),
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )


def run_well(program: str, *arguments: str, **changes: str | None) -> str:
    """Run a program that must succeed; returns what it printed."""
    result = run(program, *arguments, **changes)
    assert result.returncode == 0, f"{program} {arguments} ended with {result.returncode}:\n{result.stderr[-4000:]}"
    return result.stdout
