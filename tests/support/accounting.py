"""What a training step of fastbp and of refbp holds in memory and computes, counted and measured."""

from typing import Any

import numpy as np
from benchmarks import session
from benchmarks.common import Problem, Workload, make_problem

from fastbp.compiler.target import TARGET
from fastbp.compiler.tuning import MOST_ROWS
from fastbp.kernels.functions.optimizers import SGD, Adam
from fastbp.kernels.vectors.types import lanes
from fastbp.training.session import Session
from refbp import Adam as ReferenceAdam
from refbp import graph
from refbp.accounting.cost import Cost, Memory
from refbp.accounting.memory import Tile, traced_peak
from refbp.optimizers import SGD as ReferenceSGD
from refbp.training import run_epoch

STEPS = 3
OPTIMIZERS = {
    "sgd": (lambda: SGD(nesterov=False), lambda: ReferenceSGD(nesterov=False)),
    "nesterov": (SGD, ReferenceSGD),
    "adam": (Adam, ReferenceAdam),
}
"""fastbp's and refbp's, by their names in `refbp.accounting.cost.MOMENTS`."""

SETTINGS: dict[str, Any] = {"activation": "relu", "loss": "log_loss", "weight_decay": 1e-4}
"""Those of `benchmarks.session`."""


def cost_of(workload: Workload, dtype: str, optimizer: str = "adam") -> Cost:
    """Predict."""
    return Cost(workload.sizes, workload.batch, dtype, optimizer)


def tile_of(dtype: str) -> Tile:
    """Return how fastbp cuts its matrices on this machine."""
    width = lanes(np.dtype(dtype))
    return Tile(rows=TARGET.mr, columns=TARGET.nv * width, lanes=width, block=MOST_ROWS)


def counted_multiply_adds(workload: Workload) -> tuple[int, int]:
    """Run the graph; returns the multiply-adds of the forward pass and of all that the gradient takes besides."""
    problem = make_problem(workload, 1, np.float32)
    net = graph.mlp(workload.sizes, workload.batch, **SETTINGS)
    gradients = graph.backprop(net.weights + net.biases, net.graph, net.J)
    arrays = [problem.x, problem.y, *problem.weights, *problem.biases]
    values = dict(zip([net.v["x"], net.v["y"], *net.weights, *net.biases], arrays, strict=True))
    forward, both = (graph.evaluate(v, values).trace.multiply_adds for v in ([net.J], [net.J, *gradients.values()]))
    return forward, both - forward


def reference_peak(workload: Workload, dtype: str, optimizer: str = "adam") -> int:
    """Measure the peak of refbp, in bytes."""
    problem = make_problem(workload, STEPS, np.dtype(dtype).type)
    batches = np.split(problem.order, STEPS)

    def train() -> None:
        own = session.copied(problem)
        run_epoch(own.weights, own.biases, OPTIMIZERS[optimizer][1](), problem.x, problem.y, batches, **SETTINGS)

    return traced_peak(train)


def open_session(workload: Workload, problem: Problem, optimizer: str = "adam", threads: int | None = None) -> Session:
    """Start a session on a problem."""
    return session.open_session(problem, workload.batch, threads, optimizer=OPTIMIZERS[optimizer][0]())


def buffer_bytes(workload: Workload, dtype: str, optimizer: str = "adam") -> Memory:
    """Return the sizes of a session's buffers on one thread. The workspace is under activations."""
    problem = make_problem(workload, 1, np.dtype(dtype).type)
    with open_session(workload, problem, optimizer, threads=1) as opened:
        buffers = opened.engine.buffers
        return Memory(
            parameters=buffers.params.nbytes,
            transposed=buffers.transposed.nbytes,
            gradients=buffers.gradient.nbytes,
            moments=buffers.moment_1.nbytes + buffers.moment_2.nbytes,
            activations=buffers.workspace.nbytes,
            scratch=sum(a.nbytes for a in (buffers.scratch, buffers.losses, buffers.penalties, buffers.totals)),
        )
