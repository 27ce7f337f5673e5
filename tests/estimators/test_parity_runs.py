"""Whole trainings: equal weights, epochs, messages, warnings and random numbers used.

Only runs in which rounding is not amplified: two correct programs that sum in different orders stay within
1e-9 of each other here. In others (large learning rates, many steps, tanh on unscaled targets) they may end
up anywhere.
"""

import numpy as np
import pytest
from sklearn.utils import check_random_state

STABLE = {
    "digits-adam-relu": ("digits", {"hidden_layer_sizes": 32, "max_iter": 60}),
    "digits-adam-tanh": ("digits", {"hidden_layer_sizes": 32, "max_iter": 60, "activation": "tanh"}),
    "digits-adam-stops": ("digits", {"hidden_layer_sizes": 16, "learning_rate_init": 0.01, "tol": 1e-3}),
    "cancer-adam": ("cancer", {"hidden_layer_sizes": 20, "batch_size": 10, "max_iter": 40}),
    "cancer-sgd": (
        "cancer",
        {
            "hidden_layer_sizes": 20,
            "batch_size": 10,
            "max_iter": 40,
            "solver": "sgd",
            "learning_rate_init": 0.1,
        },
    ),
    "cancer-sgd-logistic": (
        "cancer",
        {"activation": "logistic", "max_iter": 300, "solver": "sgd", "learning_rate_init": 0.2, "tol": 1e-3},
    ),
    "cancer-adaptive": (
        "cancer",
        {
            "solver": "sgd",
            "learning_rate": "adaptive",
            "tol": 0.01,
            "learning_rate_init": 0.1,
            "max_iter": 500,
        },
    ),
    "cancer-invscaling": (
        "cancer",
        {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.5, "max_iter": 30},
    ),
    "cancer-early-stopping": (
        "cancer",
        {"early_stopping": True, "hidden_layer_sizes": 10, "learning_rate_init": 0.01, "n_iter_no_change": 5},
    ),
    "digits-early-stopping": (
        "digits",
        {
            "early_stopping": True,
            "hidden_layer_sizes": 20,
            "validation_fraction": 0.3,
            "learning_rate_init": 0.01,
        },
    ),
    "cancer-early-stopping-adaptive": (
        "cancer",
        {
            "early_stopping": True,
            "solver": "sgd",
            "learning_rate": "adaptive",
            "learning_rate_init": 0.05,
            "n_iter_no_change": 2,
        },
    ),
    "diabetes-adam": (
        "diabetes",
        {"hidden_layer_sizes": (50, 50), "batch_size": 16, "learning_rate_init": 0.01, "max_iter": 30},
    ),
    "diabetes-early-stopping": (
        "diabetes",
        {"early_stopping": True, "hidden_layer_sizes": 20, "learning_rate_init": 0.01, "max_iter": 60},
    ),
    "diabetes-stops": (
        "diabetes",
        {"hidden_layer_sizes": 5, "tol": 20, "learning_rate_init": 0.05, "shuffle": False, "max_iter": 500},
    ),
}


def _decisions(printed):
    """Return the printed lines without the numbers, which may differ in their last digit."""
    return [line.split(" = ")[0].split(": ")[0] for line in printed.splitlines()]


@pytest.mark.parametrize("name", STABLE)
def test_stable_run(name, toy_data, make_pair, fit, assert_equal_state, capsys):
    dataset, params = STABLE[name]
    X, y = toy_data(dataset)
    weights = np.random.RandomState(1).uniform(0.5, 2, len(y)) if "sgd" in name else None
    ref, comp = make_pair("regression" if dataset == "diabetes" else "binary", verbose=True, **params)
    printed, warned, positions = [], [], []
    for model in (ref, comp):
        rng = np.random.RandomState(5)
        caught = fit(model.set_params(random_state=rng), X, y, weights)
        printed.append(_decisions(capsys.readouterr().out))
        warned.append(caught)
        positions.append(rng.randint(2**31, size=4).tolist())
    assert_equal_state(ref, comp, 1e-9)
    assert printed[0] == printed[1]
    assert warned[0] == warned[1]
    assert positions[0] == positions[1]
    np.testing.assert_allclose(ref.predict(X[:50]), comp.predict(X[:50]), rtol=1e-9)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "regression", "multioutput", "poisson"])
@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
def test_early_stopping_of_every_kind(
    kind, weighted, small_data, small_weights, make_pair, fit, assert_equal_state, sklearn_version
):
    if kind == "binary" and sklearn_version < (1, 9):
        pytest.skip("scikit-learn 1.6 to 1.8 fail to stop early on labels that are strings")
    X, y = small_data(kind)
    ref, comp = make_pair(
        kind, early_stopping=True, random_state=0, max_iter=40, n_iter_no_change=3, validation_fraction=0.3
    )
    for model in (ref, comp):
        fit(model, X, y, small_weights if weighted else None)
    assert_equal_state(ref, comp, 1e-10)
    assert type(comp.validation_scores_[-1]) is float


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("seed", ["int", "instance"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_warm_starts(solver, seed, early_stopping, small_data, make_pair, quietly, assert_equal_state):
    X, y = small_data("regression")
    ref, comp = make_pair(
        "regression",
        solver=solver,
        warm_start=True,
        max_iter=12,
        n_iter_no_change=3,
        tol=1e-3,
        early_stopping=early_stopping,
    )
    for model in (ref, comp):
        model.set_params(random_state=11 if seed == "int" else np.random.RandomState(11))
        for _ in range(3):
            quietly(model.fit, X, y)
            if early_stopping:
                # scikit-learn trains its best weights in place in the next fit; a copy makes it comparable.
                model._best_coefs = [w.copy() for w in model.coefs_]
                model._best_intercepts = [b.copy() for b in model.intercepts_]
    assert_equal_state(ref, comp, 1e-11)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "regression", "multioutput", "poisson"])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("seed", ["int", "instance"])
def test_partial_fit(kind, solver, seed, small_data, make_pair, quietly, assert_equal_state):
    X, y = small_data(kind)
    classes = {"binary": ["yes", "no"], "multiclass": [5, 6, 7], "multilabel": [0, 1, 2]}.get(kind)
    declared = {} if classes is None else {"classes": classes}
    ref, comp = make_pair(kind, solver=solver, batch_size=10)
    for model in (ref, comp):
        model.set_params(random_state=2 if seed == "int" else np.random.RandomState(2))
        for part in (slice(0, 20), slice(20, 43), slice(0, 43)):
            quietly(model.partial_fit, X[part], y[part], **declared)
    assert_equal_state(ref, comp, 1e-12)


def test_partial_fit_continues_a_fit(small_data, make_pair, quietly, assert_equal_state):
    X, y = small_data("multiclass")
    ref, comp = make_pair("multiclass", solver="adam", max_iter=4, random_state=0)
    for model in (ref, comp):
        quietly(model.fit, X, y)
        quietly(model.partial_fit, X[:9], y[:9])
    assert_equal_state(ref, comp, 1e-12)
    assert comp._optimizer.t == 5


def test_partial_fit_reacts_to_stagnation(small_data, make_pair, quietly, assert_equal_state, capsys):
    X, y = small_data("binary")
    ref, comp = make_pair(
        "binary",
        solver="sgd",
        learning_rate="adaptive",
        tol=10,
        n_iter_no_change=1,
        random_state=0,
        verbose=1,
    )
    for model in (ref, comp):
        for _ in range(6):
            quietly(model.partial_fit, X, y, classes=["no", "yes"])
    lines = _decisions(capsys.readouterr().out)
    assert lines[: len(lines) // 2] == lines[len(lines) // 2 :]
    assert_equal_state(ref, comp, 1e-12)


def test_global_random_state_is_the_default(small_data, make_pair, quietly, assert_equal_state):
    X, y = small_data("binary")
    ref, comp = make_pair("binary", max_iter=3)
    shared = check_random_state(None)
    state = shared.get_state()
    try:
        for model in (ref, comp):
            shared.seed(4)
            quietly(model.fit, X, y)
    finally:
        shared.set_state(state)
    assert_equal_state(ref, comp, 1e-12)
