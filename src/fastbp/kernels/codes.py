"""Integer codes by which compiled code tells activations, losses and optimizers apart.

One compiled function serves every network, so what a network is made of arrives as
numbers. A code is tested once per panel or tile, never per element.
"""

from enum import IntEnum

__all__ = ["ACTIVATIONS", "LOSSES", "OUTPUT_OF_LOSS", "Activation", "Loss", "Optimizer"]


class Activation(IntEnum):
    """Elementwise functions of a layer, and softmax, which works on whole rows of the output layer."""

    IDENTITY = 0
    RELU = 1
    TANH = 2
    LOGISTIC = 3
    EXP = 4
    SOFTMAX = 5


class Loss(IntEnum):
    """Losses; each belongs to the output activation for which dz = output - y.

    ONE_HOT_LOG_LOSS is LOG_LOSS where each row of y is a single 1: it is given the number of the class instead, and
    takes one logarithm a row.
    """

    SQUARED_ERROR = 0
    POISSON = 1
    BINARY_LOG_LOSS = 2
    LOG_LOSS = 3
    ONE_HOT_LOG_LOSS = 4


class Optimizer(IntEnum):
    """What becomes of a tile of the gradient."""

    STORE = 0
    SGD = 1
    NESTEROV = 2
    ADAM = 3


ACTIVATIONS = {member.name.lower(): member for member in Activation}

OUTPUT_OF_LOSS = {
    Loss.SQUARED_ERROR: Activation.IDENTITY,
    Loss.POISSON: Activation.EXP,
    Loss.BINARY_LOG_LOSS: Activation.LOGISTIC,
    Loss.LOG_LOSS: Activation.SOFTMAX,
}
LOSSES = {member.name.lower(): member for member in OUTPUT_OF_LOSS}
