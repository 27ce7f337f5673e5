"""Conversion of fitted networks from and to scikit-learn."""

import copy
import inspect
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from sklearn.base import ClassifierMixin, is_classifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils.validation import check_is_fitted

from fastbp.interop.estimator import Estimator
from fastbp.kernels.functions.optimizers import SGD, Adam
from fastbp.network.optimizer_state import OptimizerState

if TYPE_CHECKING:
    from fastbp.estimators._portable import Portable

__all__ = ["SklearnMLP", "from_sklearn", "to_sklearn"]

SklearnMLP: TypeAlias = MLPClassifier | MLPRegressor

# Values of parameters that scikit-learn has.
_VALUES = {"activation": ("identity", "logistic", "tanh", "relu"), "solver": ("lbfgs", "sgd", "adam")}
# Attributes that both have, with the same meaning.
_SHARED = (
    *("n_features_in_", "feature_names_in_", "n_layers_", "n_outputs_", "out_activation_", "classes_"),
    *("n_iter_", "t_", "loss_", "loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_"),
    *("_label_binarizer", "_no_improvement_count", "_metadata_request"),
)


def from_sklearn(kind: type[Estimator], fitted: SklearnMLP) -> Estimator:
    """Return an estimator that goes on from where one of scikit-learn is.

    Parameters
    ----------
    kind : type
        `MLPClassifier` or `MLPRegressor`, or a class derived from them.
    fitted : sklearn.neural_network.MLPClassifier or MLPRegressor
        A fitted one, of the same kind.

    Returns
    -------
    model : estimator
        With its parameters, fitted attributes and, after ``solver="adam"`` or ``"sgd"``, moments, all copied:
        `partial_fit` goes on as it would there.

    Raises
    ------
    TypeError
        If it is something else.
    NotFittedError
        If it is not fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neural_network import MLPRegressor as TheirRegressor
    >>> from fastbp import MLPRegressor
    >>> from fastbp.interop import from_sklearn
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> theirs = TheirRegressor(max_iter=1000, random_state=0).fit(X, X[:, 0] ** 2)
    >>> ours = from_sklearn(MLPRegressor, theirs)
    >>> bool(abs(ours.predict(X) - theirs.predict(X)).max() < 1e-12)
    True
    """
    theirs = MLPClassifier if issubclass(kind, ClassifierMixin) else MLPRegressor
    if not isinstance(fitted, theirs):
        raise TypeError(
            f"{kind.__name__}.from_sklearn takes a fitted sklearn.neural_network.{theirs.__name__}, "
            f"got an object of type {type(fitted).__module__}.{type(fitted).__qualname__}"
        )
    check_is_fitted(fitted)
    model = kind(**copy.deepcopy(fitted.get_params(deep=False)))
    for name, value in _shared(fitted).items():
        setattr(model, name, value)
    model.coefs_, model.intercepts_ = _copies(fitted.coefs_), _copies(fitted.intercepts_)
    moments = getattr(fitted, "_optimizer", None)
    if moments is not None:
        model._optimizer = _optimizer(moments, model.coefs_[0].dtype)
        # A single epoch suggests partial_fit: the moments are likely to be needed again.
        model._half_trained = fitted.n_iter_ == 1
    return model


def to_sklearn(model: "Portable") -> SklearnMLP:
    """Return scikit-learn's estimator with the same parameters, weights and fitted attributes.

    Parameters
    ----------
    model : estimator [read]
        A fitted `MLPClassifier` or `MLPRegressor`.

    Returns
    -------
    fitted : sklearn.neural_network.MLPClassifier or MLPRegressor
        Its predictions are the same but for rounding, and it can be trained further. The optimizer's moments
        are *not* among its attributes, because scikit-learn's optimizers are private: `partial_fit` goes on
        from the weights, with fresh moments. `n_jobs` and `weight_decay` are dropped.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If the installed scikit-learn does not have the loss, the activation or the solver.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbp import MLPRegressor
    >>> from fastbp.interop import to_sklearn
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> ours = MLPRegressor(max_iter=1000, random_state=0).fit(X, X[:, 0] ** 2)
    >>> theirs = to_sklearn(ours)
    >>> type(theirs).__module__.partition(".")[0]
    'sklearn'
    >>> bool(abs(ours.predict(X) - theirs.predict(X)).max() < 1e-12)
    True
    """
    check_is_fitted(model)
    theirs: Any = MLPClassifier if is_classifier(model) else MLPRegressor
    known = inspect.signature(theirs).parameters
    parameters = model.get_params(deep=False)
    if "loss" in parameters and "loss" not in known and parameters["loss"] != "squared_error":
        raise ValueError(f"the installed scikit-learn has no loss={parameters['loss']!r}; scikit-learn 1.7 has it")
    for name, known_values in _VALUES.items():
        if name in parameters and parameters[name] not in known_values:
            raise ValueError(f"scikit-learn has no {name}={parameters[name]!r}; it has {', '.join(known_values)}")
    fitted = theirs(**copy.deepcopy({name: value for name, value in parameters.items() if name in known}))
    for name, value in _shared(model).items():
        setattr(fitted, name, value)
    fitted.coefs_, fitted.intercepts_ = _copies(model.coefs_), _copies(model.intercepts_)
    # A warm start with early_stopping that brings no improvement goes back to these.
    fitted._best_coefs, fitted._best_intercepts = _copies(model.coefs_), _copies(model.intercepts_)
    return fitted


def _shared(estimator: "Portable | SklearnMLP") -> dict[str, Any]:
    return {name: copy.deepcopy(getattr(estimator, name)) for name in _SHARED if name in vars(estimator)}


def _copies(arrays: list[np.ndarray]) -> list[np.ndarray]:
    # After lbfgs they are views of one vector.
    return [np.array(array, order="C") for array in arrays]


def _optimizer(theirs: Any, dtype: np.dtype) -> OptimizerState:
    """Return the state of one of scikit-learn's optimizers."""
    if hasattr(theirs, "velocities"):
        sgd = SGD(
            theirs.learning_rate_init,
            momentum=theirs.momentum,
            nesterov=theirs.nesterov,
            schedule=theirs.lr_schedule,
            power_t=theirs.power_t,
        )
        return OptimizerState(sgd, float(theirs.learning_rate), 0, {"velocities": _moments(theirs.velocities, dtype)})
    adam = Adam(theirs.learning_rate_init, beta_1=theirs.beta_1, beta_2=theirs.beta_2, epsilon=theirs.epsilon)
    moments = {"ms": _moments(theirs.ms, dtype), "vs": _moments(theirs.vs, dtype)}
    return OptimizerState(adam, t=int(theirs.t), moments=moments)


def _moments(arrays: list[np.ndarray], dtype: np.dtype) -> list[np.ndarray]:
    # scikit-learn keeps them in float64 if only the targets are.
    return [np.array(array, dtype=dtype, order="C") for array in arrays]
