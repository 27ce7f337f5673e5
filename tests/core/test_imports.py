"""A user's program may have the name of a library that fastbp imports: Python then raises an error, without a hang."""

import subprocess
import sys

import pytest

from support.limits import HANG_SECONDS
from support.processes import environment


@pytest.mark.parametrize("name", ["numba", "llvmlite", "scipy", "sklearn", "numpy", "colorama"])
def test_a_program_with_the_name_of_a_library(name, tmp_path):
    program = tmp_path / f"{name}.py"
    program.write_text("from fastbp import MLPClassifier\nprint(MLPClassifier.__name__)\n")
    result = subprocess.run(
        [sys.executable, str(program)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    # Numba does without colorama.
    assert result.returncode == (0 if name == "colorama" else 1), result.stderr
    if result.returncode:
        error = result.stderr.splitlines()[-1]
        assert error.startswith(("ImportError", "ModuleNotFoundError", "AttributeError")), result.stderr
        assert str(program) in result.stderr
