"""Ctrl-C ends training at once, between two steps, and leaves no thread behind."""

import os
import signal
import subprocess
import threading
import time

import pytest

import fastbp.training.engine
from fastbp.threads.jobs import Job
from fastbp.training.engine import Engine
from fastbp.training.session import Session
from support.networks import assert_identical, make_optimizer, make_problem, train
from support.processes import command, environment


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
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


def _outcome(function, *args):
    """Return the type of what a function raises, and fail if it takes for ever: threads that wait for each other do."""
    outcome = []

    def call():
        try:
            function(*args)
            outcome.append(None)
        except (KeyboardInterrupt, ZeroDivisionError) as error:
            outcome.append(type(error))

    # A daemon, so that one that hangs does not keep the tests from ending.
    caller = threading.Thread(target=call, daemon=True)
    caller.start()
    caller.join(20)
    assert outcome, "no result in time"
    return outcome[0]


def _assert_no_worker_is_left():
    end = time.monotonic() + 10
    while names := [thread.name for thread in threading.enumerate() if thread.name.startswith("fastbp-")]:
        assert time.monotonic() < end, f"{names} still run"
        time.sleep(0.005)


def _losing(nth):
    """Return a Job whose `nth` thread runs, but the caller does not come to know it: Ctrl-C came in between."""
    jobs = []

    class Losing(Job):
        def __init__(self, work, thread):
            super().__init__(work, thread)
            jobs.append(thread)
            if len(jobs) == nth:
                raise KeyboardInterrupt

    return Losing


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_ctrl_c_while_workers_are_hired(nth, rng, monkeypatch):
    problem = make_problem(rng, (5, 9, 2), n=60, batch_size=20, epochs=2)
    with monkeypatch.context() as patch:
        patch.setattr(fastbp.training.engine, "Job", _losing(nth))
        assert _outcome(train, problem, make_optimizer("Adam"), 4) is KeyboardInterrupt
    _assert_no_worker_is_left()
    assert_identical(train(problem, make_optimizer("Adam"), 4), train(problem, make_optimizer("Adam"), 1))


@pytest.mark.parametrize("n_threads", [1, 3])
def test_ctrl_c_while_a_long_slice_begins(n_threads, rng, monkeypatch):
    """No step is done by a thread that nobody knows of: weights are written back, and memory let go."""
    problem = make_problem(rng, (5, 9, 2), n=60, batch_size=20, epochs=2)
    run_slice = Engine._run_slice

    def run_long_slice(self, first, end):
        self._long_steps = True
        run_slice(self, first, end)

    monkeypatch.setattr(Engine, "_run_slice", run_long_slice)
    one = train(problem, make_optimizer("Adam"), 1)
    with monkeypatch.context() as patch:
        # Workers are hired first; then there is a runner for each slice.
        patch.setattr(fastbp.training.engine, "Job", _losing(n_threads + 1))
        assert _outcome(train, problem, make_optimizer("Adam"), n_threads) is KeyboardInterrupt
    _assert_no_worker_is_left()
    assert_identical(train(problem, make_optimizer("Adam"), n_threads), one)


def test_an_error_while_a_session_is_made_leaves_no_worker(rng, monkeypatch):
    problem = make_problem(rng, (5, 9, 2), n=60, batch_size=20, epochs=1)
    monkeypatch.setattr(Session, "_pack", lambda self, moments: 1 // 0)
    assert _outcome(train, problem, make_optimizer("Adam"), 3) is ZeroDivisionError
    _assert_no_worker_is_left()
