"""What happens around every call of `fit` and `partial_fit`."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from sklearn import config_context, get_config
from sklearn.base import BaseEstimator

from fastbp.estimators._callbacks import with_callbacks
from fastbp.estimators._parameters import check_parameters
from fastbp.estimators._validation import unchanged_on_error

__all__ = ["trains"]


Method = TypeVar("Method", bound=Callable)


def _is_fitted(estimator: BaseEstimator) -> bool:
    return any(name.endswith("_") and not name.startswith("__") for name in vars(estimator))


def trains(method: Method) -> Method:
    """Decorate `fit` or `partial_fit`: checked parameters, and an estimator that an error leaves as it was.

    Like scikit-learn's own, it follows the setting ``skip_parameter_validation``, makes it true for what is
    called inside, and does not check again when `partial_fit` is called on a fitted estimator.
    """
    # Callbacks are torn down before attributes are restored: their contexts are attributes.
    told = with_callbacks(method)

    @wraps(method)
    def call(self: BaseEstimator, *args: Any, **kwargs: Any) -> Any:
        again = method.__name__ == "partial_fit" and _is_fitted(self)
        if not again and not get_config()["skip_parameter_validation"]:
            check_parameters(self, self._parameter_rules)
        with config_context(skip_parameter_validation=True), unchanged_on_error(self):
            return told(self, *args, **kwargs)

    return cast(Method, call)
