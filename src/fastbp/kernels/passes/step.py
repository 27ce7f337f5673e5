"""One minibatch of training: two phases with a barrier after each.

1. Row phase. A thread takes a share of the minibatch's rows through everything: gather,
   forward through all layers, loss and output delta, deltas of all hidden layers. It
   reads only the old weights and writes only its own rows.
2. Tile phase. A thread takes a share of the tiles of all weight matrices. A tile of
   dW = H^T dZ is summed over the whole minibatch and spent at once: weight decay,
   optimizer, new weights, their transpose. The gradient is never a matrix in memory.

No sum is split between threads and every order of summation is fixed by the network
alone, so the result is the same, bit by bit, for any number of threads. That the deltas
use the weights from before the update is held by the barrier, not by care.
"""

import math

from fastbp.compiler.jit import inner, jit
from fastbp.kernels.codes import Optimizer
from fastbp.kernels.functions.activations import CODES
from fastbp.kernels.passes.barrier import (
    END_STEP,
    FIRST_STEP,
    SHUTDOWN,
    STEP_COUNT,
    STOP_REQUEST,
    barrier,
)
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
    WT,
    WT_ROWS,
    H,
    W,
    entry,
)
from fastbp.kernels.passes.output import loss_gradient_rows
from fastbp.kernels.passes.run import Block, slopes_from, slopes_of, view_network, view_run
from fastbp.kernels.passes.sparse import first_layer_rows, first_layer_tile, sort_by_columns, view_samples
from fastbp.kernels.tiles.epilogue import activation_gradient_panel, bias_activation_panel
from fastbp.kernels.tiles.gemm import gemm_panel, panel_count, panel_parts, panel_vectors
from fastbp.kernels.tiles.microkernel import MR, gemm_tile_transposed, panel_width
from fastbp.kernels.tiles.panels import gather_rows, prefetch_rows
from fastbp.kernels.tiles.transpose import transpose_tile
from fastbp.kernels.tiles.update import Scalars, carry_tile, sum_of_squares, sum_rows, update_tile
from fastbp.kernels.vectors.atomics import atomic_load
from fastbp.kernels.vectors.denormals import flush_denormals, restore_denormals
from fastbp.kernels.vectors.simd import at, get, pointer, put

__all__ = ["forward_rows", "train_steps", "transpose_weights"]

ADAM = int(Optimizer.ADAM)
STORE = int(Optimizer.STORE)
SOFTMAX = CODES["softmax"]


@inner
def forward_rows(network, params, workspace, slopes, first_layer, first_row, end_row):
    """Forward pass of some rows of the minibatch through the layers, but for softmax, which works on whole rows.

    `first_row` and `end_row` are multiples of MR. Slopes are written unless `slopes` is None.
    """
    table = network.table
    width = panel_width(params)
    stride = network.row_capacity * width
    last = network.layers - 1
    for layer in range(first_layer, network.layers):
        n_out = entry(table, layer, N_OUT)
        target = at(workspace, entry(table, layer + 1, H) if layer < last else entry(table, layer, DZ))
        for panel in range(panel_count(n_out, params)):
            w = at(params, entry(table, layer, W) + panel * entry(table, layer, W_ROWS) * width)
            z = at(target, panel * stride)
            gemm_panel(
                entry(table, layer, N_IN),
                panel_parts(n_out, panel, params),
                at(workspace, entry(table, layer, H)),
                stride,
                w,
                z,
                first_row,
                end_row,
                network.kc,
            )
            bias = at(w, entry(table, layer, BIAS_ROW) * width)
            bias_activation_panel(
                network.smooth,
                entry(table, layer, ACTIVATION),
                n_out - panel * width,
                z,
                slopes_from(slopes, entry(table, layer, SLOPES) + panel * stride),
                width,
                bias,
                first_row,
                end_row,
            )


@inner
def _backward_rows(network, transposed, workspace, slopes, first_row, end_row):
    """Deltas of the hidden layers: dz = (dz_next . W_next^T) * act'(z)."""
    table = network.table
    width = panel_width(transposed)
    stride = network.row_capacity * width
    for layer in range(network.layers - 1, 0, -1):
        n_in = entry(table, layer, N_IN)
        for panel in range(panel_count(n_in, transposed)):
            dz = at(workspace, entry(table, layer - 1, DZ) + panel * stride)
            gemm_panel(
                entry(table, layer, N_OUT),
                panel_parts(n_in, panel, transposed),
                at(workspace, entry(table, layer, DZ)),
                stride,
                at(transposed, entry(table, layer, WT) + panel * entry(table, layer, WT_ROWS) * width),
                dz,
                first_row,
                end_row,
                network.kc,
            )
            activation_gradient_panel(
                entry(table, layer - 1, ACTIVATION),
                n_in - panel * width,
                dz,
                at(workspace, entry(table, layer, H) + panel * stride),
                slopes_from(slopes, entry(table, layer - 1, SLOPES) + panel * stride),
                first_row,
                end_row,
            )


@inner
def _first_layer(network, view, sparse, order, rows, following, row, stop):
    """Take the samples of some rows of the minibatch, and sparse ones through the first layer, too.

    Returns the layer that comes next.
    """
    if sparse is not None:
        slopes = slopes_of(network.smooth, view.workspace)
        first_layer_rows(network, view.params, view.workspace, slopes, sparse, order, rows, row, stop)
        return 1
    n_in = entry(network.table, 0, N_IN)
    samples = at(view.workspace, entry(network.table, 0, H))
    stride = network.row_capacity * panel_width(view.params)
    gather_rows(n_in, view.x, view.x_row, view.x_column, order, rows, samples, stride, row, stop)
    if view.x_column == 1:
        prefetch_rows(n_in, view.x, view.x_row, at(order, rows), row, min(stop, following))
    return 0


@inner
def _row_phase(network, view, sparse, order, rows, following, control, thread, n_threads):
    """This thread's share of the `rows` rows of a minibatch, a chunk at a time.

    `following` rows come after these in `order`: those of the next minibatch are fetched meanwhile.
    """
    table = network.table
    last = network.layers - 1
    stride = network.row_capacity * panel_width(view.params)
    output = at(view.workspace, entry(table, last, DZ))
    slopes = slopes_of(network.smooth, view.workspace)
    blocks = (rows + MR - 1) // MR
    end = blocks * (thread + 1) // n_threads * MR
    for row in range(blocks * thread // n_threads * MR, end, network.row_chunk):
        if atomic_load(control, STOP_REQUEST) != 0:
            return
        stop = min(row + network.row_chunk, end)
        layer = _first_layer(network, view, sparse, order, rows, following, row, stop)
        forward_rows(network, view.params, view.workspace, slopes, layer, row, stop)
        loss_gradient_rows(
            network.loss,
            network.loss_scale,
            entry(table, last, ACTIVATION) == SOFTMAX,
            entry(table, last, N_OUT),
            output,
            stride,
            view.y,
            order,
            view.weights,
            view.weighted,
            view.losses,
            at(view.scratch, thread * network.scratch),
            row,
            stop,
            rows,
        )
        _backward_rows(network, view.transposed, view.workspace, slopes, row, stop)


@inner
def _transpose_weights_tile(table, layer, panel, row, vectors, w, transposed):
    width = panel_width(w)
    place = entry(table, layer, WT) + row // width * entry(table, layer, WT_ROWS) * width + row % width
    transpose_tile(vectors, w, at(transposed, place + panel * width * width))


@inner
def _product_tile(network, view, sparse, layer, row, columns, rows, dz, acc):
    """acc := h^T . dz for the MR columns of h from `row` on and the `columns` columns of a panel of dz."""
    if sparse is not None and layer == 0:
        first_layer_tile(panel_vectors(columns, 0, acc), row, entry(network.table, 0, N_IN), sparse, dz, acc)
        return
    width = panel_width(acc)
    place = entry(network.table, layer, H) + row // width * network.row_capacity * width + row % width
    gemm_tile_transposed(panel_parts(columns, 0, acc), rows, at(view.workspace, place), dz, acc, False)


@inner
def _weight_tiles(network, view, sparse, layer, panel, first, end, block, acc, optimizer, scalars, weight_decay):
    """Tiles of dW in one panel, each from the product to the new weights; `first` and `end` count tiles of MR rows."""
    table = network.table
    width = panel_width(acc)
    columns = entry(table, layer, N_OUT) - panel * width
    vectors = panel_vectors(columns, 0, acc)
    dz = at(view.workspace, entry(table, layer, DZ) + panel * network.row_capacity * width)
    panel_start = entry(table, layer, W) + panel * entry(table, layer, W_ROWS) * width
    penalties = at(view.penalties, entry(table, layer, FIRST_TILE) + panel * entry(table, layer, TILES))
    factor = 0.5 * weight_decay * block.minibatch * scalars.inverse_weight
    transposes = layer > 0 and optimizer != STORE
    starts, ends = block.begin == 0, block.begin + block.rows == block.minibatch
    for tile in range(first, end):
        row = tile * MR
        place = panel_start + row * width
        w, m, v = at(view.params, place), at(view.moment_1, place), at(view.moment_2, place)
        _product_tile(network, view, sparse, layer, row, columns, block.rows, dz, acc)
        if not (starts and ends):
            carry_tile(MR, vectors, acc, at(view.gradient, place), starts, ends)
            if not ends:
                continue
        if weight_decay > 0.0:
            put(penalties, tile, get(penalties, tile) + factor * sum_of_squares(MR, vectors, w))
        update_tile(optimizer, MR, vectors, acc, w, m, v, scalars, weight_decay)
        if transposes:
            _transpose_weights_tile(table, layer, panel, row, vectors, w, view.transposed)


@inner
def _bias_tile(network, view, layer, panel, block, acc, optimizer, scalars):
    """The biases of one panel: their gradient is the sum of the rows of dz."""
    table = network.table
    width = panel_width(acc)
    vectors = panel_vectors(entry(table, layer, N_OUT), panel, acc)
    dz = at(view.workspace, entry(table, layer, DZ) + panel * network.row_capacity * width)
    row = panel * entry(table, layer, W_ROWS) + entry(table, layer, BIAS_ROW)
    place = entry(table, layer, W) + row * width
    w, m, v = at(view.params, place), at(view.moment_1, place), at(view.moment_2, place)
    sum_rows(block.rows, vectors, dz, acc)
    starts, ends = block.begin == 0, block.begin + block.rows == block.minibatch
    if not (starts and ends):
        carry_tile(1, vectors, acc, at(view.gradient, place), starts, ends)
    if ends:
        update_tile(optimizer, 1, vectors, acc, w, m, v, scalars, 0.0)


@inner
def _tile_phase(network, view, sparse, order, block, optimizer, scalars, weight_decay, first, end, thread):
    """The tiles ``first:end`` of all layers. The last tile of a panel is that of its biases.

    Of a minibatch in several blocks, all but the last only add to its gradient. `order` holds the rows of the block.
    """
    table = network.table
    acc = at(view.scratch, thread * network.scratch)
    if sparse is not None:
        sort_by_columns(network, sparse, order, block.rows, first, end, acc)
    for layer in range(network.layers):
        tiles = entry(table, layer, TILES)
        for panel in range(panel_count(entry(table, layer, N_OUT), acc)):
            base = entry(table, layer, FIRST_TILE) + panel * tiles
            begin, stop = max(first - base, 0), min(end - base, tiles)
            weights = min(stop, tiles - 1)
            _weight_tiles(
                network, view, sparse, layer, panel, begin, weights, block, acc, optimizer, scalars, weight_decay
            )
            if begin < stop == tiles:
                _bias_tile(network, view, layer, panel, block, acc, optimizer, scalars)


@inner
def _batch_weight(view, order, rows):
    """S of a minibatch: the sum of its sample weights, or its number of rows."""
    if not view.weighted:
        return float(rows)
    total = 0.0
    for row in range(rows):
        total += get(view.weights, get(order, row))
    return total


@inner
def _sum_losses(losses, rows):
    total = 0.0
    for row in range(rows):
        total += get(losses, row)
    return total


@inner
def _scalars(optimizer, hyper, inverse_weight, step_count):
    """The numbers of this step. `hyper`: learning rate, momentum, beta_1, beta_2, epsilon."""
    rate = hyper[0]
    if optimizer == ADAM:
        rate *= math.sqrt(1.0 - hyper[3] ** float(step_count)) / (1.0 - hyper[2] ** float(step_count))
    return Scalars(rate, inverse_weight, hyper[1], hyper[2], hyper[3], hyper[4])


@inner
def _train_minibatch(
    net, view, sparse, order, rows, following, batch_weight, optimizer, hyper, weight_decay, tiles, control, thread
):
    """Train one minibatch; `tiles` are the first tile of this thread, the end, and the number of threads.

    Returns whether a stop was requested, in which case no weight has moved, and for thread 0 the mean loss times rows.
    """
    first_tile, end_tile, n_threads = tiles
    total, inverse_weight = 0.0, 1.0 / batch_weight
    for begin in range(0, rows, net.block):
        block = Block(begin, min(net.block, rows - begin), rows)
        left = rows - begin - block.rows + following
        rows_of_block = at(order, begin)
        _row_phase(net, view, sparse, rows_of_block, block.rows, left, control, thread, n_threads)
        if barrier(control, n_threads):
            return True, 0.0
        # The count is read here, for all threads have seen here that thread 0 is done with the minibatch before.
        scalars = _scalars(optimizer, hyper, inverse_weight, get(control, STEP_COUNT) + 1)
        _tile_phase(
            net, view, sparse, rows_of_block, block, optimizer, scalars, weight_decay, first_tile, end_tile, thread
        )
        if thread == 0:
            total += _sum_losses(view.losses, block.rows)
        barrier(control, n_threads)
    return False, total * rows * inverse_weight


@inner
def _train_steps(network, buffers, data, samples, optimizer, hyper, weight_decay, tile_bounds, control, thread):
    """The loop of `train_steps`."""
    n_threads = tile_bounds.size - 1
    tiles = (tile_bounds[thread], tile_bounds[thread + 1], n_threads)
    net, view, places = view_network(network), view_run(buffers, data), pointer(control)
    sparse = view_samples(samples, thread)
    while True:
        barrier(places, n_threads)
        if atomic_load(places, SHUTDOWN) != 0:
            return
        for step in range(control[FIRST_STEP], control[END_STEP]):
            order = at(pointer(data.order), step * net.batch)
            rows = min(net.batch, data.order.size - step * net.batch)
            batch_weight = _batch_weight(view, order, rows)
            if batch_weight == 0.0:
                continue
            following = data.order.size - step * net.batch - rows
            stopped, loss = _train_minibatch(
                net,
                view,
                sparse,
                order,
                rows,
                following,
                batch_weight,
                optimizer,
                hyper,
                weight_decay,
                tiles,
                places,
                thread,
            )
            if stopped:
                break
            if thread == 0:
                buffers.totals[0] += loss
                control[STEP_COUNT] += 1
        # All have read the control array when thread 0 goes back to Python to write the next slice into it.
        barrier(places, n_threads)
        if thread == 0:
            return


@jit
def train_steps(network, buffers, data, samples, optimizer, hyper, weight_decay, tile_bounds, control, thread):
    """Train the minibatches that the control array names; all threads of a run call this.

    Thread 0 returns after one slice of minibatches. The others wait for the next slice, until a shutdown is requested.

    Denormal numbers count as 0 meanwhile: the first moments of units that have died decay into them and stay there, and
    every operation on one costs a hundred.

    Parameters
    ----------
    network : Network
    buffers : Buffers, [read+write]
    data : Data, [read]
    samples : Samples or None, [read]
        Sparse samples, which take the place of those in `data`.
    optimizer : int
        `Optimizer`.
    hyper : array of float64, (5,), [read]
        Learning rate, momentum, beta_1, beta_2, epsilon.
    weight_decay : float
    tile_bounds : array of int64, (threads + 1,), [read]
        First tile of each thread, and the end.
    control : array of int64, (CONTROL_SIZE,), [read+write]
        See `barrier`.
    thread : int
        Number of this thread.
    """
    mode = flush_denormals()
    _train_steps(network, buffers, data, samples, optimizer, hyper, weight_decay, tile_bounds, control, thread)
    restore_denormals(mode)


@jit
def transpose_weights(network, params, transposed):
    """Write the transposed weights of all layers but the first."""
    table = pointer(network.table)
    w = pointer(params)
    width = panel_width(w)
    for layer in range(1, network.layers):
        for panel in range(panel_count(entry(table, layer, N_OUT), w)):
            vectors = panel_vectors(entry(table, layer, N_OUT), panel, w)
            for row in range(0, entry(table, layer, BIAS_ROW), MR):
                place = entry(table, layer, W) + (panel * entry(table, layer, W_ROWS) + row) * width
                _transpose_weights_tile(table, layer, panel, row, vectors, at(w, place), pointer(transposed))
