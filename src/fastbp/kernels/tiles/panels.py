"""Moving matrices between the caller's arrays and panel order.

Panel `p` of a matrix (rows, columns) holds the columns from ``p * NR`` on: element
(r, p * NR + j) is at ``p * stride + r * NR + j``. Rows are padded with zeros to whole
vectors; products read no other padding.
"""

from fastbp.compiler.jit import inner, jit
from fastbp.compiler.tuning import PREFETCHED_LINES
from fastbp.kernels.tiles.gemm import panel_count, panel_vectors
from fastbp.kernels.tiles.microkernel import NV, panel_width
from fastbp.kernels.vectors.precision import load_like, load_where_like
from fastbp.kernels.vectors.simd import (
    at,
    first_lanes,
    get,
    lanes_of,
    line_of,
    load,
    pointer,
    prefetch,
    put,
    store,
    store_where,
    zeros,
)

__all__ = ["gather_rows", "pack_array", "pack_rows", "prefetch_rows", "unpack_array", "unpack_rows"]


@inner
def _pack_row(columns, source, column_stride, target, stride):
    """Copy one row into panels. `target` points to the row in the first panel."""
    width = panel_width(target)
    lanes = lanes_of(target)
    for panel in range(panel_count(columns, target)):
        base = at(target, panel * stride)
        first = panel * width
        if column_stride == 1 and columns - first >= width:
            for j in range(NV):
                store(base, j * lanes, load_like(source, first + j * lanes, base))
        else:
            _pack_edge(columns - first, at(source, first * column_stride), column_stride, base)


@inner
def _pack_edge(columns, source, column_stride, target):
    """Copy part of a row into one panel, padded to whole vectors; the source may have any stride."""
    lanes = lanes_of(target)
    for j in range(0, min(columns, panel_width(target)), lanes):
        if column_stride == 1:
            store(target, j, load_where_like(source, j, first_lanes(columns - j, target), target))
        else:
            store(target, j, zeros(target))
            for lane in range(j, min(j + lanes, columns)):
                put(target, lane, get(source, lane * column_stride))


@inner
def gather_rows(columns, source, row_stride, column_stride, order, rows, target, stride, first_row, end_row):
    """Copy row ``order[r]`` of `source` into row `r` of a panel matrix, for the rows ``first_row:end_row``.

    Rows from `rows` on become zeros, so that the last tile of MR rows is complete.

    Parameters
    ----------
    columns : int
        Columns of `source`.
    source : pointer, [read]
        First element; float32 or float64, whatever the type of `target`.
    row_stride, column_stride : int
        Strides of `source`, in elements; any sign.
    order : pointer to int64, [read]
        Rows to copy.
    rows : int
        Their number.
    target : pointer, [write]
        Panel matrix.
    stride : int
        Elements from one panel of `target` to the next.
    first_row, end_row : int
        Rows of `target`.
    """
    width = panel_width(target)
    for row in range(first_row, min(end_row, rows)):
        _pack_row(columns, at(source, get(order, row) * row_stride), column_stride, at(target, row * width), stride)
    for row in range(max(first_row, rows), end_row):
        for panel in range(panel_count(columns, target)):
            base = at(target, panel * stride + row * width)
            for j in range(panel_vectors(columns, panel, target)):
                store(base, j * lanes_of(target), zeros(target))


@inner
def prefetch_rows(columns, source, row_stride, order, first_row, end_row):
    """Prefetch the first cache lines of the rows that `gather_rows` will copy; the hardware prefetches the rest.

    In a shuffled order the hardware cannot predict the next row, so each row would start with a cache miss.
    """
    line = line_of(source)
    last = min(columns, PREFETCHED_LINES * line) - 1
    for row in range(first_row, end_row):
        start = at(source, get(order, row) * row_stride)
        for j in range(0, last, line):
            prefetch(start, j)
        prefetch(start, last)


@inner
def pack_rows(rows, columns, source, first, row_stride, column_stride, target, stride):
    """Copy `rows` rows of `source`, starting at its element `first`, into a panel matrix.

    `row_stride` and `column_stride` are those of `source`, in elements; `stride` is the panel stride of `target`.
    """
    for row in range(rows):
        place = at(target, row * panel_width(target))
        _pack_row(columns, at(source, first + row * row_stride), column_stride, place, stride)


@inner
def unpack_rows(rows, columns, source, stride, target, row_stride):
    """Copy the first `rows` rows of a panel matrix to `target`, whose rows are contiguous, `row_stride` apart."""
    width = panel_width(source)
    lanes = lanes_of(source)
    for panel in range(panel_count(columns, source)):
        left = columns - panel * width
        for row in range(rows):
            place = at(source, panel * stride + row * width)
            result = at(target, row * row_stride + panel * width)
            if left >= width:
                for j in range(NV):
                    store(result, j * lanes, load(place, j * lanes))
            else:
                for j in range(0, left, lanes):
                    store_where(result, j, load(place, j), first_lanes(left - j, source))


@jit
def pack_array(array, buffer, first, stride):
    """Copy a C-contiguous matrix into panels that start at element `first` of `buffer`, `stride` elements apart."""
    rows, columns = array.shape
    pack_rows(rows, columns, pointer(array), 0, columns, 1, at(pointer(buffer), first), stride)


@jit
def unpack_array(buffer, first, stride, array):
    """The reverse of `pack_array`."""
    rows, columns = array.shape
    unpack_rows(rows, columns, at(pointer(buffer), first), stride, pointer(array), columns)
