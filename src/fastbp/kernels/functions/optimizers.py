"""Stochastic optimizers, one record each.

`SGD`, `Adam` and `AdamW` are settings and never change. The state of an optimizer during
training is a `network.optimizer_state.OptimizerState`. A `Rule` is the arithmetic of a step,
as formulas that become vector code (see `vectors.formula`).

To add an optimizer, add its class, its rule, and the class to `KINDS`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from numbers import Real
from typing import ClassVar, Literal, get_args

import numpy as np

from fastbp.kernels.vectors.formula import Lanes

__all__ = [
    "KINDS",
    "MOST_SCALARS",
    "OPTIMIZERS",
    "RULES",
    "RULE_CODES",
    "SGD",
    "Adam",
    "AdamW",
    "Optimizer",
    "Rule",
    "Schedule",
    "moment_names",
]

MOST_SCALARS = 7

Schedule = Literal["constant", "invscaling", "adaptive"]

# The adaptive schedule divides the learning rate by this factor on stagnation, and gives up below the floor.
_ADAPTIVE_FACTOR = 5.0
_ADAPTIVE_FLOOR = 1e-6


@dataclass(frozen=True)
class Rule:
    """How a step changes a weight.

    Attributes
    ----------
    settings : tuple of str
        Names of the settings that a step depends on.
    moments : tuple of str
        Names of the values kept for every weight, at most two.
    scalars : callable
        ``scalars(settings, t)`` returns the numbers that step t uses: float64, at most `MOST_SCALARS`.
    update : callable
        ``update(scalars, decays, w, g, *moments)`` returns w and the moments after a step. `scalars` is padded to
        `MOST_SCALARS`, `g` is the gradient with the penalty, and `decays` is 1 for weights and 0 for biases.
    """

    settings: tuple[str, ...]
    moments: tuple[str, ...]
    scalars: Callable[[Sequence[Lanes], Lanes], Sequence[Lanes]]
    update: Callable[..., Sequence[Lanes]]


def _sgd_step(scalars: Sequence[Lanes], w: Lanes, g: Lanes, velocity: Lanes, *, nesterov: bool) -> Sequence[Lanes]:
    rate, momentum, *_ = scalars
    step = rate * g
    velocity = momentum * velocity - step
    return w + (momentum * velocity - step if nesterov else velocity), velocity


def _adam_scalars(settings: Sequence[Lanes], t: Lanes) -> Sequence[Lanes]:
    rate, beta_1, beta_2, epsilon = settings
    rate = rate * ((1.0 - beta_2.power(t)).sqrt() / (1.0 - beta_1.power(t)))
    return rate, beta_1, 1.0 - beta_1, beta_2, 1.0 - beta_2, epsilon


def _adam_step(scalars: Sequence[Lanes], w: Lanes, g: Lanes, m: Lanes, v: Lanes) -> Sequence[Lanes]:
    rate, beta_1, keep_1, beta_2, keep_2, epsilon, *_ = scalars
    m = beta_1.fma(m, keep_1 * g)
    v = beta_2.fma(v, keep_2 * (g * g))
    return w - rate * m / (v.sqrt() + epsilon), m, v


def _adamw_scalars(settings: Sequence[Lanes], t: Lanes) -> Sequence[Lanes]:
    *settings, weight_decay = settings
    *scalars, epsilon = _adam_scalars(settings, t)
    # PyTorch adds epsilon after the bias correction of the root: only epsilon differs from Adam.
    return *scalars, epsilon * (1.0 - settings[2].power(t)).sqrt(), settings[0] * weight_decay


def _adamw_step(scalars: Sequence[Lanes], decays: Lanes, w: Lanes, *rest: Lanes) -> Sequence[Lanes]:
    return _adam_step(scalars, (-w).fma(scalars[6] * decays, w), *rest)


RULES = {
    # Stores the gradient, for steps that need all of it before any weight changes.
    "store": Rule((), ("gradient",), lambda settings, t: (), lambda scalars, decays, w, g, m: (w, g)),
    "sgd": Rule(
        ("learning_rate", "momentum"),
        ("velocities",),
        lambda settings, t: settings,
        lambda scalars, decays, *arrays: _sgd_step(scalars, *arrays, nesterov=False),
    ),
    "nesterov": Rule(
        ("learning_rate", "momentum"),
        ("velocities",),
        lambda settings, t: settings,
        lambda scalars, decays, *arrays: _sgd_step(scalars, *arrays, nesterov=True),
    ),
    "adam": Rule(
        ("learning_rate", "beta_1", "beta_2", "epsilon"),
        ("ms", "vs"),
        _adam_scalars,
        lambda scalars, decays, *arrays: _adam_step(scalars, *arrays),
    ),
    "adamw": Rule(
        ("learning_rate", "beta_1", "beta_2", "epsilon", "weight_decay"), ("ms", "vs"), _adamw_scalars, _adamw_step
    ),
}

RULE_CODES = {name: code for code, name in enumerate(RULES)}
"""The code of each rule in compiled code."""


def _check(name: str, value: float, *, lowest: float, highest: float, brackets: str) -> float:
    if not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    above = value >= lowest if brackets[0] == "[" else value > lowest
    below = value <= highest if brackets[1] == "]" else value < highest
    if not (above and below):
        raise ValueError(f"{name} must be a number in {brackets[0]}{lowest:g}, {highest:g}{brackets[1]}, got {value!r}")
    return float(value)


_Ranges = dict[str, tuple[str, float, float]]


class _Settings:
    """What all optimizers have in common."""

    learning_rate: float
    ranges: ClassVar[_Ranges]

    @property
    def rule(self) -> str:
        """Name of the rule of a step."""
        raise NotImplementedError

    def __post_init__(self) -> None:
        for name, (brackets, lowest, highest) in self.ranges.items():
            value = _check(name, getattr(self, name), lowest=lowest, highest=highest, brackets=brackets)
            object.__setattr__(self, name, value)

    def numbers(self, learning_rate: float) -> np.ndarray:
        """Return the settings as the array that compiled code reads, with the current learning rate."""
        values = {**vars(self), "learning_rate": learning_rate}
        return np.array([values[name] for name in RULES[self.rule].settings], dtype=np.float64)

    def rate_after_epoch(self, rate: float, time_step: int) -> float:
        """Return the learning rate after an epoch, given the current one and the samples seen since the first epoch."""
        return rate

    def rate_after_stagnation(self, rate: float) -> tuple[float | None, str]:
        """Return the learning rate to continue with when training stagnates (None to stop), and a message."""
        return None, " Stopping."


@dataclass(frozen=True)
class SGD(_Settings):
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
        - "invscaling": after each epoch it is ``learning_rate / (t + 1)**power_t``, where ``t`` counts the samples (not
          the epochs) seen so far.
        - "adaptive": divided by 5 whenever training stagnates, until it is at most 1e-6.
    power_t : float, default=0.5
        Exponent of "invscaling", >= 0.

    References
    ----------
    I. Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013,
    section 2.
    """

    learning_rate: float = 0.001
    _: KW_ONLY
    momentum: float = 0.9
    nesterov: bool = True
    schedule: Schedule = "constant"
    power_t: float = 0.5

    ranges: ClassVar[_Ranges] = {
        "learning_rate": ("()", 0, math.inf),
        "momentum": ("[]", 0, 1),
        "power_t": ("[)", 0, math.inf),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "nesterov", bool(self.nesterov))
        if self.schedule not in get_args(Schedule):
            raise ValueError(f"schedule must be one of {get_args(Schedule)}, got {self.schedule!r}")

    @property
    def rule(self) -> str:
        """Name of the rule of a step."""
        return "nesterov" if self.nesterov else "sgd"

    def rate_after_epoch(self, rate: float, time_step: int) -> float:
        """Return the learning rate after an epoch, when `time_step` samples were seen; see `schedule`."""
        return self.learning_rate / (time_step + 1) ** self.power_t if self.schedule == "invscaling" else rate

    def rate_after_stagnation(self, rate: float) -> tuple[float | None, str]:
        """Return a smaller learning rate if the schedule is "adaptive" (None to stop), and a message."""
        if self.schedule != "adaptive":
            return None, " Stopping."
        if rate <= _ADAPTIVE_FLOOR:
            return None, " Learning rate too small. Stopping."
        rate /= _ADAPTIVE_FACTOR
        return rate, f" Setting learning rate to {rate:f}"


@dataclass(frozen=True)
class Adam(_Settings):
    """Adam: steps scaled by running averages of the gradient and of its square.

    With the gradient ``g`` of a minibatch, for every parameter array ``p``::

        t <- t + 1
        m <- beta_1 * m + (1 - beta_1) * g
        v <- beta_2 * v + (1 - beta_2) * g**2
        p <- p - learning_rate * sqrt(1 - beta_2**t) / (1 - beta_1**t) * m / (sqrt(v) + epsilon)

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

    References
    ----------
    D. P. Kingma and J. Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, arXiv:1412.6980.
    """

    learning_rate: float = 0.001
    _: KW_ONLY
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    ranges: ClassVar[_Ranges] = {
        "learning_rate": ("()", 0, math.inf),
        "beta_1": ("[)", 0, 1),
        "beta_2": ("[)", 0, 1),
        "epsilon": ("()", 0, math.inf),
    }

    @property
    def rule(self) -> str:
        """Name of the rule of a step."""
        return "adam"


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay: weights shrink by a factor that does not depend on the gradient.

    With the gradient ``g`` of a minibatch, for every parameter array ``p`` (m, v and t as in `Adam`)::

        p <- p - learning_rate * weight_decay * p     weights only
        p <- p - learning_rate / (1 - beta_1**t) * m / (sqrt(v / (1 - beta_2**t)) + epsilon)

    These are the steps of PyTorch's AdamW, with biases in a group without decay. This decay is not the L2 penalty on
    the loss (`alpha` of the estimators, `weight_decay` of `fastbp.MLP.fit`); the two can be combined.

    Parameters
    ----------
    learning_rate : float, default=0.001
        Step size before bias correction, > 0.
    beta_1, beta_2 : float, default=0.9 and 0.999
        Decay rates of the two averages, in [0, 1).
    epsilon : float, default=1e-8
        Added to the denominator, > 0.
    weight_decay : float, default=0.01
        Each step reduces a weight by the fraction ``learning_rate * weight_decay``; >= 0.

    References
    ----------
    I. Loshchilov and F. Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, arXiv:1711.05101.
    """

    weight_decay: float = 0.01

    ranges: ClassVar[_Ranges] = {**Adam.ranges, "weight_decay": ("[)", 0, math.inf)}

    @property
    def rule(self) -> str:
        """Name of the rule of a step."""
        return "adamw"


Optimizer = SGD | Adam
KINDS: dict[str, type[SGD] | type[Adam]] = {kind.__name__: kind for kind in (SGD, Adam, AdamW)}

OPTIMIZERS = {kind.__name__.lower(): kind for kind in KINDS.values()}
"""The optimizers by their names in the estimators."""


def moment_names(kind: str) -> tuple[str, ...]:
    """Return the names of the moments of a kind of optimizer: "SGD", "Adam" or "AdamW"."""
    return RULES[KINDS[kind]().rule].moments
