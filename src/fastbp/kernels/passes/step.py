"""One minibatch of training: two phases with a barrier after each.

1. Row phase (`rows`). Each thread processes a share of the minibatch's rows: gather, forward
   pass through all layers, loss and output delta, deltas of all hidden layers.
2. Tile phase (`tile_phase`). Each thread processes a share of the tiles of all weight
   matrices: it computes the gradient of a tile and updates the weights.

No sum is split between threads, and the network alone fixes the order of every sum. So the
result is the same, bit by bit, for any number of threads. The barrier between the phases
makes sure that the deltas are computed with the old weights.
"""

from fastbp.compiler.jit import inner, jit
from fastbp.kernels.passes.barrier import END_STEP, FIRST_STEP, SHUTDOWN, STEP_COUNT, barrier
from fastbp.kernels.passes.layout import BIAS_ROW, N_OUT, W_ROWS, W, entry
from fastbp.kernels.passes.rows import row_phase
from fastbp.kernels.passes.sparse import view_samples
from fastbp.kernels.passes.tile_phase import apply_gradient, tile_phase, transpose_weights_tile
from fastbp.kernels.passes.views import Block, view_network, view_run
from fastbp.kernels.tiles.gemm import panel_count, panel_vectors
from fastbp.kernels.tiles.microkernel import MR, panel_width
from fastbp.kernels.tiles.update import Step, step_scalars
from fastbp.kernels.vectors.atomics import atomic_load
from fastbp.kernels.vectors.denormals import flush_denormals, restore_denormals
from fastbp.kernels.vectors.simd import at, get, pointer

__all__ = ["train_steps", "transpose_weights", "update_weights"]


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
def _train_minibatch(
    net, view, sparse, order, rows, following, batch_weight, rule, settings, weight_decay, tiles, control, thread
):
    """Train one minibatch; `tiles` are the first tile of this thread, the end, and the number of threads.

    Returns whether a stop was requested (then no weight has changed), and in thread 0 the mean loss times rows.
    """
    first_tile, end_tile, n_threads = tiles
    total, inverse_weight = 0.0, 1.0 / batch_weight
    for begin in range(0, rows, net.block):
        block = Block(begin, min(net.block, rows - begin), rows)
        left = rows - begin - block.rows + following
        rows_of_block = at(order, begin)
        row_phase(net, view, sparse, rows_of_block, block.rows, left, control, thread, n_threads)
        if barrier(control, n_threads):
            return True, 0.0
        # Read the count only now: after this barrier, thread 0 has certainly finished the previous minibatch.
        scalars = step_scalars(rule, settings, get(control, STEP_COUNT) + 1)
        step = Step(rule, scalars, inverse_weight, weight_decay)
        tile_phase(net, view, sparse, rows_of_block, block, step, first_tile, end_tile, thread)
        if thread == 0:
            total += _sum_losses(view.losses, block.rows)
        barrier(control, n_threads)
    return False, total * rows * inverse_weight


@inner
def _train_steps(network, buffers, data, samples, rule, settings, weight_decay, tile_bounds, control, thread):
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
                rule,
                pointer(settings),
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
        # Thread 0 returns to Python, which writes the next slice into the control array: all must have read it first.
        barrier(places, n_threads)
        if thread == 0:
            return


@jit
def train_steps(network, buffers, data, samples, rule, settings, weight_decay, tile_bounds, control, thread):
    """Train the minibatches named in the control array; all threads of a run call this.

    Thread 0 returns after one slice of minibatches. The others wait for the next slice, until a shutdown is requested.

    Denormal numbers count as 0 meanwhile. Otherwise the first moments of dead units would decay into them and stay
    there, and an operation on a denormal takes about a hundred cycles.

    Parameters
    ----------
    network : NetworkView
    buffers : Buffers, [read+write]
    data : Data, [read]
    samples : SparseSamples or None, [read]
        Sparse samples, used instead of those in `data`.
    rule : int
        Code of a rule of `functions.optimizers`.
    settings : array of float64, [read]
        Settings of the rule.
    weight_decay : float
    tile_bounds : array of int64, (threads + 1,), [read]
        First tile of each thread, and the end.
    control : array of int64, (CONTROL_SIZE,), [read+write]
        See `barrier`.
    thread : int
        Number of this thread.
    """
    mode = flush_denormals()
    _train_steps(network, buffers, data, samples, rule, settings, weight_decay, tile_bounds, control, thread)
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
                transpose_weights_tile(table, layer, panel, row, vectors, at(w, place), pointer(transposed))


@jit
def update_weights(network, buffers, data, rule, settings, step_count):
    """Apply the gradient in ``buffers.gradient`` to all weights: the update of a step, without the phases before it.

    This is the second half of an unfused step. The first half is `train_steps` with the rule "store", which leaves a
    minibatch's gradient in ``buffers.moment_1``. Anything that needs the whole gradient goes in between: clipping by
    its norm, or sums over several minibatches or machines. The gradient already includes the penalty. Denormal numbers
    count as 0, as in `train_steps`.

    Parameters
    ----------
    network : NetworkView
    buffers : Buffers, [read+write]
        With ``gradient`` of the size of ``params``.
    data : Data
        Not read.
    rule, settings
        See `train_steps`.
    step_count : int
        Number of this step, from 1.
    """
    view = view_run(buffers, data)
    scalars = step_scalars(rule, pointer(settings), step_count)
    mode = flush_denormals()
    apply_gradient(view_network(network), view, Step(rule, scalars, 1.0, 0.0))
    restore_denormals(mode)
