"""Matrix products of panel matrices: the loops around the microkernel.

A panel matrix (rows, columns) is a sequence of column panels NR wide, each stored
row after row with row stride NR; `*_stride` is the number of elements from one
panel to the next. The last panel may hold fewer columns: only as many vectors as
those need are computed. Rows are taken MR at a time, so every panel has room for
its row count rounded up to MR.
"""

from fastbp.jit import jit
from fastbp.kernels.microkernel import MR, NV, gemm_tile, panel_width
from fastbp.kernels.simd import at, lanes_of

__all__ = ["gemm_panel", "panel_count", "panel_vectors"]


@jit
def panel_count(columns, p):
    """Number of panels of a matrix of `columns` columns, of the element type of `p`."""
    return (columns + panel_width(p) - 1) // panel_width(p)


@jit
def panel_vectors(columns, panel, p):
    """Number of vectors that hold the columns of panel `panel`."""
    left = columns - panel * panel_width(p)
    return min(NV, (left + lanes_of(p) - 1) // lanes_of(p))


@jit
def gemm_panel(k_begin, k_end, vectors, a, a_stride, b, c, first_row, end_row, kc):
    """C := or += A[:, k_begin:k_end] . B[k_begin:k_end] for one column panel of B and C and some rows of A and C.

    Blocks of k outermost, so that `kc` rows of B stay in L1 while all row tiles pass over them; the sum of every
    element runs through k in order, whatever the rows and the blocks are.

    Parameters
    ----------
    k_begin, k_end : int
        Part of the sum; `k_begin` is a multiple of `kc`. A part that begins at 0 overwrites C, a later one adds to it.
    vectors : int
        Vectors of the panel that are computed.
    a : pointer, [read]
        Panel matrix (rows, k_end or more).
    b, c : pointer, [read], [write]
        One panel each.
    first_row, end_row : int
        Rows of A and C, multiples of MR.
    kc : int
        Block size of k, a multiple of NR.
    """
    width = panel_width(a)
    for k0 in range(k_begin, k_end, kc):
        a_block = at(a, k0 // width * a_stride)
        b_block = at(b, k0 * width)
        for row in range(first_row, end_row, MR):
            gemm_tile(
                vectors,
                min(kc, k_end - k0),
                at(a_block, row * width),
                a_stride,
                b_block,
                at(c, row * width),
                k0 > 0,
            )
