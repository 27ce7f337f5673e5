"""The check before anything is timed: every peer comes along the same losses from the same initial weights.

A peer trains a few epochs of a few minibatches. After each, its parameters are taken and the loss they give is
computed here, in float64, by the same lines for all: what a peer says of itself is not asked.
"""

import math

import numpy as np

from benchmarks.common import Problem, Workload, make_problem

STEPS, EPOCHS = 2, 3
# A decay of w / 100 a step is as large as the gradients: one that is forgotten is seen.
DECAY = 0.01
# Share of the way from the first loss that units on ReLU's edge may cost; 0.0017 was seen in one workload of nine.
EDGES = {"float32": 0.01, "float64": 0.0}


def check_problem(workload: Workload, dtype: str) -> Problem:
    """Return the little problem that all train on."""
    return make_problem(workload, STEPS, np.dtype(dtype).type)


def loss(problem: Problem, weights: list[np.ndarray], biases: list[np.ndarray], batch: int) -> float:
    """Return the cross-entropy of the first `batch` rows plus the penalty, in float64."""
    z = problem.x[:batch].astype(np.float64)
    for layer, (w, b) in enumerate(zip(weights, biases, strict=True)):
        h = np.maximum(z, 0) if layer else z
        z = h @ w.astype(np.float64) + b
    z -= z.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    penalty = 0.5 * DECAY * sum(float((w.astype(np.float64) ** 2).sum()) for w in weights)
    return -float((problem.y[:batch] * log_p).sum()) / batch + penalty


def allowed(reference: list[float], workload: Workload, dtype: str) -> np.ndarray:
    """Return how far from these losses rounding may take a peer.

    A loss is a chain of sums through all layers, a gradient one through all layers and over the minibatch: the
    rounding errors of K sums in a row grow as sqrt(K) eps, being as often up as down. And in float32 a unit may be
    within rounding of ReLU's edge, on for one peer and off for another; Adam makes whole steps of the difference.
    """
    sums = sum(workload.sizes) + workload.batch
    losses = np.array(reference)
    return math.sqrt(sums) * np.finfo(dtype).eps * losses + EDGES[dtype] * np.abs(losses - losses[0])


def deviation(losses: list[float], reference: list[float]) -> float:
    """Return the largest relative difference of two trajectories."""
    return float(np.max(np.abs(np.array(losses) - reference) / np.abs(reference)))


def agree(losses: list[float], reference: list[float], workload: Workload, dtype: str) -> bool:
    """Tell whether a peer comes along these losses, as far as rounding lets it; losses that are NaN do not."""
    return bool((np.abs(np.array(losses) - reference) <= allowed(reference, workload, dtype)).all())
