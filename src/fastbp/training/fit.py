"""Training over epochs: shuffling, stopping, history and the callbacks of `watch`.

One epoch is one call of `session.Session.epoch`. This module does what happens *between* epochs, in scikit-learn's
order: permutations compose, improvement is compared with `tol`, learning rate schedules react, and the best weights on
a validation set are kept. It is independent of the estimators.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from fastbp.kernels.functions.losses import LOSSES
from fastbp.network.optimizer_state import OptimizerState
from fastbp.network.spec import Network, Recipe, SampleBlocks, Samples
from fastbp.training.blocks import BlockSession
from fastbp.training.caller import warn_caller
from fastbp.training.progress import EpochReport, Observer, report, watch
from fastbp.training.session import Session, Shuffler

__all__ = ["EpochReport", "History", "Stopping", "train", "watch"]

NON_FINITE_WEIGHTS = (
    "Solver produced non-finite parameter weights. The input data may contain large values and need to be preprocessed."
)

StopReason = Literal["max_epochs", "tol", "interrupted", "diverged", "requested"]
Evaluate = Callable[[list[np.ndarray], list[np.ndarray]], float]


@dataclass(frozen=True)
class Stopping:
    """When an epoch counts as an improvement, and how many epochs may pass without one.

    Attributes
    ----------
    tol : float, default=1e-4
        The loss must fall, or the validation score rise, by at least this much.
    n_iter_no_change : int or inf, default=10
        Training stops (or an adaptive learning rate falls) when more than this many epochs in a row bring no
        improvement.
    """

    tol: float = 1e-4
    n_iter_no_change: float = 10

    def __post_init__(self) -> None:
        for name, lowest in (("tol", 0), ("n_iter_no_change", 1)):
            value = getattr(self, name)
            if not isinstance(value, int | float | np.number):
                raise TypeError(f"{name} must be a number, got {value!r}")
            if not value >= lowest:
                raise ValueError(f"{name} must be at least {lowest}, got {value!r}")


@dataclass
class History:
    """The record of a training, which the caller passes from one call of `train` to the next.

    Attributes
    ----------
    loss_curve : list of float
        Mean loss of each epoch (np.float64, like all losses here).
    validation_scores : list of float or None
        Score after each epoch; None without a validation set.
    best_loss : float or None
        Lowest loss so far; None with a validation set.
    best_validation_score : float or None
        Highest score so far; None without a validation set.
    no_improvement_count : int
        Number of epochs in a row without improvement, up to now.
    n_iter : int
        Number of epochs of the last call.
    t : int
        Number of samples seen in all calls.
    loss : float or None
        Loss of the last epoch; None before the first.
    stop_reason : {"max_epochs", "tol", "interrupted", "diverged", "requested"} or None
        Why the last call ended. "diverged" is an error, except with a validation set: then the weights of the
        best score are kept. "requested" means by the observer.
    """

    loss_curve: list[float] = field(default_factory=list)
    validation_scores: list[float] | None = None
    best_loss: float | None = math.inf
    best_validation_score: float | None = None
    no_improvement_count: int = 0
    n_iter: int = 0
    t: int = 0
    loss: float | None = None
    stop_reason: StopReason | None = None

    def begin(self, *, validated: bool) -> None:
        """Prepare for a call of `train`. If `validated` differs from the last call, the count starts again."""
        self.n_iter = 0
        self.stop_reason = None
        if validated and self.validation_scores is None:
            self.validation_scores, self.best_validation_score = [], -math.inf
            self.best_loss = None
            self.no_improvement_count = 0
        elif not validated and self.best_loss is None:
            self.validation_scores = self.best_validation_score = None
            self.best_loss = math.inf
            self.no_improvement_count = 0

    def record(self, loss: float, n_samples: int) -> None:
        """Record the loss of an epoch over `n_samples` samples."""
        self.n_iter += 1
        self.t += n_samples
        self.loss = loss
        self.loss_curve.append(loss)


class _Criterion(Protocol):
    """What "improvement" means in a run."""

    subject: str

    @property
    def best(self) -> list[np.ndarray] | None:
        """The weights and biases that training should return, if not those of the last epoch."""

    def update(self, history: History, tol: float, *, verbose: bool) -> None:
        """Decide whether the epoch just recorded is an improvement, and count."""

    def diverged(self, history: History) -> None:
        """React to a loss that is not finite."""


class _TrainingLoss:
    """Improvement means that the loss of the epoch is lower than the lowest so far, by `tol`."""

    subject = "Training loss"
    best = None

    def update(self, history: History, tol: float, *, verbose: bool) -> None:
        loss, best = history.loss_curve[-1], history.best_loss
        assert best is not None
        # Written so that NaN is not an improvement.
        improved = loss <= best - tol
        history.no_improvement_count = 0 if improved else history.no_improvement_count + 1
        history.best_loss = loss if loss < best else best

    def diverged(self, history: History) -> None:
        """Nothing to do: the run ends with an error."""


class _ValidationScore:
    """Improvement means that the score on held-out samples is higher than the highest so far, by `tol`."""

    subject = "Validation score"

    def __init__(
        self, evaluate: Evaluate, session: Session | BlockSession, weights: list[np.ndarray], biases: list[np.ndarray]
    ) -> None:
        self.evaluate = evaluate
        self.session = session
        self.weights, self.biases = weights, biases
        # The weights at the start are the best so far: initial weights, or those of an earlier call.
        self.best = [p.copy() for p in (*weights, *biases)]

    def update(self, history: History, tol: float, *, verbose: bool) -> None:
        self.session.sync_parameters()
        score = float(self.evaluate(self.weights, self.biases))
        scores, best = history.validation_scores, history.best_validation_score
        assert scores is not None
        assert best is not None
        scores.append(score)
        if verbose:
            print(f"Validation score: {score:f}")
        history.no_improvement_count = history.no_improvement_count + 1 if score < best + tol else 0
        if score > best:
            history.best_validation_score = score
            for kept, current in zip(self.best, (*self.weights, *self.biases), strict=True):
                np.copyto(kept, current)

    def diverged(self, history: History) -> None:
        assert history.validation_scores is not None
        history.validation_scores.append(math.nan)


def _all_finite(arrays: list[np.ndarray]) -> bool:
    return all(np.isfinite(array).all() for array in arrays)


@dataclass
class _Loop:
    """The epochs of one call of `train`."""

    session: Session | BlockSession
    parameters: list[np.ndarray]
    loss_name: str
    criterion: _Criterion
    state: OptimizerState
    stopping: Stopping
    history: History
    n_samples: int
    max_epochs: int
    verbose: bool
    observer: Observer | None

    def run(self, rng: Shuffler | None) -> None:
        """Train until something stops the training; `history.stop_reason` says what."""
        while self.history.stop_reason is None:
            if self.observer is not None:
                self.observer.begin(self._snapshot)
            start = time.perf_counter()
            if rng is not None:
                # Not in advance, so that the caller's generator ends in the same state as with scikit-learn.
                self.session.shuffle(rng)
            loss = np.float64(self.session.epoch(None))
            seconds = time.perf_counter() - start
            self.history.record(loss, self.n_samples)
            if self.verbose:
                print(f"Iteration {self.history.n_iter}, loss = {loss:.8f}")
            stop_reason = self._judge(loss)
            self._report(seconds)
            self.history.stop_reason = self._observed(stop_reason)

    def _judge(self, loss: float) -> StopReason | None:
        history = self.history
        if self._has_diverged(loss):
            self.criterion.diverged(history)
            return "diverged"
        self.criterion.update(history, self.stopping.tol, verbose=self.verbose)
        self.state.end_epoch(history.t)
        if history.no_improvement_count > self.stopping.n_iter_no_change:
            stop, suffix = self.state.stagnate()
            if self.verbose:
                print(
                    f"{self.criterion.subject} did not improve more than tol={self.stopping.tol:f} for "
                    f"{int(self.stopping.n_iter_no_change)} consecutive epochs.{suffix}"
                )
            if stop:
                return "tol"
            history.no_improvement_count = 0
        return "max_epochs" if history.n_iter >= self.max_epochs else None

    def _has_diverged(self, loss: float) -> bool:
        if math.isfinite(loss):
            return False
        if not LOSSES[self.loss_name].may_be_infinite:
            return True
        # If a rate underflows to 0, its logarithm is infinite but gradients and weights are finite: later epochs may
        # bring the rate back.
        self.session.sync_parameters()
        return not _all_finite(self.parameters)

    def _observed(self, stop_reason: StopReason | None) -> StopReason | None:
        """Tell the observer that an epoch has ended, unless the training fails with it."""
        if self.observer is None or (stop_reason == "diverged" and self.criterion.best is None):
            return stop_reason
        requested = self.observer.end(self._snapshot)
        return "requested" if requested and stop_reason != "diverged" else stop_reason

    def _snapshot(self) -> list[np.ndarray]:
        self.session.sync()
        return [p.copy() for p in self.criterion.best or self.parameters]

    def _report(self, seconds: float) -> None:
        scores = self.history.validation_scores
        report(
            EpochReport(
                epoch=self.history.n_iter,
                max_epochs=self.max_epochs,
                loss=self.history.loss_curve[-1],
                validation_score=scores[-1] if scores else None,
                n_samples=self.n_samples,
                seconds=seconds,
            )
        )


def train(
    network: Network,
    weights: list[np.ndarray],
    biases: list[np.ndarray],
    state: OptimizerState,
    samples: Samples | SampleBlocks,
    recipe: Recipe,
    *,
    max_epochs: int,
    rng: Shuffler | None,
    stopping: Stopping,
    history: History,
    evaluate: Evaluate | None = None,
    verbose: bool = False,
    observer: Observer | None = None,
) -> None:
    """Train a network in place, epoch by epoch.

    The loss of a minibatch of ``S`` samples (``S`` = the sum of their weights, if there are any) is::

        mean(loss of a sample) + weight_decay / (2 * S) * sum(sum(w**2) for w in weights)

    Biases are not decayed. The loss of an epoch is the mean loss of its minibatches, weighted by row counts.

    Parameters
    ----------
    network : Network
    weights : list of ndarray of shape (n_in, n_out) [read+write]
        One matrix for each layer, all float32 or all float64.
    biases : list of ndarray of shape (n_out,) [read+write]
        One vector for each layer, of the same dtype.
    state : OptimizerState [read+write]
        Training continues from this state.
    samples : Samples or SampleBlocks [read]
        Training data; targets may be bool for the two log losses.
    recipe : Recipe
    max_epochs : int
        Maximum number of epochs.
    rng : object with a method ``shuffle`` or None
        Shuffles ``arange(n)`` in place, once for each epoch (a NumPy RandomState does). None keeps the order.
    stopping : Stopping
        When to stop for lack of improvement.
    history : History [read+write]
        The record so far, which this call continues.
    evaluate : callable or None, default=None
        If given, ``evaluate(weights, biases)`` is called after each epoch and returns a score (higher is
        better). Improvement is then judged by the score instead of the loss, and `weights` and `biases` end
        up with the values of the best score.
    verbose : bool, default=False
        Whether to print the loss of each epoch and why training stops.
    observer : Observer or None, default=None
        Called at the beginning and the end of each epoch; may end the training.

    Raises
    ------
    ValueError
        If the loss of an epoch or the resulting weights are not finite, or if all sample weights are zero. The
        arrays then hold the weights reached. With `evaluate` only the best weights must be finite. For a loss
        that may be infinite only the weights must be finite.

    Warns
    -----
    UserWarning
        If KeyboardInterrupt ended the training; the weights reached so far are kept.
    """
    if samples.weight is not None and not samples.weight.any():
        raise ValueError("sample_weight is zero for every training sample")
    parameters = [*weights, *biases]
    history.begin(validated=evaluate is not None)
    session: Session | BlockSession
    if isinstance(samples, SampleBlocks):
        session = BlockSession(network, weights, biases, state, samples, recipe)
    else:
        session = Session(network, weights, biases, state, samples, recipe)
    with session:
        criterion: _Criterion = _TrainingLoss()
        if evaluate is not None:
            criterion = _ValidationScore(evaluate, session, weights, biases)
        loop = _Loop(
            session,
            parameters,
            network.loss,
            criterion,
            state,
            stopping,
            history,
            samples.count,
            max_epochs,
            verbose,
            observer,
        )
        try:
            loop.run(rng)
        except KeyboardInterrupt:
            history.stop_reason = "interrupted"
            warn_caller("Training interrupted by user.")
    if criterion.best is not None:
        for result, kept in zip(parameters, criterion.best, strict=True):
            np.copyto(result, kept)
    if (history.stop_reason == "diverged" and evaluate is None) or not _all_finite(parameters):
        raise ValueError(NON_FINITE_WEIGHTS)
