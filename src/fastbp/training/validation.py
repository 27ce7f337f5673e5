"""The score of a network on samples that it is not trained on: the negative loss."""

import numpy as np

from fastbp.kernels.passes.loss import mean_loss
from fastbp.network.inputs import block_of
from fastbp.network.prediction import predict
from fastbp.network.spec import Network, SampleBlocks, Samples
from fastbp.training.fit import Evaluate

__all__ = ["negative_loss"]


def negative_loss(network: Network, samples: Samples | SampleBlocks, n_threads: int | None) -> Evaluate:
    """Return the function that scores weights and biases by their mean loss, without the penalty.

    Parameters
    ----------
    network : Network
    samples : Samples or SampleBlocks [read]
    n_threads : int or None
        See `fastbp.threads.budget.choose_threads`.
    """

    def loss_of(part: Samples, weights: list[np.ndarray], biases: list[np.ndarray]) -> float:
        output = predict(
            weights, biases, part.x, activation=network.activation, output=network.output, n_threads=n_threads
        )
        return mean_loss(network.loss, part.y, output)

    def evaluate(weights: list[np.ndarray], biases: list[np.ndarray]) -> float:
        if isinstance(samples, Samples):
            return -loss_of(samples, weights, biases)
        mean = 0.0
        for rows in samples.x.blocks(1):
            part = block_of(network, samples, np.arange(rows.start, rows.stop))
            mean += loss_of(part, weights, biases) * (part.count / samples.count)
        return -mean

    return evaluate
