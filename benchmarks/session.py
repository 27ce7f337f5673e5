"""A training run of fastbp on a benchmark's problem, without `fit`."""

from benchmarks.common import Problem
from fastbp import Adam
from fastbp.kernels.functions.optimizers import Optimizer
from fastbp.network.optimizer_state import OptimizerState
from fastbp.network.spec import Network, Recipe, Samples
from fastbp.training.session import Session


def open_session(
    problem: Problem,
    batch: int,
    threads: int | None = None,
    optimizer: Optimizer | None = None,
    weight_decay: float = 1e-4,
) -> Session:
    """Return a session that trains a problem's parameters in place, by default with Adam."""
    loss = "log_loss" if problem.y.shape[1] > 1 else "binary_log_loss"
    return Session(
        Network.of(problem.weights, "relu", loss),
        problem.weights,
        problem.biases,
        OptimizerState(optimizer or Adam()),
        Samples(problem.x, problem.y),
        Recipe(batch, weight_decay, threads),
    )


def copied(problem: Problem) -> Problem:
    """Return a problem with parameters of its own on the same data."""
    weights, biases = ([array.copy() for array in arrays] for arrays in (problem.weights, problem.biases))
    return problem._replace(weights=weights, biases=biases)
