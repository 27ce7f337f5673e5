"""Bad input: a clear error that names the argument, and an estimator that is exactly as it was before."""

import numpy as np
import pytest
import scipy.sparse
import sklearn.neural_network

from fastbp import MLPClassifier, MLPRegressor
from fastbp.estimators._parameters import InvalidParameterError

X = np.random.RandomState(0).standard_normal((12, 3))
LABELS = np.arange(12) % 3
VALUES = X.sum(axis=1)


def _replace(array, value):
    changed = np.array(array, dtype=float)
    changed.flat[5] = value
    return changed


def _object_column():
    column = X.astype(object)
    column[3, 1] = "three"
    return column


def _indices_out_of(kind):
    matrix = kind(X)
    matrix.indices[5] = 99
    return matrix


BAD_DATA = {
    "nan-in-X": (_replace(X, np.nan), None, {}, ValueError, "X contains NaN"),
    "inf-in-X": (_replace(X, np.inf), None, {}, ValueError, "X contains infinity"),
    "object-column": (
        _object_column(),
        None,
        {},
        ValueError,
        "^X: could not convert string to float: 'three'",
    ),
    "dict-in-X": ([[{}, 1, 2]] * 12, None, {}, TypeError, "^X: "),
    "complex-X": (X + 1j, None, {}, ValueError, "^X: Complex data not supported"),
    "one-dimensional-X": (X[:, 0], None, {}, ValueError, "^X: Expected 2D array"),
    "three-dimensional-X": (X[:, :, None], None, {}, ValueError, "^X: Found array with dim 3"),
    "scalar-X": (3.0, None, {}, ValueError, "^X: Expected 2D array"),
    "no-samples": (X[:0], None, {}, ValueError, r"^X: Found array with 0 sample\(s\)"),
    "no-features": (X[:, :0], None, {}, ValueError, r"^X: Found array with 0 feature\(s\)"),
    "columns-out-of-X": (_indices_out_of(scipy.sparse.csr_array), None, {}, ValueError, "^X: indices must be < 3"),
    "rows-out-of-X": (_indices_out_of(scipy.sparse.csc_array), None, {}, ValueError, "^X: indices must be < 12"),
    "nan-in-sparse-X": (scipy.sparse.csr_array(_replace(X, np.nan)), None, {}, ValueError, "X contains NaN"),
    "missing-y": (X, None, {"y": None}, ValueError, "requires y to be passed, but the target y is None"),
    "short-y": (X, 11, {}, ValueError, r"inconsistent numbers of samples: \[12, 11\]"),
    "no-y": (X, 0, {}, ValueError, r"^y: Found array with 0 sample\(s\)"),
    "scalar-y": (X, None, {"y": 1.0}, (TypeError, ValueError), "^y: "),
    "short-weights": (X, None, {"sample_weight": np.ones(11)}, ValueError, "sample_weight.shape"),
    "matrix-of-weights": (X, None, {"sample_weight": np.ones((12, 1))}, ValueError, "^sample_weight: "),
    "nan-weight": (X, None, {"sample_weight": np.full(12, np.nan)}, ValueError, "sample_weight contains NaN"),
    "weights-all-zero": (X, None, {"sample_weight": np.zeros(12)}, ValueError, "^sample_weight: .* non-zero"),
    "weight-zero": (X, None, {"sample_weight": 0}, ValueError, "^sample_weight: .* non-zero"),
}


def _models():
    """Return estimators before and after a fit."""
    for make, y in ((MLPClassifier, LABELS), (MLPRegressor, VALUES)):
        params = {"hidden_layer_sizes": (4,), "max_iter": 3, "n_iter_no_change": 1, "tol": 1e9}
        yield make(**params), y
        yield make(**params).fit(X, y), y


@pytest.mark.parametrize("case", BAD_DATA)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_bad_data(case, method, assert_unchanged):
    bad_x, n_y, arguments, error, match = BAD_DATA[case]
    for model, y in _models():
        arguments = {"y": y[:n_y], **arguments}
        if method == "partial_fit" and isinstance(model, MLPClassifier):
            arguments["classes"] = [0, 1, 2]
        with assert_unchanged(model, error, match):
            getattr(model, method)(bad_x, **arguments)
        arguments.pop("classes", None)


BAD_VALUES = {
    "nan": (_replace(VALUES, np.nan), {}, ValueError, "y contains NaN"),
    "inf": (_replace(VALUES, -np.inf), {}, ValueError, "y contains infinity"),
    "strings": (VALUES.astype(str), {}, ValueError, "^y: dtype='numeric' is not compatible"),
    "objects": (np.array([*VALUES[:11], "x"], dtype=object), {}, ValueError, "^y: could not convert"),
    "three-dimensional": (VALUES[:, None, None], {}, ValueError, "^y: Found array with dim 3"),
    "negative-counts": (VALUES, {"loss": "poisson"}, ValueError, "^y must not be below 0 if loss='poisson'"),
}


@pytest.mark.parametrize("case", BAD_VALUES)
def test_bad_target_values(case, assert_unchanged):
    y, params, error, match = BAD_VALUES[case]
    model = MLPRegressor(**params)
    with assert_unchanged(model, error, match):
        model.fit(X, y)


def test_target_values_too_large_for_float32(assert_unchanged):
    model = MLPRegressor()
    with assert_unchanged(model, ValueError, "y contains infinity or a value too large for dtype"):
        model.fit(X.astype(np.float32), VALUES * 1e39)


BAD_LABELS = {
    "nan": (_replace(LABELS, np.nan), "y contains NaN"),
    "continuous": (VALUES, "^y: Unknown label type"),
    "several-columns-of-classes": (np.c_[LABELS, LABELS], "[Mm]ultioutput"),
}


@pytest.mark.parametrize("case", BAD_LABELS)
def test_bad_labels(case, assert_unchanged):
    y, match = BAD_LABELS[case]
    model = MLPClassifier()
    with assert_unchanged(model, ValueError, match):
        model.fit(X, y)


BAD_PARAMETERS = {
    "hidden_layer_sizes": ["ten", -3, 0],
    "activation": ["swish", None],
    "solver": ["rmsprop", None],
    "alpha": [-1e-4, np.nan, "1"],
    "batch_size": [0, 2.5, "all"],
    "learning_rate": ["cosine"],
    "learning_rate_init": [0, -1, None],
    "power_t": [-1],
    "max_iter": [0, 1.5],
    "shuffle": ["yes"],
    "random_state": ["seed", 1.5],
    "tol": [-1],
    "verbose": [-1],
    "warm_start": [None],
    "momentum": [-0.1, 1.1],
    "nesterovs_momentum": ["no"],
    "early_stopping": [2],
    "validation_fraction": [-0.1, 1.0],
    "beta_1": [1.0],
    "beta_2": [-1],
    "epsilon": [0],
    "n_iter_no_change": [0, -np.inf],
    "max_fun": [0],
    "weight_decay": [-1],
    "n_jobs": [0, -2, 1.5, "all"],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in BAD_PARAMETERS.items() for v in values])
def test_bad_parameters(name, value, assert_unchanged):
    for model, y in _models():
        model.set_params(**{name: value})
        with assert_unchanged(model, InvalidParameterError, f"The '{name}' parameter of"):
            model.fit(X, y)


def test_every_parameter_is_constrained():
    assert set(BAD_PARAMETERS) == set(MLPClassifier().get_params())
    assert {*BAD_PARAMETERS, "loss"} == set(MLPRegressor().get_params())


@pytest.mark.parametrize("value", [(5, -3), [0], (4, 0, 4), np.array([-1])])
def test_hidden_layers_must_be_positive(value, assert_unchanged):
    for model, y in _models():
        model.set_params(hidden_layer_sizes=value)
        with assert_unchanged(model, ValueError, "hidden_layer_sizes must be > 0, got"):
            model.fit(X, y)


@pytest.mark.parametrize("value", [(5.0,), [None], ("ten",), [[3, 4]]])
def test_hidden_layers_must_be_integers(value, assert_unchanged):
    for model, y in _models():
        model.set_params(hidden_layer_sizes=value)
        with assert_unchanged(model, TypeError, "hidden_layer_sizes must contain integers, got"):
            model.fit(X, y)


def test_wrong_number_of_features(assert_unchanged):
    for model, y in _models():
        if not hasattr(model, "coefs_"):
            continue
        match = "X has 2 features, but .* is expecting 3 features"
        with assert_unchanged(model, ValueError, match):
            model.partial_fit(X[:, :2], y)
        model.set_params(warm_start=True)
        with assert_unchanged(model, ValueError, match):
            model.fit(X[:, :2], y)
        with pytest.raises(ValueError, match=match):
            model.predict(X[:, :2])


def test_prediction_rejects_what_training_rejects():
    for case in (
        "nan-in-X",
        "inf-in-X",
        "object-column",
        "one-dimensional-X",
        "no-samples",
        "columns-out-of-X",
        "rows-out-of-X",
    ):
        bad_x, _, _, error, match = BAD_DATA[case]
        for model, _ in _models():
            if hasattr(model, "coefs_"):
                with pytest.raises(error, match=match):
                    model.predict(bad_x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", [MLPClassifier, MLPRegressor])
def test_many_rows_are_refused_in_scikit_learns_words(make, dtype, assert_unchanged):
    many = np.tile(X, (100, 1)).astype(dtype)
    settings = {"max_iter": 3, "n_iter_no_change": 1, "tol": 1e9}
    rival = getattr(sklearn.neural_network, make.__name__)(**settings).fit(many, np.tile(LABELS, 100))
    model = make(**settings).fit(many, np.tile(LABELS, 100))
    methods = ["predict", "predict_proba", "predict_log_proba"] if make is MLPClassifier else ["predict"]
    for value in (np.nan, np.inf):
        bad = many.copy()
        bad[1100, 2] = value
        for method in methods:
            with pytest.raises(ValueError, match="X contains") as theirs:
                getattr(rival, method)(bad)
            with assert_unchanged(model, ValueError, "X contains") as ours:
                getattr(model, method)(bad)
            assert str(ours.value) == str(theirs.value)
        with sklearn.config_context(assume_finite=True):
            outputs = np.asarray(getattr(model, methods[-1])(bad), dtype=float)
        # An infinity may leave nothing behind, on the wrong side of a ReLU.
        assert len(outputs) == len(bad)
        np.testing.assert_array_equal(outputs[:1100], getattr(model, methods[-1])(many)[:1100])


def test_samples_too_large_for_a_float32_network():
    model = MLPRegressor(max_iter=2, tol=1e9, n_iter_no_change=1).partial_fit(X.astype(np.float32), VALUES)
    with pytest.raises(ValueError, match="X contains infinity or a value too large for dtype"):
        model.predict(X * 1e39)


def test_classes_of_partial_fit(assert_unchanged):
    model = MLPClassifier()
    with assert_unchanged(model, ValueError, "classes must be passed on the first call to partial_fit"):
        model.partial_fit(X, LABELS)
    with assert_unchanged(model, ValueError, "`y` has classes not in `self.classes_`"):
        model.partial_fit(X, LABELS, classes=[0, 1])
    model.partial_fit(X, LABELS, classes=[0, 1, 2])
    with assert_unchanged(model, ValueError, "is not the same as on last call to partial_fit"):
        model.partial_fit(X, LABELS, classes=[0, 1])
    with assert_unchanged(model, ValueError, "`y` has classes not in `self.classes_`"):
        model.partial_fit(X, LABELS + 1)


def test_warm_start_needs_the_same_classes(assert_unchanged):
    model = MLPClassifier(max_iter=1, tol=1e9, warm_start=True).set_params(n_iter_no_change=1)
    model.partial_fit(X, LABELS, classes=[0, 1, 2])
    with assert_unchanged(model, ValueError, "warm_start can only be used where `y` has the same classes"):
        model.fit(X, LABELS % 2)


def test_early_stopping_errors(assert_unchanged, sklearn_version):
    model = MLPRegressor(early_stopping=True, validation_fraction=0)
    with assert_unchanged(model, ValueError, "validation_fraction must be > 0"):
        model.fit(X, VALUES)
    model.set_params(validation_fraction=0.05)
    with assert_unchanged(model, ValueError, "The validation set is too small. Increase 'validation_fraction'"):
        model.fit(X, VALUES)
    with assert_unchanged(model, ValueError, "partial_fit does not support early_stopping=True"):
        model.partial_fit(X, VALUES)
    model = MLPClassifier(early_stopping=True)
    told = r"too few members are: \['True'\]" if sklearn_version >= (1, 8) else "has only 1 member, which is too few"
    with assert_unchanged(model, ValueError, told):
        model.fit(X, np.arange(12) == 3)


def test_early_stopping_with_weights_on_one_side_only(assert_unchanged):
    first = np.zeros(12)
    first[0] = 1
    messages = set()
    for seed in range(8):
        model = MLPRegressor(early_stopping=True, validation_fraction=0.5, random_state=seed)
        with assert_unchanged(model, ValueError, "sample_weight .* zero") as caught:
            model.fit(X, VALUES, first)
        messages.add(str(caught.value))
    assert len(messages) == 2


def test_feature_names_are_compared(assert_unchanged):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c"])
    model = MLPRegressor(max_iter=2, tol=1e9, n_iter_no_change=1).partial_fit(frame, VALUES)
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    with assert_unchanged(model, ValueError, "X: The feature names should match"):
        model.partial_fit(frame[["c", "b", "a"]], VALUES)
