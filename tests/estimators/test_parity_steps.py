"""One step and a few steps from equal initial weights: equal to scikit-learn to 1e-12 in every configuration.

A single step shows each formula by itself; a few steps over shuffled short minibatches show state and order.
Longer runs would amplify rounding (see `test_parity_runs`).
"""

import numpy as np
import pytest

from fastbp import MLPClassifier

KINDS = ("binary", "multiclass", "multilabel", "regression", "multioutput", "poisson")
ACTIVATIONS = ("identity", "logistic", "tanh", "relu")
SOLVERS = {
    "adam": {"solver": "adam"},
    "adam-betas": {"solver": "adam", "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.01},
    "sgd-heavy-ball": {"solver": "sgd", "learning_rate_init": 0.01, "nesterovs_momentum": False},
    "sgd-plain": {"solver": "sgd", "learning_rate_init": 0.01, "momentum": 0},
    "sgd-invscaling": {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.3},
    "sgd-adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 1e9, "n_iter_no_change": 1},
}


def _compare(make_pair, fit, assert_equal_state, data, kind, sample_weight, **params):
    X, y = data
    ref, comp = make_pair(kind, random_state=3, **params)
    ref_warnings = fit(ref, X, y, sample_weight)
    assert fit(comp, X, y, sample_weight) == ref_warnings
    assert_equal_state(ref, comp, 1e-12)


@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_one_step(solver, activation, kind, weighted, small_data, small_weights, make_pair, fit, assert_equal_state):
    _compare(
        make_pair,
        fit,
        assert_equal_state,
        small_data(kind),
        kind,
        small_weights if weighted else None,
        activation=activation,
        hidden_layer_sizes=(5, 4),
        alpha=0.1,
        max_iter=1,
        **SOLVERS[solver],
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_few_steps_over_shuffled_minibatches(
    solver, activation, kind, small_data, small_weights, make_pair, fit, assert_equal_state
):
    weights = small_weights if activation in ("tanh", "identity") else None
    _compare(
        make_pair,
        fit,
        assert_equal_state,
        small_data(kind),
        kind,
        weights,
        activation=activation,
        hidden_layer_sizes=(7,),
        alpha=0.01,
        max_iter=3,
        batch_size=10,
        **SOLVERS[solver],
    )


@pytest.mark.smoke
@pytest.mark.parametrize("hidden", [(), (1,), (8, 1, 8), (33,), (3, 3, 3, 3)])
@pytest.mark.parametrize("kind", KINDS)
def test_depths_and_widths(kind, hidden, small_data, make_pair, fit, assert_equal_state):
    data = small_data(kind)
    params = {"hidden_layer_sizes": hidden, "max_iter": 2, "batch_size": 17}
    _compare(make_pair, fit, assert_equal_state, data, kind, None, **params)


@pytest.mark.parametrize("batch_size", [1, 42, 43, 100, "auto"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_batch_sizes(batch_size, shuffle, small_data, make_pair, fit, assert_equal_state):
    data = small_data("multiclass")
    params = {"hidden_layer_sizes": 4, "max_iter": 1, "batch_size": batch_size, "shuffle": shuffle}
    _compare(make_pair, fit, assert_equal_state, data, "multiclass", None, **params)


@pytest.mark.parametrize("alpha", [0, 1e-4, 10])
def test_alpha(alpha, small_data, make_pair, fit, assert_equal_state):
    data = small_data("binary")
    params = {"hidden_layer_sizes": 4, "max_iter": 1, "batch_size": 10, "alpha": alpha}
    _compare(make_pair, fit, assert_equal_state, data, "binary", None, **params)


def test_negative_sample_weights_are_accepted(small_data, small_weights, make_pair, fit, assert_equal_state):
    data, weights = small_data("regression"), small_weights.copy()
    weights[3] = -0.5
    params = {"hidden_layer_sizes": 4, "max_iter": 1, "activation": "tanh"}
    _compare(make_pair, fit, assert_equal_state, data, "regression", weights, **params)


@pytest.mark.parametrize("order", ["F", "strided", "readonly", "list", "int"])
def test_memory_layouts(order, small_data, make_pair, fit, assert_equal_state):
    X, y = small_data("multiclass")
    if order == "F":
        X = np.asfortranarray(X)
    elif order == "strided":
        X = np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3]
    elif order == "readonly":
        X = X.copy()
        X.flags.writeable = False
    elif order == "list":
        X, y = X.tolist(), y.tolist()
    else:
        X = (10 * X).astype(int)
    params = {"hidden_layer_sizes": 4, "max_iter": 2, "batch_size": 10}
    _compare(make_pair, fit, assert_equal_state, (X, y), "multiclass", None, **params)


def test_the_comparison_notices_a_wrong_step(small_data, make_pair, quietly, deviation):
    X, y = small_data("binary")
    ref, _ = make_pair("binary", max_iter=1, random_state=3)
    wrong = MLPClassifier(max_iter=1, random_state=3, alpha=1.001e-4)
    quietly(ref.fit, X, y)
    quietly(wrong.fit, X, y)
    assert deviation(ref, wrong) > 1e-12
