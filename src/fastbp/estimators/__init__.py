"""The scikit-learn face: estimators with the names, parameters and attributes of `sklearn.neural_network`.

- `_classifier`, `_regressor`: the two public classes; what they add to the base is the meaning of `y`.
- `_base`: one call of ``fit`` from checked input to fitted attributes.
- `_validation`: checks of the input; every error names the argument and leaves the estimator as it was.
- `_scores`: accuracy and R² on the validation set of early stopping.
- `_sklearn`: the names of scikit-learn that begin with an underscore.

Training itself is `fastbp.fit`; nothing below this package imports scikit-learn.
"""

from fastbp.estimators._classifier import MLPClassifier
from fastbp.estimators._regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
