"""What was wrong once: attributes set by hand, arguments on the edge, and errors in scikit-learn's words."""

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.neural_network as reference

from fastbp import MLPClassifier, MLPRegressor

ROWS = [slice(1), slice(3), slice(40), slice(None)]


def _pair(kind, make_pair, fit, small_data):
    X, y = small_data(kind)
    X, y = np.tile(X, (3, 1)), np.concatenate([y] * 3)
    pair = make_pair(kind, hidden_layer_sizes=(4, 3), max_iter=2, random_state=0)
    for model in pair:
        fit(model, X, y)
    return *pair, X, y


def _predictions(model, X):
    for rows in ROWS:
        yield from (model.predict(X[rows]), model.predict(sp.csr_array(X[rows])))
        if hasattr(model, "predict_proba"):
            yield model.predict_proba(X[rows])


BY_HAND = {
    "weights of float32": (lambda p: p.astype(np.float32), None),
    "biases of float32": (None, lambda p: p.astype(np.float32)),
    "big-endian": (lambda p: p.astype(">f8"), lambda p: p.astype(">f8")),
    "integers": (lambda p: np.round(9 * p).astype(int), None),
    "long doubles": (lambda p: p.astype(np.longdouble), None),
    "column by column": (np.asfortranarray, None),
    "strided": (lambda p: np.repeat(p, 2, axis=1)[:, ::2], lambda p: np.repeat(p, 2)[::2]),
    "lists of biases": (None, lambda p: p.tolist()),
}


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("change", BY_HAND)
def test_parameters_set_by_hand_may_be_any_arrays(change, kind, make_pair, fit, small_data):
    """Kernels read them by address: weights and biases of two types once gave garbage for a few rows."""
    ref, comp, X, _ = _pair(kind, make_pair, fit, small_data)
    for name, convert in zip(("coefs_", "intercepts_"), BY_HAND[change], strict=True):
        for model in (ref, comp):
            if convert is not None:
                setattr(model, name, [convert(p) for p in getattr(model, name)])
    for got, expected in zip(_predictions(comp, X), _predictions(ref, X), strict=True):
        if got.dtype.kind == "f":
            np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-12)
        else:
            np.testing.assert_array_equal(got, expected)


WRONG_SHAPES = {
    "fewer inputs": ("coefs_", 0, lambda p: p[:2]),
    "more inputs": ("coefs_", 0, lambda p: np.vstack([p] * 40)),
    "more than the layer before": ("coefs_", 1, lambda p: np.vstack([p] * 400)),
    "fewer than the layer before": ("coefs_", 1, lambda p: p[:2]),
    "one dimension": ("coefs_", 1, np.ravel),
    "long biases": ("intercepts_", 0, lambda p: np.ones(5000)),
    "short biases": ("intercepts_", 1, lambda p: p[:1]),
    "biases in a matrix": ("intercepts_", 0, lambda p: p[None]),
}


@pytest.mark.parametrize("change", WRONG_SHAPES)
def test_parameters_set_by_hand_must_fit_each_other(change, make_pair, fit, small_data, assert_unchanged):
    """Kernels wrote outside of their arrays once."""
    _, model, X, y = _pair("regression", make_pair, fit, small_data)
    name, layer, convert = WRONG_SHAPES[change]
    setattr(model, name, [convert(p) if i == layer else p for i, p in enumerate(getattr(model, name))])
    for rows in ROWS:
        for samples in (X[rows], sp.csr_array(X[rows])):
            with pytest.raises(ValueError, match=r"(weights|biases)\[\d\] must "):
                model.predict(samples)
    for solver in ("adam", "lbfgs"):
        model.set_params(solver=solver, warm_start=True)
        with assert_unchanged(model, ValueError, "hidden_layer_sizes=|coefs_ have shapes|intercepts_ have shapes"):
            model.fit(X, y)


def test_moments_of_another_network(small_data, assert_unchanged):
    X, y = small_data("regression")
    model = MLPRegressor(hidden_layer_sizes=(4,)).partial_fit(X, y)
    model.coefs_, model.intercepts_ = [np.ones((6, 400)), np.ones((400, 1))], [np.ones(400), np.ones(1)]
    model.set_params(hidden_layer_sizes=(400,))
    with assert_unchanged(model, ValueError, r"\[0\] must have shape \(6, 400\), got \(6, 4\)"):
        model.partial_fit(X, y)


def test_a_network_made_by_hand_without_a_number_of_features(small_data):
    X, _ = small_data("regression")
    model = MLPRegressor(hidden_layer_sizes=(4,))
    model.coefs_, model.intercepts_ = [np.ones((6, 4)), np.ones((4, 1))], [np.ones(4), np.ones(1)]
    model.out_activation_, model.n_outputs_ = "identity", 1
    expected = np.maximum(X @ model.coefs_[0] + 1, 0) @ model.coefs_[1] + 1
    np.testing.assert_allclose(model.predict(X), expected.ravel(), rtol=1e-12)
    for samples in (X[:, :5], np.tile(X[:, :5], (500, 1))):
        with pytest.raises(ValueError, match=r"weights\[0\] must have shape \(5, 4\), got \(6, 4\)"):
            model.predict(samples)


def test_sample_weights_are_not_rounded_to_the_samples_precision(small_data, fit):
    """In float32 these would be zero."""
    X, y = small_data("regression")
    X = X.astype(np.float32)
    plain, weighted = (
        MLPRegressor(hidden_layer_sizes=(4,), solver="lbfgs", alpha=0, max_iter=5, random_state=0) for _ in range(2)
    )
    fit(plain, X, y)
    fit(weighted, X, y, np.full(len(X), 2.0**-200))
    for p, q in zip(plain.coefs_, weighted.coefs_, strict=True):
        np.testing.assert_array_equal(p, q)


@pytest.mark.parametrize("kind", [sp.csr_array, sp.csr_matrix, sp.csc_array])
def test_a_sparse_matrix_stays_as_it_is(kind, small_data, fit):
    """SciPy's check tidies up what it checks: here, types of indices that differ, and elements past the end."""
    X, y = small_data("regression")
    matrix = kind(np.where(np.abs(X) < 1, 0, X))
    matrix.indices = np.append(matrix.indices, np.int32(0)).astype(np.int64)
    matrix.data = np.append(matrix.data, 7.0)
    before = {name: (getattr(matrix, name), getattr(matrix, name).copy()) for name in ("data", "indices", "indptr")}
    model = MLPRegressor(hidden_layer_sizes=(4,), max_iter=2)
    fit(model, matrix, y)
    model.predict(matrix)
    for name, (array, copy) in before.items():
        assert getattr(matrix, name) is array, name
        np.testing.assert_array_equal(array, copy)


WORDS = {
    "lengths": ({"y": np.arange(11) % 2}, "inconsistent numbers"),
    "no y": ({"y": None}, "the target y is None"),
    "a column of weights": ({"sample_weight": np.ones((12, 1))}, "got 2D array"),
    "too few weights": ({"sample_weight": np.ones(11)}, "expected"),
    "no weight": ({"sample_weight": np.zeros(12)}, "non-zero"),
}


@pytest.mark.parametrize("case", WORDS)
@pytest.mark.parametrize(
    "estimators", [(reference.MLPClassifier, MLPClassifier), (reference.MLPRegressor, MLPRegressor)], ids=["C", "R"]
)
def test_errors_are_in_scikit_learns_words(estimators, case, sklearn_version):
    if sklearn_version < (1, 9):
        pytest.skip("the words are those of scikit-learn 1.9")
    arguments, match = WORDS[case]
    messages = []
    for estimator in estimators:
        with pytest.raises(ValueError, match=match) as caught:
            estimator().fit(**{"X": np.eye(12), "y": np.arange(12) % 2, **arguments})
        messages.append(str(caught.value))
    assert messages[1].removeprefix("sample_weight: ") == messages[0]


def test_partial_fit_is_hidden_for_unknown_solvers():
    for estimator in (MLPClassifier, reference.MLPClassifier):
        assert not hasattr(estimator(solver="newton"), "partial_fit")
    assert not hasattr(MLPRegressor(solver="newton"), "partial_fit")
