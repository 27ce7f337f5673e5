"""Validation scores equal scikit-learn's metrics."""

import warnings

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, r2_score

from fastbp.estimators._scores import accuracy, r2


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("labels", [1, 3])
def test_accuracy(labels, weighted):
    rng = np.random.RandomState(0)
    y, predicted = rng.randint(0, 2, (2, 50, labels))
    weights = rng.uniform(0, 2, 50) if weighted else None
    assert accuracy(y, predicted, weights) == accuracy_score(y, predicted, sample_weight=weights)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("outputs", [1, 4])
def test_r2(outputs, weighted):
    rng = np.random.RandomState(0)
    y = rng.standard_normal((50, outputs))
    predicted = y + 0.3 * rng.standard_normal((50, outputs))
    weights = rng.uniform(0, 2, 50) if weighted else None
    # One output with constant targets, one predicted exactly, one both.
    if outputs == 4:
        y[:, 0] = 2.0
        predicted[:, 1] = y[:, 1]
        y[:, 2] = predicted[:, 2] = 3.0
    expected = r2_score(y, predicted, sample_weight=weights)
    assert r2(y, predicted, weights) == pytest.approx(expected, rel=1e-14)


def test_r2_of_huge_predictions_is_minus_infinity():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert r2(np.arange(3.0)[:, None], np.full((3, 1), 1e200), None) == -np.inf
