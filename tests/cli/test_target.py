"""Classes or numbers?"""

import numpy as np
import pandas as pd
import pytest

from fastbp.cli._errors import CommandError
from fastbp.cli._target import Target, infer_target, target_values

NAN = float("nan")


def series(values):
    return pd.Series(values, name="y")


@pytest.mark.parametrize(
    ("values", "task", "kind"),
    [
        (["a", "b", None], "classification", "text"),
        ([True, False], "classification", "boolean"),
        ([True, False, None], "classification", "boolean"),
        ([0, 1, 2, 1], "classification", "integer"),
        ([0.0, 1.0, NAN], "classification", "integer"),
        (range(20), "classification", "integer"),
        (range(21), "regression", "integer"),
        ([0.5, 1.0, 1.5], "regression", "number"),
        (["1.5"] * 50 + ["2.5"] * 50 + ["broken"], "regression", "number"),
    ],
)
def test_the_task_follows_from_the_values(values, task, kind):
    target = infer_target(series(values))
    assert (target.task, target.kind) == (task, kind)
    assert target.reason


def test_the_user_decides():
    assert infer_target(series([0, 1, 2]), "regression").task == "regression"
    assert infer_target(series([*range(30)] * 3), "classification").task == "classification"
    assert infer_target(series([True, False]), "regression").task == "regression"


@pytest.mark.parametrize(
    ("values", "task", "message"),
    [
        ([NAN, NAN], "auto", "all are missing"),
        (["a", "a", None], "auto", "single value"),
        ([2.5, 2.5], "auto", "single value"),
        ([f"user {i}" for i in range(50)], "auto", "no class labels"),
        (["a", "b"], "regression", "needs numbers"),
        ([0.5, 1.5], "classification", "text or whole numbers"),
    ],
)
def test_targets_that_cannot_be_learned_are_refused(values, task, message):
    with pytest.raises(CommandError, match=message):
        infer_target(series(values), task)


@pytest.mark.parametrize(
    ("values", "kind", "task", "expected"),
    [
        (["a", None, "b"], "text", "classification", np.array(["a", "b"], dtype=object)),
        ([2.0, NAN, 1.0], "integer", "classification", np.array([2, 1])),
        ([True, None, False], "boolean", "classification", np.array([True, False])),
        ([True, None, False], "boolean", "regression", np.array([1.0, 0.0])),
        ([0.5, NAN, 1.5], "number", "regression", np.array([0.5, 1.5])),
        (["2", "x", "1"], "integer", "classification", np.array([2, 1])),
    ],
)
def test_values_keep_their_type(values, kind, task, expected):
    found, present = target_values(series(values), Target("y", task, kind))
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype
    assert present.tolist() == [True, False, True]
