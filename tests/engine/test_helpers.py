"""Helpers are called, waited for as long as they have anything in hand, and kept for the next call."""

import _thread
import gc
import signal
import threading
import time
import weakref
from contextlib import contextmanager

import numpy as np
import pytest

from fastbp.threads import helpers
from fastbp.threads.cpus import allowed_cpus
from fastbp.threads.helpers import run_on_threads
from support.threads import wait_for, wait_for_idle_helpers


@pytest.fixture(autouse=True)
def _idle_helpers():
    wait_for_idle_helpers()


class Together:
    """Work during which number 0 waits for all others to begin, and says what it was told to say."""

    def __init__(self, others, *, done):
        self.began, self.ended = [], []
        self.threads = {}
        self._others, self._done = others, done

    def __call__(self, thread):
        self.began.append(thread)
        self.threads[thread] = threading.current_thread()
        if thread == 0:
            wait_for(lambda: len(self.began) == self._others + 1)
        else:
            self.help()
        self.ended.append(thread)
        return self._done

    def help(self):
        pass


@contextmanager
def stuck_helpers(count, held=()):
    """So many helpers that do not come to an end meanwhile, of a call that number 0 has said to be done."""

    class Stuck(Together):
        def help(self):
            released.wait()

    released = threading.Event()
    work = Stuck(count, done=True)
    run_on_threads(work, count + 1, held)
    try:
        yield work
    finally:
        released.set()
        wait_for(lambda: len(work.ended) == count + 1)


def test_a_single_thread_needs_no_help():
    seen = []
    run_on_threads(seen.append, 1)
    assert seen == [0]


def test_number_0_is_the_caller_and_others_are_kept_for_the_next_call():
    both = []
    for _ in range(2):
        work = Together(1, done=False)
        run_on_threads(work, 2)
        assert sorted(work.ended) == [0, 1]
        assert work.threads[0] is threading.current_thread()
        both.append(work.threads[1])
    assert both[0] is both[1] is not threading.current_thread()
    assert both[0].daemon, "it must not keep a program from ending"


def test_no_more_helpers_than_cpus():
    run_on_threads(lambda thread: False, 40)
    assert len(helpers._helpers) <= allowed_cpus()


def test_a_helper_at_work_is_waited_for():
    class Slow(Together):
        def help(self):
            time.sleep(0.1)

    work = Slow(1, done=False)
    run_on_threads(work, 2)
    assert sorted(work.ended) == [0, 1]


def test_a_helper_that_finds_nothing_to_do_is_not():
    with stuck_helpers(1) as work:
        assert work.ended == [0]


@pytest.mark.skipif(allowed_cpus() < 2, reason="there is one helper for each CPU")
def test_an_idle_helper_is_called_before_a_busy_one():
    with stuck_helpers(1):
        work = Together(1, done=False)
        run_on_threads(work, 2)
        assert sorted(work.ended) == [0, 1]


def test_a_call_that_no_helper_has_begun_is_withdrawn():
    seen = []
    with stuck_helpers(allowed_cpus()):
        run_on_threads(seen.append, 2)
    # The helpers come to what was left to them before they come to this.
    run_on_threads(Together(1, done=False), 2)
    assert seen == [0]


def test_what_is_withdrawn_holds_nothing():
    with stuck_helpers(allowed_cpus()):
        arrays = []
        for _ in range(5):
            array = np.zeros(1000)
            run_on_threads(lambda thread, array=array: bool(array[thread]), 3, [array])
            arrays.append(weakref.ref(array))
        del array
        gc.collect()
        assert [array() for array in arrays] == [None] * 5
        assert all(helper.calls() <= 2 for helper in helpers._helpers)


def test_what_ends_in_its_own_time_holds_no_array():
    array = np.zeros(1000)
    with stuck_helpers(1, iter([array])):
        array.resize(2000)  # refused if anybody else has it


@pytest.mark.parametrize("done", [True, False])
def test_errors_of_helpers_are_handed_to_the_caller_unless_all_is_done(done):
    class Failing(Together):
        def help(self):
            raise ZeroDivisionError("in a helper")

    error = run_on_threads(Failing(1, done=done), 2)
    assert error is None if done else isinstance(error, ZeroDivisionError)
    # The helper is none the worse for it.
    wait_for_idle_helpers()
    work = Together(1, done=False)
    assert run_on_threads(work, 2) is None
    assert sorted(work.ended) == [0, 1]


def test_errors_of_the_caller_wait_for_helpers():
    class Slow(Together):
        def __call__(self, thread):
            super().__call__(thread)
            if thread == 0:
                raise ZeroDivisionError

        def help(self):
            time.sleep(0.1)

    work = Slow(1, done=False)
    with pytest.raises(ZeroDivisionError):
        run_on_threads(work, 2)
    assert sorted(work.ended) == [0, 1]


def test_an_interruption_waits_for_helpers():
    class Interrupting(Together):
        def help(self):
            # The caller is waiting by then.
            time.sleep(0.1)
            _thread.interrupt_main()
            time.sleep(0.1)

    work = Interrupting(1, done=False)
    with pytest.raises(KeyboardInterrupt):
        run_on_threads(work, 2)
    assert sorted(work.ended) == [0, 1]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no such timer on this system")
def test_any_exception_of_a_signals_handler_waits_for_helpers():
    def handler(number, frame):
        raise TimeoutError

    class Slow(Together):
        def help(self):
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            time.sleep(0.2)

    before = signal.signal(signal.SIGALRM, handler)
    try:
        work = Slow(1, done=False)
        with pytest.raises(TimeoutError):
            run_on_threads(work, 2)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert sorted(work.ended) == [0, 1]


def test_where_no_thread_can_be_started(monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(helpers, "_helpers", [])
    monkeypatch.setattr(threading.Thread, "start", refuse)
    seen = []
    run_on_threads(seen.append, 3)
    assert seen == [0]


def test_callers_side_by_side_and_one_inside_of_the_other():
    def call(depth):
        def work(thread):
            return depth > 0 and thread == 0 and call(depth - 1)

        run_on_threads(work, 3)
        done.append(depth)

    done = []
    callers = [threading.Thread(target=call, args=[3], daemon=True) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(20)
    assert sorted(done) == sorted(list(range(4)) * 8)


def test_a_handler_of_signals_may_call_while_it_interrupts_a_call():
    with helpers._lock:
        work = Together(1, done=False)
        run_on_threads(work, 2)
    assert sorted(work.ended) == [0, 1]
