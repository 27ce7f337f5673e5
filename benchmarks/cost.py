"""What a training step costs: the predictions of `refbp.accounting`, counted and measured.

    python -m benchmarks.cost
    python -m benchmarks.cost --first 4

ReLU, softmax cross-entropy, Adam. Multiply-adds are counted while the graph of the objective and its gradient runs.

- refbp, kept: activations and deltas of a minibatch, predicted, and counted in the arrays of the two passes.
- refbp: `tracemalloc`'s peak over an epoch of three shuffled minibatches of `refbp.training`, parameters included, data
  not. It is above the prediction by the temporary arrays of single expressions.
- fastbp: the bytes of the buffers of a `Session`. The design is the formula in `refbp.accounting.memory.fused_memory`;
  "tiles" adds the padding to this machine's vectors and the threads' scratch.

The caller's arrays are in none of fastbp's figures.
"""

import argparse
import statistics

import numpy as np

import refbp
from benchmarks import session
from benchmarks.common import WORKLOADS, Problem, Workload, make_problem, seconds
from benchmarks.session import SETTINGS
from fastbp.compiler.target import TARGET
from fastbp.kernels.functions.optimizers import SGD, Adam
from fastbp.kernels.vectors.types import lanes
from fastbp.network.plan import MOST_ROWS
from fastbp.training.session import Session
from refbp import Adam as ReferenceAdam
from refbp import graph
from refbp.accounting.cost import Cost, Memory, table
from refbp.accounting.memory import Tile, fused_memory, reference_memory, traced_peak
from refbp.optimizers import SGD as ReferenceSGD
from refbp.training import run_epoch

STEPS = 3
DERIVED = 5  # networks whose second derivatives are taken
DTYPES = ("float32", "float64")
OPTIMIZERS = {
    "sgd": (lambda: SGD(nesterov=False), lambda: ReferenceSGD(nesterov=False)),
    "nesterov": (SGD, ReferenceSGD),
    "adam": (Adam, ReferenceAdam),
}
"""fastbp's and refbp's, by their names in `refbp.accounting.cost.MOMENTS`."""


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


def counted_activations(workload: Workload, dtype: str) -> int:
    """Run refbp's two passes and count the bytes of all activations and deltas that they leave."""
    problem = make_problem(workload, 1, np.dtype(dtype).type)
    stored = refbp.forward(problem.x, problem.weights, problem.biases, "relu", "softmax")
    gradients = refbp.backward(stored, problem.weights, problem.y, activation="relu", weight_decay=1e-4)
    return sum(a.nbytes for a in [*stored.hs[1:], *gradients.deltas])


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
        buffers = opened._buffers
        return Memory(
            parameters=buffers.params.nbytes,
            transposed=buffers.transposed.nbytes,
            gradients=buffers.gradient.nbytes,
            moments=buffers.moment_1.nbytes + buffers.moment_2.nbytes,
            activations=buffers.workspace.nbytes,
            scratch=sum(a.nbytes for a in (buffers.scratch, buffers.losses, buffers.penalties, buffers.totals)),
        )


def multiply_add_rows(workloads: tuple[Workload, ...]) -> list[list[str | int]]:
    """Fill the first table."""
    rows: list[list[str | int]] = []
    for workload in workloads:
        cost, (forward, backward) = cost_of(workload, "float32"), counted_multiply_adds(workload)
        same = (cost.forward, cost.backward) == (forward, backward)
        rows.append([str(workload), cost.forward, forward, cost.backward, backward, "yes" if same else "NO"])
    return rows


def memory_rows(workloads: tuple[Workload, ...]) -> list[list[str | int]]:
    """Fill the second table, in kB and ratios."""
    rows: list[list[str | int]] = []
    for workload in workloads:
        for dtype in DTYPES:
            cost = cost_of(workload, dtype)
            kept, counted = cost.training.activations + cost.training.deltas, counted_activations(workload, dtype)
            ref, measured = reference_memory(cost).total, reference_peak(workload, dtype)
            design, tiles = fused_memory(cost).total, fused_memory(cost, tile_of(dtype)).total
            buffers = buffer_bytes(workload, dtype).total
            sizes = [round(n / 1000) for n in (ref, measured, design, tiles, buffers)]
            ratios = [f"{ratio:.3f}" for ratio in (measured / ref, buffers / design, buffers / tiles)]
            rows.append([f"{workload}, {dtype}", kept, counted, *sizes, *ratios])
    return rows


def second_derivative_rows(workloads: tuple[Workload, ...]) -> list[list[str | int]]:
    """Fill the third table: J, its gradient, and the product of its Hessian with a vector, each for itself."""
    rows: list[list[str | int]] = []
    rng = np.random.default_rng(0)
    for workload in workloads:
        problem = make_problem(workload, 1, np.float64)
        net = graph.mlp(workload.sizes, workload.batch, **SETTINGS | {"activation": "tanh"})
        params = net.weights + net.biases
        vs = [graph.variable(f"v{i}", p.shape) for i, p in enumerate(params)]
        gradients = list(graph.backprop(params, net.graph, net.J).values())
        products = graph.hessian_vector_product(net.J, params, vs, net.graph)
        arrays = [problem.x, problem.y, *problem.weights, *problem.biases]
        values = dict(zip([net.v["x"], net.v["y"], *params], arrays, strict=True))
        values |= {v: rng.standard_normal(v.shape) for v in vs}
        first = None
        for name, targets in (("J", [net.J]), ("gradient", gradients), ("H v", products)):
            trace = graph.evaluate(targets, values).trace
            taken = statistics.median(seconds(lambda g=targets, v=values: graph.evaluate(g, v)) for _ in range(9))
            first = first or taken
            times = f"{1e3 * taken:.2f}", f"{taken / first:.1f}"
            rows.append([f"{workload}, {name}", trace.operations, trace.multiply_adds, *times])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=len(WORKLOADS), help="only so many workloads")
    workloads = WORKLOADS[: parser.parse_args().first]
    print(f"{TARGET.name}, fastbp with one thread\n\nmultiply-adds of a minibatch")
    heads = ["network", "forward", "counted", "backward", "counted", "equal"]
    print("\n".join(table(heads, multiply_add_rows(workloads))))
    print("\nbytes of refbp's activations and deltas, predicted and counted; kB in training of refbp and fastbp;")
    print("ratios: measured / refbp, buffers / design, buffers / tiles")
    heads = [
        "network",
        "kept",
        "counted",
        "refbp",
        "measured",
        "fastbp design",
        "tiles",
        "buffers",
        "r/r",
        "b/d",
        "b/t",
    ]
    print("\n".join(table(heads, memory_rows(workloads))))
    print("\nsecond derivatives with tanh, in float64: operations, multiply-adds, milliseconds, times those of J")
    heads = ["network", "operations", "multiply-adds", "ms", "of J"]
    print("\n".join(table(heads, second_derivative_rows(workloads[:DERIVED]))))


if __name__ == "__main__":
    main()
