"""What is built between the features and the network."""

import numpy as np
import pandas as pd
import pytest

from fastbp.tabular.columns import Column
from fastbp.tabular.features import MISSING_CATEGORY
from fastbp.tabular.pipeline import INPUTS_OF_A_TEXT, MAX_INPUTS_PER_COLUMN, build_preprocessing, unseen_categories

NAN = float("nan")
NUMBER = [Column("a", "number")]
CATEGORY = [Column("a", "category")]


def inputs(columns, training, new, n_rows=1000, dtype="float32"):
    """Return what the network sees of new rows after fitting the preprocessing to training rows."""
    preprocessing = build_preprocessing(columns, dtype, n_rows).fit(pd.DataFrame(training))
    return preprocessing.transform(pd.DataFrame(new))


def test_numbers_are_standardized_and_missing_ones_marked():
    found = inputs(NUMBER, {"a": [1.0, 2.0, 9.0, NAN]}, {"a": [2.0, NAN]}, dtype="float64")
    filled = np.array([1.0, 2.0, 9.0, 2.0])
    np.testing.assert_allclose(found[:, 0], (2.0 - filled.mean()) / filled.std())
    assert found[0, 1] < 0.0 < found[1, 1]


def test_a_number_without_training_values_is_harmless():
    found = inputs([*NUMBER, Column("b", "number")], {"a": [1.0, 2.0], "b": [NAN, NAN]}, {"a": [1.0], "b": [7.0]})
    assert np.isfinite(found).all()


def test_categories_have_one_input_each_and_missing_is_one():
    values = ["x", "y", MISSING_CATEGORY]
    found = inputs(CATEGORY, {"a": np.array(values * 20, dtype=object)}, {"a": np.array(values, dtype=object)})
    assert found.shape == (3, 3)
    assert sorted(found.argmax(axis=1)) == [0, 1, 2]
    np.testing.assert_array_equal(found.sum(axis=1), 1.0)


def test_rare_and_unseen_categories_share_an_input():
    training = {"a": ["x"] * 20 + ["y"] * 20 + ["rare", "rarer"]}
    found = inputs(CATEGORY, training, {"a": ["rare", "rarer", "unseen", "x"]}, n_rows=10_000)
    assert found.shape == (4, 3)
    assert found.argmax(axis=1).tolist()[:3] == [2, 2, 2]
    assert found.argmax(axis=1)[3] != 2


def test_a_column_has_a_bounded_number_of_inputs():
    names = [f"c{index}" for index in range(2 * MAX_INPUTS_PER_COLUMN)]
    assert inputs(CATEGORY, {"a": names * 3}, {"a": ["c0"]}, n_rows=10).shape[1] == MAX_INPUTS_PER_COLUMN


def test_texts_that_are_alike_have_inputs_that_are_alike():
    texts = [
        f"{color} {thing} number {index}"
        for index in range(20)
        for color in ("red", "blue")
        for thing in ("car", "house")
    ]
    new = ["a red car", "one red car", "the blue house", ""]
    found = inputs([Column("a", "text")], {"a": texts}, {"a": new}, n_rows=10 * INPUTS_OF_A_TEXT)
    assert found.shape == (4, INPUTS_OF_A_TEXT)
    assert np.linalg.norm(found[0] - found[1]) < np.linalg.norm(found[0] - found[2])
    assert np.isfinite(found).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_network_sees_one_dtype(dtype):
    columns = [Column("a", "number"), Column("b", "category")]
    table = {"a": [1.0, 2.0], "b": ["x", "y"]}
    found = inputs(columns, table, table, dtype=dtype)
    assert found.dtype == dtype
    assert isinstance(found, np.ndarray)


def test_unseen_categories_are_named():
    columns = [*CATEGORY, Column("b", "number"), Column("c", "category")]
    training = pd.DataFrame({"a": ["x", "y"] * 20, "b": np.arange(40.0), "c": ["u", "v"] * 20})
    preprocessing = build_preprocessing(columns, "float32", 40).fit(training)
    assert unseen_categories(preprocessing, training) == {}
    new = pd.DataFrame({"a": ["x", "z", "z", "w"], "b": 0.0, "c": "u"})
    assert unseen_categories(preprocessing, new) == {"a": (3, "z")}
