"""What an optimizer remembers about one dense layer, for `linear_backward_update`."""

import math
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from fastbp.kernels.codes import Optimizer
from fastbp.kernels.functions.optimizers import SGD, Adam
from fastbp.kernels.layers.arguments import check_matrix, check_vector
from fastbp.kernels.tiles.update import Scalars

__all__ = ["LinearState", "optimizer_scalars"]

_EMPTY = np.empty(0, dtype=np.float64)


@dataclass
class LinearState:
    """Moments of a dense layer's parameters.

    Attributes
    ----------
    m_w, m_b : ndarray, (n_in, n_out) and (n_out,)
        First moments (Adam) or velocities (SGD).
    v_w, v_b : ndarray
        Second moments, of the same shapes; not used by SGD.
    t : int
        Steps made.
    """

    m_w: np.ndarray
    m_b: np.ndarray
    v_w: np.ndarray = field(default_factory=lambda: _EMPTY)
    v_b: np.ndarray = field(default_factory=lambda: _EMPTY)
    t: int = 0

    @classmethod
    def zeros(cls, w: np.ndarray, b: np.ndarray, optimizer: SGD | Adam) -> Self:
        """Return the state before the first step of `optimizer` on `w`, (n_in, n_out), and `b`, (n_out,)."""

        def zeros(array: np.ndarray) -> np.ndarray:
            return np.zeros(array.shape, dtype=array.dtype)

        if isinstance(optimizer, Adam):
            return cls(zeros(w), zeros(b), zeros(w), zeros(b))
        return cls(zeros(w), zeros(b))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays that are in use, by name."""
        named = {"state.m_w": self.m_w, "state.m_b": self.m_b, "state.v_w": self.v_w, "state.v_b": self.v_b}
        return {name: array for name, array in named.items() if array is not _EMPTY}

    def check(self, w: np.ndarray, b: np.ndarray, *, needs_second: bool) -> None:
        """Raise TypeError or ValueError unless the arrays fit `w` and `b`.

        `needs_second` says whether the second moments are in use.
        """
        n_in, n_out = w.shape
        check_matrix("state.m_w", self.m_w, w.dtype, (n_in, n_out))
        check_vector("state.m_b", self.m_b, b.dtype, n_out)
        if needs_second:
            check_matrix("state.v_w", self.v_w, w.dtype, (n_in, n_out))
            check_vector("state.v_b", self.v_b, b.dtype, n_out)


def optimizer_scalars(optimizer: SGD | Adam, t: int, batch_weight: float) -> tuple[int, Scalars]:
    """Return the code of an optimizer and the numbers of its step number `t`."""
    inverse = 1.0 / batch_weight
    if isinstance(optimizer, Adam):
        correction = math.sqrt(1.0 - optimizer.beta_2**t) / (1.0 - optimizer.beta_1**t)
        rate = optimizer.learning_rate_init * correction
        scalars = Scalars(rate, inverse, 0.0, optimizer.beta_1, optimizer.beta_2, optimizer.epsilon)
        return int(Optimizer.ADAM), scalars
    code = Optimizer.NESTEROV if optimizer.nesterov else Optimizer.SGD
    return int(code), Scalars(optimizer.learning_rate, inverse, optimizer.momentum, 0.0, 0.0, 0.0)
