"""The phases of a dense layer's backward pass on plain arrays, which `backward` calls.

They are the phases of a training step, for a single layer: first rows (dx, with the old
weights), then tiles (dw, applied at once or stored).
"""

import math
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from fastbp.compiler.jit import inner, jit
from fastbp.compiler.tuning import BACKWARD_KC, BACKWARD_ROWS, BACKWARD_SHARES
from fastbp.kernels.functions.optimizers import RULE_CODES
from fastbp.kernels.memory import workspace
from fastbp.kernels.shares import begin_shares, end_shares, next_share, run_shares
from fastbp.kernels.tiles.epilogue import activation_gradient_panel
from fastbp.kernels.tiles.gemm import gemm_panel, panel_count, panel_parts, panel_vectors
from fastbp.kernels.tiles.microkernel import MR, NV, gemm_tile_transposed, panel_width
from fastbp.kernels.tiles.panels import pack_rows, unpack_rows
from fastbp.kernels.tiles.update import Step, step_scalars, sum_rows, update_tile
from fastbp.kernels.vectors.simd import address_pointer, at, pointer
from fastbp.kernels.vectors.types import lanes
from fastbp.threads.budget import choose_threads

__all__ = ["run_phases", "scalars_of_step"]

STORE = RULE_CODES["store"]


class _Shape(NamedTuple):
    rows: int
    n_in: int
    n_out: int


class _Operands(NamedTuple):
    """Addresses of the operands, and strides in elements (row, column) of those that may have any."""

    dz: int
    dz_strides: tuple[int, int]
    x: int
    x_strides: tuple[int, int]
    w: int
    w_strides: tuple[int, int]


class _Targets(NamedTuple):
    """Addresses of the arrays that the update writes: contiguous matrices (n_in, n_out) and vectors (n_out,)."""

    w: int
    b: int
    m_w: int
    m_b: int
    v_w: int
    v_b: int


class _Panels(NamedTuple):
    """Operands in panel order."""

    dz: np.ndarray
    x: np.ndarray
    transposed: np.ndarray


@jit
def scalars_of_step(rule, settings, t):
    """The numbers that step `t` uses."""
    return step_scalars(rule, pointer(settings), t)


@jit
def _transpose_phase(shape, operands, panels, shares):
    """Pack one thread's part of w^T into panels."""
    like, table = pointer(panels.transposed), pointer(shares)
    width = panel_width(like)
    w, (row, column) = address_pointer(operands.w, like), operands.w_strides
    begin_shares(table)
    first, end = next_share(table)
    while first < end:
        for panel in range(first, end):
            columns = min(width, shape.n_in - panel * width)
            target = at(like, panel * shape.n_out * width)
            pack_rows(shape.n_out, columns, w, panel * width * row, column, row, target, 0)
        first, end = next_share(table)
    end_shares(table)


@inner
def _rows(shape, operands, panels, scratch, dx, stride, first, end, activation, kc):
    """Pack rows ``first:end`` of the operands and compute those of dx; both are multiples of MR except at the end."""
    like = pointer(scratch)
    width = panel_width(like)
    x, dz = pointer(panels.x), pointer(panels.dz)
    x_source, dz_source = address_pointer(operands.x, like), address_pointer(operands.dz, like)
    (x_row, x_column), (dz_row, dz_column) = operands.x_strides, operands.dz_strides
    for row in range(first, end, BACKWARD_ROWS):
        count = min(BACKWARD_ROWS, end - row)
        place = row * width
        pack_rows(count, shape.n_in, x_source, row * x_row, x_row, x_column, at(x, place), stride)
        pack_rows(count, shape.n_out, dz_source, row * dz_row, dz_row, dz_column, at(dz, place), stride)
        for panel in range(panel_count(shape.n_in, like)):
            columns = shape.n_in - panel * width
            w_panel = at(pointer(panels.transposed), panel * shape.n_out * width)
            parts = panel_parts(shape.n_in, panel, like)
            padded = (count + MR - 1) // MR * MR
            gemm_panel(shape.n_out, parts, at(dz, place), stride, w_panel, like, 0, padded, kc)
            activation_gradient_panel(activation, columns, like, at(x, panel * stride + place), None, 0, count)
            target = at(address_pointer(dx, like), row * shape.n_in + panel * width)
            unpack_rows(count, min(width, columns), like, 0, target, shape.n_in)


@jit
def _row_phase(shape, operands, panels, scratch, dx, stride, shares, activation, kc):
    """One thread's part of the row phase: pack rows of the operands, and compute dx."""
    table = pointer(shares)
    begin_shares(table)
    first, end = next_share(table)
    while first < end:
        _rows(shape, operands, panels, scratch, dx, stride, first * MR, min(end * MR, shape.rows), activation, kc)
        first, end = next_share(table)
    end_shares(table)


@inner
def _update(rows, vectors, columns, n_out, scratch, step, moments, decays, w, m, v):
    """Load a tile of weights and moments, apply the gradient in `scratch` to it, and write it back."""
    tile = MR * panel_width(scratch)
    w_tile, m_tile, v_tile = at(scratch, tile), at(scratch, 2 * tile), at(scratch, 3 * tile)
    pack_rows(rows, columns, w, 0, n_out, 1, w_tile, 0)
    if step.rule != STORE:
        pack_rows(rows, columns, m, 0, n_out, 1, m_tile, 0)
    if moments > 1:
        pack_rows(rows, columns, v, 0, n_out, 1, v_tile, 0)
    update_tile(step, rows, vectors, scratch, w_tile, m_tile, v_tile, decays)
    unpack_rows(rows, columns, m_tile, 0, m, n_out)
    if step.rule != STORE:
        unpack_rows(rows, columns, w_tile, 0, w, n_out)
    if moments > 1:
        unpack_rows(rows, columns, v_tile, 0, v, n_out)


@inner
def _tiles(shape, panels, targets, scratch, stride, first, end, step, moments):
    """Compute the tiles of dw, MR rows each, from tile row `first` to `end`; the last tile row is db."""
    acc = pointer(scratch)
    width = panel_width(acc)
    x, dz = pointer(panels.x), pointer(panels.dz)
    for panel in range(panel_count(shape.n_out, acc)):
        vectors = panel_vectors(shape.n_out, panel, acc)
        columns = min(width, shape.n_out - panel * width)
        dz_panel = at(dz, panel * stride)
        for row in range(first * MR, end * MR, MR):
            rows = min(MR, shape.n_in - row)
            if rows <= 0:
                sum_rows(shape.rows, vectors, dz_panel, acc)
                rows, decays, place = 1, 0.0, panel * width
                w, m, v = targets.b, targets.m_b, targets.v_b
            else:
                column = at(x, row // width * stride + row % width)
                gemm_tile_transposed(panel_parts(columns, 0, acc), shape.rows, column, dz_panel, acc, False)
                decays, place = 1.0, row * shape.n_out + panel * width
                w, m, v = targets.w, targets.m_w, targets.v_w
            _update(
                rows,
                vectors,
                columns,
                shape.n_out,
                acc,
                step,
                moments,
                decays,
                at(address_pointer(w, acc), place),
                at(address_pointer(m, acc), place),
                at(address_pointer(v, acc), place),
            )


@jit
def _tile_phase(shape, panels, targets, scratch, stride, shares, step, moments):
    """One thread's part of the tile phase: dw and db."""
    table = pointer(shares)
    begin_shares(table)
    first, end = next_share(table)
    while first < end:
        _tiles(shape, panels, targets, scratch, stride, first, end, step, moments)
        first, end = next_share(table)
    end_shares(table)


def _strides(array: np.ndarray) -> tuple[int, int]:
    return array.strides[0] // array.itemsize, array.strides[1] // array.itemsize


def run_phases(
    dz: np.ndarray,
    x: np.ndarray,
    w: np.ndarray,
    updated: tuple[np.ndarray | None, ...],
    step: Step,
    moments: int,
    code: int,
    n_threads: int | None,
    dx: np.ndarray,
) -> None:
    """Run both phases.

    Parameters
    ----------
    dz, x, w : ndarray [read]
        As for `linear_backward`; any strides.
    updated : tuple of ndarray or None [read+write]
        Weights, biases and their moments, the arrays of `_Targets`.
    step : Step
    moments : int
        Number of the rule's moments.
    code : int
        Code of the activation whose output x is.
    n_threads : int, optional
    dx : ndarray, (n, n_in) [write]
        C-contiguous.
    """
    dtype = dz.dtype
    shape = _Shape(x.shape[0], *w.shape)
    width = NV * lanes(dtype)
    kc = max(BACKWARD_KC // width, 1) * width
    row_tiles, in_tiles = math.ceil(shape.rows / MR), math.ceil(shape.n_in / MR) + 1
    in_panels, out_panels = math.ceil(shape.n_in / width), math.ceil(shape.n_out / width)
    stride = (row_tiles * MR + 1) * width
    operands = _Operands(dz.ctypes.data, _strides(dz), x.ctypes.data, _strides(x), w.ctypes.data, _strides(w))
    targets = _Targets(*(0 if array is None else array.ctypes.data for array in updated))
    flops = 4.0 * shape.rows * shape.n_in * shape.n_out
    count = choose_threads(n_threads, flops, max(row_tiles, in_tiles))
    each_scratch = max(4 * MR, BACKWARD_ROWS + MR) * width
    sizes = [out_panels * stride, in_panels * stride, in_panels * shape.n_out * width, *[each_scratch] * count]
    out = dx.ctypes.data

    with workspace(sum(sizes), dtype) as memory:
        pieces = [memory[end - size : end] for size, end in zip(sizes, accumulate(sizes), strict=True)]
        panels, scratch = _Panels(*pieces[:3]), pieces[3:]

        def transpose(_: int, shares: np.ndarray) -> None:
            _transpose_phase(shape, operands, panels, shares)

        def rows(thread: int, shares: np.ndarray) -> None:
            _row_phase(shape, operands, panels, scratch[thread], out, stride, shares, code, kc)

        def tiles(thread: int, shares: np.ndarray) -> None:
            _tile_phase(shape, panels, targets, scratch[thread], stride, shares, step, moments)

        for phase, units in ((transpose, in_panels), (rows, row_tiles), (tiles, in_tiles)):
            run_shares(phase, units, BACKWARD_SHARES, count, (dz, x, w, dx, *updated))
