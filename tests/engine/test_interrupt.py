"""Ctrl-C ends training at once, between two steps, and leaves no thread behind."""

import copy
import os
import signal
from dataclasses import replace

import pytest

from fastbp.threads import pool
from fastbp.threads.pool import count_open
from fastbp.training import engine
from fastbp.training.engine import Engine
from fastbp.training.session import Session
from support.networks import assert_identical, make_optimizer, make_problem, open_session, train
from support.processes import run_well
from support.threads import result_of, wait_for_idle_workers


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize(("kind", "delay"), [("short", 0.3), ("long", 0.1), ("long", 0.6)])
def test_interrupt(kind, delay, n_threads):
    heard, ending = run_well("interrupted", kind, str(n_threads), str(delay)).splitlines()
    seconds, steps = heard.split()
    # An epoch of short steps, or a long step, takes several seconds.
    assert float(seconds) < n_threads
    assert (int(steps) > 0) == (kind == "short")
    assert ending == "whole steps"


def _outcome(function, *args):
    """Return the type of the error that a function raises."""

    def call():
        try:
            function(*args)
        except (KeyboardInterrupt, ZeroDivisionError) as error:
            return type(error)
        return None

    return result_of(call)


def _interrupted_submit(nth, when):
    """Return a `submit` whose `nth` call is interrupted before or after its work, or in the middle of it."""
    count = 0

    def submit(calls):
        nonlocal count
        count += 1
        if count != nth:
            return pool.submit(calls)
        if when != "before":
            pool.submit(calls if when == "after" else calls[:-1])
        raise KeyboardInterrupt

    return submit


@pytest.fixture
def problem(rng):
    wait_for_idle_workers()
    yield make_problem(rng, (5, 9, 2), n=60, batch_size=20, epochs=2)
    assert count_open() == 0


@pytest.mark.parametrize("when", ["before", "amid", "after"])
def test_ctrl_c_while_workers_are_hired(when, problem, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(engine, "submit", _interrupted_submit(1, when))
        assert _outcome(train, problem, make_optimizer("Adam"), 4) is KeyboardInterrupt
    assert count_open() == 0
    assert_identical(train(problem, make_optimizer("Adam"), 4), train(problem, make_optimizer("Adam"), 1))


@pytest.fixture
def long_slices(monkeypatch):
    """Treat all slices as long ones, which workers run instead of the caller."""
    run_slice = Engine._run_slice

    def run_long_slice(self, first, end):
        self._long_steps = True
        run_slice(self, first, end)

    monkeypatch.setattr(Engine, "_run_slice", run_long_slice)


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("when", ["before", "after"])
def test_ctrl_c_while_a_long_slice_begins(n_threads, when, problem, long_slices, monkeypatch):
    """No untracked thread goes on training: weights are written back, and memory is freed."""
    one = train(problem, make_optimizer("Adam"), 1)
    with monkeypatch.context() as patch:
        # Workers are started first; then there is a runner for each slice.
        patch.setattr(engine, "submit", _interrupted_submit(1 + (n_threads > 1), when))
        assert _outcome(train, problem, make_optimizer("Adam"), n_threads) is KeyboardInterrupt
    assert count_open() == 0
    assert_identical(train(problem, make_optimizer("Adam"), n_threads), one)


def test_an_error_while_a_session_is_made_leaves_no_worker(problem, monkeypatch):
    monkeypatch.setattr(Session, "_pack", lambda *_: 1 // 0)
    assert _outcome(train, problem, make_optimizer("Adam"), 3) is ZeroDivisionError


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_an_error_of_any_thread_reaches_the_caller(failing, problem, long_slices, monkeypatch):
    call = Engine._call

    def fail(self, team, thread):
        if thread == failing and team.size > 1:
            raise ZeroDivisionError
        call(self, team, thread)

    monkeypatch.setattr(Engine, "_call", fail)
    assert _outcome(train, problem, make_optimizer("Adam"), 3) is ZeroDivisionError


@pytest.mark.parametrize("n_threads", [1, 3])
def test_where_no_thread_can_be_started_the_caller_trains_alone(n_threads, problem, long_slices, monkeypatch):
    one = train(problem, make_optimizer("Adam"), 1)
    monkeypatch.setattr(engine, "submit", lambda calls: False)
    assert_identical(train(problem, make_optimizer("Adam"), n_threads), one)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals of POSIX")
@pytest.mark.parametrize("slices", ["short_slices", "long_slices"])
def test_signal_handlers_that_raise_leave_whole_steps(slices, rng, request):
    """At any moment of a training, and again and again."""
    if slices == "long_slices":
        request.getfixturevalue(slices)

    def handler(number, frame):
        if armed[0]:
            armed[:] = [False]
            raise KeyboardInterrupt

    # A single minibatch: each epoch is a step.
    epochs = 12
    problem = make_problem(rng, (5, 9, 2), n=40, batch_size=40, shuffled=False)
    after = [
        train(replace(problem, orders=[None] * steps), make_optimizer("SGD"), 1).params for steps in range(epochs + 1)
    ]
    armed, raised = [False], 0
    before = signal.signal(signal.SIGALRM, handler)
    try:
        for i in range(150):
            weights, biases = copy.deepcopy((problem.weights, problem.biases))
            session = open_session(problem, make_optimizer("SGD"), weights, biases, n_threads=3)
            try:
                with session:
                    armed[:] = [True]
                    signal.setitimer(signal.ITIMER_REAL, 2e-5 * (1 + i))
                    for _ in range(epochs):
                        session.epoch(None)
                    armed[:] = [False]
            except KeyboardInterrupt:
                raised += 1
            comp = [*weights, *biases]
            assert any(all((c == r).all() for c, r in zip(comp, ref, strict=True)) for ref in after)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert raised > 0
    assert count_open() == 0
