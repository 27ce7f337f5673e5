"""An estimator among others: pickling, cloning, searching, pipelines, data frames, sparse labels, Ctrl-C."""

import inspect
import pickle
import signal
import threading
import warnings

import joblib
import numpy as np
import pytest
import scipy.sparse
import sklearn.neural_network as reference
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastbp
from fastbp import MLPClassifier, MLPRegressor, watch


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_signatures_are_scikit_learns(name, sklearn_version):
    if sklearn_version < (1, 7):
        pytest.skip("the signatures are those that scikit-learn has since 1.7")
    ref, comp = getattr(reference, name), getattr(fastbp, name)
    expected = [(p.name, p.kind, p.default) for p in inspect.signature(ref).parameters.values()]
    got = [(p.name, p.kind, p.default) for p in inspect.signature(comp).parameters.values()]
    assert got[:-2] == expected
    keyword = inspect.Parameter.KEYWORD_ONLY
    assert got[-2:] == [("n_jobs", keyword, None), ("weight_decay", keyword, 0.01)]
    public = {n for n in dir(ref) if not n.startswith("_")}
    assert public <= set(dir(comp))
    for method in ("fit", "partial_fit", "predict", "score", "set_fit_request", "set_partial_fit_request"):
        expected, got = (inspect.signature(getattr(cls, method)).parameters for cls in (ref, comp))
        assert list(got) == list(expected), method


@pytest.mark.parametrize("kind", ["multiclass", "regression"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_fitted_attributes_are_scikit_learns(kind, early_stopping, small_data, make_pair, quietly):
    X, y = small_data(kind)
    ref, comp = make_pair(kind, max_iter=3, random_state=0, early_stopping=early_stopping)
    quietly(ref.fit, X, y)
    quietly(comp.fit, X, y)
    fitted = {name for name in vars(ref) if name.endswith("_")}
    assert {name for name in vars(comp) if name.endswith("_")} == fitted
    for name in fitted:
        assert type(getattr(comp, name)) is type(getattr(ref, name)), name
    assert [type(v) for v in comp.loss_curve_] == [type(v) for v in ref.loss_curve_]


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "regression", "multioutput", "poisson"])
def test_predictions_are_scikit_learns(kind, small_data, make_pair, quietly):
    X, y = small_data(kind)
    ref, comp = make_pair(kind, max_iter=20, random_state=0, learning_rate_init=0.01)
    for model in (ref, comp):
        quietly(model.fit, X, y)
    for method in ("predict", "predict_proba", "predict_log_proba"):
        if hasattr(ref, method):
            expected, got = getattr(ref, method)(X), getattr(comp, method)(X)
            assert got.shape == expected.shape
            assert got.dtype == expected.dtype
            if got.dtype.kind == "f":
                np.testing.assert_allclose(got, expected, rtol=1e-10)
            else:
                np.testing.assert_array_equal(got, expected)
    assert comp.score(X, y) == pytest.approx(ref.score(X, y), rel=1e-10)


@pytest.mark.parametrize("dump", [pickle, joblib], ids=["pickle", "joblib"])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_pickled_training_goes_on(dump, solver, small_data, quietly, tmp_path):
    X, y = small_data("multiclass")
    model = MLPClassifier(solver=solver, max_iter=3, random_state=np.random.RandomState(0))
    quietly(model.fit, X, y)
    # Only what partial_fit has begun is likely to go on, and has the moments in its pickle.
    model.partial_fit(X, y)
    path = tmp_path / "model"
    with path.open("wb") as file:
        dump.dump(model, file)
    with path.open("rb") as file:
        again = dump.load(file)
    for estimator in (model, again):
        quietly(estimator.partial_fit, X, y)
    for a, b in zip(model.coefs_, again.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(model.predict_proba(X), again.predict_proba(X))


def test_clone_has_parameters_and_no_fit(small_data, quietly):
    X, y = small_data("regression")
    model = MLPRegressor(max_iter=2, n_jobs=1, loss="squared_error")
    quietly(model.fit, X, y)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "coefs_")


def test_search_over_a_pipeline(small_data, quietly):
    X, y = small_data("binary")
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(max_iter=5, random_state=0))
    grid = {"mlpclassifier__hidden_layer_sizes": [(3,), (4, 4)], "mlpclassifier__alpha": [0, 1]}
    search, _ = quietly(GridSearchCV(pipeline, grid, cv=2).fit, X, y)
    assert search.best_estimator_["mlpclassifier"].n_layers_ in (3, 4)
    ref = make_pipeline(StandardScaler(), reference.MLPClassifier(max_iter=5, random_state=0))
    expected, _ = quietly(cross_val_score, ref, X, y, cv=3)
    scores, _ = quietly(cross_val_score, pipeline, X, y, cv=3)
    np.testing.assert_array_equal(scores, expected)


def test_data_frames(small_data, quietly):
    pandas = pytest.importorskip("pandas")
    X, y = small_data("binary")
    frame = pandas.DataFrame(X, columns=list("abcdef"))
    model = MLPClassifier(max_iter=3, early_stopping=True, random_state=0)
    _, caught = quietly(model.fit, frame, pandas.Series(y))
    assert all("valid feature names" not in message for _, message in caught)
    assert model.feature_names_in_.tolist() == list("abcdef")
    _, caught = quietly(model.predict, frame)
    assert caught == []
    _, caught = quietly(model.predict, X)
    assert "does not have valid feature names" in caught[0][1]


def test_sparse_indicators_of_labels(small_data, quietly):
    X, y = small_data("multilabel")
    dense, sparse = (MLPClassifier(max_iter=3, random_state=0) for _ in range(2))
    quietly(dense.fit, X, y)
    quietly(sparse.fit, X, scipy.sparse.csr_matrix(y))
    np.testing.assert_array_equal(sparse.predict_proba(X), dense.predict_proba(X))
    predicted = sparse.predict(X)
    assert scipy.sparse.issparse(predicted)
    np.testing.assert_array_equal(predicted.toarray(), dense.predict(X))


def test_a_column_of_targets_is_taken_with_a_warning(small_data, quietly):
    X, y = small_data("regression")
    flat, column = (MLPRegressor(max_iter=2, random_state=0) for _ in range(2))
    quietly(flat.fit, X, y)
    _, caught = quietly(column.fit, X, y[:, None])
    assert "column-vector y was passed" in caught[0][1]
    assert column.predict(X).shape == (43,)
    np.testing.assert_array_equal(flat.coefs_[0], column.coefs_[0])


def test_threads_do_not_change_results(toy_data, quietly):
    X, y = toy_data("digits")
    models = [MLPClassifier(max_iter=2, random_state=0, n_jobs=n_jobs) for n_jobs in (None, 1, 2, 3, -1)]
    for model in models:
        quietly(model.fit, X, y)
        for a, b in zip(models[0].coefs_, model.coefs_, strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(models[0].predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_interrupt_keeps_the_weights_so_far(estimator, early_stopping, small_data, quietly):
    X, y = small_data("binary" if estimator is MLPClassifier else "regression")

    def interrupt(report):
        if report.epoch == 3:
            raise KeyboardInterrupt

    model, shorter = (estimator(max_iter=epochs, random_state=0, early_stopping=early_stopping) for epochs in (50, 3))
    with watch(interrupt):
        _, caught = quietly(model.fit, X, y)
    assert caught == [(UserWarning, "Training interrupted by user.")]
    quietly(shorter.fit, X, y)
    assert model.n_iter_ == len(model.loss_curve_) == 3
    for a, b in zip(model.coefs_, shorter.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)


def test_warnings_point_to_the_line_that_trains(small_data):
    X, y = small_data("regression")
    model = MLPRegressor(max_iter=1, batch_size=99)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        line = inspect.currentframe().f_lineno + 1
        model.fit(X, y)
    assert [w.category for w in caught] == [UserWarning, ConvergenceWarning]
    assert {(w.filename, w.lineno) for w in caught} == {(__file__, line)}


def test_interrupt_inside_the_first_epoch(small_data, quietly, monkeypatch):
    X, y = small_data("regression")

    def interrupted(self, order):
        raise KeyboardInterrupt

    monkeypatch.setattr("fastbp.training.fit.Session.epoch", interrupted)
    model = MLPRegressor(random_state=0)
    _, caught = quietly(model.fit, X, y)
    assert caught == [(UserWarning, "Training interrupted by user.")]
    assert model.n_iter_ == 0
    assert not hasattr(model, "loss_")
    assert np.isfinite(model.predict(X)).all()


def test_interrupt_by_a_signal(small_data, quietly):
    """A real Ctrl-C, at whatever moment of training it comes."""
    X, y = small_data("regression")
    timer = threading.Timer(0.05, signal.raise_signal, [signal.SIGINT])

    def start_timer(report):
        if report.epoch == 1:
            timer.start()

    model = MLPRegressor(max_iter=10**7, tol=0, n_iter_no_change=np.inf, random_state=0)
    with watch(start_timer):
        _, caught = quietly(model.fit, X, y)
    timer.join()
    assert caught == [(UserWarning, "Training interrupted by user.")]
    assert 1 <= model.n_iter_ < 10**7
    assert np.isfinite(model.predict(X)).all()


def test_an_error_in_a_callback_leaves_the_estimator(small_data, quietly, assert_unchanged):
    X, y = small_data("regression")

    def fail(report):
        raise RuntimeError("disk full")

    model = MLPRegressor(max_iter=3, warm_start=True, random_state=0)
    with assert_unchanged(model, RuntimeError, "disk full"), watch(fail):
        model.fit(X, y)
    quietly(model.fit, X, y)
    with assert_unchanged(model, RuntimeError, "disk full"), watch(fail):
        model.fit(X, y)
    with assert_unchanged(model, RuntimeError, "disk full"), watch(fail):
        model.partial_fit(X, y)


def test_metadata_routing():
    with config_context(enable_metadata_routing=True):
        for estimator in (MLPClassifier, MLPRegressor):
            model = estimator().set_fit_request(sample_weight=True).set_partial_fit_request(sample_weight=True)
            assert model.get_metadata_routing().fit.requests == {"sample_weight": True}
