"""Scores against scikit-learn's."""

import numpy as np
import pytest

from refbp.scoring import accuracy, class_accuracy, r2, scorer

metrics = pytest.importorskip("sklearn.metrics")

RNG = np.random.default_rng(2)
WEIGHTS = [None, RNG.uniform(0.1, 2, 40)]


@pytest.mark.parametrize("weight", WEIGHTS, ids=["plain", "weighted"])
@pytest.mark.parametrize("n_out", [1, 3])
def test_accuracy(weight, n_out):
    rng = np.random.default_rng(0)
    y, o = rng.random((40, n_out)) > 0.5, rng.random((40, n_out))
    assert accuracy(y, o, weight) == pytest.approx(metrics.accuracy_score(y, o > 0.5, sample_weight=weight), rel=1e-14)


@pytest.mark.parametrize("weight", WEIGHTS, ids=["plain", "weighted"])
def test_class_accuracy(weight):
    rng = np.random.default_rng(0)
    y, o = np.eye(4)[rng.integers(4, size=40)], rng.random((40, 4))
    assert class_accuracy(y, o, weight) == pytest.approx(
        metrics.accuracy_score(y.argmax(axis=1), o.argmax(axis=1), sample_weight=weight), rel=1e-14
    )


@pytest.mark.parametrize("weight", WEIGHTS, ids=["plain", "weighted"])
def test_r2(weight):
    rng = np.random.default_rng(0)
    y = rng.standard_normal((40, 4))
    o = y + rng.standard_normal((40, 4))
    y[:, 2:] = 1.0  # no variance: one output predicted wrongly, one exactly
    o[:, 3] = 1.0
    assert r2(y, o, weight) == pytest.approx(metrics.r2_score(y, o, sample_weight=weight), rel=1e-13)


def test_r2_of_a_prediction_that_is_not_finite():
    assert np.isnan(r2(np.ones((2, 1)), np.array([[1.0], [np.inf]])))


def test_one_half_is_off():
    assert accuracy(np.array([[0], [1]]), np.array([[0.5], [0.5]])) == 0.5


def test_scorer_predicts_with_the_weights_given():
    x = np.array([[0.0], [1.0], [2.0]])
    evaluate = scorer(x, 2 * x + 1, activation="relu", loss="squared_error")
    assert evaluate([np.array([[2.0]])], [np.array([1.0])]) == 1
    assert evaluate([np.array([[0.0]])], [np.array([3.0])]) == 0
