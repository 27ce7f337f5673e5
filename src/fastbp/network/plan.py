"""The memory layout of a training run: one table, computed once, read by compiled code."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from fastbp.compiler.target import TARGET
from fastbp.compiler.tuning import MOST_ROWS, TRAINING_BLOCK_BYTES, TRAINING_KC, TRAINING_LEAST_ROWS
from fastbp.kernels.functions.activations import ACTIVATIONS, CODES
from fastbp.kernels.passes.layout import (
    ACTIVATION,
    BIAS_ROW,
    COLUMNS,
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
)
from fastbp.kernels.passes.output import output_scratch
from fastbp.kernels.passes.views import NetworkView
from fastbp.kernels.vectors.types import lanes

__all__ = ["Plan", "layer_sizes", "make_plan", "make_view", "step_flops", "tile_bounds"]


class Plan(NamedTuple):
    """Layout of a network's buffers for one element type and batch size.

    Attributes
    ----------
    table : ndarray of int64, (layers, 13)
        The columns are named in `kernels.passes.layout`.
    batch : int
        Largest minibatch, in rows.
    block : int
        Rows of a minibatch that the workspace holds at a time.
    row_capacity : int
        Rows for which a panel of the workspace has room.
    panel_width : int
        NR in elements.
    params, transposed, gradient, workspace : int
        Sizes of the buffers in elements.
    scratch : int
        Elements of scratch that a thread needs.
    tiles : int
        Number of tiles of dW, over all layers.
    kc : int
        Block size of the summation index; a panel of B with so many rows stays in L1.
    row_chunk : int
        Rows that a thread computes at a time, through all layers, so that their activations stay in L2.
    """

    table: np.ndarray
    batch: int
    block: int
    row_capacity: int
    panel_width: int
    params: int
    transposed: int
    gradient: int
    workspace: int
    scratch: int
    tiles: int
    kc: int
    row_chunk: int


def _round_up(value: int, step: int) -> int:
    return -(-value // step) * step


def _row_chunk(sizes: tuple[int, ...], itemsize: int) -> int:
    """Rows whose activations and deltas fill about half of an L2 of 1 MB, but at least 128.

    With fewer rows the weights are re-read too often: every network measured was slower.
    """
    row_bytes = 2 * sum(sizes) * itemsize
    return int(np.clip(_round_up(TRAINING_BLOCK_BYTES // row_bytes, 4 * TARGET.mr), TRAINING_LEAST_ROWS, MOST_ROWS))


def make_plan(
    layer_sizes: tuple[int, ...], batch: int, dtype: np.dtype, *, sparse: bool = False, slopes: bool = False
) -> Plan:
    """Compute the memory layout of a network.

    Parameters
    ----------
    layer_sizes : tuple of int
        Units of the input, the hidden layers and the output.
    batch : int
        Largest minibatch.
    dtype : dtype
        float32 or float64.
    sparse : bool
        Whether the samples are sparse: then the workspace has no room for them.
    slopes : bool
        Whether the workspace has room for the slopes of activations.
    """
    width = TARGET.nv * lanes(dtype)
    mr = TARGET.mr
    block = min(batch, MOST_ROWS)
    # One row more than the tiles need: without it, panels of a batch of 128 would be a multiple of 4 KB apart and
    # compete for the same sets of L1.
    capacity = _round_up(block, mr) + 1
    table = np.zeros((len(layer_sizes) - 1, COLUMNS), dtype=np.int64)
    params = transposed = workspace = tiles = 0

    def panels(columns: int) -> int:
        return -(-columns // width)

    table[0, H] = 0
    if not sparse:
        workspace = panels(layer_sizes[0]) * capacity * width
    for index, (n_in, n_out) in enumerate(pairwise(layer_sizes)):
        row = table[index]
        row[N_IN], row[N_OUT] = n_in, n_out
        row[BIAS_ROW] = _round_up(n_in, mr)
        row[W], row[W_ROWS] = params, row[BIAS_ROW] + 1
        params += panels(n_out) * row[W_ROWS] * width
        row[FIRST_TILE], row[TILES] = tiles, row[BIAS_ROW] // mr + 1
        tiles += panels(n_out) * row[TILES]
        if index > 0:  # the input layer needs no gradient with respect to its input
            row[WT], row[WT_ROWS] = transposed, _round_up(n_out, lanes(dtype))
            transposed += panels(n_in) * row[WT_ROWS] * width
        row[DZ] = workspace
        workspace += panels(n_out) * capacity * width
        if slopes:
            row[SLOPES] = workspace
            workspace += panels(n_out) * capacity * width
        if index + 2 < len(layer_sizes):
            table[index + 1, H] = workspace
            workspace += panels(n_out) * capacity * width
    return Plan(
        table,
        batch,
        block,
        capacity,
        width,
        int(params),
        int(transposed),
        int(params) if batch > block else 0,
        int(workspace),
        output_scratch(layer_sizes[-1], width),
        int(tiles),
        kc=TRAINING_KC // width * width,
        row_chunk=_row_chunk(layer_sizes[1:] if sparse else layer_sizes, np.dtype(dtype).itemsize),
    )


def tile_bounds(plan: Plan, n_threads: int) -> np.ndarray:
    """Return the first tile of each thread, and the end: shares of about equal cost.

    A thread keeps its tiles for the whole run, so that their weights and moments stay in its cache.
    """
    costs = np.concatenate([_panel_costs(row, plan.panel_width) for row in plan.table])
    ends = np.cumsum(costs)
    shares = ends[-1] * np.arange(n_threads + 1) / n_threads
    return np.searchsorted(ends, shares, side="left").astype(np.int64) + (shares > 0)


def _panel_costs(row: np.ndarray, width: int) -> np.ndarray:
    """Cost of every tile of a layer, in computed columns."""
    lane = width // TARGET.nv
    columns = np.minimum(width, _round_up(int(row[N_OUT]), lane) - np.arange(0, row[N_OUT], width))
    return np.repeat(columns, row[TILES])


def make_view(plan: Plan, activation: str, output: str, loss: int, loss_scale: float) -> NetworkView:
    """Return what compiled code needs to know about a network: its plan and its codes."""
    plan.table[:, ACTIVATION] = CODES[activation]
    plan.table[-1, ACTIVATION] = CODES[output]
    return NetworkView(
        plan.table,
        plan.table.shape[0],
        ACTIVATIONS[activation].needs_slopes or None,
        loss,
        loss_scale,
        plan.batch,
        plan.block,
        plan.row_capacity,
        plan.kc,
        plan.row_chunk,
        plan.scratch,
    )


def layer_sizes(weights: list[np.ndarray]) -> tuple[int, ...]:
    """Return the units of the input and of each layer."""
    return (weights[0].shape[0], *(w.shape[1] for w in weights))


def step_flops(sizes: tuple[int, ...], batch: int) -> float:
    """Floating-point operations of a step: forward, dW, and dX for all layers but the first."""
    products = [n_in * n_out for n_in, n_out in pairwise(sizes)]
    return 2.0 * batch * (3 * sum(products) - products[0])
