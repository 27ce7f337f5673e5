"""The names of scikit-learn that begin with an underscore, all in this one place.

Everything else in this package comes from documented modules. These have no documented equivalent:

- ``sklearn.base._fit_context`` and the class attribute ``_parameter_constraints`` are how an estimator gets
  the validation of its parameters (`InvalidParameterError`, the setting ``skip_parameter_validation``).
  scikit-learn's own template for third-party estimators uses both.
- The kinds of constraint that ``_parameter_constraints`` may hold live in ``sklearn.utils._param_validation``
  only.

Supported versions of scikit-learn are pinned for this reason, too.
"""

from sklearn.base import _fit_context as fit_context
from sklearn.utils._param_validation import Interval, Options, StrOptions

__all__ = ["Interval", "Options", "StrOptions", "fit_context"]
