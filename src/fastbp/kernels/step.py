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
from typing import NamedTuple

import numpy as np

from fastbp.jit import jit
from fastbp.kernels.atomics import atomic_load
from fastbp.kernels.barrier import (
    END_STEP,
    FIRST_STEP,
    SHUTDOWN,
    STEP_COUNT,
    STOP_REQUEST,
    barrier,
)
from fastbp.kernels.codes import Activation, Optimizer
from fastbp.kernels.epilogue import activation_gradient_panel, bias_activation_panel
from fastbp.kernels.gemm import gemm_panel, panel_count, panel_vectors
from fastbp.kernels.layout import BIAS_ROW, DZ, FIRST_TILE, N_IN, N_OUT, TILES, W_ROWS, WT, WT_ROWS, H, W
from fastbp.kernels.microkernel import MR, gemm_tile_transposed, panel_width
from fastbp.kernels.output import loss_gradient_rows, softmax_rows
from fastbp.kernels.panels import gather_rows
from fastbp.kernels.simd import address_pointer, at, pointer
from fastbp.kernels.transpose import transpose_tile
from fastbp.kernels.update import Scalars, sum_of_squares, sum_rows, update_tile

__all__ = ["Buffers", "Data", "Network", "forward_rows", "train_steps", "transpose_weights"]

IDENTITY = int(Activation.IDENTITY)
SOFTMAX = int(Activation.SOFTMAX)
ADAM = int(Optimizer.ADAM)
STORE = int(Optimizer.STORE)


class Network(NamedTuple):
    """What is computed: `table` has a row for each layer, with the columns of `layout`; the rest: codes and sizes."""

    table: np.ndarray
    activation: int
    output: int
    loss: int
    batch: int
    row_capacity: int
    kc: int
    row_chunk: int


class Buffers(NamedTuple):
    """What is computed with, each 1-D, C-contiguous and of one float type unless said otherwise.

    Attributes
    ----------
    params, moment_1, moment_2 : (plan.params,)
        Weights and biases, and what the optimizer keeps for each.
    transposed : (plan.transposed,)
        Transposed weights of all layers but the first.
    workspace : (plan.workspace,)
        Activations and deltas of a minibatch.
    scratch : (threads * MR * NR,)
        A tile for each thread.
    losses : float64, (batch,)
        Weighted loss of each row of a minibatch.
    penalties : float64, (tiles,)
        Sum over the steps of S-weighted weight_decay / 2 * sum(w^2), tile by tile.
    totals : float64, (1,)
        Sum over the steps of the minibatch's mean loss times its rows.
    """

    params: np.ndarray
    moment_1: np.ndarray
    moment_2: np.ndarray
    transposed: np.ndarray
    workspace: np.ndarray
    scratch: np.ndarray
    losses: np.ndarray
    penalties: np.ndarray
    totals: np.ndarray


class Data(NamedTuple):
    """What it is trained on: addresses and strides (in elements) of the caller's arrays, and the order of the rows.

    `x` has any strides; `y` is C-contiguous (n, n_out); `weights` is float64 and empty if there are none; `order` holds
    the rows of the minibatches one after the other.
    """

    x: int
    x_row: int
    x_column: int
    y: int
    weights: np.ndarray
    order: np.ndarray


@jit
def forward_rows(network, params, workspace, first_row, end_row):
    """Forward pass of some rows of the minibatch through all layers; `first_row` and `end_row` are multiples of MR."""
    table = network.table
    width = panel_width(params)
    stride = network.row_capacity * width
    last = table.shape[0] - 1
    for layer in range(last + 1):
        n_out = table[layer, N_OUT]
        code = network.activation if layer < last else network.output
        target = at(workspace, table[layer + 1, H] if layer < last else table[layer, DZ])
        for panel in range(panel_count(n_out, params)):
            w = at(params, table[layer, W] + panel * table[layer, W_ROWS] * width)
            z = at(target, panel * stride)
            gemm_panel(
                table[layer, N_IN],
                panel_vectors(n_out, panel, params),
                at(workspace, table[layer, H]),
                stride,
                w,
                z,
                first_row,
                end_row,
                network.kc,
            )
            bias = at(w, table[layer, BIAS_ROW] * width)
            # Softmax needs the whole row: its code falls through to "z + b" here.
            bias_activation_panel(code, n_out - panel * width, z, bias, first_row, end_row)
    if network.output == SOFTMAX:
        softmax_rows(table[last, N_OUT], at(workspace, table[last, DZ]), stride, first_row, end_row)


@jit
def _backward_rows(network, transposed, workspace, first_row, end_row):
    """Deltas of the hidden layers: dz = (dz_next . W_next^T) * act'(h)."""
    table = network.table
    width = panel_width(transposed)
    stride = network.row_capacity * width
    for layer in range(table.shape[0] - 1, 0, -1):
        n_in = table[layer, N_IN]
        for panel in range(panel_count(n_in, transposed)):
            dz = at(workspace, table[layer - 1, DZ] + panel * stride)
            gemm_panel(
                table[layer, N_OUT],
                panel_vectors(n_in, panel, transposed),
                at(workspace, table[layer, DZ]),
                stride,
                at(transposed, table[layer, WT] + panel * table[layer, WT_ROWS] * width),
                dz,
                first_row,
                end_row,
                network.kc,
            )
            h = at(workspace, table[layer, H] + panel * stride)
            activation_gradient_panel(network.activation, n_in - panel * width, dz, h, first_row, end_row)


@jit
def _row_phase(network, buffers, data, order, control, thread, n_threads):
    """This thread's rows, a chunk at a time."""
    table = network.table
    params = pointer(buffers.params)
    workspace = pointer(buffers.workspace)
    stride = network.row_capacity * panel_width(params)
    last = table.shape[0] - 1
    blocks = (order.size + MR - 1) // MR
    end = blocks * (thread + 1) // n_threads * MR
    eps = np.finfo(buffers.params.dtype).eps
    for row in range(blocks * thread // n_threads * MR, end, network.row_chunk):
        if atomic_load(control, STOP_REQUEST) != 0:
            return
        stop = min(row + network.row_chunk, end)
        gather_rows(
            table[0, N_IN],
            address_pointer(data.x, params),
            data.x_row,
            data.x_column,
            order,
            at(workspace, table[0, H]),
            stride,
            row,
            stop,
        )
        forward_rows(network, params, workspace, row, stop)
        loss_gradient_rows(
            network.loss,
            table[last, N_OUT],
            at(workspace, table[last, DZ]),
            stride,
            address_pointer(data.y, params),
            order,
            data.weights,
            pointer(buffers.losses),
            row,
            min(stop, order.size),
            eps,
        )
        _backward_rows(network, pointer(buffers.transposed), workspace, row, stop)


@jit
def _transpose_weights_tile(table, layer, panel, row, vectors, w, transposed):
    width = panel_width(w)
    place = table[layer, WT] + row // width * table[layer, WT_ROWS] * width + row % width
    transpose_tile(vectors, w, at(transposed, place + panel * width * width))


@jit
def _tile(network, buffers, layer, panel, tile, rows, acc, optimizer, scalars, weight_decay, batch_share):
    """One tile of dW (or of db), from the product to the new weights; returns its share of the penalty."""
    table = network.table
    params = pointer(buffers.params)
    workspace = pointer(buffers.workspace)
    width = panel_width(params)
    stride = network.row_capacity * width
    vectors = panel_vectors(table[layer, N_OUT], panel, params)
    dz = at(workspace, table[layer, DZ] + panel * stride)
    row = tile * MR
    place = table[layer, W] + (panel * table[layer, W_ROWS] + row) * width
    w = at(params, place)
    m = at(pointer(buffers.moment_1), place)
    v = at(pointer(buffers.moment_2), place)
    if row == table[layer, BIAS_ROW]:
        sum_rows(rows, vectors, dz, acc)
        update_tile(optimizer, 1, vectors, acc, w, m, v, scalars, 0.0)
        return 0.0
    h = at(workspace, table[layer, H] + row // width * stride + row % width)
    gemm_tile_transposed(vectors, rows, h, dz, acc, False)
    penalty = sum_of_squares(MR, vectors, w) * (0.5 * weight_decay * batch_share) if weight_decay > 0.0 else 0.0
    update_tile(optimizer, MR, vectors, acc, w, m, v, scalars, weight_decay)
    if layer > 0 and optimizer != STORE:
        _transpose_weights_tile(table, layer, panel, row, vectors, w, pointer(buffers.transposed))
    return penalty


@jit
def _tile_phase(network, buffers, rows, optimizer, scalars, weight_decay, tile_bounds, thread):
    """This thread's tiles of all layers. `tile_bounds` holds the first tile of each thread and the end."""
    table = network.table
    first, end = tile_bounds[thread], tile_bounds[thread + 1]
    acc = at(pointer(buffers.scratch), thread * MR * panel_width(pointer(buffers.scratch)))
    batch_share = rows * scalars.inverse_weight
    for layer in range(table.shape[0]):
        start = table[layer, FIRST_TILE]
        per_panel = table[layer, TILES]
        count = per_panel * panel_count(table[layer, N_OUT], acc)
        for number in range(max(first, start), min(end, start + count)):
            panel, tile = (number - start) // per_panel, (number - start) % per_panel
            buffers.penalties[number] += _tile(
                network, buffers, layer, panel, tile, rows, acc, optimizer, scalars, weight_decay, batch_share
            )


@jit
def _batch_weight(weights, order):
    """S of a minibatch: the sum of its sample weights, or its number of rows."""
    if weights.size == 0:
        return float(order.size)
    total = 0.0
    for row in order:
        total += weights[row]
    return total


@jit
def _sum_losses(losses, rows):
    total = 0.0
    for row in range(rows):
        total += losses[row]
    return total


@jit
def _scalars(optimizer, hyper, batch_weight, step_count):
    """The numbers of this step. `hyper`: learning rate, momentum, beta_1, beta_2, epsilon."""
    rate = hyper[0]
    if optimizer == ADAM:
        rate *= math.sqrt(1.0 - hyper[3] ** float(step_count)) / (1.0 - hyper[2] ** float(step_count))
    return Scalars(rate, 1.0 / batch_weight, hyper[1], hyper[2], hyper[3], hyper[4])


@jit
def train_steps(network, buffers, data, optimizer, hyper, weight_decay, tile_bounds, control, thread):
    """Train the minibatches that the control array names; all threads of a run call this.

    Thread 0 returns after one slice of minibatches. The others wait for the next slice, until a shutdown is requested.

    Parameters
    ----------
    network : Network
    buffers : Buffers, [read+write]
    data : Data, [read]
    optimizer : int
        `Optimizer`.
    hyper : array of float64, (5,), [read]
        Learning rate, momentum, beta_1, beta_2, epsilon.
    weight_decay : float
    tile_bounds : array of int64, (threads + 1,), [read]
        First tile of each thread.
    control : array of int64, (CONTROL_SIZE,), [read+write]
        See `barrier`.
    thread : int
        Number of this thread.
    """
    n_threads = tile_bounds.size - 1
    while True:
        barrier(control, n_threads)
        if atomic_load(control, SHUTDOWN) != 0:
            return
        for step in range(control[FIRST_STEP], control[END_STEP]):
            order = data.order[step * network.batch : (step + 1) * network.batch]
            batch_weight = _batch_weight(data.weights, order)
            if batch_weight == 0.0:
                continue
            _row_phase(network, buffers, data, order, control, thread, n_threads)
            if barrier(control, n_threads):
                break
            scalars = _scalars(optimizer, hyper, batch_weight, control[STEP_COUNT] + 1)
            _tile_phase(network, buffers, order.size, optimizer, scalars, weight_decay, tile_bounds, thread)
            if thread == 0:
                share = order.size * scalars.inverse_weight
                buffers.totals[0] += _sum_losses(buffers.losses, order.size) * share
            barrier(control, n_threads)
            if thread == 0:
                control[STEP_COUNT] += 1
        if thread == 0:
            return


@jit
def transpose_weights(network, params, transposed):
    """Write the transposed weights of all layers but the first."""
    table = network.table
    w = pointer(params)
    width = panel_width(w)
    for layer in range(1, table.shape[0]):
        for panel in range(panel_count(table[layer, N_OUT], w)):
            vectors = panel_vectors(table[layer, N_OUT], panel, w)
            for row in range(0, table[layer, BIAS_ROW], MR):
                place = table[layer, W] + (panel * table[layer, W_ROWS] + row) * width
                _transpose_weights_tile(table, layer, panel, row, vectors, at(w, place), pointer(transposed))
