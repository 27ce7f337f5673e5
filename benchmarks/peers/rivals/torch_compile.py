"""PyTorch, compiled: a whole step as one graph, from the gather of the rows to Adam.

One graph is faster than a compiled model plus a compiled `optimizer.step`, and compiles in a quarter of the time.
"""

import math
import os
from functools import cache

import numpy as np
import torch

from benchmarks.common import Problem
from benchmarks.peers import rivals

Tensors = list[torch.Tensor]


def start(threads: int, dtype: str) -> str:
    """Set the number of threads, and test whether compilation works at all; returns the version."""
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # no processes besides the peers'
    torch.set_num_threads(threads)
    try:
        torch.compile(torch.exp)(torch.ones(8))
    except RuntimeError as error:
        raise rivals.Missing(str(error).strip().splitlines()[0]) from error
    return torch.__version__


def _loss(parameters: tuple[Tensors, Tensors], x: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    weights, biases = parameters
    h = x
    for w, b in zip(weights[:-1], biases[:-1], strict=True):
        h = torch.relu(torch.addmm(b, h, w))
    return torch.nn.functional.cross_entropy(torch.addmm(biases[-1], h, weights[-1]), classes)


def _adam(p: torch.Tensor, g: torch.Tensor, m: torch.Tensor, v: torch.Tensor, rate: torch.Tensor) -> None:
    m.mul_(rivals.BETA_1).add_((1 - rivals.BETA_1) * g)
    v.mul_(rivals.BETA_2).add_((1 - rivals.BETA_2) * g * g)
    p.sub_(rate * m / (torch.sqrt(v) + rivals.EPSILON))


def _step(
    parameters: tuple[Tensors, Tensors],
    ms: tuple[Tensors, Tensors],
    vs: tuple[Tensors, Tensors],
    t: torch.Tensor,
    decay: torch.Tensor,
    x: torch.Tensor,
    classes: torch.Tensor,
    rows: torch.Tensor,
) -> torch.Tensor:
    """Train one minibatch, in place; returns its loss."""
    (dws, dbs), loss = torch.func.grad_and_value(_loss)(parameters, x[rows], classes[rows])
    t.add_(1)
    rate = torch.sqrt(-torch.expm1(t * math.log(rivals.BETA_2))) / -torch.expm1(t * math.log(rivals.BETA_1))
    rate = rivals.LEARNING_RATE * rate
    weights, biases = parameters
    for w, dw, m, v in zip(weights, dws, ms[0], vs[0], strict=True):
        _adam(w, dw + decay * w, m, v, rate)
    for b, db, m, v in zip(biases, dbs, ms[1], vs[1], strict=True):
        _adam(b, db, m, v, rate)
    return loss


@cache
def _compiled(sizes: tuple[int, ...], batch: int):
    """Return `_step` for one workload: graphs of earlier ones would make PyTorch compile slower code for any shape."""
    torch.compiler.reset()
    return torch.compile(_step, fullgraph=True)


class Trainer(rivals.Trainer):
    """Parameters and moments as plain tensors."""

    def __init__(self, problem: Problem, batch: int, alpha: float) -> None:
        arrays = (problem.weights, problem.biases)
        self._parameters, self._ms, self._vs = (
            tuple([torch.from_numpy(scale * p) for p in group] for group in arrays) for scale in (1, 0, 0)
        )
        self._x = torch.from_numpy(problem.x)
        self._classes = torch.from_numpy(problem.y.argmax(axis=1))
        for tensor in (self._x, self._classes):  # one graph serves any number of samples
            torch._dynamo.mark_dynamic(tensor, 0)
        # One element: the compiler of PyTorch 2.13 loses additions to a zero-dimensional float64.
        self._t = torch.zeros(1, dtype=self._x.dtype)
        self._decay = torch.tensor(alpha / batch, dtype=self._x.dtype)
        self._minibatches = torch.from_numpy(problem.order).split(batch)
        self._step = _compiled((problem.x.shape[1], *map(len, problem.biases)), batch)

    def train(self) -> float:
        state = (self._parameters, self._ms, self._vs, self._t, self._decay, self._x, self._classes)
        losses = [self._step(*state, rows) for rows in self._minibatches]
        return torch.stack(losses).mean().item()

    def parameters(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        weights, biases = self._parameters
        return [w.numpy() for w in weights], [b.numpy() for b in biases]
