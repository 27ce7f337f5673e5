"""The check before timing: from the same initial weights, all peers must have the same losses.

A peer trains a few epochs of a few minibatches. After each epoch, the loss of its parameters is computed here, in
float64 and with the same code for all. The losses that a peer reports are not used.
"""

import math

import numpy as np

from benchmarks.common import Problem, Workload, make_problem

STEPS, EPOCHS = 2, 3
# A decay of w / 100 per step is as large as the gradients, so that a missing decay is detected.
DECAY = 0.01
# Tolerance for units near the kink of ReLU, as a fraction of the change of the loss; 0.0017 was seen in one workload of
# nine.
EDGES = {"float32": 0.01, "float64": 0.0}


def check_problem(workload: Workload, dtype: str) -> Problem:
    """Return the small problem that all peers train on."""
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
    """Return how far a peer's losses may differ from these because of rounding.

    A loss is a chain of sums through all layers; a gradient is one through all layers and over the minibatch. Rounding
    errors are random, so those of K successive sums grow as sqrt(K) eps. In float32, a unit may also be so close to the
    kink of ReLU that it is on for one peer and off for another; Adam turns that difference into whole steps.
    """
    sums = sum(workload.sizes) + workload.batch
    losses = np.array(reference)
    return math.sqrt(sums) * np.finfo(dtype).eps * losses + EDGES[dtype] * np.abs(losses - losses[0])


def deviation(losses: list[float], reference: list[float]) -> float:
    """Return the largest relative difference of two trajectories."""
    return float(np.max(np.abs(np.array(losses) - reference) / np.abs(reference)))


def agree(losses: list[float], reference: list[float], workload: Workload, dtype: str) -> bool:
    """Return whether a peer's losses agree with the reference up to rounding; NaN never agrees."""
    return bool((np.abs(np.array(losses) - reference) <= allowed(reference, workload, dtype)).all())
