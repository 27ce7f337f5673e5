"""The tile phase of a step: gradient and update of a thread's tiles of all weight matrices.

A tile of dW = H^T dZ is summed over the whole minibatch (`_weight_gradient`, `_bias_tile`)
and applied at once (`_update_weights`, `_update_biases`): L2 penalty, optimizer, new
weights, their transpose. The gradient is never stored as a matrix. The two parts can also
run one after the other, with the whole gradient in memory in between (`step.train_steps`
with the rule "store", then `step.update_weights`).
"""

from fastbp.compiler.jit import inner
from fastbp.kernels.functions.optimizers import RULE_CODES
from fastbp.kernels.passes.layout import BIAS_ROW, DZ, FIRST_TILE, N_IN, N_OUT, TILES, W_ROWS, WT, WT_ROWS, H, W, entry
from fastbp.kernels.passes.sparse import first_layer_tile, sort_by_columns
from fastbp.kernels.tiles.gemm import panel_count, panel_parts, panel_vectors
from fastbp.kernels.tiles.microkernel import MR, gemm_tile_transposed, panel_width
from fastbp.kernels.tiles.transpose import transpose_tile
from fastbp.kernels.tiles.update import carry_tile, sum_of_squares, sum_rows, update_tile
from fastbp.kernels.vectors.simd import at, get, put

__all__ = ["apply_gradient", "tile_phase", "transpose_weights_tile"]

STORE = RULE_CODES["store"]


@inner
def transpose_weights_tile(table, layer, panel, row, vectors, w, transposed):
    """Write the transpose of the MR rows at `w`: rows ``row:row + MR`` of a panel of the layer's weights."""
    width = panel_width(w)
    place = entry(table, layer, WT) + row // width * entry(table, layer, WT_ROWS) * width + row % width
    transpose_tile(vectors, w, at(transposed, place + panel * width * width))


# ---- gradient ---------------------------------------------------------------------------------------------------


@inner
def _weight_gradient(network, view, sparse, layer, row, columns, rows, dz, acc):
    """acc := h^T . dz for the MR columns of h from `row` on and the `columns` columns of a panel of dz."""
    if sparse is not None and layer == 0:
        first_layer_tile(panel_vectors(columns, 0, acc), row, entry(network.table, 0, N_IN), sparse, dz, acc)
        return
    width = panel_width(acc)
    place = entry(network.table, layer, H) + row // width * network.row_capacity * width + row % width
    gemm_tile_transposed(panel_parts(columns, 0, acc), rows, at(view.workspace, place), dz, acc, False)


@inner
def _carry(view, block, rows, vectors, place, acc):
    """Add a tile to the sum over the previous blocks; returns whether `acc` now holds the complete gradient."""
    starts, ends = block.begin == 0, block.begin + block.rows == block.minibatch
    if not (starts and ends):
        carry_tile(rows, vectors, acc, at(view.gradient, place), starts, ends)
    return ends


# ---- update -----------------------------------------------------------------------------------------------------


@inner
def _update_weights(network, view, layer, panel, row, vectors, place, acc, step):
    """Apply a tile of the gradient to MR rows of weights, and to their transpose."""
    w, m, v = at(view.params, place), at(view.moment_1, place), at(view.moment_2, place)
    update_tile(step, MR, vectors, acc, w, m, v, 1.0)
    if layer > 0 and step.rule != STORE:
        transpose_weights_tile(network.table, layer, panel, row, vectors, w, view.transposed)


@inner
def _update_biases(view, vectors, place, acc, step):
    """Apply the gradient of a panel's biases."""
    w, m, v = at(view.params, place), at(view.moment_1, place), at(view.moment_2, place)
    update_tile(step, 1, vectors, acc, w, m, v, 0.0)


# ---- both -------------------------------------------------------------------------------------------------------


@inner
def _weight_tiles(network, view, sparse, layer, panel, first, end, block, acc, step):
    """Compute and apply the tiles ``first:end`` of dW in one panel, of MR rows each."""
    table = network.table
    width = panel_width(acc)
    columns = entry(table, layer, N_OUT) - panel * width
    vectors = panel_vectors(columns, 0, acc)
    dz = at(view.workspace, entry(table, layer, DZ) + panel * network.row_capacity * width)
    panel_start = entry(table, layer, W) + panel * entry(table, layer, W_ROWS) * width
    penalties = at(view.penalties, entry(table, layer, FIRST_TILE) + panel * entry(table, layer, TILES))
    factor = 0.5 * step.weight_decay * block.minibatch * step.inverse_weight
    for tile in range(first, end):
        row = tile * MR
        place = panel_start + row * width
        _weight_gradient(network, view, sparse, layer, row, columns, block.rows, dz, acc)
        if _carry(view, block, MR, vectors, place, acc):
            if step.weight_decay > 0.0:
                squares = sum_of_squares(MR, vectors, at(view.params, place))
                put(penalties, tile, get(penalties, tile) + factor * squares)
            _update_weights(network, view, layer, panel, row, vectors, place, acc, step)


@inner
def _bias_tile(network, view, layer, panel, block, acc, step):
    """Compute and apply the gradient of one panel's biases: the sum of the rows of dz."""
    table = network.table
    width = panel_width(acc)
    vectors = panel_vectors(entry(table, layer, N_OUT), panel, acc)
    dz = at(view.workspace, entry(table, layer, DZ) + panel * network.row_capacity * width)
    place = _bias_place(table, layer, panel, width)
    sum_rows(block.rows, vectors, dz, acc)
    if _carry(view, block, 1, vectors, place, acc):
        _update_biases(view, vectors, place, acc, step)


@inner
def _bias_place(table, layer, panel, width):
    row = panel * entry(table, layer, W_ROWS) + entry(table, layer, BIAS_ROW)
    return entry(table, layer, W) + row * width


@inner
def _tiles_of_panel(table, layer, panel, first, end):
    """Return which tiles of a panel are among the tiles ``first:end`` of all layers: the first and the end.

    Also returns the number of tiles in a panel; the last one holds the biases.
    """
    tiles = entry(table, layer, TILES)
    base = entry(table, layer, FIRST_TILE) + panel * tiles
    return max(first - base, 0), min(end - base, tiles), tiles


@inner
def tile_phase(network, view, sparse, order, block, step, first, end, thread):
    """Compute the gradient of the tiles ``first:end`` of all layers, and apply it.

    If a minibatch has several blocks, all but the last only add to its gradient. `order` holds the rows of the block.
    """
    table = network.table
    acc = at(view.scratch, thread * network.scratch)
    if sparse is not None:
        sort_by_columns(network, sparse, order, block.rows, first, end, acc)
    for layer in range(network.layers):
        for panel in range(panel_count(entry(table, layer, N_OUT), acc)):
            begin, stop, tiles = _tiles_of_panel(table, layer, panel, first, end)
            _weight_tiles(network, view, sparse, layer, panel, begin, min(stop, tiles - 1), block, acc, step)
            if begin < stop == tiles:
                _bias_tile(network, view, layer, panel, block, acc, step)


@inner
def apply_gradient(network, view, step):
    """The update alone: apply the gradient in `view.gradient`, which has the layout of the weights."""
    table, gradient = network.table, view.gradient
    width = panel_width(gradient)
    for layer in range(network.layers):
        for panel in range(panel_count(entry(table, layer, N_OUT), gradient)):
            vectors = panel_vectors(entry(table, layer, N_OUT), panel, gradient)
            start = entry(table, layer, W) + panel * entry(table, layer, W_ROWS) * width
            for row in range(0, entry(table, layer, BIAS_ROW), MR):
                place = start + row * width
                _update_weights(network, view, layer, panel, row, vectors, place, at(gradient, place), step)
            place = _bias_place(table, layer, panel, width)
            _update_biases(view, vectors, place, at(gradient, place), step)
