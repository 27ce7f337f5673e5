"""Sizes at which loops over tiles, panels and blocks begin, end, or are one short, and arrays of every layout."""

from collections.abc import Callable
from itertools import pairwise, product

import numpy as np

from fastbp.compiler.target import TARGET
from fastbp.kernels.functions import activations
from fastbp.kernels.vectors.types import lanes

DTYPES = (np.float32, np.float64)
HIDDEN = activations.HIDDEN
PRIME = 37


def panel_width(dtype: type) -> int:
    """NR: columns of a panel."""
    return TARGET.nv * lanes(dtype)


def row_sizes(dtype: type) -> tuple[int, ...]:
    """Sizes around MR."""
    mr = TARGET.mr
    return (1, mr - 1, mr, mr + 1, 2 * mr + 1, PRIME)


def column_sizes(dtype: type) -> tuple[int, ...]:
    """Sizes around NR, around a vector, and with half of one at the end."""
    nr, lane = panel_width(dtype), lanes(dtype)
    return (1, lane, lane + 1, nr - lane // 2, nr - 1, nr, nr + 1, 2 * nr + 1)


def sum_sizes(dtype: type) -> tuple[int, ...]:
    """Sizes around the block of the summation index: every multiple of NR that may be one, and beyond several."""
    nr = panel_width(dtype)
    blocks = {block // nr * nr for block in (128, 144, 192, 256)}
    return (1, 2, PRIME, *sorted({size for block in blocks for size in (block - 1, block, block + 1)}), 523)


def shapes(dtype: type) -> list[tuple[int, int, int]]:
    """(m, k, n) triples: all pairs of rows and columns with a short sum, all sums with some rows and columns."""
    rows, columns, sums = row_sizes(dtype), column_sizes(dtype), sum_sizes(dtype)
    short = [(m, 1 + (i + j) % 11, n) for (i, m), (j, n) in product(enumerate(rows), enumerate(columns))]
    corners = [(rows[0], columns[-1]), (rows[-1], columns[0]), (rows[3], columns[-2])]
    return short + [(m, k, n) for k in sums for m, n in corners]


def _fortran(a: np.ndarray) -> np.ndarray:
    return np.asfortranarray(a)


def _every_second(a: np.ndarray) -> np.ndarray:
    spread = np.full((2 * a.shape[0], 2 * a.shape[1]), np.nan, dtype=a.dtype)
    spread[::2, ::2] = a
    return spread[::2, ::2]


def _backwards(a: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1]


def _window(a: np.ndarray) -> np.ndarray:
    around = np.full((a.shape[0] + 2, a.shape[1] + 3), np.nan, dtype=a.dtype)
    around[1:-1, 1:-2] = a
    return around[1:-1, 1:-2]


def _read_only(a: np.ndarray) -> np.ndarray:
    copy = a.copy()
    copy.flags.writeable = False
    return copy


def _unaligned(a: np.ndarray) -> np.ndarray:
    raw = np.zeros(a.nbytes + 1, dtype=np.uint8)
    view = raw[1:].view(a.dtype).reshape(a.shape)
    view[...] = a
    return view


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "C order": np.ascontiguousarray,
    "Fortran order": _fortran,
    "every second row and column": _every_second,
    "negative strides": _backwards,
    "window of a larger array": _window,
    "read-only": _read_only,
    "unaligned": _unaligned,
}
"""The same values in every memory layout of NumPy, with NaN in the gaps."""


def random_problem(rng: np.random.Generator, dtype: type, *dims: int) -> list[np.ndarray]:
    """Matrices dims[0] x dims[1], dims[1] x dims[2], ... of normal numbers."""
    return [rng.standard_normal(shape).astype(dtype) for shape in pairwise(dims)]
