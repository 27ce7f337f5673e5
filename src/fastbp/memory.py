"""Memory as kernels want it: on cache lines, with elements at whole strides."""

import numpy as np

__all__ = ["addressable", "aligned_zeros"]

_ALIGNMENT = 64  # a cache line, and the widest vector


def aligned_zeros(size: int, dtype: np.dtype) -> np.ndarray:
    """Return `size` zeros that start on a cache line. The system hands out their pages when they are first touched."""
    itemsize = np.dtype(dtype).itemsize
    raw = np.zeros(size + _ALIGNMENT // itemsize, dtype=dtype)
    skip = -raw.ctypes.data % _ALIGNMENT // itemsize
    return raw[skip : skip + size]


def addressable(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return `x` itself where its elements can be reached by whole strides, a copy otherwise."""
    whole = all(stride % dtype.itemsize == 0 for stride in x.strides)
    if x.dtype == dtype and x.flags.aligned and whole:
        return x
    return np.ascontiguousarray(x, dtype=dtype)
