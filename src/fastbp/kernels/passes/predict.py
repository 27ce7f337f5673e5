"""Forward pass of many rows, a chunk at a time."""

from fastbp.compiler.jit import inner, jit
from fastbp.compiler.tuning import FETCHED_TILES
from fastbp.kernels.functions.activations import CODES
from fastbp.kernels.passes.layout import ACTIVATION, BIAS_ROW, DZ, N_IN, N_OUT, W_ROWS, H, W, entry
from fastbp.kernels.passes.output import softmax_rows
from fastbp.kernels.passes.rows import forward_rows
from fastbp.kernels.passes.sparse import first_layer_rows, samples_from, view_samples
from fastbp.kernels.passes.views import view_network
from fastbp.kernels.shares import begin_shares, end_shares, next_share, stop_shares
from fastbp.kernels.tiles.epilogue import bias_activation_panel
from fastbp.kernels.tiles.gemm import panel_count, panel_parts, prefetch_share
from fastbp.kernels.tiles.microkernel import MR, gemm_tile_rows, panel_width
from fastbp.kernels.tiles.panels import gather_rows, unpack_rows
from fastbp.kernels.vectors.simd import (
    address_pointer,
    at,
    first_lanes,
    fma,
    hsum,
    lanes_of,
    line_of,
    load,
    load_where,
    pointer,
    prefetch,
    zeros,
)

__all__ = ["predict_shares"]

SOFTMAX = CODES["softmax"]


@inner
def _fetch_rows(columns, source, row_stride, first_row, end_row):
    """Prefetch some columns of a few rows; the hardware does not recognize rows less than a page apart as a stream."""
    line = line_of(source)
    for row in range(first_row, end_row):
        start = at(source, row * row_stride)
        for j in range(0, columns - 1, line):
            prefetch(start, j)
        prefetch(start, columns - 1)


@inner
def _all_finite(columns, source, row_stride, rows):
    """Whether some columns of a few rows hold neither NaN nor infinity (0 times either is NaN)."""
    lanes = lanes_of(source)
    nothing = zeros(source)
    total = nothing
    whole = columns // lanes * lanes
    for row in range(rows):
        start = at(source, row * row_stride)
        part = nothing
        for j in range(0, whole, lanes):
            part = fma(load(start, j), nothing, part)
        if whole < columns:
            part = fma(load_where(start, whole, first_lanes(columns - whole, source)), nothing, part)
        total = total + part
    return hsum(total) == 0.0


@inner
def _first_layer(net, weights, work, x, x_row, rows, following):
    """Forward pass of the first layer, reading rows of x in place rather than from a packed copy.

    `following` rows come after these; the next few are prefetched meanwhile. Returns whether all elements of the rows
    are finite: the check is cheap while they are in cache.
    """
    finite = True
    width = panel_width(work)
    k, columns = entry(net.table, 0, N_IN), entry(net.table, 0, N_OUT)
    target = at(work, entry(net.table, 1, H) if net.layers > 1 else entry(net.table, 0, DZ))
    code = entry(net.table, 0, ACTIVATION)
    tiles = (rows + MR - 1) // MR
    for panel in range(panel_count(columns, work)):
        parts = panel_parts(columns, panel, work)
        w = at(weights, entry(net.table, 0, W) + panel * entry(net.table, 0, W_ROWS) * width)
        z = at(target, panel * net.row_capacity * width)
        for k0 in range(0, k, net.kc):
            block = min(net.kc, k - k0)
            w_block = at(w, k0 * width)
            for tile in range(tiles):
                row = tile * MR
                prefetch_share(at(w_block, block * width), block * width, tile, tiles)
                a, count = at(x, row * x_row + k0), min(MR, rows - row)
                if panel == 0:
                    first = row + FETCHED_TILES * MR
                    _fetch_rows(block, at(x, k0), x_row, first, min(first + MR, rows + following))
                    finite &= _all_finite(block, a, x_row, count)
                gemm_tile_rows(parts, block, a, x_row, count, w_block, at(z, row * width), k0 > 0)
        bias = at(w, entry(net.table, 0, BIAS_ROW) * width)
        bias_activation_panel(net.smooth, code, columns - panel * width, z, None, width, bias, 0, tiles * MR)
    return finite


@inner
def _forward(net, weights, work, x, x_row, x_column, sparse, order, rows, following):
    """Forward pass of the first `rows` rows of `x`, or of the sparse samples, without softmax.

    Returns whether the rows are finite. This is checked only if rows are contiguous, and True otherwise.
    """
    finite = True
    padded = (rows + MR - 1) // MR * MR
    if sparse is not None:
        first_layer_rows(net, weights, work, None, sparse, order, rows, 0, padded)
        forward_rows(net, weights, work, None, 1, 0, padded)
    elif x_column == 1:
        finite = _first_layer(net, weights, work, x, x_row, rows, following)
        forward_rows(net, weights, work, None, 1, 0, padded)
    else:
        h, n_in = at(work, entry(net.table, 0, H)), entry(net.table, 0, N_IN)
        stride = net.row_capacity * panel_width(work)
        gather_rows(n_in, x, x_row, x_column, order, rows, h, stride, 0, padded)
        forward_rows(net, weights, work, None, 0, 0, padded)
    return finite


@inner
def _write_outputs(net, work, scratch, rows, targets):
    """Copy the outputs of a chunk from panels to the result."""
    output = at(work, entry(net.table, net.layers - 1, DZ))
    n_out = entry(net.table, net.layers - 1, N_OUT)
    stride = net.row_capacity * panel_width(work)
    if entry(net.table, net.layers - 1, ACTIVATION) == SOFTMAX:
        softmax_rows(n_out, output, stride, scratch, 0, (rows + MR - 1) // MR * MR)
    unpack_rows(rows, n_out, output, stride, targets, n_out)


@jit
def predict_shares(
    network, params, workspace, scratch, x, x_row, x_column, samples, order, result, shares, only_finite
):
    """One thread's part of the outputs for all rows of `x`.

    Parameters
    ----------
    network : NetworkView
        Its `batch` is the size of a chunk.
    params : array, [read]
        Weights in panel order.
    workspace : array, [write]
        Room for the activations of a chunk; not shared with other threads.
    scratch : array, (plan.scratch,), [write]
        Not shared with other threads.
    x : int
        Address of the samples, [read]; `x_row` and `x_column` are their strides in elements.
    samples : SparseSamples or None, [read]
        Sparse samples, used instead of `x`.
    order : array of int64, (batch,), [read]
        0, 1, 2, ...
    result : array, (n, n_out), [write]
        C-contiguous.
    shares : array, [read+write]
        Table of the shares of chunks; see `shares`.
    only_finite : bool
        Stop all threads if a row is not finite.
    """
    net = view_network(network)
    weights, work, numbers = pointer(params), pointer(workspace), pointer(order)
    dense, targets = address_pointer(x, work), pointer(result)
    sparse = view_samples(samples, 0)
    n, n_out = result.shape
    table = pointer(shares)
    begin_shares(table)
    first, end = next_share(table)
    while first < end:
        end_row = min(end * net.batch, n)
        for row in range(first * net.batch, end_row, net.batch):
            rows = min(net.batch, end_row - row)
            source, part, following = at(dense, row * x_row), samples_from(sparse, row), end_row - row - rows
            finite = _forward(net, weights, work, source, x_row, x_column, part, numbers, rows, following)
            if only_finite and not finite:
                stop_shares(table)
                end_shares(table)
                return
            _write_outputs(net, work, pointer(scratch), rows, at(targets, row * n_out))
        first, end = next_share(table)
    end_shares(table)
