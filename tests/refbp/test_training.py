"""Complete runs against scikit-learn's: parameters, losses, epochs, learning rates, random numbers used."""

import numpy as np
import pytest

import refbp
from refbp.training import slices

neural_network = pytest.importorskip("sklearn.neural_network")
pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer. Maximum iterations")

TASKS = ["binary", "multiclass", "multilabel", "regression", "multioutput", "poisson"]


def data(task, n=70, seed=0):
    """Draw a small data set: x (n, 6), y as an estimator takes it, and weights (n,)."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 6))
    signal = x @ rng.standard_normal((6, 3)) + 0.3 * rng.standard_normal((n, 3))
    y = {
        "binary": lambda: np.where(signal[:, 0] > 0, "yes", "no"),
        "multiclass": lambda: signal.argmax(axis=1),
        "multilabel": lambda: (signal > 0).astype(int),
        "regression": lambda: signal[:, 0],
        "multioutput": lambda: signal,
        "poisson": lambda: rng.poisson(np.exp(signal[:, 0] / 4)).astype(float),
    }[task]()
    return x, y, rng.uniform(0.2, 2.0, n)


def estimator(task, **parameters):
    """Make scikit-learn's estimator for a task, with settings that suit a short run."""
    parameters = {
        "hidden_layer_sizes": (7, 5),
        "max_iter": 12,
        "random_state": 3,
        "batch_size": 16,
        "learning_rate_init": 0.01,
        "alpha": 0.05,
        **parameters,
    }
    if task in ("binary", "multiclass", "multilabel"):
        return neural_network.MLPClassifier(**parameters)
    loss = "poisson" if task == "poisson" else "squared_error"
    return neural_network.MLPRegressor(loss=loss, **parameters)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("activation", ["identity", "relu", "logistic", "tanh"])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_every_task_and_activation(task, activation, solver, check_run):
    x, y, _ = data(task)
    check_run(estimator(task, activation=activation, solver=solver), x, y)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("task", ["multiclass", "regression", "multioutput", "poisson"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_where_the_operations_are_the_same_so_is_every_bit(task, activation, solver, fit_with_refbp):
    x, y, weight = data(task)
    ref = estimator(task, activation=activation, solver=solver)
    comp = fit_with_refbp(ref, x, y, weight)
    ref.fit(x, y, sample_weight=weight)
    for r, c in zip(ref.coefs_ + ref.intercepts_, comp.weights + comp.biases, strict=True):
        np.testing.assert_array_equal(c, r)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_sample_weight(task, solver, check_run):
    check_run(estimator(task, solver=solver), *data(task))


@pytest.mark.parametrize("learning_rate", ["constant", "invscaling", "adaptive"])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("nesterovs_momentum", [False, True])
def test_sgd_schedules_and_momentum(learning_rate, momentum, nesterovs_momentum, check_run):
    x, y, _ = data("multiclass")
    ref = estimator(
        "multiclass",
        solver="sgd",
        learning_rate=learning_rate,
        learning_rate_init=0.1,
        momentum=momentum,
        nesterovs_momentum=nesterovs_momentum,
        n_iter_no_change=1,
        tol=0.05,
        max_iter=40,
    )
    check_run(ref, x, y)
    assert (ref._optimizer.learning_rate < 0.1) == (learning_rate != "constant")


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("hidden_layer_sizes", [(), (4,), (5, 4, 3)])
@pytest.mark.parametrize("batch_size", ["auto", 1, 33, 70])
def test_shuffle_depth_and_batch_size(shuffle, hidden_layer_sizes, batch_size, check_run):
    x, y, weight = data("multilabel")
    ref = estimator(
        "multilabel",
        shuffle=shuffle,
        hidden_layer_sizes=hidden_layer_sizes,
        batch_size=batch_size,
        max_iter=4,
    )
    check_run(ref, x, y, weight)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("weighted", [False, True])
def test_early_stopping(task, weighted, check_run):
    x, y, weight = data(task)
    ref = estimator(task, early_stopping=True, validation_fraction=0.25, n_iter_no_change=3, max_iter=60, tol=0.01)
    check_run(ref, x, y, weight if weighted else None)
    assert ref.n_iter_ < 60


def test_stops_when_the_loss_no_longer_falls(check_run):
    x, y, _ = data("regression")
    ref = estimator("regression", tol=0.02, n_iter_no_change=2, max_iter=300)
    check_run(ref, x, y)
    assert ref.n_iter_ < 300
    assert ref._no_improvement_count == 3


def test_never_stops_with_infinite_patience(check_run):
    x, y, _ = data("binary")
    check_run(estimator("binary", tol=10.0, n_iter_no_change=np.inf, max_iter=20), x, y)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_warm_start(solver, fit_with_refbp, same_run):
    """Same parameters and history, new optimizer, and the random numbers from the start."""
    x, y, _ = data("multiclass")
    ref = estimator("multiclass", solver=solver, warm_start=True, max_iter=5)
    run = None
    for _ in range(3):
        run = fit_with_refbp(ref, x, y, before=run)
        ref.fit(x, y)
        same_run(ref, run)
    assert len(run.history.loss_curve) == 15
    assert run.history.n_iter == 5


def test_warm_start_after_stopping_stops_at_once(fit_with_refbp, same_run):
    x, y, _ = data("regression")
    ref = estimator("regression", warm_start=True, tol=0.02, n_iter_no_change=2, max_iter=300)
    run = fit_with_refbp(ref, x, y)
    ref.fit(x, y)
    run = fit_with_refbp(ref, x, y, before=run)
    ref.fit(x, y)
    same_run(ref, run)
    assert run.history.n_iter == 1


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("task", TASKS)
def test_partial_fit(task, solver, fit_with_refbp, same_run):
    """Same parameters, history and optimizer; after a whole fit as well."""
    x, y, weight = data(task)
    ref = estimator(task, solver=solver, learning_rate="invscaling")
    is_classifier = task in ("binary", "multiclass", "multilabel")
    run = None
    for _ in range(3):
        run = fit_with_refbp(ref, x, y, weight, before=run, partial=True)
        keywords = {"classes": np.arange(3) if y.ndim == 2 else np.unique(y)} if is_classifier else {}
        ref.partial_fit(x, y, weight, **keywords)
        same_run(ref, run)
        assert run.history.n_iter == 1
    run = fit_with_refbp(ref, x, y, weight)
    ref.fit(x, y, weight)
    run = fit_with_refbp(ref, x, y, weight, before=run, partial=True)
    ref.partial_fit(x, y, weight)
    same_run(ref, run)


def test_warm_start_with_early_stopping_keeps_the_best(fit_with_refbp):
    """Where scikit-learn loses the best weights, the ones handed back are those with the best score."""
    x, y, _ = data("multiclass")
    settings = {"early_stopping": True, "validation_fraction": 0.25, "max_iter": 30}
    run = fit_with_refbp(estimator("multiclass", **settings), x, y)
    best, kept = run.history.best_validation_score, [w.copy() for w in run.weights]
    worse = estimator("multiclass", **settings, learning_rate_init=3.0)
    run = fit_with_refbp(worse, x, y, before=run)
    assert run.history.best_validation_score == best
    assert max(run.history.validation_scores[30:]) < best
    for r, c in zip(kept, run.weights, strict=True):
        np.testing.assert_array_equal(c, r)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression", "poisson"])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("target_dtype", [np.float32, np.float64])
def test_float32(task, solver, target_dtype, fit_with_refbp, same_run):
    """The same mixture of precisions as scikit-learn's, so nearly the same numbers as well."""
    x, y, weight = data(task)
    x, weight = x.astype(np.float32), weight.astype(np.float32)
    y = y.astype(target_dtype) if y.dtype == np.float64 else y
    ref = estimator(task, solver=solver, max_iter=5)
    run = fit_with_refbp(ref, x, y, weight)
    ref.fit(x, y, weight)
    same_run(ref, run, rtol=1e-5)
    assert all(p.dtype == np.float32 for p in run.weights + run.biases)


def test_parameters_that_are_not_finite_are_an_error():
    rng = np.random.RandomState(0)
    weights, biases = refbp.initialize([2, 3, 1], "relu", rng)
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="non-finite parameter weights"):
        refbp.train(
            *(weights, biases, refbp.SGD(1e30), rng.randn(10, 2), rng.randn(10, 1)),
            activation="relu",
            loss="squared_error",
            weight_decay=0.0,
            batch_size=5,
            max_epochs=20,
            rng=rng,
            history=refbp.History(),
        )


def test_arrays_are_trained_in_place():
    rng = np.random.RandomState(0)
    weights, biases = refbp.initialize([2, 1], "relu", rng)
    w, before = weights[0], weights[0].copy()
    history = refbp.History()
    refbp.train(
        *(weights, biases, refbp.Adam(), rng.randn(10, 2), rng.randn(10, 1)),
        activation="relu",
        loss="squared_error",
        weight_decay=0.0,
        batch_size=5,
        max_epochs=2,
        rng=None,
        history=history,
    )
    assert weights[0] is w
    assert (w != before).all()
    assert (history.n_iter, history.t, history.stop_reason) == (2, 20, "max_epochs")


@pytest.mark.parametrize("n", [1, 5, 6])
@pytest.mark.parametrize("batch_size", [-1, 1, 2, 5, 99])
def test_slices_cover_everything_once(n, batch_size):
    parts = [np.arange(n)[s] for s in slices(n, batch_size)]
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(n))
    assert {len(part) for part in parts[:-1]} <= {max(batch_size, 1)}
