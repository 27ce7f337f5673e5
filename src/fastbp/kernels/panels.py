"""Moving matrices between the caller's arrays and panel order.

Panel `p` of a matrix (rows, columns) holds the columns from ``p * NR`` on: element
(r, p * NR + j) lies at ``p * stride + r * NR + j``. Rows are padded with zeros to
whole vectors, the only padding that a product ever reads.
"""

from fastbp.jit import jit
from fastbp.kernels.gemm import panel_count, panel_vectors
from fastbp.kernels.microkernel import panel_width
from fastbp.kernels.simd import at, first_lanes, get, lanes_of, load, load_where, put, store, store_where, zeros

__all__ = ["gather_rows", "pack_rows", "unpack_rows"]


@jit
def _pack_row(columns, source, column_stride, target, stride):
    """One row into panels. `target` points to the row in the first panel."""
    width = panel_width(target)
    lanes = lanes_of(target)
    for panel in range(panel_count(columns, target)):
        base = at(target, panel * stride)
        for j in range(0, panel_vectors(columns, panel, target) * lanes, lanes):
            first = panel * width + j
            if column_stride == 1:
                store(base, j, load_where(source, first, first_lanes(columns - first, target)))
            else:
                store(base, j, zeros(target))
                for lane in range(min(lanes, columns - first)):
                    put(base, j + lane, get(source, (first + lane) * column_stride))


@jit
def gather_rows(columns, source, row_stride, column_stride, order, target, stride, first_row, end_row):
    """Row ``order[r]`` of `source` into row `r` of a panel matrix, for the rows ``first_row:end_row``.

    Rows beyond the end of `order` become zeros, so that a tile of MR rows may be computed whole.

    Parameters
    ----------
    columns : int
        Columns of `source`.
    source : pointer, [read]
        First element.
    row_stride, column_stride : int
        Of `source`, in elements; any sign.
    order : array of int64, [read]
        Rows to take.
    target : pointer, [write]
        Panel matrix.
    stride : int
        Elements from one panel of `target` to the next.
    first_row, end_row : int
        Rows of `target`.
    """
    width = panel_width(target)
    for row in range(first_row, min(end_row, order.size)):
        _pack_row(columns, at(source, order[row] * row_stride), column_stride, at(target, row * width), stride)
    for row in range(max(first_row, order.size), end_row):
        for panel in range(panel_count(columns, target)):
            base = at(target, panel * stride + row * width)
            for j in range(panel_vectors(columns, panel, target)):
                store(base, j * lanes_of(target), zeros(target))


@jit
def pack_rows(rows, columns, source, row_stride, column_stride, target, stride):
    """The first `rows` rows of `source` into a panel matrix; the strides of `source` are in elements."""
    for row in range(rows):
        place = at(target, row * panel_width(target))
        _pack_row(columns, at(source, row * row_stride), column_stride, place, stride)


@jit
def unpack_rows(rows, columns, source, stride, target, row_stride):
    """The first `rows` rows of a panel matrix into `target`, whose rows are contiguous, `row_stride` elements apart."""
    width = panel_width(source)
    lanes = lanes_of(source)
    for panel in range(panel_count(columns, source)):
        for row in range(rows):
            place = at(source, panel * stride + row * width)
            for j in range(0, panel_vectors(columns, panel, source) * lanes, lanes):
                first = panel * width + j
                store_where(target, row * row_stride + first, load(place, j), first_lanes(columns - first, source))
