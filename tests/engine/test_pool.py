"""Workers run calls side by side, hold what these need, and can be taken back or waited for at any time."""

import os
import signal
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest

from fastbp.threads import pool
from fastbp.threads.pool import Call, count_open, submit
from support.limits import HANG_SECONDS
from support.processes import environment
from support.threads import wait_for, wait_for_idle_workers

posix = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals of POSIX")


@pytest.fixture(autouse=True)
def _idle_workers():
    wait_for_idle_workers()


@pytest.fixture
def gate():
    """An event that is set at the end, so that no worker waits forever."""
    event = threading.Event()
    yield event
    event.set()


def finish_all(calls):
    for call in calls:
        call.finish()


@pytest.mark.parametrize("count", [1, 2, 7])
def test_calls_run_at_the_same_time(count):
    # However many are open already: each waits for all of the others, as threads do at a barrier.
    for _ in range(20):
        barrier = threading.Barrier(2 * count)
        calls = [
            Call(lambda thread, barrier=barrier: barrier.wait(HANG_SECONDS), thread) for thread in range(2 * count)
        ]
        assert submit(calls[:count])
        assert submit(calls[count:])
        finish_all(calls)
        assert [call.error for call in calls if call.error is not None] == []
    assert count_open() == 0


def test_threads_are_kept_for_the_next_call():
    seen = set()
    for _ in range(50):
        call = Call(lambda thread: seen.add(threading.get_ident()), 0)
        assert submit([call])
        wait_for(lambda call=call: call.wait(0.01))
    assert threading.get_ident() not in seen
    before = len(pool._workers)
    assert len(seen) <= before
    call = Call(lambda thread: None, 0)
    assert submit([call])
    call.finish()
    assert len(pool._workers) == before


def test_many_callers_at_once():
    done = []

    def caller():
        for _ in range(100):
            calls = [Call(done.append, thread) for thread in range(3)]
            assert submit(calls)
            for call in calls:
                assert call.wait(HANG_SECONDS)

    callers = [threading.Thread(target=caller, daemon=True) for _ in range(6)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join(HANG_SECONDS)
    assert sorted(done) == sorted(6 * 100 * [0, 1, 2])
    assert count_open() == 0


def test_an_error_is_kept_and_the_worker_goes_on():
    call = Call(lambda thread: 1 // thread, 0)
    assert submit([call])
    assert call.wait(HANG_SECONDS)
    assert isinstance(call.error, ZeroDivisionError)
    test_calls_run_at_the_same_time(2)


def test_a_call_that_is_withdrawn_does_not_run_and_holds_nothing():
    array = np.zeros(10)
    held, seen = weakref.ref(array), []
    call = Call(seen.append, 0, [array])
    del array
    assert call.withdraw()
    assert held() is None
    # As if it had been handed over by then.
    pool._calls.put(call)
    test_calls_run_at_the_same_time(2)
    assert call.withdraw(), "it may be asked again"
    call.finish()
    assert seen == []


def test_a_call_that_has_begun_holds_its_arrays_to_its_end(gate):
    begun = threading.Event()

    def work(thread):
        begun.set()
        gate.wait(HANG_SECONDS)

    array = np.zeros(10)
    held = weakref.ref(array)
    call = Call(work, 0, [array])
    del array
    assert submit([call])
    assert begun.wait(HANG_SECONDS)
    assert not call.withdraw()
    assert not call.wait(0.001)
    assert held() is not None
    gate.set()
    call.finish()
    assert held() is None


@posix
def test_finish_waits_through_signal_handlers_that_raise(gate):
    def handler(number, frame):
        if frame.f_code is not Call.wait.__code__:
            return  # before `finish` waits, or after
        heard.append(number)
        if len(heard) == 3:
            gate.set()
        if len(heard) <= 3:
            raise TimeoutError

    heard = []
    call = Call(lambda thread: gate.wait(HANG_SECONDS), 0)
    assert submit([call])
    wait_for(lambda: call._fate)
    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
        with pytest.raises(TimeoutError):
            call.finish()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(heard) >= 3
    assert call.wait(0)


def test_where_no_thread_can_be_started(monkeypatch):
    def refuse(*_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(pool, "_workers", set())
    monkeypatch.setattr(pool, "start_new_thread", refuse)
    seen = []
    calls = [Call(seen.append, thread) for thread in range(3)]
    assert not submit(calls)
    finish_all(calls)
    assert (seen, count_open()) == ([], 0)


def test_where_the_interpreter_ends(monkeypatch):
    monkeypatch.setattr(sys, "is_finalizing", lambda: True)
    assert not submit([Call(print, 0)])
    assert count_open() == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_a_forked_child_has_no_workers_and_starts_its_own(gate):
    busy = [Call(lambda thread: gate.wait(HANG_SECONDS), thread) for thread in range(2)]
    assert submit(busy)
    child = os.fork()
    if child == 0:
        signal.alarm(HANG_SECONDS)
        alone = (len(pool._workers), count_open()) == (0, 0)
        call = Call(lambda thread: None, 0)
        os._exit(0 if alone and submit([call]) and call.wait(HANG_SECONDS) else 1)
    assert os.waitpid(child, 0)[1] == 0
    gate.set()
    finish_all(busy)


def run_with_patched_threads(patch):
    """Train on two threads in a process in which `patch` runs first; return how many workers it had."""
    program = f"""
{patch}
import numpy as np
from fastbp import MLP, kernels
from fastbp.threads import pool
x = np.random.default_rng(0).standard_normal((300, 40))
one, two = (MLP((40, 60, 3), seed=0).fit(x, x[:, :3], epochs=3, n_threads=n) for n in (1, 2))
assert all((a == b).all() for a, b in zip(one.weights, two.weights))
assert (two.predict(x, n_threads=2) == one.predict(x, n_threads=1)).all()
assert (kernels.matmul(x, x.T, n_threads=2) == kernels.matmul(x, x.T, n_threads=1)).all()
print(len(pool._workers))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_threads_that_are_not_real_are_not_used():
    # As gevent does it: what is started runs when the thread that started it waits, which compiled code never does.
    patch = "import _thread; _thread.start_new_thread = lambda work, args: 1"
    assert run_with_patched_threads(patch) == 0
    assert run_with_patched_threads("") == 1


def test_gevent():
    pytest.importorskip("gevent")
    assert run_with_patched_threads("import gevent.monkey; gevent.monkey.patch_all()") == 0
