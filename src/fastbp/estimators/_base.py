"""What the two estimators share: one call of `fit` from checked input to fitted attributes."""

from abc import ABC, abstractmethod
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from fastbp.estimators._callbacks import CallbackSupport, EpochTasks, has_callbacks
from fastbp.estimators._full_batch import FullBatch, loss_and_gradient
from fastbp.estimators._parameters import PARAMETERS, Rules, constraints
from fastbp.estimators._portable import Portable
from fastbp.estimators._stochastic import Stochastic
from fastbp.estimators._training import trains
from fastbp.estimators._validation import (
    DTypes,
    Matrix,
    MatrixLike,
    cast_samples,
    check_architecture,
    check_sample_weight,
    check_samples,
    hidden_sizes,
    to_samples,
)
from fastbp.kernels.functions.optimizers import OPTIMIZERS
from fastbp.network.initialization import glorot_uniform
from fastbp.network.prediction import NonFiniteError, finds_non_finite, predict
from fastbp.network.samples import SamplesLike

__all__ = ["BaseMLP", "is_stochastic"]

_FLOATS = (np.float32, np.float64)
# Rows that are converted at a time to the precision of the network.
_SLICE = 1 << 14


def is_stochastic(estimator: "BaseMLP") -> bool:
    """Return True if the solver works on minibatches, so that there is a `partial_fit`; raise otherwise."""
    if estimator.solver not in OPTIMIZERS:
        raise AttributeError(
            f"partial_fit is only available for stochastic optimizers. {estimator.solver} is not stochastic."
        )
    return True


class BaseMLP(Portable, CallbackSupport, ABC):
    """Base class of both estimators; a subclass gives `y` its meaning by three methods."""

    _parameter_rules: ClassVar[Rules] = PARAMETERS
    _parameter_constraints: ClassVar[dict[str, list]] = constraints(PARAMETERS)

    @abstractmethod
    def _encode(self, y: MatrixLike | None, dtype: np.dtype, *, incremental: bool) -> np.ndarray:
        """Return targets of shape (n_samples, n_outputs), bool for labels and `dtype` for values."""

    @abstractmethod
    def _task(self) -> tuple[str, str]:
        """Return the names of the loss and of the output activation."""

    @abstractmethod
    def _validation_score(self, y: np.ndarray, output: np.ndarray, sample_weight: np.ndarray | None) -> float:
        """Judge output activations against encoded targets; higher is better."""

    @trains
    def fit(self, X: MatrixLike, y: MatrixLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train on `X` and `y` until the loss stagnates or `max_iter` epochs have passed.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples. float32 is trained in float32; everything else in float64.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Class labels or target values.
        sample_weight : array-like of shape (n_samples,) or float, default=None
            Weights of the samples; None stands for equal weights.

        Returns
        -------
        self : estimator
            The trained estimator. If the call raises, the estimator is as it was before.
        """
        return self._fit(X, y, sample_weight, incremental=False)

    def _fit(self, X: MatrixLike, y: MatrixLike, sample_weight: ArrayLike | None, *, incremental: bool) -> Self:
        given = X, y
        hidden = hidden_sizes(self.hidden_layer_sizes)
        fresh = not hasattr(self, "coefs_") or not (self.warm_start or incremental)
        full_batch = self.solver == "lbfgs"
        dtype: DTypes = [np.float64, np.float32] if fresh else self._dtype()
        X = check_samples(self, X, dtype=dtype, reset=fresh)
        # The loss over all samples is computed in float64: targets keep all their digits.
        y = self._encode(y, np.dtype(np.float64) if full_batch else X.dtype, incremental=incremental)
        check_consistent_length(X, y)
        sample_weight = check_sample_weight(sample_weight, X.shape[0])
        if incremental and self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")

        # An integer seed starts the same sequence in every call, so that all calls of partial_fit after the
        # first shuffle alike: scikit-learn's meaning of an integer random_state.
        rng = check_random_state(self.random_state)
        parameters = self._parameters([X.shape[1], *hidden, y.shape[1]], X.dtype, rng, fresh=fresh)
        training: FullBatch | Stochastic
        if full_batch:
            training = FullBatch(self, *parameters, fresh=fresh)
        else:
            training = Stochastic(self, *parameters, fresh=fresh, incremental=incremental)
        tasks = None
        if has_callbacks(self):
            tasks = EpochTasks(
                self,
                partial(self._attributes_with, training),
                *given,
                sample_weight,
                name="partial_fit" if incremental else "fit",
                max_epochs=training.max_epochs,
            )
        training.train(X, y, sample_weight, rng, tasks)
        for name in training.forgotten:
            self.__dict__.pop(name, None)
        self.__dict__.update(training.attributes(), **self._shape(y.shape[1]))
        if tasks is not None:
            tasks.close()
        training.warn_unless_converged()
        return self

    def _shape(self, n_outputs: int) -> dict[str, Any]:
        """Return the fitted attributes that do not depend on how it was trained."""
        layers = len(hidden_sizes(self.hidden_layer_sizes)) + 2
        return {"n_layers_": layers, "n_outputs_": n_outputs, "out_activation_": self._task()[1]}

    def _attributes_with(self, training: FullBatch | Stochastic, parameters: list[np.ndarray]) -> dict[str, Any]:
        """Return the fitted attributes if the training ended now with `parameters`: all weights, then all biases."""
        weights, biases = parameters[: len(parameters) // 2], parameters[len(parameters) // 2 :]
        return {**training.attributes_with(weights, biases), **self._shape(len(biases[-1]))}

    def _loss_grad_lbfgs(
        self,
        packed_coef_inter: np.ndarray,
        X: Matrix,
        y: np.ndarray,
        sample_weight: np.ndarray | None,
        activations: list[np.ndarray],
        deltas: list[np.ndarray],
        coef_grads: list[np.ndarray],
        intercept_grads: list[np.ndarray],
    ) -> tuple[float, np.ndarray]:
        """Return loss and gradient over all samples, under the name that scikit-learn's tests know.

        The last four are buffers there, and not used here.
        """
        return loss_and_gradient(self, packed_coef_inter, X, y, sample_weight)

    def _dtype(self) -> np.dtype:
        """Return the dtype that a fitted network computes in."""
        # They may have been set by hand, to anything that NumPy takes for an array.
        float32 = all(getattr(p, "dtype", None) == np.float32 for p in (*self.coefs_, *self.intercepts_))
        return np.dtype(np.float32 if float32 else np.float64)

    def _parameters(
        self, units: list[int], dtype: np.dtype, rng: np.random.RandomState, *, fresh: bool
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return arrays to train: random ones, or copies of those that were fitted before.

        Copies, so that an error half-way leaves the fitted ones alone.
        """
        if fresh:
            return glorot_uniform(units, self.activation, rng, dtype)
        check_architecture(self.coefs_, self.intercepts_, units)
        weights = [np.array(w, dtype=dtype, order="C") for w in self.coefs_]
        return weights, [np.array(b, dtype=dtype, order="C") for b in self.intercepts_]

    def _output(
        self, weights: list[np.ndarray], biases: list[np.ndarray], x: SamplesLike, out_activation: str
    ) -> np.ndarray:
        outputs = partial(
            predict, weights, biases, x, activation=self.activation, output=out_activation, n_threads=self.n_jobs
        )
        if finds_non_finite(x, weights[0].dtype):
            try:
                return outputs(only_finite=True)
            except NonFiniteError:
                # Raises scikit-learn's error, unless its check is switched off.
                check_samples(self, x, dtype=x.dtype, reset=False)
        return outputs()

    def _outputs_for(self, X: MatrixLike) -> np.ndarray:
        """Return the activations of the output layer, of shape (n_samples, n_outputs), for a user's `X`."""
        return self._forward(self._samples_for_prediction(X), *self._network(), self.out_activation_)

    def _network(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return weights and biases as arrays of one dtype."""
        dtype = self._dtype()
        return [np.asarray(w, dtype=dtype) for w in self.coefs_], [np.asarray(b, dtype=dtype) for b in self.intercepts_]

    def _samples_for_prediction(self, X: MatrixLike) -> Matrix:
        """Return a user's `X`, checked: in the dtype of the network, or else as floats that `_forward` converts."""
        check_is_fitted(self)
        dtype = self._dtype()
        finite = isinstance(X, np.ndarray) and finds_non_finite(X, dtype)
        if isinstance(X, np.ndarray) and X.dtype in _FLOATS:
            dtype = X.dtype
        return check_samples(self, X, dtype=dtype, reset=False, assume_finite=finite)

    def _forward(
        self, X: Matrix, weights: list[np.ndarray], biases: list[np.ndarray], out_activation: str
    ) -> np.ndarray:
        dtype = weights[0].dtype
        if X.dtype == dtype:
            return self._output(weights, biases, to_samples(X), out_activation)
        # Converted slice by slice: all at once would be another copy of X.
        outputs = np.empty((len(X), len(biases[-1])), dtype=dtype)
        for first in range(0, len(X), _SLICE):
            part = slice(first, first + _SLICE)
            outputs[part] = self._output(weights, biases, cast_samples(X[part], dtype), out_activation)
        return outputs

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
