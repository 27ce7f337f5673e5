"""Threads that work for a moment do so on CPUs of their own, and have all CPUs again when they are done."""

import os

import pytest

from fastbp import placement
from fastbp.placement import give_way, here, settle, stay
from fastbp.threads import Job, run_on_threads

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs two CPUs, and a say in the matter",
)

MOMENT, LONG = 1e6, 1e15


def affinities(flops, n_threads=2):
    """CPUs that each thread may use while it works."""
    seen = {}
    run_on_threads(lambda thread: seen.update({thread: os.sched_getaffinity(0)}), n_threads, flops)
    return [seen[thread] for thread in range(n_threads)]


def test_a_moments_work_stays_where_it_is_put():
    everywhere = os.sched_getaffinity(0)
    for _ in range(20):
        first, second = affinities(MOMENT)
        assert len(first) == len(second) == 1
        assert first != second
        assert os.sched_getaffinity(0) == everywhere


def test_long_work_may_be_moved():
    everywhere = os.sched_getaffinity(0)
    assert affinities(LONG) == [everywhere, everywhere], "and nothing remains of what was before"


def test_threads_in_excess_share():
    assert all(len(cpus) == 1 for cpus in affinities(MOMENT, 7))
    assert affinities(LONG)[1] == os.sched_getaffinity(0)


@pytest.mark.parametrize("failing", [0, 1])
def test_after_an_error_too(failing):
    def work(thread):
        if thread == failing:
            raise ZeroDivisionError

    everywhere = os.sched_getaffinity(0)
    with pytest.raises(ZeroDivisionError):
        run_on_threads(work, 2, MOMENT)
    assert os.sched_getaffinity(0) == everywhere
    assert affinities(LONG)[1] == everywhere


def test_the_callers_own_choice_is_kept():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert here() is None, "no choice is left"
        assert affinities(MOMENT)[0] == {min(before)}
        assert os.sched_getaffinity(0) == {min(before)}
    finally:
        os.sched_setaffinity(0, before)


def test_a_system_that_refuses(monkeypatch):
    def refuse(pid, cpus):
        raise PermissionError

    everywhere = os.sched_getaffinity(0)
    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    assert affinities(MOMENT) == [everywhere, everywhere]


def test_a_system_that_does_not_tell(monkeypatch):
    everywhere = os.sched_getaffinity(0)
    monkeypatch.setattr(placement, "_function", lambda name: None)
    assert here() is None
    give_way()
    assert affinities(MOMENT) == [everywhere, everywhere]


def test_numbers_are_counted_from_the_callers_cpu():
    caller = here()
    for thread in range(len(caller.allowed)):
        with stay(caller, thread):
            (cpu,) = os.sched_getaffinity(0)
        assert (caller.allowed.index(cpu) - caller.allowed.index(caller.cpu)) % len(caller.allowed) == thread


def test_a_settled_thread_is_free():
    everywhere = os.sched_getaffinity(0)
    seen = []
    job = Job(lambda thread: seen.append(os.sched_getaffinity(0)), 1)
    job.finish()
    settle(here(), 1)
    assert [*seen, os.sched_getaffinity(0)] == [everywhere, everywhere]
