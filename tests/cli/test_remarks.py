"""What a training says about a model that is of little use, and the scores beside that."""

import json

import numpy as np
import pandas as pd
import pytest

NO_BETTER = "note: the model is no better than always predicting the same"


@pytest.fixture
def train_on(run_fast, succeeded, tmp_path):
    """Return a function that trains on columns "x" and "y"."""

    def train(x, y, *args):
        pd.DataFrame({"x": x, "y": y}).to_csv(tmp_path / "t.csv", index=False)
        return succeeded(run_fast("t.csv", "y", *args))

    return train


BADLY = ("--epochs", "1", "--learning-rate", "1e-9")
WELL = ("--epochs", "60", "--learning-rate", "0.02")


@pytest.mark.parametrize("classes", [True, False])
def test_a_model_that_learned_nothing_is_remarked(train_on, rng, classes):
    x = rng.normal(size=200)
    noise = rng.permutation(np.where(x > 0, "a", "b") if classes else x)
    result = train_on(x, noise, *BADLY)
    assert NO_BETTER in result.stderr
    assert NO_BETTER not in result.stdout
    assert NO_BETTER not in train_on(x, np.where(x > 0, "a", "b") if classes else x, *WELL).stderr


def test_a_class_with_one_row_is_remarked(train_on):
    y = ["a", "b"] * 30
    assert "single row" not in train_on(np.arange(60) % 7, y).stderr
    result = train_on([*(np.arange(60) % 7), 3], [*y, "c"])
    assert "note: 1 class has a single row, e.g. 'c': not in the report" in result.stderr
    assert "\nc " not in result.stdout


@pytest.mark.parametrize(("rare", "remarked"), [(20, True), (200, False)])
def test_a_very_unbalanced_target_is_remarked(train_on, rng, rare, remarked):
    y = np.array(["usual"] * 980 + ["rare"] * 20 if remarked else ["usual"] * 800 + ["rare"] * 200)
    stderr = train_on(rng.normal(size=1000), y).stderr
    assert ("note: only 2 % of the rows are 'rare': look at ROC AUC rather than at accuracy" in stderr) == remarked
    assert y.tolist().count("rare") == rare


def test_three_classes_have_no_roc_auc(train_on, rng):
    x = rng.normal(size=300)
    assert "ROC AUC" not in train_on(x, np.where(x > 1, "a", np.where(x > 0, "b", "c"))).stdout


def test_two_classes_have_a_roc_auc(train_on, rng):
    x = rng.normal(size=300)
    result = train_on(x, np.where(x > 0, 1, 0), *WELL, "--json")
    scores = json.loads(result.stdout)
    assert scores["scores"]["ROC AUC"] > 0.95
    assert scores["baseline"]["ROC AUC"] == 0.5
