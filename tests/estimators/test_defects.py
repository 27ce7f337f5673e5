"""Defects of scikit-learn 1.9 that are fixed here, and peculiarities that are kept."""

import numpy as np
import pytest
import sklearn.neural_network as reference
from sklearn.exceptions import ConvergenceWarning

from fastbp import MLPClassifier, MLPRegressor, watch

NON_FINITE = "Solver produced non-finite parameter weights. The input data may contain large values"


def _diverging(**params):
    return MLPRegressor(
        activation="identity", solver="sgd", learning_rate_init=1.0, max_iter=200, random_state=0, **params
    )


def test_divergence_ends_training_at_once(toy_data, assert_unchanged):
    X, y = toy_data("diabetes")
    losses = []
    model = _diverging()
    with assert_unchanged(model, ValueError, NON_FINITE), watch(lambda report: losses.append(report.loss)):
        model.fit(X, y)
    assert len(losses) < 50
    assert np.isfinite(losses[:-1]).all()
    assert not np.isfinite(losses[-1])


def test_divergence_of_a_warm_start_leaves_the_fitted_network(toy_data, assert_unchanged):
    X, y = toy_data("diabetes")
    model = MLPRegressor(max_iter=3, tol=1e9, n_iter_no_change=1, warm_start=True).fit(X, y)
    model.set_params(solver="sgd", learning_rate_init=1e6, activation="identity", n_iter_no_change=100)
    with assert_unchanged(model, ValueError, NON_FINITE):
        model.fit(X, y)
    with assert_unchanged(model, ValueError, NON_FINITE):
        for _ in range(50):
            model.partial_fit(X, y * 1e300)
    assert np.isfinite(model.predict(X)).all()


def test_divergence_with_early_stopping_keeps_the_best_weights(toy_data):
    X, y = toy_data("diabetes")
    model = _diverging(early_stopping=True)
    with pytest.warns(ConvergenceWarning, match="loss was not finite in epoch"):
        model.fit(X, y)
    assert model.n_iter_ < 50
    assert type(model.validation_scores_[-1]) is float
    assert np.isnan(model.validation_scores_[-1])
    assert len(model.validation_scores_) == model.n_iter_
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize("early_stopping", [False, True])
def test_poisson_recovers_from_rates_that_underflow(early_stopping, make_pair, quietly, deviation):
    """An infinite loss with finite weights is no divergence: scikit-learn goes on, and so does fastbp."""
    X = np.random.RandomState(0).uniform(1, 2, (50, 1))
    y = 1 + np.arange(50) % 3
    ref, comp = make_pair("poisson", hidden_layer_sizes=(), random_state=0, early_stopping=early_stopping)
    for model in (ref, comp):
        quietly(model.set_params(max_iter=1).fit, X, y)
        model.coefs_[0][:] = -600.0
        again = {"max_iter": 150, "n_iter_no_change": 1000, "learning_rate_init": 5.0}
        quietly(model.set_params(warm_start=True, **again).fit, X, y)
    assert np.isinf(comp.loss_curve_[1])
    assert np.isfinite(comp.loss_curve_[-1])
    np.testing.assert_allclose(comp.loss_curve_, ref.loss_curve_, rtol=1e-9)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression", "multioutput", "poisson"])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_minibatches_of_weight_zero_contribute_nothing(kind, solver, small_data, make_pair, fit, deviation):
    """Training on weights (0, ..., 0, w) equals training on the weighted samples alone."""
    X, y = small_data(kind)
    weights = np.random.RandomState(2).uniform(0.5, 2, 40)
    weights[:20] = 0
    params = {"solver": solver, "hidden_layer_sizes": 4, "batch_size": 10, "shuffle": False, "max_iter": 5}
    ref, comp = make_pair(kind, random_state=1, **params)
    with pytest.raises(ZeroDivisionError):
        fit(ref, X[:40], y[:40], weights)
    fit(comp, X[:40], y[:40], weights)
    ref, _ = make_pair(kind, random_state=1, **params)
    fit(ref, X[20:40], y[20:40], weights[20:])
    assert deviation(ref, comp) < 1e-12
    # Rows of passed-over minibatches count in the mean, as all rows do.
    np.testing.assert_allclose(comp.loss_curve_, np.array(ref.loss_curve_) / 2, rtol=1e-12)


def test_partial_fit_is_hidden_for_lbfgs():
    for estimator in (MLPClassifier, MLPRegressor):
        assert not hasattr(estimator(solver="lbfgs"), "partial_fit")
        assert hasattr(estimator(solver="sgd"), "partial_fit")


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logarithms_of_probabilities_are_finite(kind, dtype, small_data, make_pair, quietly):
    """Where scikit-learn gives -inf they come from the logits, elsewhere they are log(p) to the last bit."""
    X, y = small_data(kind)
    X = X.astype(dtype)
    ref, comp = make_pair(kind, max_iter=5, random_state=0)
    for model in (ref, comp):
        quietly(model.fit, X, y)
    comp.coefs_[-1] *= 300 if dtype == np.float32 else 2500
    ref.coefs_, ref.intercepts_ = comp.coefs_, comp.intercepts_
    log_proba, proba = comp.predict_log_proba(X), comp.predict_proba(X)
    theirs, _ = quietly(ref.predict_log_proba, X)
    lost = proba == np.finfo(dtype).smallest_subnormal
    assert np.isinf(theirs).any()
    assert proba.min() > 0
    assert 0 < lost.any(axis=1).sum() < len(X)
    assert log_proba.dtype == proba.dtype == dtype
    np.testing.assert_array_equal(log_proba[~lost], np.log(proba[~lost]))
    expected = _log_proba(comp, X)[lost]
    assert expected.max() < np.log(np.finfo(dtype).tiny)
    # A logit is a sum of 100 products, each rounded.
    tol = 100 * np.finfo(dtype).eps
    np.testing.assert_allclose(log_proba[lost], expected, rtol=tol)
    single = np.concatenate([comp.predict_log_proba(row[None]) for row in X])
    np.testing.assert_allclose(single, log_proba, rtol=tol)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_small_probabilities_of_the_first_class_keep_their_digits(dtype, small_data, make_pair, quietly):
    X, y = small_data("binary")
    X = X.astype(dtype)
    ref, comp = make_pair("binary", max_iter=5, random_state=0)
    for model in (ref, comp):
        quietly(model.fit, X, y)
    comp.coefs_[-1] *= 100
    ref.coefs_, ref.intercepts_ = comp.coefs_, comp.intercepts_
    proba, exact = comp.predict_proba(X), np.exp(_log_proba(comp, X))
    small = (exact < np.finfo(dtype).eps) & (exact > np.finfo(dtype).tiny)
    assert small[:, 0].any()
    assert (quietly(ref.predict_proba, X)[0][:, 0][small[:, 0]] == 0).any()
    # The error of a logit, of the size of its terms, is the relative error of the exponential function.
    np.testing.assert_allclose(proba[small], exact[small].astype(dtype), rtol=1e4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(proba, quietly(ref.predict_proba, X)[0], rtol=0, atol=1e4 * np.finfo(dtype).eps)


def _log_proba(model, X):
    """Return the logarithms of probabilities by the formulas, in the longest floating point numbers there are."""
    h = X.astype(np.longdouble)
    for layer, (w, b) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        h = (np.maximum(h, 0) if layer else h) @ w.astype(np.longdouble) + b
    if model.out_activation_ == "softmax":
        h = h - h.max(axis=1, keepdims=True)
        return h - np.log(np.exp(h).sum(axis=1, keepdims=True))
    if model.n_outputs_ == 1:
        h = np.hstack([-h, h])
    return -np.logaddexp(0, -h)


def test_lbfgs_says_that_it_does_not_stop_early(small_data):
    X, y = small_data("regression")
    model, plain = (MLPRegressor(solver="lbfgs", random_state=0) for _ in range(2))
    with pytest.warns(UserWarning, match="^early_stopping=True has no effect with solver='lbfgs'$"):
        model.set_params(early_stopping=True).fit(X, y)
    plain.fit(X, y)
    np.testing.assert_array_equal(model.coefs_[0], plain.coefs_[0])


def test_best_weights_survive_a_bad_warm_start(small_data, quietly):
    X, y = small_data("regression")
    rng = np.random.RandomState(0)
    model = MLPRegressor(early_stopping=True, warm_start=True, max_iter=60, learning_rate_init=0.01, random_state=rng)
    quietly(model.fit, X, y)
    best_score, best = model.best_validation_score_, [w.copy() for w in model.coefs_]
    quietly(model.set_params(learning_rate_init=3.0, max_iter=4).fit, X, y)
    assert model.best_validation_score_ == best_score
    assert max(model.validation_scores_[-4:]) < best_score
    for kept, now in zip(best, model.coefs_, strict=True):
        np.testing.assert_array_equal(kept, now)


def test_best_weights_are_not_aliases(small_data, quietly):
    X, y = small_data("regression")
    model = MLPRegressor(early_stopping=True, max_iter=3, random_state=0)
    quietly(model.fit, X, y)
    arrays = [a for value in vars(model).values() if isinstance(value, list) for a in value]
    arrays = [a for a in arrays if isinstance(a, np.ndarray)]
    assert len(arrays) == 4
    assert not any(np.shares_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i])


def test_early_stopping_may_change_between_warm_starts(small_data, quietly):
    X, y = small_data("regression")
    model = MLPRegressor(warm_start=True, max_iter=3, random_state=0, hidden_layer_sizes=4)
    quietly(model.fit, X, y)
    quietly(model.set_params(early_stopping=True).fit, X, y)
    assert len(model.validation_scores_) == 3
    assert model.best_loss_ is None
    assert len(model.loss_curve_) == 6
    quietly(model.set_params(early_stopping=False).fit, X, y)
    assert model.validation_scores_ is None
    assert model.best_validation_score_ is None
    assert model.best_loss_ == min(model.loss_curve_[-3:])
    assert len(model.loss_curve_) == 9


def test_training_goes_on_from_what_lbfgs_leaves(small_data, quietly):
    X, y = small_data("regression")
    model = MLPRegressor(warm_start=True, max_iter=3, random_state=0, hidden_layer_sizes=4)
    quietly(model.fit, X, y)
    # lbfgs records none of these.
    for name in ("loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_", "_optimizer"):
        delattr(model, name)
    del model._no_improvement_count
    quietly(model.fit, X, y)
    assert len(model.loss_curve_) == 3
    quietly(model.partial_fit, X, y)
    assert len(model.loss_curve_) == 4


def test_solver_may_change_between_calls_of_partial_fit(small_data, quietly):
    X, y = small_data("regression")
    model = MLPRegressor(solver="sgd", random_state=0).partial_fit(X, y)
    assert "velocities" in model._optimizer.moments
    model.set_params(solver="adam").partial_fit(X, y)
    assert model._optimizer.t == 1


@pytest.mark.parametrize("hidden", [(4,), (5, 5), (), 6])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_layers_may_not_change_between_warm_starts(hidden, method, small_data, quietly, assert_unchanged):
    X, y = small_data("regression")
    model = MLPRegressor(hidden_layer_sizes=(5,), warm_start=True, max_iter=2)
    quietly(model.fit, X, y)
    model.set_params(hidden_layer_sizes=hidden)
    with assert_unchanged(model, ValueError, r"hidden_layer_sizes=\(.*\) differs from the layers \(5,\)"):
        getattr(model, method)(X, y)
    quietly(model.set_params(warm_start=False).fit, X, y)


def test_outputs_may_not_change_between_warm_starts(small_data, quietly, assert_unchanged):
    X, y = small_data("multioutput")
    model = MLPRegressor(warm_start=True, max_iter=2)
    quietly(model.fit, X, y)
    with assert_unchanged(model, ValueError, "y has 1 outputs, but the network was fitted with 3"):
        model.fit(X, y[:, 0])


def test_coefs_set_by_hand_must_fit_the_data(small_data, assert_unchanged):
    X, y = small_data("regression")
    model = MLPRegressor(hidden_layer_sizes=(2,))
    model.coefs_ = [np.ones((5, 2)), np.ones((2, 1))]
    model.intercepts_ = [np.ones(2), np.ones(1)]
    model.n_features_in_ = 6
    with assert_unchanged(model, ValueError, "coefs_ have shapes .* which X with 6 features does not fit"):
        model.partial_fit(X, y)


def test_kept_no_improvement_count_goes_on_over_warm_starts(small_data, quietly):
    X, y = small_data("regression")
    counts = []
    for estimator in (reference.MLPRegressor, MLPRegressor):
        model = estimator(warm_start=True, tol=1e9, n_iter_no_change=4, random_state=0)
        epochs = []
        for _ in range(2):
            quietly(model.fit, X, y)
            epochs.append(model.n_iter_)
        counts.append(epochs)
    assert counts[0] == counts[1] == [6, 1]


def test_kept_single_class_gives_two_columns(small_data, quietly):
    X, _ = small_data("binary")
    shapes = []
    for estimator in (reference.MLPClassifier, MLPClassifier):
        model = estimator(max_iter=2, early_stopping=True, random_state=0)
        quietly(model.fit, X, np.full(len(X), 7))
        shapes.append((model.predict_proba(X).shape, model.classes_.tolist(), model.validation_scores_))
        assert (model.predict(X) == 7).all()
    assert shapes[0] == shapes[1] == ((43, 2), [7], [1.0, 1.0])


def test_kept_gradient_of_the_sum_over_outputs(small_data, quietly):
    """With k equal outputs the loss is that of one output, and so is the gradient of each (not 1/k of it)."""
    X, y = small_data("regression")
    one, three = (
        MLPRegressor(hidden_layer_sizes=(), solver="sgd", momentum=0, max_iter=1, random_state=0, alpha=0)
        for _ in range(2)
    )
    quietly(one.partial_fit, X, y)
    quietly(three.partial_fit, X, np.c_[y, y, y])
    for model, outputs in ((one, 1), (three, 3)):
        model.coefs_ = [np.zeros((6, outputs))]
        model.intercepts_ = [np.zeros(outputs)]
        model._optimizer.moments = {}
    quietly(one.partial_fit, X, y)
    quietly(three.partial_fit, X, np.c_[y, y, y])
    np.testing.assert_allclose(three.coefs_[0], np.repeat(one.coefs_[0], 3, axis=1), rtol=1e-12)
    np.testing.assert_allclose(three.loss_, one.loss_, rtol=1e-12)
