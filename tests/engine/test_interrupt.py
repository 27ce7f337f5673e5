"""Ctrl-C ends training at once, between two steps: see programs/interrupted.py."""

import os
import signal
import subprocess
import time

import pytest

from support.processes import command, environment

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize(("kind", "delay"), [("short", 0.3), ("long", 0.1), ("long", 0.6)])
def test_interrupt(kind, delay, n_threads, record_property):
    process = subprocess.Popen(
        command("interrupted", kind, str(n_threads)),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
        time.sleep(delay)
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    heard, steps = output.splitlines()[0].split()
    seconds = float(heard) - sent
    record_property("seconds from the signal to the exception", seconds)
    print(f"{kind} steps, {n_threads} threads: heard after {seconds:.3f} s, {steps} steps")
    # A few hundredths of a second where nothing else runs.
    assert 0 <= seconds < 2
    assert output.endswith("whole steps\n")
    assert int(steps) <= 1 if kind == "long" else int(steps) > 0
