"""Matrix products of panel matrices: the loops around the microkernel.

A panel matrix (rows, columns) is a sequence of column panels NR wide, each stored
row after row with row stride NR; `*_stride` is the number of elements from one
panel to the next. The last panel may hold fewer columns: only the vectors that they
need are computed. Rows are processed MR at a time, so every panel has room for its
row count rounded up to MR.
"""

from fastbp.compiler.jit import inner
from fastbp.kernels.tiles.microkernel import MR, NV, PARTS, gemm_tile, panel_width
from fastbp.kernels.vectors.simd import at, lanes_of, line_of, prefetch

__all__ = ["column_offset", "gemm_panel", "panel_count", "panel_parts", "panel_vectors", "prefetch_share"]


@inner
def panel_count(columns, p):
    """Number of panels of a matrix of `columns` columns, of the element type of `p`."""
    return (columns + panel_width(p) - 1) // panel_width(p)


@inner
def panel_vectors(columns, panel, p):
    """Number of vectors that hold the columns of panel `panel`."""
    left = columns - panel * panel_width(p)
    return min(NV, (left + lanes_of(p) - 1) // lanes_of(p))


@inner
def panel_parts(columns, panel, p):
    """Number of vector parts that a product computes for the columns of panel `panel`."""
    left = columns - panel * panel_width(p)
    part = lanes_of(p) // PARTS
    return min(NV * PARTS, (left + part - 1) // part)


@inner
def column_offset(column, stride, p):
    """Offset of column `column` from the row's start in the first panel, with panels `stride` elements apart."""
    return column // panel_width(p) * stride + column % panel_width(p)


@inner
def prefetch_share(p, elements, number, count):
    """Prefetch part `number` of `count` equal parts of the `elements` elements at `p`."""
    line = line_of(p)
    for index in range(elements * number // count // line * line, elements * (number + 1) // count, line):
        prefetch(p, index)


@inner
def gemm_panel(k, parts, a, a_stride, b, c, first_row, end_row, kc):
    """C := A . B for one column panel of B and C and the rows ``first_row:end_row`` of A and C.

    The loop over blocks of k is outermost, so that `kc` rows of B stay in L1 while all row tiles use them. The sum of
    every element runs through k in order, whatever the rows and the blocks are. While a block is used, the next one is
    prefetched a part at a time: L3 could not deliver it all at once to the first tile that needs it.

    Parameters
    ----------
    k : int
        Columns of A, rows of B; > 0.
    parts : int
        Number of vector parts of the panel that are computed.
    a : pointer, [read]
        Panel matrix (rows, k).
    b, c : pointer, [read], [write]
        One panel each.
    first_row, end_row : int
        Multiples of MR.
    kc : int
        Block size of k, a multiple of NR.
    """
    width = panel_width(a)
    tiles = (end_row - first_row) // MR
    for k0 in range(0, k, kc):
        block = min(kc, k - k0)
        a_block = at(a, k0 // width * a_stride + first_row * width)
        b_block = at(b, k0 * width)
        for tile in range(tiles):
            row = tile * MR * width
            prefetch_share(at(b_block, block * width), block * width, tile, tiles)
            gemm_tile(parts, block, at(a_block, row), a_stride, b_block, at(c, first_row * width + row), k0 > 0)
