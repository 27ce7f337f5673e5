"""What fusing the optimizer into the weight gradient is worth: training steps without fusion over steps with it.

    python -m benchmarks.fusion
    python -m benchmarks.fusion --batch 16     # the fewer rows share a step of the optimizer, the more it matters

The unfused step is compiled as well, and differs in one thing: it stores the whole gradient in memory, and a second
pass goes through gradient, weights and moments, applies the same update, and writes the transposed weights. A thread
has the same tiles in both passes, so no further barrier is needed, and a gradient that fits into a thread's
cache stays there. Clipping by the norm of the gradient would need a barrier too; for that the ratios are a lower bound.

Adam, ReLU, log-loss, weight decay; as many threads as `Session` chooses from so many CPUs. Weights and moments of both
must be equal bit for bit before anything is timed and at the end. A ratio of 1 means that fusion gains nothing there.
"""

import argparse

import numba
import numpy as np
from fastbp.kernels.codes import Optimizer
from fastbp.kernels.passes.run import Block, Buffers, view_network, view_run

from benchmarks.common import WORKLOADS, Workload, alternately, cpus, make_problem, ratios_text
from benchmarks.session import copied, open_session, state
from fastbp.kernels.functions.optimizers import Adam
from fastbp.kernels.memory import aligned_zeros
from fastbp.kernels.passes.barrier import END_STEP, FIRST_STEP, SHUTDOWN, STEP_COUNT, barrier
from fastbp.kernels.passes.layout import BIAS_ROW, FIRST_TILE, N_OUT, TILES, W_ROWS, W, entry
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
EPOCH_FLOPS = 2e9  # long enough for the clock, short enough to go round often

# Not `fastbp.compiler.jit`: its disk cache is keyed by the sources of the package, which this file is not one of.
jit = numba.njit(nogil=True, error_model="numpy")


@jit
def _optimizer_pass(network, view, gradient, scalars, first, end):
    """Apply the update to the tiles ``first:end`` from the stored gradient."""
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
    """Train as `fastbp.kernels.passes.step.train_steps`: the tile phase stores gradients, a further pass updates."""
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


def compare(workload: Workload, dtype: type, rounds: int) -> float:
    """Print the figures of one workload; returns the median ratio."""
    steps = int(np.clip(EPOCH_FLOPS / workload.flops, 2, 20_000))
    problem = make_problem(workload, steps, dtype)
    copies, optimizers = [copied(problem) for _ in range(2)], [Adam(), Adam()]
    fused, unfused = (
        open_session(copy, workload.batch, kind=kind, optimizer=optimizer)
        for copy, kind, optimizer in zip(copies, (Session, UnfusedSession), optimizers, strict=True)
    )

    def check() -> None:
        states = [state(*run) for run in zip(copies, (fused, unfused), optimizers, strict=True)]
        for one, other in zip(*states, strict=True):
            np.testing.assert_array_equal(one, other)

    with fused, unfused:
        assert fused.epoch(problem.order) == unfused.epoch(problem.order)
        check()
        times = alternately(lambda: fused.epoch(problem.order), lambda: unfused.epoch(problem.order), rounds) / steps
        check()
    ours, theirs = 1e6 * np.median(times, axis=0)
    gradient = sum(p.nbytes for p in (*problem.weights, *problem.biases)) / 1e6
    figures = f"gradient {gradient:6.2f} MB   fused {ours:9.1f} us   unfused {theirs:9.1f} us"
    print(f"{workload!s:36} {figures}   {ratios_text(times)}", flush=True)
    return float(np.median(times[:, 1] / times[:, 0]))


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
