"""Optimizer state of one dense layer, for `linear_backward_update`."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np

from fastbp.kernels.functions.optimizers import RULES, Optimizer
from fastbp.kernels.layers.arguments import check_matrix, check_vector

__all__ = ["LinearState"]

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
    def zeros(cls, w: np.ndarray, b: np.ndarray, optimizer: Optimizer) -> Self:
        """Return the state before the first step of `optimizer` on `w`, (n_in, n_out), and `b`, (n_out,)."""

        def zeros(array: np.ndarray) -> np.ndarray:
            return np.zeros(array.shape, dtype=array.dtype)

        if len(RULES[optimizer.rule].moments) > 1:
            return cls(zeros(w), zeros(b), zeros(w), zeros(b))
        return cls(zeros(w), zeros(b))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays that are in use, by name."""
        named = {"state.m_w": self.m_w, "state.m_b": self.m_b, "state.v_w": self.v_w, "state.v_b": self.v_b}
        return {name: array for name, array in named.items() if array is not _EMPTY}

    def check(self, w: np.ndarray, b: np.ndarray, *, needs_second: bool) -> None:
        """Raise TypeError or ValueError unless the arrays fit `w` and `b` and `t` counts steps.

        `needs_second` says whether the second moments are in use.
        """
        if isinstance(self.t, bool) or not isinstance(self.t, int | np.integer) or not 0 <= self.t < 2**63 - 1:
            raise ValueError(f"state.t must be a number of steps, an integer >= 0, got {self.t!r}")
        n_in, n_out = w.shape
        check_matrix("state.m_w", self.m_w, w.dtype, (n_in, n_out))
        check_vector("state.m_b", self.m_b, b.dtype, n_out)
        if needs_second:
            check_matrix("state.v_w", self.v_w, w.dtype, (n_in, n_out))
            check_vector("state.v_b", self.v_b, b.dtype, n_out)
