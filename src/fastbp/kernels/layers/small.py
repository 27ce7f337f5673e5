"""Small matrix products, where the overhead of the call dominates: nothing is packed, and little is checked.

A product of 64 x 64 matrices takes five microseconds; looking up the address of an
array takes two. So common arrays (contiguous, aligned, one float type) are passed to
compiled code directly, and the tiles read and write them in place.
"""

import numpy as np

from fastbp.compiler.jit import inner, jit
from fastbp.compiler.tuning import SMALL_PRODUCT
from fastbp.kernels.tiles.gemm import panel_count, panel_vectors
from fastbp.kernels.tiles.microkernel import MR, gemm_tile_in_place, panel_width
from fastbp.kernels.vectors.simd import address_of, at, first_lanes, lanes_of, pointer

__all__ = ["small_matmul"]

_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
_ndarray = np.ndarray


@inner
def _overlap(p, size, q, length):
    """Whether `size` elements at `p` share memory with `length` elements at `q`."""
    return address_of(p) < address_of(at(q, length)) and address_of(q) < address_of(at(p, size))


@jit
def _multiply(a, b, out):
    """out := a . b, C-contiguous matrices.

    Returns False, and does nothing, if they are not small, do not fit each other, or overlap.
    """
    rows, k = a.shape
    columns = b.shape[1]
    if (
        b.shape[0] != k
        or out.shape[0] != rows
        or out.shape[1] != columns
        or not 0 < rows * k * columns <= SMALL_PRODUCT
    ):
        return False
    x, w, z = pointer(a), pointer(b), pointer(out)
    if _overlap(z, rows * columns, x, rows * k) or _overlap(z, rows * columns, w, k * columns):
        return False
    width = panel_width(x)
    for panel in range(panel_count(columns, x)):
        first = panel * width
        vectors = panel_vectors(columns, panel, x)
        inside = first_lanes(columns - first - (vectors - 1) * lanes_of(x), x)
        for row in range(0, rows, MR):
            count = min(MR, rows - row)
            target = at(z, row * columns + first)
            gemm_tile_in_place(vectors, k, at(x, row * k), k, count, at(w, first), columns, target, columns, inside)
    return True


def small_matmul(a: np.ndarray, b: np.ndarray, out: np.ndarray | None) -> np.ndarray | None:
    """Return a . b, or None unless the arguments are small, contiguous matrices of one float type, `out` writeable.

    None does not mean that the arguments are valid: the caller then has to check them.
    """
    # Compiled code checks everything but the types, for which it is compiled.
    if type(a) is not _ndarray or type(b) is not _ndarray or not a.flags.carray or not b.flags.carray:
        return None
    dtype = a.dtype
    if b.dtype is not dtype or (dtype is not _FLOAT32 and dtype is not _FLOAT64) or a.ndim != 2 or b.ndim != 2:
        return None
    if out is None:
        if a.shape[1] != b.shape[0]:  # mismatched shapes could ask for any amount of memory
            return None
        out = np.empty((a.shape[0], b.shape[1]), dtype)
    elif type(out) is not _ndarray or not out.flags.carray or out.dtype is not dtype or out.ndim != 2:
        return None
    return out if _multiply(a, b, out) else None
