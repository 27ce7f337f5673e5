"""What the two estimators share: one call of `fit` from checked input to fitted attributes."""

import copy
import math
import warnings
from abc import ABC, abstractmethod
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from fastbp.estimators._sklearn import Interval, Options, StrOptions, fit_context
from fastbp.estimators._validation import (
    cast_samples,
    check_architecture,
    check_lengths,
    check_sample_weight,
    check_samples,
    hidden_sizes,
    unchanged_on_error,
)
from fastbp.fit import History, Stopping, train
from fastbp.initialization import glorot_uniform
from fastbp.optimizers import SGD, Adam, Optimizer
from fastbp.prediction import predict

__all__ = ["BaseMLP", "is_stochastic"]

_FLOATS = (np.float32, np.float64)
# Rows that are converted at a time to the precision of the network.
_SLICE = 1 << 14


def is_stochastic(estimator: "BaseMLP") -> bool:
    """Return True if the solver works on minibatches, so that there is a `partial_fit`; raise otherwise."""
    if estimator.solver == "lbfgs":
        raise AttributeError(
            f"partial_fit is only available for stochastic optimizers. {estimator.solver} is not stochastic."
        )
    return True


class _State(NamedTuple):
    """What training changes."""

    weights: list[np.ndarray]
    biases: list[np.ndarray]
    optimizer: Optimizer
    history: History


class BaseMLP(BaseEstimator, ABC):
    """Multi-layer perceptron without a meaning of `y`: a subclass gives it one by three methods."""

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions({"identity", "logistic", "tanh", "relu"})],
        "solver": [StrOptions({"lbfgs", "sgd", "adam"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Interval(Integral, 1, None, closed="left"), Options(Integral, {-1}), None],
    }

    @abstractmethod
    def _encode(self, y: Any, dtype: np.dtype, *, incremental: bool) -> np.ndarray:
        """Return targets of shape (n_samples, n_outputs), bool for labels and `dtype` for values."""

    @abstractmethod
    def _task(self) -> tuple[str, str]:
        """Return the names of the loss and of the output activation."""

    @abstractmethod
    def _validation_score(self, y: np.ndarray, output: np.ndarray, sample_weight: np.ndarray | None) -> float:
        """Judge output activations against encoded targets; higher is better."""

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Train on `X` and `y` until the loss stagnates or `max_iter` epochs have passed.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples. float32 is trained in float32; everything else in float64.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Class labels or target values.
        sample_weight : array-like of shape (n_samples,) or float, default=None
            Weights of the samples; None stands for equal weights.

        Returns
        -------
        self : object
            The trained estimator. If the call raises, the estimator is as it was before.
        """
        with unchanged_on_error(self):
            return self._fit(X, y, sample_weight, incremental=False)

    def _fit(self, X: Any, y: Any, sample_weight: Any, *, incremental: bool) -> "BaseMLP":
        if self.solver == "lbfgs":
            raise NotImplementedError("solver='lbfgs' is not available yet; use solver='adam' or 'sgd'")
        hidden = hidden_sizes(self.hidden_layer_sizes)
        fresh = not hasattr(self, "coefs_") or not (self.warm_start or incremental)
        dtype = [np.float64, np.float32] if fresh else self._dtype()
        X = check_samples(self, X, dtype=dtype, reset=fresh)
        y = self._encode(y, X.dtype, incremental=incremental)
        check_lengths(X, y)
        sample_weight = check_sample_weight(sample_weight, len(X), dtype=X.dtype)
        if incremental and self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")

        # An integer seed starts the same sequence in every call, so that all calls of partial_fit after the
        # first shuffle alike: scikit-learn's meaning of an integer random_state.
        rng = check_random_state(self.random_state)
        units = [X.shape[1], *hidden, y.shape[1]]
        state = _State(
            *self._parameters(units, X.dtype, rng, fresh=fresh),
            self._make_optimizer(incremental=incremental),
            History() if fresh else self._history(),
        )
        self._train(state, X, y, sample_weight, rng, max_epochs=1 if incremental else self.max_iter)
        self._store(state)
        if not incremental:
            self._warn_unless_converged(state.history)
        return self

    def _dtype(self) -> np.dtype:
        """Return the dtype that a fitted network computes in."""
        float32 = all(p.dtype == np.float32 for p in (*self.coefs_, *self.intercepts_))
        return np.dtype(np.float32 if float32 else np.float64)

    def _parameters(
        self, units: list[int], dtype: np.dtype, rng: np.random.RandomState, *, fresh: bool
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return arrays to train: random ones, or copies of those that were fitted before.

        Copies, so that an error half-way leaves the fitted ones alone.
        """
        if fresh:
            return glorot_uniform(units, self.activation, rng, dtype)
        check_architecture(self.coefs_, units)
        weights = [np.array(w, dtype=dtype, order="C") for w in self.coefs_]
        return weights, [np.array(b, dtype=dtype, order="C") for b in self.intercepts_]

    def _history(self) -> History:
        """Return the record of earlier calls.

        Best loss and count of bad epochs go on over warm starts, as in scikit-learn: a second `fit` of a
        stagnated network may end after one epoch.
        """
        scores = getattr(self, "validation_scores_", None)
        return History(
            loss_curve=list(getattr(self, "loss_curve_", [])),
            validation_scores=None if scores is None else list(scores),
            best_loss=getattr(self, "best_loss_", None),
            best_validation_score=getattr(self, "best_validation_score_", None),
            no_improvement_count=getattr(self, "_no_improvement_count", 0),
            t=getattr(self, "t_", 0),
            loss=getattr(self, "loss_", None),
        )

    def _make_optimizer(self, *, incremental: bool) -> Optimizer:
        """Return a new optimizer, or for `partial_fit` a copy of the last one with its moments."""
        kind = SGD if self.solver == "sgd" else Adam
        last = getattr(self, "_optimizer", None)
        if incremental and isinstance(last, kind):
            return copy.deepcopy(last)
        if self.solver == "adam":
            return Adam(self.learning_rate_init, beta_1=self.beta_1, beta_2=self.beta_2, epsilon=self.epsilon)
        return SGD(
            self.learning_rate_init,
            momentum=self.momentum,
            nesterov=self.nesterovs_momentum,
            schedule=self.learning_rate,
            power_t=self.power_t,
        )

    def _train(
        self,
        state: _State,
        x: np.ndarray,
        y: np.ndarray,
        sample_weight: np.ndarray | None,
        rng: np.random.RandomState,
        *,
        max_epochs: int,
    ) -> None:
        evaluate = None
        if self.early_stopping:
            x, y, sample_weight, evaluate = self._split(x, y, sample_weight, rng)
        loss, _ = self._task()
        train(
            state.weights,
            state.biases,
            state.optimizer,
            x,
            y,
            activation=self.activation,
            loss=loss,
            weight_decay=float(self.alpha),
            batch_size=self._rows_per_batch(len(x)),
            max_epochs=max_epochs,
            rng=rng if self.shuffle else None,
            sample_weight=sample_weight,
            stopping=Stopping(self.tol, self.n_iter_no_change),
            history=state.history,
            evaluate=evaluate,
            n_threads=self.n_jobs,
            verbose=bool(self.verbose),
        )

    def _split(
        self, x: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None, rng: np.random.RandomState
    ) -> tuple:
        """Set aside a validation set and return the rest and the function that scores weights on that set."""
        if self.validation_fraction == 0:
            raise ValueError("validation_fraction must be > 0 if early_stopping=True")
        arrays = [x, y] if sample_weight is None else [x, y, sample_weight]
        # Stratified for a single column of labels, that is, for two classes only: scikit-learn's rule.
        parts = train_test_split(
            *arrays,
            random_state=rng,
            test_size=self.validation_fraction,
            stratify=y if is_classifier(self) and y.shape[1] == 1 else None,
        )
        sample_weight, weight_val = (None, None) if sample_weight is None else parts[4:]
        x, x_val, y, y_val = parts[:4]
        if len(x_val) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        if weight_val is not None and weight_val.sum() == 0:
            raise ValueError("sample_weight sums to zero over the validation set")
        return x, y, sample_weight, partial(self._evaluate, x_val, y_val, weight_val)

    def _evaluate(
        self,
        x: np.ndarray,
        y: np.ndarray,
        sample_weight: np.ndarray | None,
        weights: list[np.ndarray],
        biases: list[np.ndarray],
    ) -> float:
        _, out_activation = self._task()
        output = self._output(weights, biases, x, out_activation)
        if not np.isfinite(output).all():
            return math.nan
        return self._validation_score(y, output, sample_weight)

    def _rows_per_batch(self, n_samples: int) -> int:
        if self.batch_size == "auto":
            return min(200, n_samples)
        if self.batch_size > n_samples:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
                UserWarning,
                stacklevel=6,
            )
        return min(int(self.batch_size), n_samples)

    def _store(self, state: _State) -> None:
        """Set the fitted attributes."""
        self.coefs_, self.intercepts_, self._optimizer, history = state
        self.n_layers_ = len(self.coefs_) + 1
        self.n_outputs_ = self.coefs_[-1].shape[1]
        _, self.out_activation_ = self._task()
        self.n_iter_, self.t_ = history.n_iter, history.t
        self.loss_curve_ = history.loss_curve
        if history.loss is not None:  # None if Ctrl-C came before the end of the first epoch
            self.loss_ = history.loss
        self.best_loss_ = history.best_loss
        self.validation_scores_ = history.validation_scores
        self.best_validation_score_ = history.best_validation_score
        self._no_improvement_count = history.no_improvement_count

    def _warn_unless_converged(self, history: History) -> None:
        if history.stop_reason == "max_epochs":
            message = (
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the optimization "
                "hasn't converged yet."
            )
        elif history.stop_reason == "diverged":
            message = (
                f"Stochastic Optimizer: the training loss was not finite in epoch {history.n_iter}; the "
                "weights are those of the best validation score before."
            )
        else:
            return
        warnings.warn(message, ConvergenceWarning, stacklevel=5)

    def _output(
        self, weights: list[np.ndarray], biases: list[np.ndarray], x: np.ndarray, out_activation: str
    ) -> np.ndarray:
        return predict(weights, biases, x, activation=self.activation, output=out_activation, n_threads=self.n_jobs)

    def _outputs_for(self, X: Any) -> np.ndarray:
        """Return the activations of the output layer, of shape (n_samples, n_outputs), for a user's `X`."""
        check_is_fitted(self)
        dtype = self._dtype()
        if not isinstance(X, np.ndarray) or X.dtype == dtype or X.dtype not in _FLOATS:
            X = check_samples(self, X, dtype=dtype, reset=False)
            return self._output(self.coefs_, self.intercepts_, X, self.out_activation_)
        # Converted slice by slice: all at once would be another copy of X.
        X = check_samples(self, X, dtype=X.dtype, reset=False)
        outputs = np.empty((len(X), self.n_outputs_), dtype=dtype)
        for first in range(0, len(X), _SLICE):
            part = slice(first, first + _SLICE)
            x = cast_samples(X[part], dtype)
            outputs[part] = self._output(self.coefs_, self.intercepts_, x, self.out_activation_)
        return outputs
