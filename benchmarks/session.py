"""A training run of fastbp on a benchmark's problem, below `fit`."""

import numpy as np

from benchmarks.common import Problem
from fastbp.kernels.functions.optimizers import Adam
from fastbp.training.session import Session

SETTINGS = {"activation": "relu", "loss": "log_loss", "weight_decay": 1e-4}


def open_session(problem: Problem, batch: int, threads: int | None = None, kind: type[Session] = Session, **settings):
    """Return a session that trains a problem's parameters in place; `settings` are those of `Session`."""
    if problem.y.shape[1] == 1:
        settings = {"loss": "binary_log_loss"} | settings
    settings = SETTINGS | {"optimizer": Adam()} | settings
    optimizer = settings.pop("optimizer")
    arrays = (problem.weights, problem.biases, optimizer, problem.x, problem.y)
    return kind(*arrays, batch_size=batch, n_threads=threads, **settings)


def copied(problem: Problem) -> Problem:
    """Return a problem with parameters of its own on the same data."""
    copies = ([array.copy() for array in arrays] for arrays in (problem.weights, problem.biases))
    return problem._replace(**dict(zip(("weights", "biases"), copies, strict=True)))


def state(problem: Problem, session: Session, optimizer: Adam) -> list[np.ndarray]:
    """Return all parameters and moments as they are now."""
    session.sync()
    return [*problem.weights, *problem.biases, *optimizer.ms, *optimizer.vs]
