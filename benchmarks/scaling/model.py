"""The model: what a training step takes on some cores, from measured costs and from how the step is divided.

    step(N) = (rows(1) + tiles(1) + serial) / N            one core's part, if nothing were lost
            + rows(1)  * (part of the longest row share  - 1 / N)
            + tiles(1) * (part of the longest tile share - 1 / N)
            + what short shares cost beyond their parts
            + 2 * barrier(N)
            + traffic: bytes that another core wrote * seconds a byte
            + serial * (1 - 1 / N)
            + what a slice costs / steps of a slice
            + what the step has to wait for memory

Every line is a field of `Terms`. docs/scaling.md says what is left out.
"""

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from benchmarks.common import Workload
from benchmarks.peers.roofline import step_bytes
from fastbp.compiler.target import TARGET
from fastbp.kernels.passes.layout import BIAS_ROW, FIRST_TILE, N_IN, N_OUT, TILES
from fastbp.network.plan import Plan, _panel_costs, make_plan, tile_bounds
from fastbp.threads.jobs import _FLOPS_PER_THREAD
from fastbp.training.pace import SLICE_SECONDS

CORES = (1, 2, 4, 8, 16, 32, 64)
# A number of cores that gains less on the one before is not worth it.
WORTH = 1.2


class Machine(NamedTuple):
    """Costs that have nothing to do with the network, in seconds and bytes.

    Attributes
    ----------
    l2_bytes, l3_bytes : int
        A core's L2, and an L3.
    barrier_alone, barrier_pair : float
        A barrier of one thread, and of two that arrive at once.
    slice : float
        An empty slice on one thread: from Python into compiled code and back.
    bandwidth_core, bandwidth : float
        Bytes a second out of memory, for one core and for all.
    l3_core, l3_pair : float
        Bytes a second out of the L3, for one core, and for each of two at once.
    near_read, near_written : float
        Seconds a byte of a buffer that fits into L2, beyond those of one's own: to read what another core has written,
        to write what another core has read.
    far_read, far_written : float
        The same for a buffer that only the L3 holds.
    """

    l2_bytes: int
    l3_bytes: int
    barrier_alone: float
    barrier_pair: float
    slice: float
    bandwidth_core: float
    bandwidth: float
    l3_core: float
    l3_pair: float
    near_read: float
    near_written: float
    far_read: float
    far_written: float


class Shares(NamedTuple):
    """Seconds that shares of a step take on one core.

    Attributes
    ----------
    rows : dict
        Blocks of MR rows in the share, and seconds of its row phase.
    tiles : dict
        Computed columns in the share (a tile has up to NR), and seconds of its tile phase.
    serial : float
        What thread 0 does while the others wait.
    """

    rows: dict[int, float]
    tiles: dict[int, float]
    serial: float


class Division(NamedTuple):
    """How a step is divided among cores.

    Attributes
    ----------
    cores : int
    blocks, longest_blocks : int
        Blocks of MR rows in the minibatch, and in the longest share.
    columns, longest_columns : int
        Computed columns in all tiles, and in the longest share.
    read, written : float
        Bytes that one core reads after another has written them, and that it writes after others have read them.
    working_set, streamed : int
        Bytes of everything, and bytes that pass through the caches in a step.
    """

    cores: int
    blocks: int
    longest_blocks: int
    columns: int
    longest_columns: int
    read: float
    written: float
    working_set: int
    streamed: int


class Terms(NamedTuple):
    """Seconds of a step by cause: they sum up to the step."""

    work: float
    rows: float
    tiles: float
    short: float
    barriers: float
    traffic: float
    serial: float
    slices: float
    memory: float


def tile_columns(plan: Plan) -> np.ndarray:
    """Return the computed columns of every tile, in the order in which tiles are dealt out."""
    return np.concatenate([_panel_costs(row, plan.panel_width) for row in plan.table])


def _rows(plan: Plan) -> int:
    """Rows of a panel that a minibatch fills."""
    return plan.row_capacity - 1


def _whole_vectors(plan: Plan, columns: int) -> int:
    lane = plan.panel_width // TARGET.nv
    return math.ceil(columns / lane) * lane


def weight_elements(plan: Plan) -> int:
    """Return the weights and biases, with their padding, and the transposed of all layers but the first."""
    elements = 0
    for layer, row in enumerate(plan.table):
        columns = _whole_vectors(plan, int(row[N_OUT]))
        elements += int(row[BIAS_ROW]) * columns * (1 if layer == 0 else 2) + columns
    return elements


def activation_elements(plan: Plan) -> int:
    """Return the samples, activations and deltas of a minibatch, padding that is written included."""
    outputs = [_whole_vectors(plan, int(row[N_OUT])) for row in plan.table]
    return _rows(plan) * (_whole_vectors(plan, int(plan.table[0, N_IN])) + 2 * sum(outputs[:-1]) + outputs[-1])


def tile_read_elements(plan: Plan, first: int, end: int) -> int:
    """Return the activations and deltas that the tiles ``first:end`` are made from, each counted once."""
    elements = 0
    for row in plan.table:
        tiles, base = int(row[TILES]), int(row[FIRST_TILE])
        inputs = np.zeros(tiles, bool)
        for panel, columns in enumerate(_panel_costs(row, plan.panel_width)[::tiles]):
            begin, stop = max(first - base - panel * tiles, 0), min(end - base - panel * tiles, tiles)
            if begin < stop:
                inputs[begin:stop] = True
                elements += int(columns)
        # The last tile is that of the biases, which needs no activations.
        elements += TARGET.mr * int(inputs[:-1].sum())
    return _rows(plan) * elements


def divide(workload: Workload, cores: int, dtype: type) -> Division:
    """Return how fastbp divides a step: rows as `kernels.step` does, tiles by `plan.tile_bounds`.

    Every core reads all weights, and all activations and deltas that its tiles need; ``(cores - 1) / cores`` of them
    were written by others. It writes its part of the weights, activations and deltas, which others have read before.
    """
    plan = make_plan(workload.sizes, workload.batch, np.dtype(dtype))
    itemsize = np.dtype(dtype).itemsize
    blocks = math.ceil(workload.batch / TARGET.mr)
    columns, bounds = tile_columns(plan), tile_bounds(plan, cores)
    weights, activations = weight_elements(plan), activation_elements(plan)
    reads = weights + max(tile_read_elements(plan, first, end) for first, end in pairwise(bounds))
    return Division(
        cores=cores,
        blocks=blocks,
        longest_blocks=math.ceil(blocks / cores),
        columns=int(columns.sum()),
        longest_columns=max(int(columns[first:end].sum()) for first, end in pairwise(bounds)),
        read=itemsize * reads * (cores - 1) / cores,
        written=itemsize * (weights + activations) / cores if cores > 1 else 0.0,
        working_set=itemsize * (3 * plan.params + plan.transposed + plan.workspace),
        streamed=step_bytes(workload, itemsize),
    )


def interpolate(seconds: dict[int, float], size: int) -> float:
    """Return the seconds of a share; one smaller than all that were measured takes as long as the smallest."""
    sizes = sorted(seconds)
    return float(np.interp(size, sizes, [seconds[key] for key in sizes]))


def barrier(machine: Machine, cores: int) -> float:
    """Return the seconds of a barrier: all arrive at one cache line and leave by one, which go from core to core."""
    return machine.barrier_alone + (machine.barrier_pair - machine.barrier_alone) * (cores - 1)


def traffic(machine: Machine, division: Division) -> float:
    """Return the seconds that data take from core to core; more than an L2 holds is in the L3 by then."""
    near = division.read <= machine.l2_bytes
    read = machine.near_read if near else machine.far_read
    written = machine.near_written if near else machine.far_written
    return division.read * read + division.written * written


def memory(machine: Machine, division: Division) -> float:
    """Return the seconds that a step takes from memory at least: none if the caches of all cores hold everything."""
    if division.working_set <= machine.l3_bytes + division.cores * machine.l2_bytes:
        return 0.0
    return division.streamed / min(machine.bandwidth, division.cores * machine.bandwidth_core)


def predict(machine: Machine, shares: Shares, division: Division) -> Terms:
    """Return the terms of a step."""
    cores = division.cores
    rows, tiles = interpolate(shares.rows, division.blocks), interpolate(shares.tiles, division.columns)
    row_part, tile_part = division.longest_blocks / division.blocks, division.longest_columns / division.columns
    longest_rows = interpolate(shares.rows, division.longest_blocks)
    longest_tiles = interpolate(shares.tiles, division.longest_columns)
    one_barrier = barrier(machine, cores)
    terms = Terms(
        work=(rows + tiles + shares.serial) / cores,
        rows=rows * (row_part - 1 / cores),
        tiles=tiles * (tile_part - 1 / cores),
        short=longest_rows - rows * row_part + longest_tiles - tiles * tile_part,
        barriers=2 * one_barrier,
        traffic=traffic(machine, division),
        serial=shares.serial * (1 - 1 / cores),
        slices=0.0,
        memory=0.0,
    )
    step = sum(terms)
    # A slice begins and ends with a barrier, besides.
    slices = (machine.slice + 2 * one_barrier) / max(1, int(SLICE_SECONDS / step))
    return terms._replace(slices=slices, memory=max(0.0, memory(machine, division) - step))


def curve(machine: Machine, shares: Shares, divisions: list[Division]) -> list[float]:
    """Return the speed-up of each division over the first."""
    steps = [sum(predict(machine, shares, division)) for division in divisions]
    return [steps[0] / step for step in steps]


def saturation(cores: list[int], speedups: list[float]) -> int | None:
    """Return the last number of cores that gains enough on the one before; None if that is the last of all."""
    gains = zip(cores[1:], pairwise(speedups), strict=True)
    worth = [cores[0], *(count for count, (before, after) in gains if after >= WORTH * before)]
    return worth[-1] if worth[-1] != cores[-1] else None


def cause(now: Terms, then: Terms) -> str:
    """Return the term that keeps the step from getting faster between two numbers of cores: the one that misses most.

    Without it, the step would have been divided as the cores were multiplied: what a term takes beyond that is missed.
    """
    part = then.work / now.work
    missed = {name: getattr(then, name) - part * getattr(now, name) for name in Terms._fields}
    return max(missed, key=missed.__getitem__)


def default_threads(workload: Workload, cores: int) -> int:
    """Return the threads that fastbp takes on so many cores, unless told: `threads.choose_threads`."""
    return min(cores, math.ceil(workload.batch / TARGET.mr), math.ceil(workload.flops / _FLOPS_PER_THREAD))
