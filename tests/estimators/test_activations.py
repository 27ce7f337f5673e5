"""What the estimators have beyond scikit-learn: more activations, and AdamW."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import refbp
from fastbp import MLPClassifier, MLPRegressor
from fastbp.kernels.functions.activations import HIDDEN
from fastbp.kernels.functions.optimizers import OPTIMIZERS


@pytest.mark.parametrize("solver", [*OPTIMIZERS, "lbfgs"])
@pytest.mark.parametrize("activation", HIDDEN)
def test_every_activation_and_solver_trains(activation, solver, small_data, quietly):
    X, y = small_data("regression")
    model = MLPRegressor(
        hidden_layer_sizes=(9, 5),
        activation=activation,
        solver=solver,
        max_iter=60,
        random_state=0,
        learning_rate_init=0.01,
    )
    quietly(model.fit, X, y)
    expected = refbp.predict(model.coefs_, model.intercepts_, X, activation=activation, output="identity")
    np.testing.assert_allclose(model.predict(X), expected.ravel(), rtol=1e-10, atol=1e-12)
    if solver == "lbfgs":
        assert model.score(X, y) > 0.0
    else:
        assert model.loss_curve_[-1] < model.loss_curve_[0]


def test_decoupled_decay_and_penalty_are_two_things(small_data, quietly):
    X, y = small_data("multiclass")

    def size(**params):
        model = MLPClassifier(solver="adamw", max_iter=40, random_state=0, learning_rate_init=0.02, **params)
        quietly(model.fit, X, y)
        return sum(np.square(w).sum() for w in model.coefs_)

    none = size(alpha=0.0, weight_decay=0.0)
    assert size(alpha=0.0, weight_decay=0.5) < 0.9 * none
    assert size(alpha=5.0, weight_decay=0.0) < 0.9 * none
    assert size(alpha=5.0, weight_decay=0.5) < min(size(alpha=5.0, weight_decay=0.0), size(alpha=0.0, weight_decay=0.5))


def test_adamw_without_decay_is_adam_but_for_epsilon(small_data, quietly):
    X, y = small_data("regression")
    params = {"max_iter": 5, "random_state": 0, "epsilon": 1e-30, "alpha": 0.0}
    adam, adamw = (MLPRegressor(solver=solver, weight_decay=0.0, **params) for solver in ("adam", "adamw"))
    quietly(adam.fit, X, y)
    quietly(adamw.fit, X, y)
    np.testing.assert_allclose(adamw.coefs_[0], adam.coefs_[0], rtol=1e-10)


def test_weight_decay_is_of_adamw_alone(small_data, quietly):
    X, y = small_data("regression")
    for solver in ("adam", "sgd", "lbfgs"):
        one, other = (MLPRegressor(solver=solver, max_iter=3, random_state=0, weight_decay=d) for d in (0.0, 0.5))
        quietly(one.fit, X, y)
        quietly(other.fit, X, y)
        np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])


def test_search_over_names(small_data, quietly):
    X, y = small_data("multiclass")
    grid = {"activation": ["gelu", "relu"], "solver": ["adam", "adamw"]}
    search = GridSearchCV(MLPClassifier(max_iter=3, random_state=0), grid, cv=2)
    quietly(search.fit, X, y)
    assert clone(search.best_estimator_).get_params()["weight_decay"] == 0.01
