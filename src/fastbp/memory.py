"""Memory that vectors can be loaded from without crossing a cache line."""

import numpy as np

__all__ = ["aligned_zeros"]

_ALIGNMENT = 64  # a cache line, and the widest vector


def aligned_zeros(size: int, dtype: np.dtype) -> np.ndarray:
    """Return `size` zeros that start on a cache line. The system hands out their pages when they are first touched."""
    itemsize = np.dtype(dtype).itemsize
    raw = np.zeros(size + _ALIGNMENT // itemsize, dtype=dtype)
    skip = -raw.ctypes.data % _ALIGNMENT // itemsize
    return raw[skip : skip + size]
