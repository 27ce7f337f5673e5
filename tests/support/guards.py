"""Arrays with a forbidden page at one end: an access one element too far ends the process."""

import ctypes
import mmap
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np

PAGE = mmap.PAGESIZE
_NO_ACCESS = 0

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_regions: list[mmap.mmap] = []


def _forbid(address: int, length: int) -> None:
    if _libc.mprotect(address, length, _NO_ACCESS) != 0:
        raise OSError(ctypes.get_errno(), "mprotect")


def guarded(shape: int | tuple[int, ...], dtype: Any, *, at_end: bool = True) -> np.ndarray:
    """Return an array of zeros whose last byte is followed, or whose first is preceded, by a forbidden page.

    When the array is gone its own pages are forbidden too, for good: a use after that ends the process as well.
    """
    dtype = np.dtype(dtype)
    shape = (shape,) if np.isscalar(shape) else tuple(shape)
    count = int(np.prod(shape, dtype=np.int64))
    pages = max(1, -(-count * dtype.itemsize // PAGE))
    length = (pages + 2) * PAGE
    region = mmap.mmap(-1, length)
    raw = np.frombuffer(region, dtype=np.uint8)
    first = raw.ctypes.data
    _regions.append(region)
    _forbid(first, PAGE)
    _forbid(first + (pages + 1) * PAGE, PAGE)
    weakref.finalize(raw, _forbid, first, length)
    start = (pages + 1) * PAGE - count * dtype.itemsize if at_end else PAGE
    return raw[start : start + count * dtype.itemsize].view(dtype).reshape(shape)


def guarded_copy(array: np.ndarray, *, at_end: bool = True) -> np.ndarray:
    """Return a C-contiguous copy next to a guard page."""
    copy = guarded(array.shape, array.dtype, at_end=at_end)
    copy[...] = array
    return copy


@contextmanager
def guarded_allocations(*modules: Any, at_end: bool = True) -> Iterator[None]:
    """Make NumPy's allocating functions, and `aligned_zeros` in the modules, return memory next to guard pages.

    What is not promised to be zero starts as NaN.
    """

    def empty(shape: Any, dtype: Any = np.float64, **_: Any) -> np.ndarray:
        array = guarded(shape, dtype, at_end=at_end)
        if array.dtype.kind == "f":
            array[...] = np.nan
        return array

    def zeros(shape: Any, dtype: Any = np.float64, **_: Any) -> np.ndarray:
        return guarded(shape, dtype, at_end=at_end)

    def empty_like(other: np.ndarray, dtype: Any = None, **_: Any) -> np.ndarray:
        return empty(other.shape, dtype or other.dtype)

    def zeros_like(other: np.ndarray, dtype: Any = None, **_: Any) -> np.ndarray:
        return zeros(other.shape, dtype or other.dtype)

    functions = {"empty": empty, "zeros": zeros, "empty_like": empty_like, "zeros_like": zeros_like}
    patches = [mock.patch.multiple(np, **functions)]
    patches += [mock.patch.object(module, "aligned_zeros", zeros) for module in modules]
    # Memory that a module keeps for its next call would be too large for that, and hide an access out of bounds.
    keeping = [module for module in modules if hasattr(module, "_local")]
    patches += [mock.patch.object(module, "_local", threading.local()) for module in keeping]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in reversed(patches):
            patch.stop()
