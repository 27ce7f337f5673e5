"""No kernel reads or writes one byte out of bounds, nor memory that is no longer there: see programs/guard_pages.py."""

import signal

import pytest

from support.processes import run, run_well


@pytest.mark.parametrize("name", ["products", "backward", "training", "write back", "predict", "sparse"])
def test_within_bounds(name):
    assert run_well("guard_pages", name).endswith("done\n")


@pytest.mark.parametrize(
    "name", ["planted read behind", "planted read before", "planted write behind", "planted read of what is gone"]
)
def test_planted_faults_are_caught(name):
    result = run("guard_pages", name)
    assert result.returncode in (-signal.SIGSEGV, -signal.SIGBUS), result.stderr
    assert result.stdout == "within bounds\n"
