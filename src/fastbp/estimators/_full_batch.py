"""One call of `fit` on all samples at once: ``solver="lbfgs"``."""

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fastbp.estimators._validation import Matrix, to_samples
from fastbp.network.spec import Network, Samples
from fastbp.training.caller import warn_caller
from fastbp.training.fit import NON_FINITE_WEIGHTS
from fastbp.training.lbfgs import Record, minimize
from fastbp.training.objective import Objective
from fastbp.training.progress import Observer

if TYPE_CHECKING:
    from fastbp.estimators._base import BaseMLP

__all__ = ["FullBatch", "loss_and_gradient"]


class FullBatch:
    """A minimization; the parameters and attributes are those of `_stochastic.Stochastic`."""

    def __init__(
        self, estimator: "BaseMLP", weights: list[np.ndarray], biases: list[np.ndarray], *, fresh: bool
    ) -> None:
        self.max_epochs = estimator.max_iter
        # Attributes of training by minibatches.
        self.forgotten = (
            *("loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_"),
            *("_no_improvement_count", "_optimizer"),
        ) * fresh
        self._estimator = estimator
        self._weights, self._biases = weights, biases
        self._t = 0 if fresh else getattr(estimator, "t_", 0)
        self._record = Record()

    def train(
        self,
        X: Matrix,
        y: np.ndarray,
        sample_weight: np.ndarray | None,
        rng: np.random.RandomState,
        observer: Observer | None,
    ) -> None:
        """Train on checked samples, an array or a sparse matrix by rows; `rng` is not used."""
        model = self._estimator
        if model.early_stopping:
            warn_caller("early_stopping=True has no effect with solver='lbfgs'", UserWarning)
        loss, _ = model._task()
        minimize(
            self._weights,
            self._biases,
            Network.of(self._weights, model.activation, loss),
            Samples(to_samples(X), y, sample_weight),
            weight_decay=float(model.alpha),
            max_iter=model.max_iter,
            max_calls=model.max_fun,
            tol=model.tol,
            record=self._record,
            n_threads=model.n_jobs,
            verbose=bool(model.verbose),
            observer=observer,
        )
        if not all(np.isfinite(p).all() for p in (*self._weights, *self._biases)):
            raise ValueError(NON_FINITE_WEIGHTS)

    def attributes(self) -> dict[str, Any]:
        """Return the fitted attributes that the minimization has come to."""
        return self.attributes_with(self._weights, self._biases)

    def attributes_with(self, weights: list[np.ndarray], biases: list[np.ndarray]) -> dict[str, Any]:
        """Return what they would be if it ended now with these."""
        attributes = {
            "coefs_": weights,
            "intercepts_": biases,
            "n_iter_": self._record.n_iter,
            "t_": self._t,
            "_half_trained": False,
        }
        if self._record.loss is not None:
            attributes["loss_"] = np.float64(self._record.loss)
        return attributes

    def warn_unless_converged(self) -> None:
        """Warn if iterations or calls ran out or a line search failed, but not if a user ended it."""
        record = self._record
        if record.status not in (1, 2):
            return
        message = (
            f"lbfgs failed to converge after {record.n_iter} iteration(s) (status={record.status}):\n{record.message}\n"
        )
        if record.n_iter == self.max_epochs:
            message += f"\nIncrease the number of iterations to improve the convergence (max_iter={self.max_epochs})."
        message += (
            "\nYou might also want to scale the data as shown in:\n"
            "    https://scikit-learn.org/stable/modules/preprocessing.html"
        )
        warn_caller(message, ConvergenceWarning)


def loss_and_gradient(
    estimator: "BaseMLP", packed: np.ndarray, X: Matrix, y: np.ndarray, sample_weight: np.ndarray | None
) -> tuple[float, np.ndarray]:
    """Return the loss of a fitted estimator over all samples at some other parameters, and its gradient.

    Parameters
    ----------
    estimator : BaseMLP [read]
        Its layers and parameters.
    packed : ndarray of shape (n_parameters,) [read]
        All weights, then all biases, row by row.
    X : array-like or sparse matrix of shape (n_samples, n_features) [read]
        Samples.
    y : ndarray of shape (n_samples, n_outputs) [read]
        Targets, labels as 0 and 1.
    sample_weight : ndarray of shape (n_samples,) or None [read]
        Weights of the samples.
    """
    loss, _ = estimator._task()
    with Objective(
        Network.of(estimator.coefs_, estimator.activation, loss),
        Samples(to_samples(X), y, sample_weight),
        weight_decay=float(estimator.alpha),
        n_threads=estimator.n_jobs,
    ) as objective:
        return objective(packed)
