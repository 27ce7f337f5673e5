"""Sparse `X` and sparse `y` compared with scikit-learn, and with the same numbers in a dense array."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

from fastbp import MLPClassifier, MLPRegressor

KINDS = ("binary", "multiclass", "multilabel", "regression", "multioutput", "poisson")
FORMATS = (sp.csr_matrix, sp.csr_array, sp.csc_matrix, sp.csc_array, sp.coo_matrix, sp.coo_array)


def _thin(X):
    """Return `X` with most elements zero, an empty row and an empty column."""
    X = np.where(np.random.RandomState(0).rand(*X.shape) < 0.3, X, 0)
    X[4] = 0
    X[:, 2] = 0
    return X


def _wide_indices(X):
    X = sp.csr_array(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("kind", KINDS)
def test_fit_and_predict(kind, solver, small_data, make_pair, fit, deviation):
    X, y = small_data(kind)
    X = _thin(X)
    params = {"solver": solver, "hidden_layer_sizes": (7, 3), "max_iter": 4, "batch_size": 10, "random_state": 1}
    ref, comp = make_pair(kind, **params)
    assert fit(comp, sp.csr_array(X), y) == fit(ref, sp.csr_array(X), y)
    assert deviation(ref, comp) < 1e-12
    for rows in (slice(None), slice(1), slice(3, 6)):
        names = ["predict_proba"] if hasattr(comp, "predict_proba") else ["predict"]
        for name in names:
            expected, got = getattr(ref, name)(X[rows]), getattr(comp, name)(sp.csr_array(X[rows]))
            np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_array_equal(comp.predict(sp.csr_array(X[rows])), comp.predict(X[rows]))


@pytest.mark.parametrize("make", [*FORMATS, _wide_indices], ids=lambda make: make.__name__)
def test_formats(make, small_data, fit):
    X, y = small_data("multiclass")
    X = _thin(X)
    ref, comp = (MLPClassifier((6,), max_iter=3, batch_size=10, random_state=0) for _ in range(2))
    fit(ref, sp.csr_array(X), y)
    matrix = make(X)
    before = matrix.copy()
    fit(comp, matrix, y)
    assert (matrix != before).nnz == 0
    for p, q in zip(ref.coefs_, comp.coefs_, strict=True):
        np.testing.assert_array_equal(p, q)
    np.testing.assert_array_equal(comp.predict_proba(matrix), ref.predict_proba(sp.csr_array(X)))
    np.testing.assert_allclose(comp.predict_log_proba(matrix), ref.predict_log_proba(X), rtol=1e-12)
    assert comp.score(matrix, y) == ref.score(X, y)


def test_partial_fit(small_data, make_pair, quietly, deviation):
    X, y = small_data("multiclass")
    X = _thin(X)
    ref, comp = make_pair("multiclass", hidden_layer_sizes=(6,), random_state=0)
    for model in (ref, comp):
        for part in (slice(20), slice(20, None), slice(None)):
            quietly(model.partial_fit, sp.csr_array(X[part]), y[part], classes=[5, 6, 7])
    assert deviation(ref, comp) < 1e-12


def test_early_stopping(small_data, make_pair, fit, deviation):
    X, y = small_data("binary")
    X, y = _thin(X), y == "yes"  # of strings, scikit-learn 1.6 to 1.8 cannot take the score
    ref, comp = make_pair("binary", early_stopping=True, validation_fraction=0.3, max_iter=15, random_state=0)
    for make in (sp.csr_array, sp.csc_array):
        assert fit(comp, make(X), y) == fit(ref, make(X), y)
        assert comp.validation_scores_ == ref.validation_scores_
        assert deviation(ref, comp) < 1e-10


def test_sparse_labels(small_data, make_pair, fit):
    X, y = small_data("multilabel")
    for make in (sp.csr_array, sp.csr_matrix):
        ref, comp = make_pair("multilabel", max_iter=3, random_state=0)
        fit(ref, sp.csr_array(X), make(y))
        fit(comp, sp.csr_array(X), make(y))
        expected, got = ref.predict(X), comp.predict(sp.csr_array(X))
        assert sp.issparse(expected)
        assert sp.issparse(got)
        np.testing.assert_array_equal(got.toarray(), expected.toarray())


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_precision(solver, small_data, fit):
    X, y = small_data("regression")
    X = sp.csr_array(_thin(X).astype(np.float32))
    model = MLPRegressor(hidden_layer_sizes=(6,), solver=solver, max_iter=3, random_state=0)
    fit(model, X, y)
    assert all(p.dtype == np.float32 for p in model.coefs_)
    assert model.predict(X).dtype == np.float32
    np.testing.assert_array_equal(model.predict(X.astype(np.float64)), model.predict(X))
    with pytest.raises(ValueError, match="X contains infinity or a value too large"):
        model.predict(X.astype(np.float64) * 1e300)
    fit(model, (X * 10).astype(int), y)
    assert all(p.dtype == np.float64 for p in model.coefs_)


def test_threads_do_not_change_results(small_data, fit):
    X, y = small_data("multiclass")
    models = [MLPClassifier((30,), max_iter=3, random_state=0, n_jobs=n_jobs) for n_jobs in (1, 2, 3)]
    for model in models:
        fit(model, sp.csr_array(_thin(X)), y)
    for model in models[1:]:
        for p, q in zip(models[0].coefs_, model.coefs_, strict=True):
            np.testing.assert_array_equal(p, q)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_nothing_as_large_as_the_dense_matrix_is_made(solver, fit):
    n, k = 4000, 20_000
    rng = np.random.default_rng(0)
    columns = rng.integers(k, size=(n, 5))
    X = sp.csr_array((rng.random(5 * n), columns.ravel(), np.arange(0, 5 * n + 1, 5)), shape=(n, k))
    y = rng.standard_normal(n)
    model = MLPRegressor(hidden_layer_sizes=(4,), solver=solver, max_iter=1, random_state=0)
    fit(model, X[:300], y[:300])
    tracemalloc.start()
    fit(model, X, y)
    model.predict(X)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The weights of the first layer are kept in panels of up to 24 columns, with moments; L-BFGS keeps 25 vectors.
    parameters = 24 * k * 8
    assert peak < (8 if solver == "adam" else 16) * parameters < n * k * 8 / 8
