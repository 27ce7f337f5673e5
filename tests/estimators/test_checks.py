"""scikit-learn's own checks of an estimator, all of them, with none expected to fail."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastbp import MLPClassifier, MLPRegressor

# scikit-learn runs its own MLPs with this many epochs, too.
ESTIMATORS = [
    estimator(max_iter=100, solver=solver) for estimator in (MLPClassifier, MLPRegressor) for solver in ("adam", "sgd")
]


# Many checks train on unscaled data for a short time: warnings are their business.
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(ESTIMATORS)
def test_estimator_check(estimator, check):
    check(estimator)
