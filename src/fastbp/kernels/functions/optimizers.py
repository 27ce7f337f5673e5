"""Stochastic optimizers: hyper-parameters, schedules and moments.

The objects here hold what an optimizer *knows* (its settings, its current
learning rate, its moments). The arithmetic of a step is fused into the
weight-gradient kernels, which read the settings and update the moments in place.

Each class mirrors what scikit-learn's `MLPClassifier` and `MLPRegressor` do for
``solver="sgd"`` and ``solver="adam"``, in the order of its operations.
"""

import math
from typing import Literal, get_args

import numpy as np

__all__ = ["SGD", "Adam", "Optimizer", "Schedule"]

Schedule = Literal["constant", "invscaling", "adaptive"]

# The adaptive schedule divides the learning rate by this factor on stagnation, and gives up below the floor.
_ADAPTIVE_FACTOR = 5.0
_ADAPTIVE_FLOOR = 1e-6


def _positive(name: str, value: float) -> float:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be a positive finite number, got {value!r}")
    return float(value)


def _decay_rate(name: str, value: float) -> float:
    if not 0 <= value < 1:
        raise ValueError(f"{name} must be in [0, 1), got {value!r}")
    return float(value)


class SGD:
    """Stochastic gradient descent with (Nesterov) momentum and learning rate schedules.

    With the gradient ``g`` of a minibatch, for every parameter array ``p``::

        v <- momentum * v - learning_rate * g
        p <- p + momentum * v - learning_rate * g     nesterov=True
        p <- p + v                                    nesterov=False

    Parameters
    ----------
    learning_rate : float, default=0.001
        Initial step size, > 0.
    momentum : float, default=0.9
        Share of the last velocity that is kept, in [0, 1].
    nesterov : bool, default=True
        Whether to look ahead along the new velocity.
    schedule : {"constant", "invscaling", "adaptive"}, default="constant"
        - "constant": the learning rate stays as it is.
        - "invscaling": after each epoch ``learning_rate = learning_rate_init / (t + 1)**power_t``
          where ``t`` counts the samples (not the epochs) seen so far.
        - "adaptive": divided by 5 whenever training stagnates, until it is at most 1e-6.
    power_t : float, default=0.5
        Exponent of "invscaling", >= 0.

    Attributes
    ----------
    learning_rate : float
        The current learning rate.
    learning_rate_init : float
        The initial one.
    velocities : list of ndarray or None
        One array for each weight matrix, then one for each bias vector, of their shapes and dtype.
        None before the first step.

    References
    ----------
    I. Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013,
    section 2.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        *,
        momentum: float = 0.9,
        nesterov: bool = True,
        schedule: Schedule = "constant",
        power_t: float = 0.5,
    ) -> None:
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum must be in [0, 1], got {momentum!r}")
        if schedule not in get_args(Schedule):
            raise ValueError(f"schedule must be one of {get_args(Schedule)}, got {schedule!r}")
        if not power_t >= 0:
            raise ValueError(f"power_t must be a number >= 0, got {power_t!r}")
        self.learning_rate_init = _positive("learning_rate", learning_rate)
        self.learning_rate = self.learning_rate_init
        self.momentum = float(momentum)
        self.nesterov = bool(nesterov)
        self.schedule = schedule
        self.power_t = float(power_t)
        self.velocities: list[np.ndarray] | None = None

    def __repr__(self) -> str:
        """Return the call that creates such an optimizer."""
        return (
            f"SGD({self.learning_rate_init!r}, momentum={self.momentum!r}, nesterov={self.nesterov!r}, "
            f"schedule={self.schedule!r}, power_t={self.power_t!r})"
        )

    def iteration_ends(self, time_step: int) -> None:
        """Adjust the learning rate at the end of an epoch.

        Parameters
        ----------
        time_step : int
            Samples seen since the first epoch.
        """
        if self.schedule == "invscaling":
            self.learning_rate = self.learning_rate_init / (time_step + 1) ** self.power_t

    def trigger_stopping(self) -> tuple[bool, str]:
        """React to stagnation: stop, or go on with a smaller learning rate.

        Returns
        -------
        stop : bool
            Whether training is to end.
        suffix : str
            What was decided, as the end of a message to the user.
        """
        if self.schedule != "adaptive":
            return True, " Stopping."
        if self.learning_rate <= _ADAPTIVE_FLOOR:
            return True, " Learning rate too small. Stopping."
        self.learning_rate /= _ADAPTIVE_FACTOR
        return False, f" Setting learning rate to {self.learning_rate:f}"


class Adam:
    """Adam: steps scaled by running averages of the gradient and of its square.

    With the gradient ``g`` of a minibatch, for every parameter array ``p``::

        t <- t + 1
        m <- beta_1 * m + (1 - beta_1) * g
        v <- beta_2 * v + (1 - beta_2) * g**2
        learning_rate <- learning_rate_init * sqrt(1 - beta_2**t) / (1 - beta_1**t)
        p <- p - learning_rate * m / (sqrt(v) + epsilon)

    `epsilon` is added to the uncorrected ``sqrt(v)``: the "efficient" order of the paper's section 2, which
    scikit-learn follows too (PyTorch adds it after the bias correction).

    Parameters
    ----------
    learning_rate : float, default=0.001
        Step size before bias correction, > 0.
    beta_1, beta_2 : float, default=0.9 and 0.999
        Decay rates of the two averages, in [0, 1).
    epsilon : float, default=1e-8
        Added to the denominator, > 0.

    Attributes
    ----------
    learning_rate : float
        The bias-corrected step size of the last step; `learning_rate_init` before the first.
    learning_rate_init : float
        The step size before bias correction.
    t : int
        Steps made.
    ms, vs : list of ndarray or None
        The two averages: one array for each weight matrix, then one for each bias vector, of their shapes and
        dtype. None before the first step.

    References
    ----------
    D. P. Kingma and J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, arXiv:1412.6980.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        *,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        self.learning_rate_init = _positive("learning_rate", learning_rate)
        self.learning_rate = self.learning_rate_init
        self.beta_1 = _decay_rate("beta_1", beta_1)
        self.beta_2 = _decay_rate("beta_2", beta_2)
        self.epsilon = _positive("epsilon", epsilon)
        self.t = 0
        self.ms: list[np.ndarray] | None = None
        self.vs: list[np.ndarray] | None = None

    def __repr__(self) -> str:
        """Return the call that creates such an optimizer."""
        return (
            f"Adam({self.learning_rate_init!r}, beta_1={self.beta_1!r}, beta_2={self.beta_2!r}, "
            f"epsilon={self.epsilon!r})"
        )

    def iteration_ends(self, time_step: int) -> None:
        """Do nothing: Adam has no schedule by epochs.

        Parameters
        ----------
        time_step : int
            Samples seen since the first epoch.
        """

    def trigger_stopping(self) -> tuple[bool, str]:
        """React to stagnation: stop.

        Returns
        -------
        stop : bool
            Always True.
        suffix : str
            What was decided, as the end of a message to the user.
        """
        return True, " Stopping."


Optimizer = SGD | Adam
