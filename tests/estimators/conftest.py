"""Data sets and helpers shared by the tests of the estimators."""

import warnings

import numpy as np
import pytest
import sklearn
import sklearn.neural_network
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

import fastbp

SKLEARN = tuple(int(part) for part in sklearn.__version__.split(".")[:2])
KINDS = ("binary", "multiclass", "multilabel", "regression", "multioutput", "poisson")


def _small_data(kind):
    """Return 43 samples (a prime: the last minibatch is short) of 6 features."""
    rng = np.random.RandomState(7)
    X = rng.standard_normal((43, 6))
    signal = X @ rng.standard_normal((6, 3)) + 0.1 * rng.standard_normal((43, 3))
    targets = {
        "binary": np.where(signal[:, 0] > 0, "yes", "no"),
        "multiclass": signal.argmax(axis=1) + 5,
        "multilabel": (signal > 0).astype(int),
        "regression": signal[:, 0],
        "multioutput": signal,
        "poisson": rng.poisson(np.exp(np.clip(signal[:, 0], -3, 3))).astype(float),
    }
    return X, targets[kind]


@pytest.fixture(scope="session")
def sklearn_version():
    """Return the series of the installed scikit-learn, such as (1, 9)."""
    return SKLEARN


@pytest.fixture(scope="session")
def small_data():
    """Return a function from the kind of task to `(X, y)`."""
    return _small_data


@pytest.fixture(scope="session")
def small_weights():
    """Sample weights for `small_data`, with zeros among them."""
    weights = np.random.RandomState(8).uniform(0.1, 3, 43)
    weights[::7] = 0
    return weights


@pytest.fixture(scope="session")
def toy_data():
    """Return a function from the name of one of scikit-learn's toy data sets to `(X, y)`, standardized."""

    def load(name):
        loader = {"digits": load_digits, "cancer": load_breast_cancer, "diabetes": load_diabetes}[name]
        X, y = loader(return_X_y=True)
        return (X - X.mean(axis=0)) / (X.std(axis=0) + 1e-12), y

    return load


@pytest.fixture(scope="session")
def make_pair():
    """Return a function that makes scikit-learn's estimator (ref) and fastbp's (comp) alike."""

    def make(kind, **params):
        name = "MLPClassifier" if kind in ("binary", "multiclass", "multilabel") else "MLPRegressor"
        if kind == "poisson":
            if SKLEARN < (1, 7):
                pytest.skip("scikit-learn 1.6 has no Poisson loss")
            params["loss"] = "poisson"
        return getattr(sklearn.neural_network, name)(**params), getattr(fastbp, name)(**params)

    return make


@pytest.fixture(scope="session")
def quietly():
    """Return a function that calls a function, and returns its result and the warnings it gave."""

    def call(function, *args, **kwargs):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = function(*args, **kwargs)
        # Overflow in its formulas, and old options that scikit-learn 1.6 gives to SciPy, are scikit-learn's affair.
        others = (RuntimeWarning, DeprecationWarning)
        return result, [(w.category, str(w.message)) for w in caught if w.category not in others]

    return call


@pytest.fixture(scope="session")
def fit(quietly):
    """Return a function that fits an estimator, of scikit-learn or fastbp, and returns the warnings it gave."""

    def call(model, X, y, sample_weight=None):
        if sample_weight is None:
            caught = quietly(model.fit, X, y)[1]
        elif SKLEARN < (1, 7) and type(model).__module__.startswith("sklearn."):
            pytest.skip("scikit-learn 1.6 takes no sample weights")
        else:
            caught = quietly(model.fit, X, y, sample_weight)[1]
        if SKLEARN < (1, 7) and model.solver == "lbfgs":
            # What lbfgs has come to was told in other words then.
            return [category for category, _ in caught]
        return caught

    return call


def _deviation(ref, comp):
    """Return the largest difference between two fitted networks, in units of their largest parameter."""
    pairs = list(zip([*ref.coefs_, *ref.intercepts_], [*comp.coefs_, *comp.intercepts_], strict=True))
    scale = max(np.abs(p).max() for p, _ in pairs)
    return max(np.abs(p - q).max() for p, q in pairs) / scale


@pytest.fixture(scope="session")
def deviation():
    """Return a function of two fitted networks: the largest difference, relative to the largest parameter."""
    return _deviation


def _assert_equal_state(ref, comp, tol):
    assert _deviation(ref, comp) <= tol
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "_no_improvement_count"):
        assert getattr(comp, name) == getattr(ref, name), name
    assert len(comp.loss_curve_) == len(ref.loss_curve_)
    np.testing.assert_allclose(comp.loss_curve_, ref.loss_curve_, rtol=tol, atol=tol)
    np.testing.assert_allclose(comp.loss_, ref.loss_, rtol=tol, atol=tol)
    for name in ("best_loss_", "best_validation_score_", "validation_scores_"):
        expected, got = getattr(ref, name), getattr(comp, name)
        assert (got is None) == (expected is None), name
        if expected is not None:
            np.testing.assert_allclose(got, expected, rtol=tol, atol=tol, err_msg=name)
    # scikit-learn's Adam keeps the rate of its last step, bias correction included.
    rate = getattr(ref._optimizer, "learning_rate" if hasattr(ref._optimizer, "velocities") else "learning_rate_init")
    np.testing.assert_allclose(comp._optimizer.learning_rate, rate, rtol=1e-14)


@pytest.fixture(scope="session")
def assert_equal_state():
    """Return a function that compares all fitted attributes of scikit-learn's and fastbp's estimators."""
    return _assert_equal_state


@pytest.fixture
def assert_unchanged():
    """Return a context manager in whose block an estimator must raise and stay as it was, bit for bit."""

    class Unchanged:
        def __init__(self, model, error, match):
            self.model, self.raises = model, pytest.raises(error, match=match)

        def __enter__(self):
            self.before = dict(vars(self.model))
            self.arrays = [(a, a.copy()) for a in _arrays(self.model)]
            return self.raises.__enter__()

        def __exit__(self, *exception):
            result = self.raises.__exit__(*exception)
            after = vars(self.model)
            assert list(after) == list(self.before)
            assert all(after[name] is value for name, value in self.before.items())
            for array, copy in self.arrays:
                np.testing.assert_array_equal(array, copy)
            return result

    return Unchanged


def _arrays(model):
    optimizer = getattr(model, "_optimizer", None)
    owners = [(model, "coefs_"), (model, "intercepts_")]
    arrays = [array for owner, name in owners for array in getattr(owner, name, None) or []]
    moments = [] if optimizer is None else [array for part in optimizer.moments.values() for array in part]
    return [*arrays, *moments, np.array(getattr(model, "loss_curve_", []))]
