"""Training on samples that are made a block of rows at a time.

Every block is one `session.Session`. Blocks hold whole minibatches, so that the result is that of the same samples in
one matrix; bit for bit, if the targets are class numbers or the loss is not the log loss.
"""

from typing import Self

import numpy as np

from fastbp.network.inputs import block_of
from fastbp.network.optimizer_state import OptimizerState
from fastbp.network.spec import Network, Recipe, SampleBlocks
from fastbp.training.session import Session, Shuffler, shuffle_order

__all__ = ["BlockSession"]


class BlockSession:
    """A training run like that of a `Session`, with the same methods.

    Parameters
    ----------
    network : Network
    weights, biases : list of ndarray [read+write]
    state : OptimizerState [read+write]
    samples : SampleBlocks [read]
    recipe : Recipe
    """

    def __init__(
        self,
        network: Network,
        weights: list[np.ndarray],
        biases: list[np.ndarray],
        state: OptimizerState,
        samples: SampleBlocks,
        recipe: Recipe,
    ) -> None:
        self._network, self._weights, self._biases, self._state = network, weights, biases, state
        self._samples, self._recipe = samples, recipe
        self._order = np.arange(samples.count)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: the session of the last block has ended."""

    def shuffle(self, rng: Shuffler) -> None:
        """Shuffle the current order of the rows by the permutation that `rng` makes of their positions."""
        shuffle_order(self._order, rng)

    def epoch(self, order: None) -> float:
        """Train one epoch in the current order; returns the mean of the minibatches' losses, weighted by rows."""
        mean, n = 0.0, self._samples.count
        for rows in self._samples.x.blocks(self._recipe.batch_size):
            block = block_of(self._network, self._samples, self._order[rows])
            with Session(self._network, self._weights, self._biases, self._state, block, self._recipe) as session:
                mean += session.epoch(None) * (block.count / n)
        return mean

    def sync_parameters(self) -> None:
        """Do nothing: the arrays of the caller have the weights after every block."""

    def sync(self) -> None:
        """Do nothing, as `sync_parameters`."""
