"""``solver="lbfgs"`` compared with scikit-learn's: the same iterations, messages and weights."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from fastbp import MLPClassifier, MLPRegressor

KINDS = ("binary", "multiclass", "multilabel", "regression", "multioutput", "poisson")


def _compare(ref, comp, fit, deviation, X, y, sample_weight=None, tol=1e-9):
    ref_warnings = fit(ref, X, y, sample_weight)
    assert fit(comp, X, y, sample_weight) == ref_warnings
    assert deviation(ref, comp) <= tol
    np.testing.assert_allclose(comp.loss_, ref.loss_, rtol=tol)
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_"):
        assert getattr(comp, name) == getattr(ref, name), name
    for name in ("loss_curve_", "best_loss_", "validation_scores_", "_optimizer"):
        assert not hasattr(comp, name), name
    assert type(comp.loss_) is type(ref.loss_)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_few_iterations(activation, kind, small_data, small_weights, make_pair, fit, deviation):
    X, y = small_data(kind)
    for sample_weight, hidden in [(None, (5, 4)), (small_weights, 7), (None, ())]:
        pair = make_pair(
            kind,
            solver="lbfgs",
            activation=activation,
            hidden_layer_sizes=hidden,
            alpha=0.01,
            max_iter=10,
            random_state=3,
        )
        _compare(*pair, fit, deviation, X, y, sample_weight)


@pytest.mark.parametrize(
    ("data", "params"),
    [
        ("digits", {"hidden_layer_sizes": (32,), "max_iter": 200}),
        ("digits", {"hidden_layer_sizes": (20, 20), "activation": "tanh", "max_iter": 40}),
        ("cancer", {"hidden_layer_sizes": (10,), "max_iter": 40}),
        ("cancer", {"hidden_layer_sizes": (30,), "activation": "logistic", "alpha": 1.0, "max_iter": 60}),
        ("diabetes", {"hidden_layer_sizes": (20,), "activation": "tanh", "max_iter": 20}),
        ("diabetes", {"hidden_layer_sizes": (), "max_iter": 100}),
    ],
)
def test_stable_runs(data, params, toy_data, make_pair, fit, deviation):
    X, y = toy_data(data)
    kind = {"digits": "multiclass", "cancer": "binary", "diabetes": "regression"}[data]
    _compare(*make_pair(kind, solver="lbfgs", random_state=0, **params), fit, deviation, X, y, tol=1e-8)


@pytest.mark.parametrize("limits", [{"max_iter": 3}, {"max_fun": 5}, {"tol": 10.0}, {"max_iter": 1, "max_fun": 1}])
def test_limits(limits, small_data, make_pair, fit, deviation):
    X, y = small_data("multiclass")
    _compare(*make_pair("multiclass", solver="lbfgs", random_state=0, **limits), fit, deviation, X, y)


def test_warnings_name_the_line_that_fits(small_data):
    X, y = small_data("binary")
    with pytest.warns(ConvergenceWarning, match="Increase the number of iterations") as caught:
        MLPClassifier(solver="lbfgs", max_iter=1).fit(X, y)
    assert caught[0].filename == __file__


def test_warm_start(small_data, make_pair, fit, deviation):
    X, y = small_data("regression")
    ref, comp = make_pair("regression", solver="lbfgs", warm_start=True, max_iter=4, random_state=0)
    for _ in range(3):
        _compare(ref, comp, fit, deviation, X, y)


def test_nothing_is_drawn_after_the_initial_weights(small_data, make_pair, fit):
    X, y = small_data("binary")
    states = []
    for model in make_pair("binary", solver="lbfgs", max_iter=3):
        rng = np.random.RandomState(5)
        fit(model.set_params(random_state=rng), X, y)
        states.append(rng.get_state()[1:])
    np.testing.assert_equal(states[1], states[0])


def test_solvers_may_change_between_warm_starts(small_data, fit):
    X, y = small_data("multiclass")
    model = MLPClassifier((6,), warm_start=True, max_iter=5, random_state=0)
    for solver in ("adam", "lbfgs", "sgd", "lbfgs", "adam"):
        before = getattr(model, "loss_", np.inf)
        fit(model.set_params(solver=solver), X, y, None)
        assert model.loss_ < before
        assert model.n_iter_ == 5
    assert len(model.loss_curve_) == 15


def test_a_fresh_fit_forgets_what_only_minibatches_know(small_data, fit):
    X, y = small_data("binary")
    model = MLPClassifier((6,), max_iter=2, random_state=0)
    fit(model, X, y, None)
    assert model.t_ == 2 * len(X)
    fit(model.set_params(solver="lbfgs"), X, y, None)
    assert model.t_ == 0
    for name in ("loss_curve_", "best_loss_", "validation_scores_", "_optimizer", "_no_improvement_count"):
        assert not hasattr(model, name), name


@pytest.mark.parametrize("kind", KINDS)
def test_float32_stays_float32(kind, small_data, make_pair, fit):
    """Scikit-learn gives float64; the numbers are those of float64, rounded at the end."""
    X, y = small_data(kind)
    single = X.astype(np.float32)
    _, comp = make_pair(kind, solver="lbfgs", hidden_layer_sizes=(6,), max_iter=8, random_state=0)
    _, wide = make_pair(kind, solver="lbfgs", hidden_layer_sizes=(6,), max_iter=8, random_state=0)
    fit(comp, single, y, None)
    fit(wide, single.astype(np.float64), y, None)
    assert all(p.dtype == np.float32 for p in (*comp.coefs_, *comp.intercepts_))
    assert comp.predict(single).dtype == (np.float32 if kind in KINDS[3:] else comp.predict(X).dtype)
    # Only the initial weights were rounded before.
    np.testing.assert_allclose(comp.loss_, wide.loss_, rtol=1e-4)


def test_verbose_prints_each_iteration(small_data, fit, capsys):
    X, y = small_data("regression")
    model = MLPRegressor(hidden_layer_sizes=(4,), solver="lbfgs", max_iter=3, verbose=True, random_state=0)
    fit(model, X, y, None)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(",")[0] for line in lines] == ["Iteration 1", "Iteration 2", "Iteration 3"]
    assert lines[-1].endswith(f"loss = {model.loss_:.8f}")


def test_weights_that_sum_to_zero(small_data, assert_unchanged):
    X, y = small_data("regression")
    weights = np.where(np.arange(len(X)) % 2, 1.0, -1.0)[: len(X) - 1]
    model = MLPRegressor(solver="lbfgs")
    with assert_unchanged(model, ValueError, "sample_weight sums to zero"):
        model.fit(X[:-1], y[:-1], sample_weight=weights)


def test_loss_grad_lbfgs_is_the_gradient_of_the_loss(small_data, fit):
    X, y = small_data("multiclass")
    model = MLPClassifier((6,), solver="lbfgs", max_iter=3, random_state=0, alpha=0.1)
    fit(model, X, y, None)
    labels = (y[:, None] == model.classes_).astype(int)
    packed = np.concatenate([p.ravel() for p in (*model.coefs_, *model.intercepts_)])

    def evaluate(place):
        return model._loss_grad_lbfgs(place, X, labels, None, [], [], [], [])

    loss, gradient = evaluate(packed)
    np.testing.assert_allclose(loss, model.loss_, rtol=1e-13)
    for index in range(0, packed.size, 7):
        step = np.zeros_like(packed)
        step[index] = 1e-5
        slope = (evaluate(packed + step)[0] - evaluate(packed - step)[0]) / 2e-5
        assert abs(slope - gradient[index]) < 1e-7
