"""The peers: each trains the same network by the same rule, in the way that is fastest for it.

A module has `start(threads, dtype)`, which prepares the library and returns its version, and a `Trainer`. A peer that
cannot run here raises ImportError or `Missing`.

The rule is scikit-learn's: ReLU, softmax cross-entropy, minibatches in a given order, Adam, and `alpha / batch * w`
added to the gradient of every weight matrix. All peers compute the losses of minibatches, because users want to see
them; these include the penalty only if the library adds it by default.
"""

from abc import ABC, abstractmethod

import numpy as np

from benchmarks.common import seconds

# The peers' names on the command line and in results, and their display names.
TITLES = {
    "fastbp": "fastbp",
    "sklearn": "scikit-learn",
    "torch": "PyTorch",
    "torch_compile": "torch.compile",
    "jax": "JAX",
}

LEARNING_RATE, BETA_1, BETA_2 = 1e-3, 0.9, 0.999
# PyTorch adds epsilon after the bias correction of the root, the others before it: too small to matter either way.
EPSILON = 1e-20


class Missing(Exception):
    """A peer is installed but cannot run here; the text says why."""


class Trainer(ABC):
    """A network in training on one problem."""

    @abstractmethod
    def train(self) -> float:
        """Train one epoch; returns the mean loss of its minibatches."""

    @abstractmethod
    def parameters(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return the current weights, (n_in, n_out), and biases."""

    def timed_epoch(self) -> tuple[float, float]:
        """Train one epoch; returns its seconds and the mean loss of its minibatches."""
        losses: list[float] = []
        return seconds(lambda: losses.append(self.train())), losses[0]

    def close(self) -> None:
        """Stop any threads."""
        return
