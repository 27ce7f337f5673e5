"""Warnings point at the line of the program that called fastbp."""

import pickle
import warnings

import numpy as np
import pytest
import sklearn
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, InconsistentVersionWarning

from fastbp import MLP, MLPClassifier, MLPRegressor, watch

X = np.random.RandomState(0).standard_normal((30, 3))
Y = X[:, 0]


def interrupt(report):
    raise KeyboardInterrupt


def epochs_ran_out():
    MLPRegressor(max_iter=1).fit(X, Y)


def iterations_ran_out():
    MLPRegressor(solver="lbfgs", max_iter=1).fit(X, Y)


def no_early_stopping():
    MLPRegressor(solver="lbfgs", early_stopping=True, tol=1e9).fit(X, Y)


def large_batches():
    MLPRegressor(batch_size=31, max_iter=1000, n_iter_no_change=1, tol=1e9).fit(X, Y)


def column():
    MLPClassifier(n_iter_no_change=1, tol=1e9).fit(X, (Y > 0)[:, None])


def interrupted():
    with watch(interrupt):
        MLPRegressor().fit(X, Y)


def interrupted_partial_fit():
    with watch(interrupt):
        MLPRegressor().partial_fit(X, Y)


def interrupted_lbfgs():
    with watch(interrupt):
        MLPRegressor(solver="lbfgs").fit(X, Y)


def interrupted_mlp():
    with watch(interrupt):
        MLP((3, 1)).fit(X, Y)


def other_version():
    state = {**MLPRegressor().__getstate__(), "_sklearn_version": f"{sklearn.__version__}.other"}
    pickle.loads(pickle.dumps(MLPRegressor())).__setstate__(state)


@pytest.mark.parametrize(
    ("program", "category"),
    [
        (epochs_ran_out, ConvergenceWarning),
        (iterations_ran_out, ConvergenceWarning),
        (no_early_stopping, UserWarning),
        (large_batches, UserWarning),
        (column, DataConversionWarning),
        (interrupted, UserWarning),
        (interrupted_partial_fit, UserWarning),
        (interrupted_lbfgs, UserWarning),
        (interrupted_mlp, UserWarning),
        (other_version, InconsistentVersionWarning),
    ],
    ids=lambda value: value.__name__,
)
def test_warnings_point_at_the_caller(program, category):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        program()
    assert [(warning.category, warning.filename) for warning in caught] == [(category, __file__)]
    first = program.__code__.co_firstlineno
    assert first < caught[0].lineno <= first + 2
