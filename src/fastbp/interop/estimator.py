"""The type of fastbp's estimators. They are in a higher layer: here they are known to the type checker only."""

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from fastbp.estimators._portable import Portable

__all__ = ["Estimator"]

Estimator = TypeVar("Estimator", bound="Portable")
