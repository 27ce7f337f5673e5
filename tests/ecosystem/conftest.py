"""One question for both: what does a program get from scikit-learn's perceptrons, and what from fastbp's?"""

import re
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse
import sklearn.neural_network
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

import fastbp

SKLEARN = tuple(int(part) for part in sklearn.__version__.split(".")[:2])

# Between two correct programs that sum in another order, for trainings of a few epochs.
TOLERANCE = {"float64": 1e-9, "float32": 1e-4}


def _equal_arrays(ref, comp, where):
    assert (ref.shape, ref.dtype) == (comp.shape, comp.dtype), where
    if ref.dtype == object:
        _equal(ref.tolist(), comp.tolist(), where)
    elif ref.dtype.kind == "f":
        tolerance = TOLERANCE[ref.dtype.name]
        np.testing.assert_allclose(comp, ref, rtol=tolerance, atol=tolerance, err_msg=where)
    else:
        np.testing.assert_array_equal(comp, ref, err_msg=where)


def _equal(ref, comp, where):
    """Assert that two results are equal, numbers within the tolerance; `where` says which part of the result."""
    assert type(ref).__name__ == type(comp).__name__, f"{where}: {ref!r} and {comp!r}"
    if isinstance(ref, dict):
        assert list(ref) == list(comp), where
        for key in ref:
            _equal(ref[key], comp[key], f"{where}[{key!r}]")
    elif isinstance(ref, list | tuple):
        assert len(ref) == len(comp), where
        for i, (one, other) in enumerate(zip(ref, comp, strict=True)):
            _equal(one, other, f"{where}[{i}]")
    elif scipy.sparse.issparse(ref):
        _equal(ref.toarray(), comp.toarray(), where)
    elif hasattr(ref, "to_numpy") and hasattr(ref, "columns"):  # a frame of pandas or polars
        assert list(ref.columns) == list(comp.columns), where
        _equal(ref.to_numpy(), comp.to_numpy(), where)
    elif isinstance(ref, np.ndarray):
        _equal_arrays(ref, comp, where)
    elif isinstance(ref, float | np.floating):
        _equal(np.asarray(ref), np.asarray(comp), where)
    else:
        assert ref == comp, where


def _text(error):
    """The text of an error or a warning, without what two libraries cannot have in common: addresses and packages."""
    text = re.sub(r"0x[0-9a-f]+", "0x", str(error))
    return re.sub(r"\b(fastbp|sklearn\.neural_network)\.", "", text)


def _unnamed(text):
    """The text of an error without the name of the argument that fastbp puts in front: docs/deviations.md."""
    return re.sub(r"^(X|y|sample_weight): ", "", text)


def _observe(program, module):
    """Return what a program does with the estimators of a module: its result or its error, and its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            outcome = ("result", program(module))
        except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            outcome = ("error", [type(error).__name__, _unnamed(_text(error))])
    # Where numbers overflow there, they need not here, and what is deprecated is between other libraries.
    told = [w for w in caught if not issubclass(w.category, RuntimeWarning | DeprecationWarning | FutureWarning)]
    return *outcome, [(w.category.__name__, _text(w.message)) for w in told]


class Same:
    """Run a program with both libraries and compare; see the fixture `same`."""

    # Older versions are other targets: with them, programs only have to end as they should.
    MODULES = (sklearn.neural_network, fastbp) if SKLEARN >= (1, 9) else (fastbp, fastbp)

    def _compare(self, program, expected):
        (kind, ref, ref_warnings), (comp_kind, comp, comp_warnings) = (_observe(program, m) for m in self.MODULES)
        assert (kind, comp_kind) == (expected, expected), f"scikit-learn: {ref}\nfastbp: {comp}"
        _equal(ref, comp, kind)
        assert comp_warnings == ref_warnings
        return ref

    def __call__(self, program):
        """Both must return the same and warn of the same; returns scikit-learn's result."""
        return self._compare(program, "result")

    def error(self, program):
        """Both must raise the same error, word for word; returns its text."""
        return self._compare(program, "error")[1]


@pytest.fixture
def same():
    """Compare what a function gets from scikit-learn's estimators and from fastbp's.

    The function takes a module that has `MLPClassifier` and `MLPRegressor`. What it returns is compared, and what it
    warns of.
    """
    return Same()


def _few(X, y, n):
    rows = np.random.RandomState(0).permutation(len(y))[:n]
    X = (X - X.mean(axis=0)) / (X.std(axis=0) + 1e-12)
    return X[rows], y[rows]


@pytest.fixture(scope="session")
def digits():
    """300 samples of ten classes."""
    return _few(*load_digits(return_X_y=True), 300)


@pytest.fixture(scope="session")
def cancer():
    """200 samples of two classes."""
    return _few(*load_breast_cancer(return_X_y=True), 200)


@pytest.fixture(scope="session")
def diabetes():
    """200 samples with a number each, about as large as 1."""
    X, y = _few(*load_diabetes(return_X_y=True), 200)
    return X, y / 100


@pytest.fixture(scope="session")
def weights():
    """200 sample weights."""
    return np.random.RandomState(1).uniform(0.2, 3, 200)


@pytest.fixture(scope="session")
def small():
    """Settings of small networks that are trained for a moment, for either kind of estimator."""
    common = {"hidden_layer_sizes": (8,), "random_state": 0, "learning_rate_init": 0.01}
    return SimpleNamespace(
        classifier=lambda mlp, **params: mlp.MLPClassifier(**{**common, "max_iter": 15, **params}),
        regressor=lambda mlp, **params: mlp.MLPRegressor(**{**common, "max_iter": 15, **params}),
    )
