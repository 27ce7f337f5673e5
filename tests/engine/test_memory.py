"""Memory that a thread keeps between calls of kernels: one call uses it at a time, and large blocks are freed."""

import threading

import numpy as np
import pytest

import fastbp.kernels.memory
from fastbp.kernels.memory import workspace

FLOAT64 = np.dtype(np.float64)


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(fastbp.kernels.memory, "_local", threading.local())


def address(size):
    with workspace(size, FLOAT64) as memory:
        assert memory.size == size
        assert memory.ctypes.data % 64 == 0
        return memory.ctypes.data


def test_the_next_call_gets_the_same():
    assert address(1000) == address(1000) == address(10)


def test_who_asks_meanwhile_gets_others():
    """A signal handler may call a kernel while another kernel is running in its thread."""
    with workspace(1000, FLOAT64) as outer, workspace(1000, FLOAT64) as inner:
        assert not np.shares_memory(outer, inner)


def test_threads_have_their_own():
    with workspace(1000, FLOAT64) as mine:
        theirs = []
        thread = threading.Thread(target=lambda: theirs.append(address(1000)))
        thread.start()
        thread.join()
        assert theirs != [mine.ctypes.data]


def test_an_error_and_a_large_piece_leave_nothing():
    with pytest.raises(ZeroDivisionError), workspace(1000, FLOAT64):
        _ = 1 // 0
    assert not vars(fastbp.kernels.memory._local)
    address(fastbp.kernels.memory.MOST_BYTES_KEPT // 8 + 1)
    assert not vars(fastbp.kernels.memory._local)
    address(1000)
    assert vars(fastbp.kernels.memory._local).keys() == {"d"}
