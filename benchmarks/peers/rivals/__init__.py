"""The peers: each trains the same network by the same rule, in the way in which it is fastest.

A module has `start(threads, dtype)`, which readies the library and returns its version, and a `Trainer`. A peer that
cannot run here raises ImportError or `Missing`.

The rule is scikit-learn's: ReLU, softmax cross-entropy, minibatches in a given order, Adam, and `alpha / batch * w`
added to the gradient of every weight matrix. Losses of minibatches are computed everywhere, as a user wants to see
them; the penalty is added to them only where the library does it unasked.
"""

from abc import ABC, abstractmethod

import numpy as np

from benchmarks.common import seconds

# A peer's name on the command line and in results, and its name for readers.
TITLES = {
    "fastbp": "fastbp",
    "sklearn": "scikit-learn",
    "torch": "PyTorch",
    "torch_compile": "torch.compile",
    "jax": "JAX",
}

LEARNING_RATE, BETA_1, BETA_2 = 1e-3, 0.9, 0.999
# PyTorch adds epsilon to the corrected root, the others to the uncorrected one: too small a number to matter in either.
EPSILON = 1e-20


class Missing(Exception):
    """A peer is installed and cannot run here; the text says why."""


class Trainer(ABC):
    """A network that is being trained on one problem."""

    @abstractmethod
    def train(self) -> float:
        """Train one epoch; returns the mean loss of its minibatches."""

    @abstractmethod
    def parameters(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return the weights, (n_in, n_out), and the biases as they are now."""

    def timed_epoch(self) -> tuple[float, float]:
        """Train one epoch; returns its seconds and the mean loss of its minibatches."""
        losses: list[float] = []
        return seconds(lambda: losses.append(self.train())), losses[0]

    def close(self) -> None:
        """Let go of threads."""
        return
