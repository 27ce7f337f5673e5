"""The report of a gradient check: the element with the largest error, by the formula and by finite differences."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Element:
    """An element of a gradient, or the slope along a direction, by the formula and by finite differences."""

    name: str
    index: tuple[int, ...]
    analytic: float
    numeric: float

    @property
    def relative_error(self) -> float:
        """The difference as a part of the larger of the two."""
        return relative_error(self.numeric, self.analytic)

    def __str__(self) -> str:
        return (
            f"{self.name}{list(self.index) or ''}: analytic {self.analytic:.10g}, numeric {self.numeric:.10g},"
            f" relative error {self.relative_error:.1e}"
        )


@dataclass(frozen=True)
class GradcheckReport:
    """The result of a check; it prints as one line.

    Attributes
    ----------
    check : str
        Which check.
    extent : str
        How many elements or directions were compared.
    error, rtol : float
        Largest relative error of an array, or along a direction; and what is allowed.
    worst : Element
        With ``name``, ``index``, ``analytic``, ``numeric`` and ``relative_error``: the element furthest off
        in the array that is furthest off. After a check along directions it is the element to blame if the
        check has failed, else the worst direction.
    """

    check: str
    extent: str
    error: float
    rtol: float
    worst: Element

    @property
    def passed(self) -> bool:
        """Whether the error is within what is allowed; NaN is not."""
        return self.error <= self.rtol

    def __str__(self) -> str:
        verdict, relation = ("passed", "<=") if self.passed else ("failed", ">")
        return (
            f"{self.check} {verdict}: {self.extent}, relative error {self.error:.1e} {relation} {self.rtol:.0e};"
            f" worst at {self.worst}"
        )


class GradcheckError(AssertionError):
    """A gradient is wrong, or cannot be checked; the attribute ``report`` has the report if it got that far."""

    def __init__(self, message: str, report: GradcheckReport | None = None) -> None:
        super().__init__(message)
        self.report = report


def accept(report: GradcheckReport) -> GradcheckReport:
    """Return a report that has passed; raise one that has not."""
    if not report.passed:
        raise GradcheckError(str(report), report)
    return report


def demand_gradient(params: Sequence[np.ndarray], grads: Sequence[np.ndarray], names: Sequence[str]) -> None:
    """Reject arrays of the wrong shape, and gradients about which a check would prove nothing."""
    if len(grads) != len(params):
        raise GradcheckError(f"{len(grads)} gradients for {len(params)} parameter arrays")
    for name, p, g in zip(names, params, grads, strict=True):
        if g.shape != p.shape:
            raise GradcheckError(f"the gradient by {name} has shape {g.shape}, the parameter {p.shape}")
        if not np.isfinite(g).all():
            raise GradcheckError(f"the gradient by {name} is not finite")
    if not any(np.any(g) for g in grads):
        raise GradcheckError("gradient check is void: the gradient is zero everywhere")


def relative_error(ref: np.ndarray | float, comp: np.ndarray | float, floor: float = 0.0) -> float:
    r"""Compare in norm: :math:`\|ref - comp\| / \max(\|ref\|, \|comp\|, floor)`, zero if all three are zero.

    Examples
    --------
    >>> relative_error(np.array([3.0, 4.0]), np.array([3.0, 4.5])) < 0.1
    True
    """
    scale = max(float(np.linalg.norm(ref)), float(np.linalg.norm(comp)), floor)
    return 0.0 if scale == 0 else float(np.linalg.norm(np.subtract(ref, comp))) / scale
