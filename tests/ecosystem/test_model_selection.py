"""Searches, curves and splits, one after the other and in joblib's workers."""

import warnings

import joblib
import numpy as np
import pytest
import sklearn.experimental.enable_halving_search_cv
from sklearn.base import clone
from sklearn.metrics import make_scorer, matthews_corrcoef
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    RandomizedSearchCV,
    ShuffleSplit,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)

WORKERS = {
    "alone": {"n_jobs": None},
    "threading": {"backend": "threading", "n_jobs": 2},
    "loky": {"backend": "loky", "n_jobs": 2},
}

each_backend = pytest.mark.parametrize("workers", WORKERS.values(), ids=WORKERS)


@pytest.fixture
def quiet_workers(monkeypatch):
    """Processes that tell of no convergence that fails, which the main process would not hear of anyway."""
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")


def told(search):
    """What a search has found out, times left out."""
    scores = {name: values for name, values in search.cv_results_.items() if "time" not in name and "param" not in name}
    return {name: np.asarray(values) for name, values in scores.items()} | {
        "params": search.cv_results_["params"],
        "best": (search.best_params_, search.best_index_, float(search.best_score_)),
    }


GRIDS = {
    "solvers": {"solver": ["adam", "sgd", "lbfgs"], "alpha": [1e-4, 1.0]},
    "layers": {"hidden_layer_sizes": [(), 5, (6,), (4, 3), [5, 5]], "activation": ["relu", "tanh"]},
    "stopping": {"early_stopping": [False, True], "n_iter_no_change": [2, 10]},
    "schedules": [{"solver": ["sgd"], "learning_rate": ["constant", "invscaling", "adaptive"]}, {"batch_size": [30]}],
}


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_grid_search_of_classifiers(grid, digits, same, small):
    X, y = digits

    def program(mlp):
        search = GridSearchCV(small.classifier(mlp), grid, cv=3, return_train_score=True).fit(X, y)
        return told(search), search.predict(X), search.predict_proba(X), search.n_features_in_

    same(program)


@each_backend
def test_grid_search_of_regressors_in_workers(workers, diabetes, same, small, quiet_workers):
    X, y = diabetes

    def program(mlp):
        with joblib.parallel_config(**workers), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            search = GridSearchCV(
                small.regressor(mlp),
                {"solver": ["adam", "lbfgs"], "early_stopping": [False, True]},
                scoring=["r2", "neg_mean_absolute_error"],
                refit="r2",
                cv=3,
            )
            return told(search.fit(X, y)), search.predict(X)

    same(program)


@each_backend
def test_arrays_that_joblib_puts_into_files(workers, same, small, quiet_workers):
    """Processes get large arrays as files in memory that cannot be written to."""
    X = np.random.RandomState(0).standard_normal((300, 20))
    y = X[:, 0] > X[:, 1]

    def program(mlp):
        model = small.classifier(mlp, max_iter=3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parallel = joblib.Parallel(**workers, max_nbytes=1000)
            fitted = parallel(joblib.delayed(fit)(model, X, y, part) for part in range(4))
        return [(m.coefs_, m.predict_proba(X)) for m in fitted]

    same(program)


def fit(model, X, y, part):
    return clone(model).set_params(random_state=part).fit(X, y)


def test_one_estimator_in_many_threads(digits, same, small):
    X, y = digits

    def program(mlp):
        model = small.classifier(mlp).fit(X, y)
        with joblib.parallel_config(backend="threading", n_jobs=4):
            return joblib.Parallel()(joblib.delayed(model.predict_proba)(X[i::20]) for i in range(20))

    same(program)


def test_random_search(digits, same, small):
    X, y = digits
    settings = {"alpha": np.logspace(-5, 1, 50), "hidden_layer_sizes": [(4,), (9,), (3, 3)]}

    def program(mlp):
        search = RandomizedSearchCV(small.classifier(mlp), settings, n_iter=5, cv=2, random_state=3)
        return told(search.fit(X, y))

    same(program)


@pytest.mark.parametrize("kind", ["HalvingGridSearchCV", "HalvingRandomSearchCV"])
@pytest.mark.parametrize("resource", ["n_samples", "max_iter"])
def test_halving(kind, resource, digits, same, small):
    X, y = digits
    settings = {"alpha": [1e-4, 1e-2, 1.0], "learning_rate_init": [0.001, 0.01, 0.1]}

    def program(mlp):
        limits = {} if resource == "n_samples" else {"max_resources": 18}
        halving = getattr(sklearn.model_selection, kind)
        search = halving(small.classifier(mlp), settings, resource=resource, cv=2, random_state=0, **limits)
        return told(search.fit(X, y)), search.n_resources_, search.n_candidates_

    same(program)


def test_settings_that_fail_are_reported_alike(digits, same, small):
    X, y = digits
    grid = {"hidden_layer_sizes": [(4,), (0,)], "alpha": [1e-4, -1.0]}

    def program(mlp):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they quote lines of the sources
            return told(GridSearchCV(small.classifier(mlp), grid, cv=2, error_score=0.0).fit(X, y))

    ref = same(program)
    assert (ref["mean_test_score"] == 0).sum() == 3
    same.error(lambda mlp: GridSearchCV(small.classifier(mlp), grid, cv=2, error_score="raise").fit(X, y))


@pytest.mark.parametrize("incremental", [False, True])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_learning_curve(incremental, solver, digits, same, small):
    X, y = digits

    def program(mlp):
        model = small.classifier(mlp, solver=solver)
        return learning_curve(
            model,
            X,
            y,
            train_sizes=[0.1, 0.4, 1.0],
            cv=ShuffleSplit(2, random_state=0),
            exploit_incremental_learning=incremental,
            shuffle=True,
            random_state=1,
        )

    same(program)


def test_learning_curve_of_a_regressor(diabetes, same, small):
    X, y = diabetes
    same(lambda mlp: learning_curve(small.regressor(mlp), X, y, exploit_incremental_learning=True, cv=3))


def test_learning_curve_without_partial_fit(digits, same, small):
    X, y = digits
    text = same.error(
        lambda mlp: learning_curve(small.classifier(mlp, solver="lbfgs"), X, y, exploit_incremental_learning=True)
    )
    assert "partial_fit" in text


def test_validation_curve(digits, same, small):
    X, y = digits
    same(
        lambda mlp: validation_curve(
            small.classifier(mlp), X, y, param_name="alpha", param_range=np.logspace(-4, 2, 4), cv=2
        )
    )


def test_cross_validation(digits, same, small):
    X, y = digits

    def program(mlp):
        model = small.classifier(mlp)
        result = cross_validate(
            model,
            X,
            y,
            cv=3,
            scoring={"accuracy": "accuracy", "log": "neg_log_loss", "mcc": make_scorer(matthews_corrcoef)},
            return_train_score=True,
            return_estimator=True,
            return_indices=True,
        )
        scores = {name: values for name, values in result.items() if name.endswith(("_log", "_mcc", "_accuracy"))}
        return scores, [m.coefs_ for m in result["estimator"]], result["indices"]

    same(program)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba"])
def test_cross_val_predict(method, digits, same, small):
    X, y = digits
    same(lambda mlp: cross_val_predict(small.classifier(mlp), X, y, cv=3, method=method))


def test_groups(diabetes, same, small):
    X, y = diabetes
    groups = np.arange(200) // 9
    same(lambda mlp: cross_val_score(small.regressor(mlp), X, y, groups=groups, cv=GroupKFold(3)))


def test_permutation_test(diabetes, same, small):
    X, y = diabetes
    same(lambda mlp: permutation_test_score(small.regressor(mlp), X, y, n_permutations=3, cv=2, random_state=0))


def test_tuned_threshold(cancer, same, small):
    X, y = cancer

    def program(mlp):
        model = TunedThresholdClassifierCV(small.classifier(mlp, max_iter=2), cv=3, store_cv_results=True).fit(X, y)
        return model.best_threshold_, model.best_score_, model.cv_results_, model.predict(X)

    same(program)
