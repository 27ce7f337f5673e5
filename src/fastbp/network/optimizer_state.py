"""The state of an optimizer during training: moments, number of steps, current learning rate."""

import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

import numpy as np

from fastbp.kernels.functions.optimizers import KINDS, RULES, Adam, Optimizer, Rule, moment_names

__all__ = ["OptimizerState"]


def _number(name: str, value: Any) -> float:
    if not (isinstance(value, float) and math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} must be a finite number >= 0, got {value!r}")
    return value


def _count(name: str, value: Any) -> int:
    if not (isinstance(value, int | np.integer) and not isinstance(value, bool) and 0 <= value < 2**63):
        raise ValueError(f"{name} must be an integer >= 0 of 63 bits, got {value!r}")
    return int(value)


@dataclass
class OptimizerState:
    """The state of an optimizer during the training of a network.

    Attributes
    ----------
    optimizer : SGD, Adam or AdamW
        The settings.
    learning_rate : float
        The current learning rate, before bias correction.
    t : int
        Number of steps made.
    moments : dict of str to list of ndarray
        Moments by name: "ms" and "vs" of Adam, "velocities" of SGD. Each is a list with one array for each weight
        matrix and then one for each bias vector, of their shapes and dtype. Empty before the first step.
    """

    optimizer: Optimizer
    learning_rate: float = field(default=math.nan)
    t: int = 0
    moments: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if math.isnan(self.learning_rate):
            self.learning_rate = self.optimizer.learning_rate

    @property
    def rule(self) -> Rule:
        """The arithmetic of a step."""
        return RULES[self.optimizer.rule]

    def settings(self) -> np.ndarray:
        """Return the settings as the array that compiled code reads."""
        return self.optimizer.numbers(self.learning_rate)

    def end_epoch(self, time_step: int) -> None:
        """Adjust the learning rate after an epoch; `time_step` counts the samples seen since the first one."""
        self.learning_rate = self.optimizer.rate_after_epoch(self.learning_rate, time_step)

    def stagnate(self) -> tuple[bool, str]:
        """Adjust the learning rate on stagnation; returns whether training is to stop, and a message for the user."""
        rate, words = self.optimizer.rate_after_stagnation(self.learning_rate)
        if rate is not None:
            self.learning_rate = rate
        return rate is None, words

    def restarted(self) -> Self:
        """Return the state without moments; the count of steps starts at zero again, SGD's learning rate is kept."""
        return type(self)(self.optimizer, self.learning_rate)

    def as_dict(self) -> dict[str, Any]:
        """Return the state as a dictionary of plain values and lists of arrays (not copied)."""
        settings = asdict(self.optimizer)
        return {
            "kind": type(self.optimizer).__name__,
            "learning_rate_init": settings.pop("learning_rate"),
            **settings,
            "learning_rate": self.learning_rate,
            "t": self.t,
            **{name: self.moments.get(name) for name in self.rule.moments},
        }

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Self:
        """Return the state that `as_dict` described.

        Raises
        ------
        ValueError
            If a number is out of range, or something is missing. Moments are not checked.
        """
        try:
            kind = KINDS[state["kind"]]
            names = [setting.name for setting in fields(kind) if setting.name != "learning_rate"]
            optimizer = kind(state["learning_rate_init"], **{name: state[name] for name in names})
            moments = {name: state[name] for name in moment_names(state["kind"]) if state[name] is not None}
            rate = _number("learning_rate", state["learning_rate"])
            if isinstance(optimizer, Adam):
                # The rate never changes. fastbp 0.5 wrote the rate of the last step, after bias correction.
                rate = optimizer.learning_rate
            return cls(optimizer, rate, _count("t", state.get("t", 0)), moments)
        except (KeyError, TypeError) as error:
            raise ValueError(f"the optimizer's description is wrong: {error!r}") from error
