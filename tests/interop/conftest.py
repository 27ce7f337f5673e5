"""Estimators of every kind in every state, and what it means that two are equal."""

import contextlib
import copy
import warnings

import numpy as np
import pytest
import scipy.sparse

from fastbp import MLPClassifier, MLPRegressor

_SAMPLES, _FEATURES = 43, 6
_RNG = np.random.RandomState(7)
_X = _RNG.standard_normal((_SAMPLES, _FEATURES))
_SIGNAL = _X @ _RNG.standard_normal((_FEATURES, 3)) + 0.1 * _RNG.standard_normal((_SAMPLES, 3))
_NAMES = np.array(["grün", "rot", "blau"])
_TARGETS = {
    "strings": np.where(_SIGNAL[:, 0] > 0, "yes", "no").astype("U12"),
    "booleans": _SIGNAL[:, 0] > 0,
    "numbers": np.where(_SIGNAL[:, 0] > 0, 1.0, -1.0),
    "one class": np.full(_SAMPLES, 3),
    "integers": (_SIGNAL.argmax(axis=1) + 5).astype(np.int16),
    "objects": _NAMES.astype(object)[_SIGNAL.argmax(axis=1)],
    "multilabel": (_SIGNAL > 0).astype(int),
    "sparse multilabel": scipy.sparse.csr_matrix((_SIGNAL > 0).astype(int)),
    "regression": _SIGNAL[:, 0],
    "multioutput": _SIGNAL,
    "poisson": _RNG.poisson(np.exp(np.clip(_SIGNAL[:, 0], -3, 3))).astype(float),
}
REGRESSIONS = ("regression", "multioutput", "poisson")


@pytest.fixture(params=_TARGETS)
def kind(request):
    """Every kind of target."""
    return request.param


@pytest.fixture(params=["adam", "sgd"])
def solver(request):
    """Every solver that has moments."""
    return request.param


@pytest.fixture(scope="session")
def samples():
    """Return a function from the kind of target and a dtype to `(X, y)`."""

    def make(kind, dtype=np.float64):
        return _X.astype(dtype), _TARGETS[kind]

    return make


@pytest.fixture(scope="session")
def make(samples):
    """Return a function that makes an estimator for a kind of target: unfitted, or after fit or partial_fit."""

    def make(kind, stage="fit", *, dtype=np.float64, **params):
        # Several minibatches, so that the order of the samples counts.
        params = {"hidden_layer_sizes": (5, 4), "max_iter": 3, "batch_size": 10, "random_state": 0, **params}
        if kind in REGRESSIONS:
            loss = "poisson" if kind == "poisson" else "squared_error"
            model = MLPRegressor(loss, **params)
        else:
            model = MLPClassifier(**params)
        train(model, stage, *samples(kind, dtype))
        return model

    return make


def train(model, stage, X, y):
    """Call the methods that the name of a stage says."""
    classes = {}
    if isinstance(model, MLPClassifier):
        classes["classes"] = np.arange(3) if y.ndim == 2 else np.unique(y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if "fit" in stage.split():
            model.fit(X, y)
        if "partial_fit" in stage.split():
            model.partial_fit(X, y, **classes).partial_fit(X, y)


@pytest.fixture(scope="session")
def go_on(samples):
    """Return a function that trains estimators for another epoch or two, each in the same way."""

    def go_on(kind, *models):
        for model in models:
            X, y = samples(kind, model.coefs_[0].dtype)
            model.partial_fit(X, y).partial_fit(X[:20], y[:20])

    return go_on


@pytest.fixture(scope="session")
def assert_same():
    """Return a function that compares two values, down to types and bits."""
    return _assert_same


def _assert_same(a, b, where="it"):
    assert type(a) is type(b), f"{where}: {type(a)} and {type(b)}"
    if isinstance(a, np.ndarray):
        assert a.dtype == b.dtype, where
        assert a.shape == b.shape, where
        assert a.tobytes() == b.tobytes() or (a.dtype == object and a.tolist() == b.tolist()), where
    elif isinstance(a, np.random.RandomState):
        _assert_same(a.get_state(legacy=False), b.get_state(legacy=False), where)
    elif isinstance(a, dict):
        assert sorted(a) == sorted(b), where
        for name in a:
            _assert_same(a[name], b[name], f"{where}[{name!r}]")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for index, pair in enumerate(zip(a, b, strict=True)):
            _assert_same(*pair, f"{where}[{index}]")
    elif hasattr(a, "__dict__"):
        _assert_same(vars(a), vars(b), f"{where}.__dict__")
    else:
        assert a == b or (a != a and b != b), f"{where}: {a!r} and {b!r}"


@pytest.fixture
def assert_untouched():
    """Return a context manager in whose block an estimator must not change: values, types, bits, identity."""

    @contextlib.contextmanager
    def untouched(model):
        before, deep = dict(vars(model)), copy.deepcopy(vars(model))
        yield
        assert list(vars(model)) == list(before)
        assert all(vars(model)[name] is value for name, value in before.items())
        _assert_same(vars(model), deep)

    return untouched
