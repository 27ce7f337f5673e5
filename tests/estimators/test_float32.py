"""float32 in, float32 throughout, and close to float64."""

import numpy as np
import pytest

from fastbp import MLPClassifier, MLPRegressor

KINDS = ("binary", "multiclass", "multilabel", "regression", "multioutput", "poisson")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_float32_is_close_to_float64(kind, solver, small_data, quietly, deviation):
    X, y = small_data(kind)
    estimator = MLPClassifier if kind in ("binary", "multiclass", "multilabel") else MLPRegressor
    params = {"loss": "poisson"} if kind == "poisson" else {}
    single, double = (estimator(solver=solver, max_iter=10, batch_size=10, random_state=0, **params) for _ in range(2))
    quietly(single.fit, X.astype(np.float32), y)
    quietly(double.fit, X, y)
    assert deviation(double, single) < 1e-4
    np.testing.assert_allclose(single.loss_curve_, double.loss_curve_, rtol=1e-4)
    assert all(p.dtype == np.float32 for p in [*single.coefs_, *single.intercepts_])
    assert all(p.dtype == np.float64 for p in [*double.coefs_, *double.intercepts_])
    moments = "ms" if solver == "adam" else "velocities"
    assert all(p.dtype == np.float32 for p in single._optimizer.moments[moments])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int64])
def test_a_float32_network_predicts_in_float32(dtype, small_data, quietly):
    X, y = small_data("multiclass")
    model = MLPClassifier(max_iter=3, random_state=0)
    quietly(model.fit, X.astype(np.float32), y)
    assert model.predict_proba(X.astype(dtype)).dtype == np.float32


def test_many_rows_of_another_precision(small_data, quietly):
    # They are converted piece by piece.
    X, y = small_data("multiclass")
    model = MLPClassifier(max_iter=3, random_state=0)
    quietly(model.fit, X.astype(np.float32), y)
    many = np.random.default_rng(0).standard_normal((40_000, X.shape[1]))
    before = many.copy()
    np.testing.assert_array_equal(model.predict_proba(many), model.predict_proba(many.astype(np.float32)))
    np.testing.assert_array_equal(many, before)
    for too_large in (1e300, np.nan):
        many[-1, 0] = too_large
        with pytest.raises(ValueError, match="X contains"):
            model.predict_proba(many)


@pytest.mark.parametrize("first", [np.float32, np.float64])
def test_training_goes_on_in_the_first_precision(first, small_data, quietly):
    X, y = small_data("regression")
    other = np.float64 if first == np.float32 else np.float32
    model = MLPRegressor(max_iter=3, random_state=0, warm_start=True)
    quietly(model.fit, X.astype(first), y)
    quietly(model.fit, X.astype(other), y)
    quietly(model.partial_fit, X.astype(other), y)
    assert all(p.dtype == first for p in [*model.coefs_, *model.intercepts_, *model._optimizer.moments["ms"]])


@pytest.mark.parametrize("dtype", [np.float16, np.int8, bool, object])
def test_everything_else_is_trained_in_float64(dtype, small_data, quietly):
    X, y = small_data("regression")
    model = MLPRegressor(max_iter=2, random_state=0)
    quietly(model.fit, X.astype(dtype), y)
    assert model.coefs_[0].dtype == np.float64


def test_sample_weights_of_another_precision(small_data, small_weights, quietly):
    X, y = small_data("binary")
    models = [MLPClassifier(max_iter=3, random_state=0) for _ in range(2)]
    for model, dtype in zip(models, (np.float32, np.float64), strict=True):
        quietly(model.fit, X.astype(np.float32), y, small_weights.astype(np.float32).astype(dtype))
    np.testing.assert_array_equal(models[0].coefs_[0], models[1].coefs_[0])


def test_early_stopping_in_float32(small_data, quietly):
    X, y = small_data("regression")
    model = MLPRegressor(max_iter=5, early_stopping=True, random_state=0)
    quietly(model.fit, X.astype(np.float32), y)
    assert model.coefs_[0].dtype == np.float32
    assert len(model.validation_scores_) == 5
