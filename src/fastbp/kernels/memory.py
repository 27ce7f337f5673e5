"""Memory for kernels: aligned to cache lines, with strides that are multiples of the item size."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from fastbp.compiler.tuning import MOST_BYTES_KEPT

__all__ = ["addressable", "aligned_zeros", "workspace"]

_ALIGNMENT = 64  # a cache line, and the widest vector

_local = threading.local()


def aligned_zeros(size: int, dtype: np.dtype) -> np.ndarray:
    """Return `size` zeros, aligned to a cache line. The system allocates their pages when they are first touched."""
    itemsize = np.dtype(dtype).itemsize
    raw = np.zeros(size + _ALIGNMENT // itemsize, dtype=dtype)
    skip = -raw.ctypes.data % _ALIGNMENT // itemsize
    return raw[skip : skip + size]


@contextmanager
def workspace(size: int, dtype: np.dtype) -> Iterator[np.ndarray]:
    """Lend `size` uninitialized elements, which this thread keeps and reuses in its next call.

    Fresh pages cost as much as a small product. A nested call, from a signal handler for example, gets other memory.
    """
    kept = _local.__dict__.pop(dtype.char, None)
    if kept is None or kept.size < size:
        kept = aligned_zeros(size, dtype)
    yield kept[:size]
    if kept.nbytes <= MOST_BYTES_KEPT:
        setattr(_local, dtype.char, kept)


def addressable(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return `x` itself if it is aligned and its strides are multiples of the item size, or a copy."""
    whole = all(stride % dtype.itemsize == 0 for stride in x.strides)
    if x.dtype == dtype and x.flags.aligned and whole:
        return x
    return np.ascontiguousarray(x, dtype=dtype)
