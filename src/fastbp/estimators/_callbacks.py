"""scikit-learn's callbacks: a call of `fit` is a task, and each of its epochs is a task within.

They came with scikit-learn 1.9. With an older one, estimators have no `set_callbacks`.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from fastbp.estimators._validation import MatrixLike
from fastbp.training.progress import Snapshot

try:
    import sklearn.callback as api
except ImportError:
    api = None

__all__ = ["CallbackSupport", "EpochTasks", "has_callbacks", "with_callbacks"]

Method = TypeVar("Method", bound=Callable)

_Mixin: Any = object if api is None else api.CallbackSupportMixin


class CallbackSupport(_Mixin):
    """Gives an estimator the method `set_callbacks`, where scikit-learn has it."""


def with_callbacks(method: Method) -> Method:
    """Decorate a method that trains: callbacks are torn down at its end, even after an error."""
    return method if api is None else api.with_callbacks(method)


def has_callbacks(estimator: BaseEstimator) -> bool:
    """Return whether the estimator has callbacks."""
    # One that was pickled with a newer scikit-learn may have some that this one does not know.
    return api is not None and hasattr(estimator, "_skl_callbacks")


class EpochTasks:
    """Reports one call of `fit` or `partial_fit` to the callbacks of an estimator.

    Parameters
    ----------
    estimator : estimator
        The one that is being trained.
    attributes : callable
        Takes weights and biases in one list and returns the fitted attributes of an estimator that has them.
    X, y : array-like
        What the user passed.
    sample_weight : ndarray of shape (n_samples,) or None
        Weights of the samples.
    name : str
        Name of the task.
    max_epochs : int
        Epochs at most.
    """

    def __init__(
        self,
        estimator: BaseEstimator,
        attributes: Callable[[list[np.ndarray]], dict[str, Any]],
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: np.ndarray | None,
        *,
        name: str,
        max_epochs: int,
    ) -> None:
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._told = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._attributes = attributes
        self._call = estimator._init_callback_context(task_name=name, max_subtasks=max_epochs)
        self._call.call_on_fit_task_begin(**self._told)

    def begin(self, snapshot: Snapshot) -> None:
        """Report the start of an epoch."""
        self._epoch = self._call.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(**self._told, reconstruction_attributes=self._fitted(snapshot))

    def end(self, snapshot: Snapshot) -> bool:
        """Report the end of an epoch, and return whether a callback asks to stop."""
        return self._epoch.call_on_fit_task_end(**self._told, reconstruction_attributes=self._fitted(snapshot))

    def close(self) -> None:
        """Report that the estimator is fitted."""
        self._call.call_on_fit_task_end(**self._told, reconstruction_attributes={})

    def _fitted(self, snapshot: Snapshot) -> Callable[[], dict[str, Any]]:
        # scikit-learn calls this only for callbacks that take a fitted estimator.
        return lambda: self._attributes(snapshot())
