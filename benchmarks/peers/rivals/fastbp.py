"""fastbp: the `Session` in which `fit` runs its epochs."""

from importlib.metadata import version

import numpy as np

from benchmarks.common import Problem
from benchmarks.peers import rivals
from benchmarks.session import copied, open_session
from fastbp import Adam


def start(threads: int, dtype: str) -> str:
    """Return the version. Sessions find out by themselves how many CPUs this process may use."""
    return version("fastbp")


class Trainer(rivals.Trainer):
    """A session on copies of the problem's parameters."""

    def __init__(self, problem: Problem, batch: int, alpha: float) -> None:
        self._problem = copied(problem)
        settings = {"beta_1": rivals.BETA_1, "beta_2": rivals.BETA_2, "epsilon": rivals.EPSILON}
        optimizer = Adam(rivals.LEARNING_RATE, **settings)
        self._session = open_session(self._problem, batch, optimizer=optimizer, weight_decay=alpha)

    def train(self) -> float:
        return self._session.epoch(self._problem.order)

    def parameters(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        self._session.sync_parameters()
        return self._problem.weights, self._problem.biases

    def close(self) -> None:
        self._session.engine.close()
