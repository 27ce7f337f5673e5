"""What does not depend on the version of scikit-learn, and what does."""

import inspect
import subprocess
import sys

import numpy as np
import pytest

import fastbp

SHARED = (
    "hidden_layer_sizes=(100,), activation='relu', *, solver='adam', alpha=0.0001, batch_size='auto', "
    "learning_rate='constant', learning_rate_init=0.001, power_t=0.5, max_iter=200, shuffle=True, random_state=None, "
    "tol=0.0001, verbose=False, warm_start=False, momentum=0.9, nesterovs_momentum=True, early_stopping=False, "
    "validation_fraction=0.1, beta_1=0.9, beta_2=0.999, epsilon=1e-08, n_iter_no_change=10, max_fun=15000, "
    "n_jobs=None, weight_decay=0.01"
)
SIGNATURES = {
    "MLPClassifier": f"({SHARED})",
    "MLPRegressor": f"(loss='squared_error', {SHARED})",
    "MLPClassifier.fit": "(self, X, y, sample_weight=None)",
    "MLPRegressor.fit": "(self, X, y, sample_weight=None)",
    "MLPClassifier.partial_fit": "(self, X, y, sample_weight=None, classes=None)",
    "MLPRegressor.partial_fit": "(self, X, y, sample_weight=None)",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures_are_those_of_scikit_learn_1_9(name):
    kind, _, method = name.partition(".")
    thing = getattr(fastbp, kind)
    signature = inspect.signature(getattr(thing, method) if method else thing)
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in signature.parameters.values()]
    assert str(inspect.Signature(bare)) == SIGNATURES[name]


def test_callbacks_came_with_scikit_learn_1_9(sklearn_version):
    for estimator in (fastbp.MLPClassifier, fastbp.MLPRegressor):
        assert hasattr(estimator, "set_callbacks") == (sklearn_version >= (1, 9))


def test_without_callbacks_of_scikit_learn():
    """The same with those of scikit-learn 1.9 hidden; an estimator that brings some from there has them unheard."""
    program = """
import sys
import sklearn.model_selection, sklearn.pipeline, sklearn.preprocessing
sys.modules["sklearn.callback"] = None
sklearn.__dict__.pop("callback", None)
import numpy as np
from fastbp import MLPRegressor
model = MLPRegressor(max_iter=2, tol=1e9, n_iter_no_change=1)
model._skl_callbacks = [object()]
model.fit(np.eye(9), np.arange(9)).partial_fit(np.eye(9), np.arange(9))
print(hasattr(model, "set_callbacks"), model.t_)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "27"]


def test_sample_weights_and_poisson_need_no_scikit_learn_that_has_them():
    X = np.random.RandomState(0).standard_normal((40, 3))
    y = np.arange(40) % 4
    weights = 1.0 + np.arange(40) % 2
    params = {"solver": "sgd", "batch_size": 80, "shuffle": False, "max_iter": 3, "n_iter_no_change": 1, "tol": 1e9}
    # Twice the weight is twice the sample.
    twice = np.repeat(np.arange(40), weights.astype(int))
    for loss in ("squared_error", "poisson"):
        weighted, repeated = (fastbp.MLPRegressor(loss, 5, random_state=0, alpha=0, **params) for _ in range(2))
        with pytest.warns(UserWarning, match="larger than sample size"):
            weighted.fit(X, y, sample_weight=weights)
        with pytest.warns(UserWarning, match="larger than sample size"):
            repeated.fit(X[twice], y[twice])
        np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-12)
