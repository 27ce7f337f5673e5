"""Estimators with the names, parameters and attributes of `sklearn.neural_network`.

- `_classifier`, `_regressor`: the two public classes; what they add to the base is the meaning of `y`.
- `_base`: one call of ``fit`` from checked input to fitted attributes.
- `_training`: what happens around a call of ``fit``: checked parameters, and an estimator that errors leave unchanged.
- `_parameters`, `_validation`: checks of the parameters and of the input; every error names the argument.
- `_callbacks`: scikit-learn's callbacks, per epoch.
- `_scores`: accuracy and R² on the validation set of early stopping.

Only public names of scikit-learn are imported. Training itself is `fastbp.training.fit`; nothing below this package
imports scikit-learn.
"""

from fastbp.estimators._classifier import MLPClassifier
from fastbp.estimators._regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
