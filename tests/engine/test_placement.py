"""Threads that work for a moment do so on CPUs of their own, and callers have all CPUs again when they are done."""

import os

import pytest

from fastbp.threads import helpers, placement
from fastbp.threads.helpers import run_on_threads
from fastbp.threads.jobs import Job
from fastbp.threads.placement import Place, here, put, settle
from support.threads import wait_for, wait_for_idle_helpers

pytestmark = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs two CPUs, and a say in the matter",
)

MOMENT, LONG = 1e6, 1e15


def affinities(flops, n_threads=2, failing=None):
    """CPUs that each thread may use while it works; all work at the same time."""
    seen = {}

    def work(thread):
        seen[thread] = os.sched_getaffinity(0)
        wait_for(lambda: len(seen) == n_threads)
        if thread == failing:
            raise ZeroDivisionError
        return False

    if (error := run_on_threads(work, n_threads, flops)) is not None:
        raise error
    return [seen[thread] for thread in range(n_threads)]


@pytest.fixture(autouse=True)
def _idle_helpers():
    wait_for_idle_helpers()


@pytest.fixture
def rested(monkeypatch):
    """Take every helper for one that has slept for long."""
    monkeypatch.setattr(helpers, "_REST", -1.0)


def test_a_moments_work_stays_where_it_is_put(rested):
    everywhere = os.sched_getaffinity(0)
    for _ in range(20):
        first, second = affinities(MOMENT)
        assert len(first) == len(second) == 1
        assert first != second
        assert os.sched_getaffinity(0) == everywhere


def test_one_call_after_the_other_the_caller_is_left_alone(monkeypatch):
    monkeypatch.setattr(helpers, "_REST", 1e6)
    everywhere = os.sched_getaffinity(0)
    affinities(MOMENT)
    first, second = affinities(MOMENT)
    assert first == everywhere
    assert len(second) == 1


def test_long_work_may_be_moved(rested):
    everywhere = os.sched_getaffinity(0)
    affinities(MOMENT)
    assert affinities(LONG) == [everywhere, everywhere], "and nothing remains of what was before"


@pytest.mark.parametrize("failing", [0, 1])
def test_after_an_error_too(failing, rested):
    everywhere = os.sched_getaffinity(0)
    with pytest.raises(ZeroDivisionError):
        affinities(MOMENT, failing=failing)
    assert os.sched_getaffinity(0) == everywhere
    assert affinities(LONG)[1] == everywhere


def test_the_callers_own_choice_is_kept(rested):
    before = os.sched_getaffinity(0)
    affinities(MOMENT)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert affinities(MOMENT) == [{min(before)}] * 2
        assert os.sched_getaffinity(0) == {min(before)}
    finally:
        os.sched_setaffinity(0, before)


def test_a_system_that_refuses(monkeypatch, rested):
    def refuse(pid, cpus):
        raise PermissionError

    everywhere = os.sched_getaffinity(0)
    monkeypatch.setattr(helpers, "_helpers", [])
    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    assert affinities(MOMENT) == [everywhere, everywhere]


def test_a_system_that_does_not_tell(monkeypatch, rested):
    everywhere = os.sched_getaffinity(0)
    monkeypatch.setattr(helpers, "_helpers", [])
    monkeypatch.setattr(placement, "_cpu_query", lambda: None)
    assert here() is None
    assert affinities(MOMENT) == [everywhere, everywhere]


def test_numbers_are_counted_from_the_callers_cpu(monkeypatch):
    monkeypatch.setattr(placement, "_core", str)
    place = Place(5, frozenset({0, 3, 5, 9}))
    assert [set(place.beside(thread)) for thread in range(6)] == [{5}, {9}, {0}, {3}, {5}, {9}]
    assert Place(4, place.allowed).beside(1) == place.allowed, "moved between two looks"


@pytest.mark.parametrize(
    ("cores", "caller", "order"),
    [("aabb", 0, [0, 2, 1, 3]), ("aabb", 3, [3, 0, 1, 2]), ("abab", 0, [0, 1, 2, 3]), ("abab", 3, [3, 0, 1, 2])],
)
def test_second_cpus_of_a_core_come_last(cores, caller, order, monkeypatch):
    placement._from.cache_clear()
    monkeypatch.setattr(placement, "_core", lambda cpu: cores[cpu])
    place = Place(caller, frozenset(range(4)))
    comp = [place.beside(thread) for thread in range(4)]
    placement._from.cache_clear()
    assert comp == [{cpu} for cpu in order]


def test_cores_of_this_machine():
    cpus = os.sched_getaffinity(0)
    assert {placement._core(cpu) for cpu in cpus} != {""}
    assert placement._core(1 << 20) != placement._core(1 + (1 << 20)), "of CPUs that are not there nothing is known"


def test_a_settled_thread_is_free():
    everywhere = os.sched_getaffinity(0)
    seen = []
    job = Job(lambda thread: seen.append(os.sched_getaffinity(0)), 1)
    job.finish()
    settle(here(), 1)
    assert [*seen, os.sched_getaffinity(0)] == [everywhere, everywhere]


def test_a_cpu_that_is_not_there():
    everywhere = os.sched_getaffinity(0)
    put(0, frozenset({max(everywhere) + 1000}))
    assert os.sched_getaffinity(0) == everywhere
