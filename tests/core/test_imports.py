"""Imports ahead leave everything as it was: the collector, the threads, the error of a package that is not there."""

import gc
import sys
import threading

import pytest

from fastbp.compiler.imports import importing
from support.processes import run_well


@pytest.fixture(autouse=True)
def collector():
    yield
    gc.enable()


@pytest.mark.parametrize("collects", [True, False])
def test_the_collector_is_left_as_it_was(collects):
    (gc.enable if collects else gc.disable)()
    with importing("json"):
        assert not gc.isenabled()
    assert gc.isenabled() == collects
    with pytest.raises(ZeroDivisionError), importing("json"):
        _ = 1 // 0
    assert gc.isenabled() == collects


def test_what_is_imported_counts_as_old():
    with importing("json"):
        young = [[] for _ in range(10_000)]
    assert gc.get_count()[0] < 5_000
    assert gc.get_freeze_count() == 0
    assert any(thing is young for thing in gc.get_objects(generation=2))


def test_what_a_program_has_frozen_stays_so():
    gc.freeze()
    try:
        before = gc.get_freeze_count()
        with importing("json"):
            pass
        assert gc.get_freeze_count() == before
    finally:
        gc.unfreeze()


def test_a_package_is_there_and_the_thread_gone(tmp_path, monkeypatch):
    (tmp_path / "fastbp_test_package.py").write_text("import threading\nTHREAD = threading.current_thread()\n")
    monkeypatch.syspath_prepend(tmp_path)
    with importing("fastbp_test_package"):
        thread = sys.modules["fastbp_test_package"].THREAD
    assert thread is not threading.current_thread()
    assert not thread.is_alive()


def test_where_no_thread_can_be_started(tmp_path, monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    (tmp_path / "fastbp_other_package.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with importing("fastbp_other_package"):
        assert "fastbp_other_package" in sys.modules


def test_what_is_wrong_with_a_package_is_said_where_it_is_needed():
    with importing("fastbp_no_such_package"):
        pass
    assert "fastbp_no_such_package" not in sys.modules


def test_the_estimators_in_a_fresh_process():
    assert run_well("imported").split() == ["True", "1"]
