"""Optimizers as dictionaries of plain values and arrays, and back."""

import copy
import math
from typing import Any

import numpy as np

from fastbp.kernels.functions.optimizers import SGD, Adam, Optimizer

__all__ = ["MOMENTS", "as_state", "from_state", "without_moments"]

_KINDS: dict[str, type[Adam] | type[SGD]] = {"Adam": Adam, "SGD": SGD}
_SETTINGS = {
    "Adam": ("beta_1", "beta_2", "epsilon"),
    "SGD": ("momentum", "nesterov", "schedule", "power_t"),
}
# One array for each weight matrix, then one for each bias vector.
MOMENTS = {"Adam": ("ms", "vs"), "SGD": ("velocities",)}


def as_state(optimizer: Optimizer) -> dict[str, Any]:
    """Return all that an optimizer knows; the arrays are its own."""
    return {"kind": type(optimizer).__name__, **vars(optimizer)}


def from_state(state: dict[str, Any]) -> Optimizer:
    """Return the optimizer that `as_state` has described.

    Raises
    ------
    ValueError
        If a number is out of range, or something is missing. Moments are not looked at.
    """
    try:
        name = state["kind"]
        settings = {key: state[key] for key in _SETTINGS[name]}
        optimizer = _KINDS[name](state["learning_rate_init"], **settings)
        optimizer.learning_rate = _number("learning_rate", state["learning_rate"])
        if isinstance(optimizer, Adam):
            optimizer.t = _count("t", state["t"])
        for key in MOMENTS[name]:
            setattr(optimizer, key, state[key])
    except (KeyError, TypeError) as error:
        raise ValueError(f"the optimizer's description is wrong: {error!r}") from error
    return optimizer


def without_moments(optimizer: Optimizer) -> Optimizer:
    """Return an optimizer of the same settings that starts anew.

    The learning rate that SGD's schedule has come to is kept. Adam counts its steps from zero again: without its
    averages, the correction of their bias has to begin anew, too.
    """
    fresh = copy.copy(optimizer)
    if isinstance(fresh, Adam):
        fresh.learning_rate, fresh.t = fresh.learning_rate_init, 0
        fresh.ms = fresh.vs = None
    else:
        fresh.velocities = None
    return fresh


def _number(name: str, value: Any) -> float:
    if not (isinstance(value, float) and math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} must be a finite number >= 0, got {value!r}")
    return value


def _count(name: str, value: Any) -> int:
    if not (isinstance(value, int | np.integer) and not isinstance(value, bool) and 0 <= value < 2**63):
        raise ValueError(f"{name} must be an integer >= 0 of 63 bits, got {value!r}")
    return int(value)
