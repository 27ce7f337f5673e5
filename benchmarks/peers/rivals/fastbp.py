"""fastbp: the `Session` that `fit` runs its epochs on."""

from importlib.metadata import version

import numpy as np

from benchmarks.common import Problem
from benchmarks.peers import rivals
from fastbp.kernels.functions.optimizers import Adam
from fastbp.training.session import Session


def start(threads: int, dtype: str) -> str:
    """Return the version. Sessions see for themselves how many CPUs this process may use."""
    return version("fastbp")


class Trainer(rivals.Trainer):
    """A session on copies of the problem's parameters."""

    def __init__(self, problem: Problem, batch: int, alpha: float) -> None:
        self._weights = [w.copy() for w in problem.weights]
        self._biases = [b.copy() for b in problem.biases]
        self._order = problem.order
        self._session = Session(
            self._weights,
            self._biases,
            Adam(rivals.LEARNING_RATE, beta_1=rivals.BETA_1, beta_2=rivals.BETA_2, epsilon=rivals.EPSILON),
            problem.x,
            problem.y,
            activation="relu",
            loss="log_loss",
            weight_decay=alpha,
            batch_size=batch,
        )

    def train(self) -> float:
        return self._session.epoch(self._order)

    def parameters(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        self._session.sync_parameters()
        return self._weights, self._biases

    def close(self) -> None:
        self._session.close()
