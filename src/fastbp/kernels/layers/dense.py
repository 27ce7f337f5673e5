"""Matrix product and dense layer on plain arrays: `matmul` and `linear`.

The weights are packed into panels first. The samples are read in place. The result is
computed in a panel and copied out tile by tile, while it is in cache.
"""

import math

import numpy as np

from fastbp.compiler.jit import inner, jit
from fastbp.compiler.tuning import DENSE_BLOCK_BYTES, DENSE_GROUP_BYTES, DENSE_KC, DENSE_MC, DENSE_SHARES
from fastbp.kernels.functions.activations import ACTIVATIONS, CODES, ELEMENTWISE
from fastbp.kernels.layers.arguments import check_disjoint, check_matrix, check_output, check_vector
from fastbp.kernels.layers.small import small_matmul
from fastbp.kernels.memory import workspace
from fastbp.kernels.shares import begin_shares, end_shares, next_share, run_shares, share_count
from fastbp.kernels.tiles.epilogue import bias_activation_panel
from fastbp.kernels.tiles.gemm import panel_count, panel_parts, prefetch_share
from fastbp.kernels.tiles.microkernel import MR, NV, gemm_tile_rows, panel_width
from fastbp.kernels.tiles.panels import pack_rows, unpack_rows
from fastbp.kernels.vectors.simd import address_pointer, at, lanes_of, pointer, store, zeros
from fastbp.kernels.vectors.types import lanes
from fastbp.threads.budget import choose_threads

__all__ = ["linear", "matmul"]

IDENTITY = CODES["identity"]


@jit
def _linear_shares(workspace, x, w, bias, out, shape, strides, shares, by_rows, keep, blocks, smooth, activation):
    """One thread's part of ``out = act(x . w + bias)``.

    Parameters
    ----------
    workspace : array, [write]
        Room for a panel of the result and the panels of w.
    x, w, bias, out : int
        Addresses; `bias` is 0 if there is none, and the rows of x are contiguous.
    shape : (m, k, n)
    strides : (x row, w row, w column)
        In elements; `out` is C-contiguous.
    shares : array, [read+write]
        Table of shares, see `shares`: of row tiles if `by_rows`, of column panels otherwise.
    by_rows : bool
    keep : bool
        Whether packed panels of w are kept for the next rows.
    blocks : (mc, kc, group)
        Rows of x taken at a time, block of the sum, panels of w packed at a time.
    smooth, activation
        See `epilogue.bias_activation_panel`.

    Returns
    -------
    bool
        See `shares.end_shares`.
    """
    m, k, n = shape
    mc, kc, group = blocks
    like = pointer(workspace)
    width = panel_width(like)
    c = like
    no_bias = at(c, mc * width)
    b = at(no_bias, width)
    for j in range(0, width, lanes_of(like)):
        store(no_bias, j, zeros(like))
    samples, weights, result = address_pointer(x, like), address_pointer(w, like), address_pointer(out, like)
    table = pointer(shares)
    packed = False
    begin_shares(table)
    first_unit, end_unit = next_share(table)
    while first_unit < end_unit:
        first_row, end_row, first_panel, end_panel = 0, m, first_unit, end_unit
        if by_rows:
            first_row, end_row = first_unit * MR, min(end_unit * MR, m)
            first_panel, end_panel = 0, panel_count(n, like)
        for row in range(first_row, end_row, mc):
            count = min(mc, end_row - row)
            a = at(samples, row * strides[0])
            for panel in range(first_panel, end_panel):
                first = panel * width
                columns = min(width, n - first)
                place = panel - first_panel if keep else (panel - first_panel) % group
                if not packed and (panel - first_panel) % group == 0:
                    end = min(min(panel + group, end_panel) * width, n)
                    target = at(b, place * k * width)
                    pack_rows(k, end - first, weights, first * strides[2], strides[1], strides[2], target, k * width)
                if bias != 0:
                    # A whole vector could reach beyond the array of biases: they are packed like any other row.
                    pack_rows(1, columns, address_pointer(bias, like), first, 0, 1, no_bias, 0)
                code = activation if bias != 0 or activation != IDENTITY else -1
                target = at(result, row * n + first)
                _panel(
                    k, columns, a, strides[0], at(b, place * k * width), c, count, kc, no_bias, smooth, code, target, n
                )
            packed = keep
        packed = keep and by_rows
        first_unit, end_unit = next_share(table)
    end_shares(table)


@inner
def _panel(k, columns, a, a_stride, w, c, rows, kc, bias, smooth, activation, target, row_stride):
    """Compute one panel of the result in `target` from rows of x and a packed panel of w.

    With `activation` -1 there is no bias either. The result is written tile by tile, so that its cache lines are
    fetched while the next tile is computed.
    """
    parts = panel_parts(columns, 0, a)
    width = panel_width(a)
    tiles = (rows + MR - 1) // MR
    for k0 in range(0, k, kc):
        block = min(kc, k - k0)
        w_block = at(w, k0 * width)
        for tile in range(tiles):
            row = tile * MR
            count = min(MR, rows - row)
            z = at(c, row * width)
            prefetch_share(at(w_block, block * width), block * width, tile, tiles)
            gemm_tile_rows(parts, block, at(a, row * a_stride + k0), a_stride, count, w_block, z, k0 > 0)
            if k0 + block == k:
                if activation >= 0:
                    bias_activation_panel(smooth, activation, columns, z, None, width, bias, 0, count)
                unpack_rows(count, columns, z, 0, at(target, row * row_stride), row_stride)


def _linear(
    x: np.ndarray, w: np.ndarray, b: np.ndarray | None, activation: str, out: np.ndarray, threads: int | None
) -> None:
    if x.strides[1] != x.itemsize:
        x = np.ascontiguousarray(x)
    m, k = x.shape
    n = w.shape[1]
    dtype = x.dtype
    width = NV * lanes(dtype)
    kc = max(DENSE_KC // width, 1) * width
    w_panels = math.ceil(n / width)
    row_tiles = math.ceil(m / MR)
    flops = 2.0 * m * k * n
    count = choose_threads(threads, flops, max(row_tiles, w_panels))
    by_rows = row_tiles >= 4 * count or row_tiles >= w_panels
    mc = min(max(DENSE_MC, DENSE_BLOCK_BYTES // (k * dtype.itemsize) // MR * MR), row_tiles * MR)
    group = min(max(1, DENSE_GROUP_BYTES // (k * width * dtype.itemsize)), w_panels)
    # With fewer rows than mc at a time, re-reading the panels of w from memory would dominate.
    each = math.ceil(m / (count * mc)) if by_rows else DENSE_SHARES
    keep = each > 1 if by_rows else m > mc
    units = row_tiles if by_rows else w_panels
    kept = w_panels if by_rows else math.ceil(w_panels / share_count(units, each, count))
    size = (mc + 1) * width + (kept if keep else group) * k * width
    addresses = x.ctypes.data, w.ctypes.data, 0 if b is None else b.ctypes.data, out.ctypes.data
    strides = tuple(s // dtype.itemsize for s in (x.strides[0], *w.strides))
    smooth, code = ACTIVATIONS[activation].needs_slopes or None, CODES[activation]

    def work(_: int, shares: np.ndarray) -> None:
        with workspace(size, dtype) as memory:
            _linear_shares(memory, *addresses, (m, k, n), strides, shares, by_rows, keep, (mc, kc, group), smooth, code)

    run_shares(work, units, each, count, (x, w, b, out))


def _check_out(out: np.ndarray | None, m: int, n: int, inputs: dict[str, np.ndarray | None]) -> np.ndarray:
    """Return `out`, or a new array; raise if `out` has another shape or overlaps an input."""
    dtype = next(array.dtype for array in inputs.values() if array is not None)
    if out is None:
        return np.empty((m, n), dtype=dtype)
    check_matrix("out", out, dtype, (m, n))
    check_output("out", out)
    check_disjoint("out", out, inputs)
    return out


def linear(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None = None,
    *,
    activation: str = "identity",
    out: np.ndarray | None = None,
    n_threads: int | None = None,
) -> np.ndarray:
    """Dense layer; bias and activation are applied while the product is in cache.

    .. math:: out = act(x \\cdot w + b)

    Parameters
    ----------
    x : ndarray, (n, n_in), [read]
        float32 or float64, any strides.
    w : ndarray, (n_in, n_out), [read]
        Of the same dtype, any strides.
    b : ndarray, (n_out,), [read], optional
        Biases; none if omitted.
    activation : str
        Applied to each element: any of `fastbp.MLP`'s, or "exp".
    out : ndarray, (n, n_out), [write], optional
        C-contiguous array for the result, which overlaps no other argument. Its old content is never read.
    n_threads : int, optional
        Number of threads; -1 for all CPUs, None to choose by the size of the product. The result is the same, bit by
        bit, for any number.

    Returns
    -------
    ndarray, (n, n_out)
        `out`, or a new array.

    Raises
    ------
    TypeError
        If an argument is not an array, or the dtypes are not all float32 or all float64.
    ValueError
        If shapes do not fit, `out` is not writeable and C-contiguous or overlaps an input, or `activation` is unknown.

    Notes
    -----
    Every element is one sum over n_in in index order, in fused multiply-adds, so that
    ``abs(z - exact) <= n_in * eps * (abs(x) @ abs(w))`` before the bias.

    The loops are those of Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS 34
    (2008), section 4, without the packing of x.
    """
    if activation not in ELEMENTWISE:
        raise ValueError(f"activation must be one of {ELEMENTWISE}, got {activation!r}")
    x = check_matrix("x", x)
    w = check_matrix("w", w, x.dtype, (x.shape[1], None))
    if b is not None:
        b = check_vector("b", b, x.dtype, w.shape[1])
    result = _check_out(out, x.shape[0], w.shape[1], {"x": x, "w": w, "b": b})
    if result.size == 0:
        return result
    if x.shape[1] == 0:
        raise ValueError("x must have at least one column, got shape " + str(x.shape))
    _linear(x, w, b, activation, result, n_threads)
    return result


def matmul(a: np.ndarray, b: np.ndarray, *, out: np.ndarray | None = None, n_threads: int | None = None) -> np.ndarray:
    """Matrix product.

    .. math:: out_{ij} = \\sum_k a_{ik} b_{kj}

    Parameters
    ----------
    a : ndarray, (m, k), [read]
        float32 or float64, any strides.
    b : ndarray, (k, n), [read]
        Of the same dtype, any strides.
    out : ndarray, (m, n), [write], optional
        C-contiguous array for the result, which overlaps no other argument. Its old content is never read.
    n_threads : int, optional
        Number of threads; -1 for all CPUs, None to choose by the size of the product. The result is the same, bit by
        bit, for any number.

    Returns
    -------
    ndarray, (m, n)
        `out`, or a new array.

    Raises
    ------
    TypeError, ValueError
        As `linear` does.
    """
    if (n_threads is None or n_threads == 1) and (result := small_matmul(a, b, out)) is not None:
        return result
    a = check_matrix("a", a)
    b = check_matrix("b", b, a.dtype, (a.shape[1], None))
    result = _check_out(out, a.shape[0], b.shape[1], {"a": a, "b": b})
    if a.shape[1] == 0:
        result[...] = 0.0
    elif result.size > 0:
        _linear(a, b, None, "identity", result, n_threads)
    return result
