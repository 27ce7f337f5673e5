"""The network, buffers and data of a training run, as passed from Python to compiled code."""

from typing import NamedTuple

import numpy as np
from numba import types
from numba.extending import intrinsic

from fastbp.compiler.jit import inner
from fastbp.kernels.vectors.simd import address_pointer, pointer, pointer_to
from fastbp.kernels.vectors.types import emit_address

__all__ = ["Block", "Buffers", "Data", "NetworkView", "View", "slopes_from", "slopes_of", "view_network", "view_run"]


class NetworkView(NamedTuple):
    """A network: its layout table, codes and sizes (see `plan.Plan`).

    `table` has a row for each layer, with the columns of `layout`. Python passes an array; compiled code makes a
    pointer of it (`view_network`). `smooth` is True if the slopes of an activation cannot be computed from its output,
    and None otherwise; then the code for such activations is not compiled.
    """

    table: np.ndarray
    layers: int
    smooth: bool | None
    loss: int
    loss_scale: float
    batch: int
    block: int
    row_capacity: int
    kc: int
    row_chunk: int
    scratch: int


class Block(NamedTuple):
    """Rows of a minibatch whose activations the workspace holds at one time; nearly always all of them.

    Attributes
    ----------
    begin : int
        First row, counted in the minibatch.
    rows : int
        Number of rows; a multiple of MR except in the last block of a minibatch.
    minibatch : int
        Number of rows of the whole minibatch.
    """

    begin: int
    rows: int
    minibatch: int


class Buffers(NamedTuple):
    """The buffers of a training run: 1-D, C-contiguous and of one float type, unless stated otherwise.

    Attributes
    ----------
    params, moment_1, moment_2 : (plan.params,)
        Weights and biases, and the optimizer's moments.
    transposed : (plan.transposed,)
        Transposed weights of all layers but the first.
    gradient : (plan.gradient,)
        Sum over the blocks of a minibatch so far, in the layout of the weights.
    workspace : (plan.workspace,)
        Activations and deltas of a block.
    scratch : (threads * plan.scratch,)
        For each thread: a tile in the tile phase, `output.output_scratch` elements in the row phase.
    losses : float64, (block,)
        Weighted loss of each row of a block.
    penalties : float64, (tiles,)
        Sum over the steps of rows / S * weight_decay / 2 * sum(w^2), tile by tile.
    totals : float64, (1,)
        Sum over the steps of the minibatch's mean loss times its rows.
    """

    params: np.ndarray
    moment_1: np.ndarray
    moment_2: np.ndarray
    transposed: np.ndarray
    gradient: np.ndarray
    workspace: np.ndarray
    scratch: np.ndarray
    losses: np.ndarray
    penalties: np.ndarray
    totals: np.ndarray


class Data(NamedTuple):
    """The training data: addresses and strides (in elements) of the caller's arrays, and the order of the rows.

    `x` has any strides and the float type of `x_zero`; it is not read if the samples are sparse
    (`sparse.SparseSamples`).
    `y` is C-contiguous, (n, n_out) or (n,); `weights` is float64 and empty if there are none; `order` holds the rows of
    the minibatches one after the other.
    """

    x: int
    x_row: int
    x_column: int
    x_zero: float
    y: int
    weights: np.ndarray
    order: np.ndarray


class View(NamedTuple):
    """Buffers and data as pointers.

    Taking an array out of a tuple, or passing it to a function, updates its reference count atomically. Done for every
    tile by all threads, that costs more than a small tile itself. So compiled code works with pointers, not arrays.
    """

    params: object
    moment_1: object
    moment_2: object
    transposed: object
    gradient: object
    workspace: object
    scratch: object
    losses: object
    penalties: object
    x: object
    x_row: int
    x_column: int
    y: object
    weights: object
    weighted: bool


@inner
def view_network(network):
    """The network, with a pointer to its table."""
    return NetworkView(
        pointer(network.table),
        network.layers,
        network.smooth,
        network.loss,
        network.loss_scale,
        network.batch,
        network.block,
        network.row_capacity,
        network.kc,
        network.row_chunk,
        network.scratch,
    )


@intrinsic
def slopes_of(typingctx, smooth, workspace):
    """The pointer through which slopes are addressed: the workspace, or None if there are no slopes."""

    def codegen(context, builder, sig, args):
        return context.get_dummy_value() if smooth == types.none else args[1]

    return (types.none if smooth == types.none else workspace)(smooth, workspace), codegen


@intrinsic
def slopes_from(typingctx, slopes, offset):
    """The pointer to the slopes, advanced by an offset; None for None."""

    def codegen(context, builder, sig, args):
        return context.get_dummy_value() if slopes == types.none else emit_address(builder, slopes.dtype, *args)

    return slopes(slopes, types.intp), codegen


@inner
def view_run(buffers, data):
    """The buffers and data of a run as pointers."""
    params = pointer(buffers.params)
    return View(
        params,
        pointer(buffers.moment_1),
        pointer(buffers.moment_2),
        pointer(buffers.transposed),
        pointer(buffers.gradient),
        pointer(buffers.workspace),
        pointer(buffers.scratch),
        pointer(buffers.losses),
        pointer(buffers.penalties),
        pointer_to(data.x, data.x_zero),
        data.x_row,
        data.x_column,
        address_pointer(data.y, params),
        pointer(data.weights),
        data.weights.size > 0,
    )
