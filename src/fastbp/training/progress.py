"""Reporting the progress of a training: `watch`, the reports that its callbacks receive, and observers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

import numpy as np

__all__ = ["EpochReport", "Observer", "Snapshot", "report", "watch"]


@dataclass(frozen=True)
class EpochReport:
    """The report of an epoch that callbacks of `watch` receive.

    Attributes
    ----------
    epoch : int
        Number of the epoch within this call of training, from 1.
    max_epochs : int
        Maximum number of epochs of this call.
    loss : float
        Mean loss over the epoch.
    validation_score : float or None
        Score on the validation set after the epoch; None without one.
    n_samples : int
        Training samples in the epoch.
    seconds : float
        Wall-clock time of the pass over the samples, without the validation.
    """

    epoch: int
    max_epochs: int
    loss: float
    validation_score: float | None
    n_samples: int
    seconds: float


# Returns copies of the parameters, weights first, that training would leave if it ended now. The call also updates the
# moments of the caller's optimizer.
Snapshot = Callable[[], list[np.ndarray]]


class Observer(Protocol):
    """Follows one training from epoch to epoch (or from iteration to iteration, if the solver has no epochs)."""

    def begin(self, snapshot: Snapshot) -> None:
        """Called when an epoch begins; `snapshot` may be called until the method returns."""

    def end(self, snapshot: Snapshot) -> bool:
        """Called when an epoch has ended; returns whether training should stop."""


Callback = Callable[[EpochReport], object]

_callbacks: ContextVar[tuple[Callback, ...]] = ContextVar("fastbp_callbacks", default=())


@contextmanager
def watch(callback: Callback) -> Iterator[None]:
    """Call `callback` with an `EpochReport` after every epoch trained inside the with-block.

    It covers every training in this thread (or asyncio task), however deep inside other libraries the fit is
    called. Blocks may be nested: all callbacks are called, the outermost first. If a callback raises, training
    ends and the estimator stays as it was before. KeyboardInterrupt keeps the weights so far.

    Parameters
    ----------
    callback : callable
        Takes an `EpochReport`; what it returns is ignored.

    Examples
    --------
    >>> from fastbp import MLPRegressor, watch
    >>> with watch(lambda report: print(report.epoch, report.loss)):  # doctest: +SKIP
    ...     MLPRegressor(max_iter=5).fit(x, y)
    """
    token = _callbacks.set((*_callbacks.get(), callback))
    try:
        yield
    finally:
        _callbacks.reset(token)


def report(epoch: EpochReport) -> None:
    """Pass the report of an epoch to all active callbacks."""
    for callback in _callbacks.get():
        callback(epoch)
