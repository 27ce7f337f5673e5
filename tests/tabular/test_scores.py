"""Scores against scikit-learn's own, and in the corners where it warns."""

import numpy as np
import pytest
from sklearn import metrics

from fastbp.tabular.scores import score_classes, score_numbers

CLASSES = np.array(["a", "b", "c"], dtype=object)
SHARES = np.array([0.2, 0.5, 0.3])


def test_class_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    y = rng.choice(CLASSES, size=200)
    proba = rng.dirichlet(np.ones(3), size=200)
    predicted = CLASSES[proba.argmax(axis=1)]
    scores = score_classes(y, proba, CLASSES, SHARES)
    assert scores.model == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(y, predicted),
            "balanced accuracy": metrics.balanced_accuracy_score(y, predicted),
            "log-loss": metrics.log_loss(y, proba, labels=CLASSES),
        }
    )
    assert scores.constant == "b"
    assert scores.baseline["accuracy"] == pytest.approx(np.mean(y == "b"))
    assert scores.baseline["balanced accuracy"] == pytest.approx(1.0 / 3.0)
    assert [row[0] for row in scores.per_class] == ["a", "b", "c"]
    assert scores.per_class[1][2] == pytest.approx(metrics.recall_score(y, predicted, average=None)[1])


def test_classes_that_the_model_does_not_know_count_as_wrong():
    y = np.array(["a", "z"], dtype=object)
    proba = np.array([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])
    scores = score_classes(y, proba, CLASSES, SHARES)
    assert scores.model["accuracy"] == 0.5
    assert scores.model["log-loss"] == pytest.approx(np.log(2.0))
    assert np.isnan(score_classes(y[1:], proba[1:], CLASSES, SHARES).model["log-loss"])


def test_certain_and_wrong_is_finite():
    proba = np.array([[1.0, 0.0, 0.0]], dtype="float32")
    scores = score_classes(np.array(["b"], dtype=object), proba, CLASSES, SHARES)
    assert np.isfinite(scores.model["log-loss"])


def test_number_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    y, predicted = rng.normal(size=(2, 100))
    scores = score_numbers(y, predicted.astype("float32"), mean=0.0)
    assert scores.model == pytest.approx(
        {
            "R²": metrics.r2_score(y, predicted),
            "RMSE": metrics.root_mean_squared_error(y, predicted),
            "MAE": metrics.mean_absolute_error(y, predicted),
        },
        rel=1e-6,
    )
    assert scores.baseline["RMSE"] == pytest.approx(np.sqrt(np.mean(y**2)))


def test_one_row_has_no_explained_variance():
    assert np.isnan(score_numbers(np.array([1.0]), np.array([2.0]), 0.0).model["R²"])


def test_a_model_must_beat_the_constant():
    y = np.array([0.0, 1.0, 2.0])
    assert score_numbers(y, y, mean=1.0).beats_baseline
    assert not score_numbers(y, y[::-1], mean=1.0).beats_baseline
    sure = np.eye(3)
    assert score_classes(CLASSES, sure, CLASSES, SHARES).beats_baseline
    assert not score_classes(CLASSES, sure[::-1], CLASSES, SHARES).beats_baseline


def test_two_classes_have_an_area_under_the_curve():
    y = np.array([False, False, True, True])
    classes = np.array([False, True])
    proba = np.array([[0.9, 0.1], [0.4, 0.6], [0.45, 0.55], [0.2, 0.8]])
    assert score_classes(y, proba, classes, np.array([0.5, 0.5])).model["ROC AUC"] == 0.75
    assert "ROC AUC" not in score_classes(y[:2], proba[:2], classes, np.array([0.5, 0.5])).model


def test_a_rare_class_is_judged_by_the_order_of_the_rows():
    """Probabilities that are far too high have a poor log-loss, but may find the rare rows."""
    classes, shares = np.array(["no", "yes"], dtype=object), np.array([0.98, 0.02])
    y = np.array(["no"] * 98 + ["yes"] * 2, dtype=object)
    proba = np.column_stack([1.0 - np.linspace(0.5, 0.9, 100), np.linspace(0.5, 0.9, 100)])
    scores = score_classes(y, proba, classes, shares)
    assert scores.decisive == "ROC AUC"
    assert scores.beats_baseline
    assert not score_classes(y, proba[::-1], classes, shares).beats_baseline
    balanced = score_classes(y, proba, classes, np.array([0.5, 0.5]))
    assert balanced.decisive == "log-loss"
    only_no = score_classes(y[:98], proba[:98], classes, shares)
    assert only_no.decisive == "log-loss"
