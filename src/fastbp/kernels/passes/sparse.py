"""Sparse samples as the input of the first layer: zeros are neither stored nor multiplied.

Row i of x holds ``values[e]`` in column ``indices[e]`` for e from ``starts[i]`` to
``starts[i + 1]`` (exclusive). Both products of the layer are then weighted sums of a few
rows of a panel:

- forward, ``z_i = sum(values[e] * w[indices[e]])`` over the elements of row i;
- dW, ``dw_k = sum(values[e] * dz[row of e])`` over the elements of column k in the
  minibatch. For this product the minibatch is sorted by columns; each thread sorts the
  columns that its tiles need.

Apart from the weights, nothing dense is as wide as x.
"""

from typing import NamedTuple

import numpy as np

from fastbp.compiler.jit import inner
from fastbp.kernels.passes.layout import (
    ACTIVATION,
    BIAS_ROW,
    DZ,
    FIRST_TILE,
    N_IN,
    N_OUT,
    SLOPES,
    TILES,
    W_ROWS,
    H,
    W,
    entry,
)
from fastbp.kernels.passes.views import slopes_from
from fastbp.kernels.tiles.epilogue import bias_activation_panel
from fastbp.kernels.tiles.gemm import panel_count, panel_vectors
from fastbp.kernels.tiles.microkernel import MR, panel_width
from fastbp.kernels.tiles.weighted_rows import weighted_rows
from fastbp.kernels.vectors.simd import at, get, lanes_of, pointer, put, store, zeros

__all__ = ["SparseSamples", "first_layer_rows", "first_layer_tile", "samples_from", "sort_by_columns", "view_samples"]


class SparseSamples(NamedTuple):
    """Rows of a sparse matrix, and room to sort those of a minibatch by columns.

    Attributes
    ----------
    values : float32 or float64, (elements,)
    indices : int32 or int64, (elements,)
        Column of each element.
    starts : int64, (n + 1,)
        First element of each row, and the end.
    column_starts : int64, (threads, n_in + 2)
        For each thread, the first element of each column among those it has sorted.
    column_rows, column_values : (threads, most)
        The sorted elements: their rows in the minibatch (of the type of `indices`) and their values. `most` is the
        largest number of elements that the rows of a block can have.
    """

    values: np.ndarray
    indices: np.ndarray
    starts: np.ndarray
    column_starts: np.ndarray
    column_rows: np.ndarray
    column_values: np.ndarray


@inner
def view_samples(samples, thread):
    """Pointers to the samples and to the thread's own sorting space; None for None."""
    if samples is None:
        return None
    return SparseSamples(
        pointer(samples.values),
        pointer(samples.indices),
        pointer(samples.starts),
        at(pointer(samples.column_starts), thread * samples.column_starts.shape[1]),
        at(pointer(samples.column_rows), thread * samples.column_rows.shape[1]),
        at(pointer(samples.column_values), thread * samples.column_values.shape[1]),
    )


@inner
def samples_from(samples, row):
    """The samples starting at a row; None for None."""
    if samples is None:
        return None
    return SparseSamples(
        samples.values,
        samples.indices,
        at(samples.starts, row),
        samples.column_starts,
        samples.column_rows,
        samples.column_values,
    )


@inner
def _row_times_panel(samples, row, vectors, w, z):
    start = get(samples.starts, row)
    count = get(samples.starts, row + 1) - start
    weighted_rows(vectors, count, at(samples.values, start), at(samples.indices, start), w, z)


@inner
def first_layer_rows(network, params, workspace, slopes, samples, order, rows, first_row, end_row):
    """Forward pass of some rows of the minibatch through the first layer (`rows.forward_rows` does the others).

    `first_row` and `end_row` are multiples of MR; from `rows` on, x is zero.
    """
    table = network.table
    width = panel_width(params)
    columns = entry(table, 0, N_OUT)
    stride = network.row_capacity * width
    target = at(workspace, entry(table, 1, H) if network.layers > 1 else entry(table, 0, DZ))
    for panel in range(panel_count(columns, params)):
        vectors = panel_vectors(columns, panel, params)
        w = at(params, entry(table, 0, W) + panel * entry(table, 0, W_ROWS) * width)
        z = at(target, panel * stride)
        for row in range(first_row, min(end_row, rows)):
            _row_times_panel(samples, get(order, row), vectors, w, at(z, row * width))
        for row in range(max(first_row, rows), end_row):
            for j in range(vectors):
                store(z, row * width + j * lanes_of(z), zeros(z))
        bias = at(w, entry(table, 0, BIAS_ROW) * width)
        bias_activation_panel(
            network.smooth,
            entry(table, 0, ACTIVATION),
            columns - panel * width,
            z,
            slopes_from(slopes, entry(table, 0, SLOPES) + panel * stride),
            width,
            bias,
            first_row,
            end_row,
        )


@inner
def _columns_of_tiles(network, first_tile, end_tile, p):
    """The range (first, end) of columns of x that the tiles ``first_tile:end_tile`` of the network need."""
    table = network.table
    tiles = entry(table, 0, TILES)
    first, end = tiles - 1, 0
    for panel in range(panel_count(entry(table, 0, N_OUT), p)):
        base = entry(table, 0, FIRST_TILE) + panel * tiles
        begin, stop = max(first_tile - base, 0), min(end_tile - base, tiles - 1)
        if begin < stop:
            first, end = min(first, begin), max(end, stop)
    return first * MR, min(end * MR, entry(table, 0, N_IN))


@inner
def sort_by_columns(network, samples, order, rows, first_tile, end_tile, p):
    """Sort the elements of a block's rows by column, for the columns that the tiles ``first_tile:end_tile`` need.

    This is a counting sort: within a column rows stay in order, so sums do not depend on how columns are divided among
    threads.
    """
    first, end = _columns_of_tiles(network, first_tile, end_tile, p)
    starts = samples.column_starts
    for column in range(first, end + 2):
        put(starts, column, 0)
    for row in range(rows):
        sample = get(order, row)
        for element in range(get(samples.starts, sample), get(samples.starts, sample + 1)):
            column = get(samples.indices, element)
            if first <= column < end:
                put(starts, column + 2, get(starts, column + 2) + 1)
    for column in range(first + 2, end + 2):
        put(starts, column, get(starts, column) + get(starts, column - 1))
    # Now starts[k + 1] is where column k begins. Filling column k advances it to where column k + 1 begins.
    for row in range(rows):
        sample = get(order, row)
        for element in range(get(samples.starts, sample), get(samples.starts, sample + 1)):
            column = get(samples.indices, element)
            if first <= column < end:
                place = get(starts, column + 1)
                put(samples.column_rows, place, row)
                put(samples.column_values, place, get(samples.values, element))
                put(starts, column + 1, place + 1)


@inner
def first_layer_tile(vectors, first, n_in, samples, dz, acc):
    """acc := x^T . dz for the MR columns of x from `first` on, of a block that `sort_by_columns` has sorted."""
    width = panel_width(dz)
    for i in range(MR):
        start, count = 0, 0
        if first + i < n_in:
            start = get(samples.column_starts, first + i)
            count = get(samples.column_starts, first + i + 1) - start
        values, rows = at(samples.column_values, start), at(samples.column_rows, start)
        weighted_rows(vectors, count, values, rows, dz, at(acc, i * width))
