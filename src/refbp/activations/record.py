"""The record that describes an activation function; the tables of the functions are made of it."""

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np


class Activation(NamedTuple):
    """An activation function and its back-propagation rule.

    Attributes
    ----------
    forward : callable
        ``forward(z) -> h``; arrays of one shape, (..., n).
    backward : callable
        ``backward(dh, kept) -> dz``: from the gradient by the output to the gradient by the input. ``kept`` is
        what the forward pass kept: the output h, or the input z.
    formula : callable or None
        ``formula(f, z) -> h``: the same function composed of the operations in ``f``, `refbp.graph.functions`.
        The graph derives the derivative from it a second time. None if the function is for the output only.
    keeps : {"output", "input"}
        What ``backward`` reads. The derivative is a function of h where that can be had; where two inputs lead
        to one h with different slopes, as in gelu, it is a function of z.
    continuous_derivatives : float
        How many derivatives are continuous at 0, where the piecewise functions are joined: 0 for relu, infinity
        for the smooth functions.
    glorot_factor : float
        The factor f of the initial weights, see `refbp.training.initialize`.
    """

    forward: Callable[[np.ndarray], np.ndarray]
    backward: Callable[[np.ndarray, np.ndarray], np.ndarray]
    formula: Callable[[Any, Any], Any] | None = None
    keeps: Literal["output", "input"] = "output"
    continuous_derivatives: float = math.inf
    glorot_factor: float = 6.0

    def kept(self, z: np.ndarray, h: np.ndarray) -> np.ndarray:
        """Choose what `backward` reads, of the input `z` and the output `h`."""
        return z if self.keeps == "input" else h


def elementwise(derivative: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    r"""Make the rule :math:`\partial J/\partial z = \partial J/\partial h \odot \phi'(z)` from :math:`\phi'`."""
    return lambda dh, z: dh * derivative(z)
