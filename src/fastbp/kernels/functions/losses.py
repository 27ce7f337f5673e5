"""Losses, one record each. To add one, add its record to `_RECORDS`: all lists of names are derived from it."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fastbp.kernels.vectors.elementary import log
from fastbp.kernels.vectors.formula import Lanes

__all__ = ["LOSSES", "LOSS_CODES", "LOSS_RECORDS", "ONE_HOT_LOG_LOSS", "Loss", "clip_probability"]


@dataclass(frozen=True)
class Loss:
    """The loss of one output, to be summed over the outputs of a sample, with its output layer's activation.

    Attributes
    ----------
    name : str
        Public name.
    output : str
        Activation of the output layer.
    add : callable
        ``total + loss`` as a function of total, y and the output. The record does the addition because it affects
        rounding.
    gradient : callable
        dloss/dz as a function of y and the output.
    factor : float
        Factor of the reported loss. The gradient does not include it.
    averaged : bool
        Whether the reported loss is the mean over the outputs of a sample, not their sum.
    lowest_target : float
        Lower bound of y.
    may_be_infinite : bool
        Whether gradients and weights stay finite when the loss is infinite, so that training can continue.
    for_values : bool
        Whether regressors offer it.
    """

    name: str
    output: str
    add: Callable[[Lanes, Lanes, Lanes], Lanes]
    gradient: Callable[[Lanes, Lanes], Lanes] = lambda y, output: output - y
    factor: float = 1.0
    averaged: bool = False
    lowest_target: float = -math.inf
    may_be_infinite: bool = False
    for_values: bool = False

    def scale(self, n_outputs: int) -> float:
        """Return the factor of a sample's reported loss."""
        return self.factor / n_outputs if self.averaged else self.factor


def _xlogy(x: Lanes, y: Lanes) -> Lanes:
    """x * log(y), and 0 where x is 0, whatever y is."""
    return x.differs_from(0.0).select(x * log(y), 0.0, like=x)


def clip_probability(p: Lanes) -> Lanes:
    """Clip a probability to [eps, 1 - eps], for the reported loss only; NaN stays NaN."""
    smallest = float(np.finfo(str(p.form.dtype)).eps)
    return p.at_least(smallest).at_most(1.0 - smallest)


def _squared_error(total: Lanes, y: Lanes, output: Lanes) -> Lanes:
    return total + (output - y) * (output - y)


def _poisson(total: Lanes, y: Lanes, output: Lanes) -> Lanes:
    return total + (_xlogy(y, y / output) - y + output)


def _log_loss(total: Lanes, y: Lanes, output: Lanes) -> Lanes:
    return total - _xlogy(y, clip_probability(output))


def _binary_log_loss(total: Lanes, y: Lanes, output: Lanes) -> Lanes:
    p = clip_probability(output)
    return total - _xlogy(y, p) - _xlogy(1.0 - y, 1.0 - p)


_RECORDS = (
    Loss("squared_error", "identity", _squared_error, factor=0.5, averaged=True, for_values=True),
    Loss("poisson", "exp", _poisson, lowest_target=0.0, may_be_infinite=True, for_values=True),
    Loss("binary_log_loss", "logistic", _binary_log_loss),
    Loss("log_loss", "softmax", _log_loss),
    # log_loss with one-hot y: it gets class numbers instead, sums the probability of the row's class, and takes
    # one logarithm per row (`passes.output`).
    Loss("one_hot_log_loss", "softmax", lambda total, y, output: y.fma(output, total)),
)

LOSS_CODES = {record.name: code for code, record in enumerate(_RECORDS)}
"""The code of each loss in compiled code."""

LOSS_RECORDS = dict(enumerate(_RECORDS))

ONE_HOT_LOG_LOSS = LOSS_CODES["one_hot_log_loss"]
LOSSES = {record.name: record for record in _RECORDS if record.name != "one_hot_log_loss"}
