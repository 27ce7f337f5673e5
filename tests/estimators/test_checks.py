"""scikit-learn's own checks of an estimator, all of them, with none expected to fail."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastbp import MLPClassifier, MLPRegressor

# scikit-learn runs its own MLPs with this many epochs, too.
ESTIMATORS = [
    estimator(max_iter=100, solver=solver)
    for estimator in (MLPClassifier, MLPRegressor)
    for solver in ("adam", "sgd", "lbfgs")
]

CHECKS = parametrize_with_checks(ESTIMATORS)


# Many checks train on unscaled data for a short time: warnings are their business.
@pytest.mark.filterwarnings("ignore")
# As a list: scikit-learn 1.6 to 1.8 make an iterator of them, which pytest 9.1 warns of.
@pytest.mark.parametrize(CHECKS.args[0], list(CHECKS.args[1]), **CHECKS.kwargs)
def test_estimator_check(estimator, check):
    check(estimator)
