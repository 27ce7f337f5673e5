"""What the fusion of the optimizer into the weight gradient is worth: training steps without it over steps with it.

    python -m benchmarks.fusion
    python -m benchmarks.fusion --batch 16     # the fewer rows share a step of the optimizer, the more it matters

The partner is compiled as well and differs in one thing: its tiles are stored, so that the whole gradient goes to
memory, and a second pass walks over gradient, weights and moments from end to end (tiles lie one after the other),
updates by the same vector code, and writes the transposed weights. Each thread keeps its own tiles in both passes: the
partner needs no barrier between them, and a gradient that fits into its cache stays there. What needs the whole
gradient first, such as clipping by its norm, would pay for a barrier too: for that the ratios are a lower bound.

Adam, ReLU, log-loss, weight decay; as many threads as `Session` chooses from so many CPUs. Weights and moments of both
must be equal, bit by bit: after an epoch, before anything is timed, and after the last one again. A ratio of 1 says
that fusion is worth nothing there.
"""

import argparse
from typing import NamedTuple

import numba
import numpy as np

from benchmarks.common import WORKLOADS, Problem, Workload, cpus, make_problem, seconds
from fastbp.kernels.codes import Optimizer
from fastbp.kernels.functions.optimizers import Adam
from fastbp.kernels.memory import aligned_zeros
from fastbp.kernels.passes.barrier import END_STEP, FIRST_STEP, SHUTDOWN, STEP_COUNT, barrier
from fastbp.kernels.passes.layout import BIAS_ROW, FIRST_TILE, N_OUT, TILES, W_ROWS, W, entry
from fastbp.kernels.passes.run import Block, Buffers, view_network, view_run
from fastbp.kernels.passes.step import (
    _batch_weight,
    _row_phase,
    _scalars,
    _sum_losses,
    _tile_phase,
    _transpose_weights_tile,
)
from fastbp.kernels.tiles.gemm import panel_count, panel_vectors
from fastbp.kernels.tiles.microkernel import MR, panel_width
from fastbp.kernels.tiles.update import Scalars, update_tile
from fastbp.kernels.vectors.atomics import atomic_load
from fastbp.kernels.vectors.denormals import flush_denormals, restore_denormals
from fastbp.kernels.vectors.simd import at, pointer
from fastbp.threads.jobs import allowed_cpus
from fastbp.training.engine import Team
from fastbp.training.session import Session

ADAM = int(Optimizer.ADAM)
STORE = int(Optimizer.STORE)
ALPHA = 1e-4
EPOCH_FLOPS = 2e9  # long enough for the clock, short enough to go round often

# Not `fastbp.compiler.jit`: its disk cache is keyed by the sources of the package, which this file is not one of.
jit = numba.njit(nogil=True, error_model="numpy")


@jit
def _optimizer_pass(network, view, gradient, scalars, first, end):
    """Spend the stored gradient of the tiles ``first:end``."""
    table = network.table
    width = panel_width(gradient)
    # The gradient has its decay and its division by S already; x * 1 and x + 0 * w change no bit of it.
    whole = Scalars(scalars.learning_rate, 1.0, 0.0, scalars.beta_1, scalars.beta_2, scalars.epsilon)
    for layer in range(network.layers):
        tiles = entry(table, layer, TILES)
        for panel in range(panel_count(entry(table, layer, N_OUT), gradient)):
            base = entry(table, layer, FIRST_TILE) + panel * tiles
            vectors = panel_vectors(entry(table, layer, N_OUT), panel, gradient)
            for tile in range(max(first - base, 0), min(end - base, tiles)):
                row = tile * MR
                place = entry(table, layer, W) + (panel * entry(table, layer, W_ROWS) + row) * width
                w, m, v = at(view.params, place), at(view.moment_1, place), at(view.moment_2, place)
                rows = MR if row < entry(table, layer, BIAS_ROW) else 1
                update_tile(ADAM, rows, vectors, at(gradient, place), w, m, v, whole, 0.0)
                if layer > 0 and rows == MR:
                    _transpose_weights_tile(table, layer, panel, row, vectors, w, view.transposed)


@jit
def unfused_steps(network, buffers, stores, data, hyper, weight_decay, tile_bounds, control, thread):
    """The loop of `fastbp.kernels.passes.step.train_steps`, with a tile phase that stores and a pass that spends."""
    mode = flush_denormals()
    n_threads = tile_bounds.size - 1
    first, end = tile_bounds[thread], tile_bounds[thread + 1]
    net, places = view_network(network), pointer(control)
    view, store = view_run(buffers, data), view_run(stores, data)
    stop = False
    while not stop:
        barrier(places, n_threads)
        if atomic_load(places, SHUTDOWN) != 0:
            break
        for step in range(control[FIRST_STEP], control[END_STEP]):
            order = at(pointer(data.order), step * net.batch)
            rows = min(net.batch, data.order.size - step * net.batch)
            _row_phase(
                net, view, None, order, rows, data.order.size - step * net.batch - rows, places, thread, n_threads
            )
            if barrier(places, n_threads):
                break
            # After the barrier: thread 0 counts the step before on its way to this one.
            scalars = _scalars(ADAM, hyper, 1.0 / _batch_weight(view, order, rows), control[STEP_COUNT] + 1)
            _tile_phase(net, store, None, order, Block(0, rows, rows), STORE, scalars, weight_decay, first, end, thread)
            _optimizer_pass(net, view, store.moment_1, scalars, first, end)
            if thread == 0:
                buffers.totals[0] += _sum_losses(view.losses, rows) * rows * scalars.inverse_weight
            barrier(places, n_threads)
            if thread == 0:
                control[STEP_COUNT] += 1
        barrier(places, n_threads)
        stop = thread == 0
    restore_denormals(mode)


class UnfusedSession(Session):
    """A training run whose gradient goes through memory."""

    def _make_buffers(self, dtype: np.dtype) -> Buffers:
        assert self._plan.block == self._plan.batch, "of so many rows the gradient goes through memory in any case"
        buffers = super()._make_buffers(dtype)
        self._stores = buffers._replace(moment_1=aligned_zeros(self._plan.params, dtype))
        return buffers

    def _call(self, team: Team, thread: int) -> None:
        unfused_steps(
            self._network,
            self._buffers,
            self._stores,
            self._data,
            self._hyper,
            self._weight_decay,
            team.bounds,
            team.control,
            thread,
        )


class Run(NamedTuple):
    """A session on copies of a problem's parameters, and what it works on."""

    session: Session
    weights: list[np.ndarray]
    biases: list[np.ndarray]
    optimizer: Adam

    def state(self) -> list[np.ndarray]:
        """All parameters and moments as they are now."""
        self.session.sync()
        return [*self.weights, *self.biases, *self.optimizer.ms, *self.optimizer.vs]


def open_run(kind: type[Session], problem: Problem, batch: int) -> Run:
    """Return a training run of its own."""
    weights, biases, optimizer = [w.copy() for w in problem.weights], [b.copy() for b in problem.biases], Adam()
    session = kind(
        weights,
        biases,
        optimizer,
        problem.x,
        problem.y,
        activation="relu",
        loss="log_loss",
        weight_decay=ALPHA,
        batch_size=batch,
    )
    return Run(session, weights, biases, optimizer)


def check(fused: Run, unfused: Run) -> None:
    """Raise unless both runs have come to the same parameters and moments."""
    for one, other in zip(fused.state(), unfused.state(), strict=True):
        np.testing.assert_array_equal(one, other)


def compare(workload: Workload, dtype: type, rounds: int) -> float:
    """Print the figures of one workload; returns the median ratio."""
    steps = int(np.clip(EPOCH_FLOPS / workload.flops, 2, 20_000))
    problem = make_problem(workload, steps, dtype)
    runs = open_run(Session, problem, workload.batch), open_run(UnfusedSession, problem, workload.batch)
    times = np.empty((rounds, 2))
    with runs[0].session, runs[1].session:
        losses = [run.session.epoch(problem.order) for run in runs]
        assert losses[0] == losses[1]
        check(*runs)
        for number, row in enumerate(times):
            for which in (0, 1) if number % 2 == 0 else (1, 0):
                row[which] = seconds(lambda run=runs[which]: run.session.epoch(problem.order)) / steps
        check(*runs)
    ratios = times[:, 1] / times[:, 0]
    fused, unfused = 1e6 * np.median(times, axis=0)
    gradient = sum(p.nbytes for p in (*problem.weights, *problem.biases)) / 1e6
    print(
        f"{workload!s:36} gradient {gradient:6.2f} MB   fused {fused:9.1f} us   unfused {unfused:9.1f} us   "
        f"ratio {np.median(ratios):5.3f} (worst {ratios.min():5.3f})",
        flush=True,
    )
    return float(np.median(ratios))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--threads", type=int, action="append", help="CPUs to run on; repeatable (default: 1, and all)")
    add("--dtype", choices=("float32", "float64"), default="float32")
    add("--rounds", type=int, default=15)
    add("--batch", type=int, help="rows of every minibatch, instead of the workload's own")
    options = parser.parse_args()
    batch = {"batch": options.batch} if options.batch else {}
    for threads in options.threads or sorted({1, allowed_cpus()}):
        print(f"{options.dtype}, threads: {threads}")
        with cpus(threads):
            ratios = [compare(w._replace(**batch), np.dtype(options.dtype).type, options.rounds) for w in WORKLOADS]
        print(f"geometric mean {np.exp(np.mean(np.log(ratios))):.3f}, lowest {min(ratios):.3f}")


if __name__ == "__main__":
    main()
