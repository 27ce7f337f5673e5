"""Memory as kernels want it: on cache lines, with elements at whole strides."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

__all__ = ["addressable", "aligned_zeros", "workspace"]

_ALIGNMENT = 64  # a cache line, and the widest vector
# Products for which more is needed take so long that fresh pages are nothing beside them.
_MOST_BYTES_KEPT = 1 << 25

_local = threading.local()


def aligned_zeros(size: int, dtype: np.dtype) -> np.ndarray:
    """Return `size` zeros that start on a cache line. The system hands out their pages when they are first touched."""
    itemsize = np.dtype(dtype).itemsize
    raw = np.zeros(size + _ALIGNMENT // itemsize, dtype=dtype)
    skip = -raw.ctypes.data % _ALIGNMENT // itemsize
    return raw[skip : skip + size]


@contextmanager
def workspace(size: int, dtype: np.dtype) -> Iterator[np.ndarray]:
    """Lend `size` elements, with any content, that this thread keeps for its next call.

    Fresh pages cost as much as a small product. Who asks again meanwhile, a handler of signals say, gets others.
    """
    kept = _local.__dict__.pop(dtype.char, None)
    if kept is None or kept.size < size:
        kept = aligned_zeros(size, dtype)
    yield kept[:size]
    if kept.nbytes <= _MOST_BYTES_KEPT:
        setattr(_local, dtype.char, kept)


def addressable(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return `x` itself where its elements can be reached by whole strides, a copy otherwise."""
    whole = all(stride % dtype.itemsize == 0 for stride in x.strides)
    if x.dtype == dtype and x.flags.aligned and whole:
        return x
    return np.ascontiguousarray(x, dtype=dtype)
