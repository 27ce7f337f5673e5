"""scikit-learn: the epoch inside `partial_fit`, without the checks of its arguments."""

import time

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from benchmarks.common import Problem
from benchmarks.peers import rivals


def start(threads: int, dtype: str) -> str:
    """Set the number of BLAS threads; returns the version."""
    threadpool_limits(limits=threads)
    return sklearn.__version__


class _Dealer(np.random.RandomState):
    """Returns a given order when scikit-learn shuffles, and records the time: an epoch begins with the shuffling."""

    def __init__(self, order: np.ndarray) -> None:
        super().__init__(0)
        self.order = order
        self.dealt = 0.0

    def shuffle(self, x: np.ndarray) -> None:
        x[:] = self.order
        self.dealt = time.perf_counter()


class _Network(MLPClassifier):
    """An MLPClassifier with given initial parameters and one softmax output for each class, even for two classes."""

    def _init_coef(self, fan_in, fan_out, dtype):
        self.out_activation_ = "softmax"
        return next(self.given)


class Trainer(rivals.Trainer):
    """An estimator, trained by `partial_fit`."""

    def __init__(self, problem: Problem, batch: int, alpha: float) -> None:
        self._problem = problem
        self._dealer = _Dealer(problem.order)
        self._network = _Network(
            tuple(len(b) for b in problem.biases[:-1]),
            batch_size=batch,
            alpha=alpha,
            learning_rate_init=rivals.LEARNING_RATE,
            beta_1=rivals.BETA_1,
            beta_2=rivals.BETA_2,
            epsilon=rivals.EPSILON,
            random_state=self._dealer,
        )
        pairs = zip(problem.weights, problem.biases, strict=True)
        self._network.given = ((w.copy(), b.copy()) for w, b in pairs)

    def train(self) -> float:
        x, y = self._problem.x, self._problem.y
        self._network.partial_fit(x, y, classes=np.arange(y.shape[1]))
        return self._network.loss_

    def timed_epoch(self) -> tuple[float, float]:
        loss = self.train()
        return time.perf_counter() - self._dealer.dealt, loss

    def parameters(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        return self._network.coefs_, self._network.intercepts_
