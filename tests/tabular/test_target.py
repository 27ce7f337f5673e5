"""Classes or numbers?"""

import numpy as np
import pandas as pd
import pytest

from fastbp.tabular.errors import TableError
from fastbp.tabular.options import ReadOptions
from fastbp.tabular.table import open_table
from fastbp.tabular.target import class_numbers, infer_target, target_numbers

NAN = float("nan")


def table_of(values):
    return open_table(pd.DataFrame({"y": values}))


def target_of(values, task="auto"):
    return infer_target(table_of(values), "y", task, ReadOptions())


@pytest.mark.parametrize(
    ("values", "task", "kind"),
    [
        (["a", "b", None], "classification", "text"),
        ([True, False], "classification", "boolean"),
        ([True, False, None], "classification", "boolean"),
        ([0, 1, 2, 1], "classification", "integer"),
        ([0.0, 1.0, NAN], "classification", "integer"),
        (["0", "1", "NA"], "classification", "integer"),
        (["4", "4.0", "5"], "classification", "integer"),
        (["01", "02"], "classification", "text"),
        ([2**63, 2**63 + 1], "classification", "text"),
        (range(20), "classification", "integer"),
        (range(21), "regression", "number"),
        ([0.5, 1.0, 1.5], "regression", "number"),
        (["1,5", "2,5"], "regression", "number"),
        (["1.5"] * 50 + ["2.5"] * 50 + ["broken"], "regression", "number"),
        ([1e-200, 2e-200, 3e-200], "regression", "number"),
    ],
)
def test_the_task_follows_from_the_values(values, task, kind):
    target = target_of(values)
    assert (target.task, target.kind) == (task, kind)
    assert target.reason
    assert bool(target.classes) == (task == "classification")


def test_the_user_decides():
    assert target_of([0, 1, 2], "regression").task == "regression"
    assert target_of([*range(30)] * 3, "classification").task == "classification"
    assert target_of([0, 1, 2], "regression").reason == "as you said"


@pytest.mark.parametrize(
    ("values", "task", "message"),
    [
        ([NAN, NAN], "auto", "all are missing"),
        (["a", "a", None], "auto", r"single value \(a\)"),
        (["1", "1", "NA"], "auto", r"single value \(1\)"),
        ([2.5, 2.5], "auto", "single value"),
        ([f"user {i}" for i in range(50)], "auto", "no class labels"),
        (["a", "b"], "regression", "needs numbers"),
        ([0.5, 1.5], "classification", "text or whole numbers"),
        ([[1], [2]], "auto", "nested"),
    ],
)
def test_targets_that_cannot_be_learned_are_refused(values, task, message):
    with pytest.raises(TableError, match=message):
        target_of(values, task)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (["b", "a"], np.array(["a", "b"], dtype=object)),
        (["10", "9"], np.array([9, 10])),
        ([True, False], np.array([False, True])),
        (["9007199254740993", "9007199254740992"], np.array([2**53, 2**53 + 1])),
    ],
)
def test_labels_have_their_type_and_ascend(values, labels):
    found = target_of(values).labels
    np.testing.assert_array_equal(found, labels)
    assert found.dtype == labels.dtype


@pytest.mark.parametrize(
    ("training", "values", "expected"),
    [
        (["a", "b"], ["b", None, "a", "A"], [1, -1, 0, -2]),
        (["4", "5"], [5.0, 4.0, NAN], [1, 0, -1]),
        (["4", "5"], ["5.0", "NA", "6"], [1, -1, -2]),
        ([4.0, 5.0], ["5", "4"], [1, 0]),
        ([True, False], [False, True, None], [0, 1, -1]),
    ],
)
def test_class_numbers_of_another_table(training, values, expected):
    numbers, unknown = class_numbers(table_of(values), target_of(training))
    assert numbers.tolist() == expected
    assert numbers.dtype == np.int32
    assert bool(unknown) == (-2 in expected)


def test_unknown_classes_are_named():
    assert class_numbers(table_of(["a", "c", "c"]), target_of(["a", "b"]))[1] == ["c"]


@pytest.mark.parametrize(
    ("values", "expected", "lost"),
    [
        (["1.5", "x", "NA", None], [1.5, NAN, NAN, NAN], 1),
        (["1,5", "2,5"], [1.5, 2.5], 0),
        ([1, 2], [1.0, 2.0], 0),
        ([1e-200, np.inf], [1e-200, NAN], 0),
    ],
)
def test_numbers_of_another_table(values, expected, lost):
    numbers, found = target_numbers(table_of(values), target_of([0.5, 1.5]), ReadOptions())
    np.testing.assert_array_equal(numbers, expected)
    assert found == lost


def test_a_column_of_dates_has_no_numbers_to_compare_with():
    with pytest.raises(TableError, match="no numbers"):
        target_numbers(table_of(pd.date_range("2020-01-01", periods=2)), target_of([0.5, 1.5]), ReadOptions())
