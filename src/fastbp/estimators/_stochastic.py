"""One call of `fit` or `partial_fit` by minibatches: ``solver="adam"``, "adamw" and "sgd"."""

import copy
import math
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from fastbp.estimators._validation import Matrix, to_samples
from fastbp.kernels.functions.optimizers import OPTIMIZERS
from fastbp.network.optimizer_state import OptimizerState
from fastbp.network.samples import SamplesLike
from fastbp.network.spec import Network, Recipe, Samples
from fastbp.training.caller import warn_caller
from fastbp.training.fit import History, Stopping, train
from fastbp.training.progress import Observer

if TYPE_CHECKING:
    from fastbp.estimators._base import BaseMLP

__all__ = ["Stochastic"]


def _earlier(estimator: "BaseMLP") -> History:
    """Return the record of earlier calls.

    Best loss and count of bad epochs go on over warm starts, as in scikit-learn: a second `fit` of a stagnated
    network may end after one epoch.
    """
    scores = getattr(estimator, "validation_scores_", None)
    return History(
        loss_curve=list(getattr(estimator, "loss_curve_", [])),
        validation_scores=None if scores is None else list(scores),
        best_loss=getattr(estimator, "best_loss_", None),
        best_validation_score=getattr(estimator, "best_validation_score_", None),
        no_improvement_count=getattr(estimator, "_no_improvement_count", 0),
        t=getattr(estimator, "t_", 0),
        loss=getattr(estimator, "loss_", None),
    )


# Settings of optimizers that estimators call by other names, which are scikit-learn's.
_PARAMETERS = {"learning_rate": "learning_rate_init", "nesterov": "nesterovs_momentum", "schedule": "learning_rate"}


def _start_of(estimator: "BaseMLP", *, incremental: bool) -> OptimizerState:
    """Return the state of a new optimizer, or for `partial_fit` a copy of the last one's."""
    kind = OPTIMIZERS[estimator.solver]
    last = getattr(estimator, "_optimizer", None)
    if incremental and last is not None and type(last.optimizer) is kind:
        return copy.deepcopy(last)
    names = (setting.name for setting in fields(kind))
    return OptimizerState(kind(**{name: getattr(estimator, _PARAMETERS.get(name, name)) for name in names}))


def _rows_per_batch(batch_size: int | str, n_samples: int) -> int:
    if isinstance(batch_size, str):  # "auto"
        return min(200, n_samples)
    if batch_size > n_samples:
        warn_caller("Got `batch_size` less than 1 or larger than sample size. It is going to be clipped", UserWarning)
    return min(int(batch_size), n_samples)


class Stochastic:
    """A training by minibatches.

    Parameters
    ----------
    estimator : BaseMLP [read]
        Its parameters, and the attributes of earlier calls.
    weights, biases : list of ndarray [read+write]
        What is trained.
    fresh : bool
        Whether this is the first call, or one that starts anew.
    incremental : bool
        Whether it is one of `partial_fit`.

    Attributes
    ----------
    max_epochs : int
        Epochs at most.
    forgotten : tuple of str
        Fitted attributes of earlier calls that this one makes meaningless.
    """

    forgotten = ()

    def __init__(
        self,
        estimator: "BaseMLP",
        weights: list[np.ndarray],
        biases: list[np.ndarray],
        *,
        fresh: bool,
        incremental: bool,
    ) -> None:
        self.max_epochs = 1 if incremental else estimator.max_iter
        self._estimator = estimator
        self._weights, self._biases = weights, biases
        self._optimizer = _start_of(estimator, incremental=incremental)
        self._history = History() if fresh else _earlier(estimator)
        self._incremental = incremental

    def train(
        self,
        X: Matrix,
        y: np.ndarray,
        sample_weight: np.ndarray | None,
        rng: np.random.RandomState,
        observer: Observer | None,
    ) -> None:
        """Train on checked samples, an array or a sparse matrix by rows."""
        model = self._estimator
        evaluate = None
        if model.early_stopping:
            X, y, sample_weight, evaluate = self._split(X, y, sample_weight, rng)
        x = to_samples(X)
        loss, _ = model._task()
        train(
            Network.of(self._weights, model.activation, loss),
            self._weights,
            self._biases,
            self._optimizer,
            Samples(x, y, sample_weight),
            Recipe(_rows_per_batch(model.batch_size, len(x)), float(model.alpha), model.n_jobs),
            max_epochs=self.max_epochs,
            rng=rng if model.shuffle else None,
            stopping=Stopping(model.tol, model.n_iter_no_change),
            history=self._history,
            evaluate=evaluate,
            verbose=bool(model.verbose),
            observer=observer,
        )

    def _split(self, X: Matrix, y: np.ndarray, sample_weight: np.ndarray | None, rng: np.random.RandomState) -> tuple:
        """Set aside a validation set and return the rest and the function that scores weights on that set."""
        model = self._estimator
        if model.validation_fraction == 0:
            raise ValueError("validation_fraction must be > 0 if early_stopping=True")
        arrays = [X, y] if sample_weight is None else [X, y, sample_weight]
        # Stratified for a single column of labels, that is, for two classes only: scikit-learn's rule.
        parts = train_test_split(
            *arrays,
            random_state=rng,
            test_size=model.validation_fraction,
            stratify=y if is_classifier(model) and y.shape[1] == 1 else None,
        )
        sample_weight, weight_val = (None, None) if sample_weight is None else parts[4:]
        X, X_val, y, y_val = parts[:4]
        if X_val.shape[0] < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        if weight_val is not None and weight_val.sum() == 0:
            raise ValueError("sample_weight sums to zero over the validation set")
        return X, y, sample_weight, partial(self._evaluate, to_samples(X_val), y_val, weight_val)

    def _evaluate(
        self,
        x: SamplesLike,
        y: np.ndarray,
        sample_weight: np.ndarray | None,
        weights: list[np.ndarray],
        biases: list[np.ndarray],
    ) -> float:
        model = self._estimator
        _, out_activation = model._task()
        output = model._output(weights, biases, x, out_activation)
        if not np.isfinite(output).all():
            return math.nan
        return model._validation_score(y, output, sample_weight)

    def attributes(self) -> dict[str, Any]:
        """Return the fitted attributes that the training has come to."""
        history = self._history
        attributes = {
            "coefs_": self._weights,
            "intercepts_": self._biases,
            "n_iter_": history.n_iter,
            "t_": history.t,
            "loss_curve_": history.loss_curve,
            "best_loss_": history.best_loss,
            "validation_scores_": history.validation_scores,
            "best_validation_score_": history.best_validation_score,
            "_no_improvement_count": history.no_improvement_count,
            "_optimizer": self._optimizer,
            # Then more calls of partial_fit are likely, and pickles hold the moments.
            "_half_trained": self._incremental,
        }
        if history.loss is not None:  # None if Ctrl-C came before the end of the first epoch
            attributes["loss_"] = history.loss
        return attributes

    def attributes_with(self, weights: list[np.ndarray], biases: list[np.ndarray]) -> dict[str, Any]:
        """Return what they would be if training ended now with these; it may go on without changing them."""
        return {**copy.deepcopy(self.attributes()), "coefs_": weights, "intercepts_": biases}

    def warn_unless_converged(self) -> None:
        """Warn if `fit` ran out of epochs or diverged."""
        history = self._history
        if self._incremental:
            return
        if history.stop_reason == "max_epochs":
            message = (
                f"Stochastic Optimizer: Maximum iterations ({self.max_epochs}) reached and the optimization "
                "hasn't converged yet."
            )
        elif history.stop_reason == "diverged":
            message = (
                f"Stochastic Optimizer: the training loss was not finite in epoch {history.n_iter}; the "
                "weights are those of the best validation score before."
            )
        else:
            return
        warn_caller(message, ConvergenceWarning)
