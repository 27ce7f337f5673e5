"""The inputs of the network in little memory: they are those of the preprocessing."""

import numpy as np
import pandas as pd
import pytest

from fastbp.tabular import training
from fastbp.tabular.columns import Column, infer_columns
from fastbp.tabular.fitting import choose_rows, fit_model
from fastbp.tabular.inputs import compact_inputs
from fastbp.tabular.options import ReadOptions
from fastbp.tabular.pipeline import build_preprocessing
from fastbp.tabular.table import open_table
from fastbp.tabular.target import infer_target
from fastbp.tabular.training import Settings

COLUMNS = [Column("n", "number"), Column("c", "category"), Column("d", "category"), Column("t", "text")]


def make_features(n, seed=0):
    rng = np.random.default_rng(seed)
    words = np.array(["red car", "blue house", "green tree by the lake", ""], dtype=object)
    return pd.DataFrame(
        {
            "n": np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n)),
            "c": rng.choice(np.array(["a", "b", "c"], dtype=object), size=n),
            # The rare ones share an input.
            "d": np.array([f"v{min(index, 200)}" for index in rng.geometric(0.1, size=n)], dtype=object),
            "t": words[rng.integers(len(words), size=n)],
        }
    )


def pieces(features, order):
    """Cut the features in pieces of 70 rows; row i of them is row order[i] of the result."""
    for begin in range(0, len(features), 70):
        yield order[begin : begin + 70], features.iloc[begin : begin + 70]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("names", ["ncdt", "nt", "cd", "c", "n", "t"])
def test_the_rows_are_those_of_the_preprocessing(names, dtype):
    columns = [column for column in COLUMNS if column.name in names]
    features = make_features(500)[list(names)]
    preprocessing = build_preprocessing(columns, dtype, 500).fit(features)
    order = np.random.default_rng(1).permutation(500)
    inputs = compact_inputs(preprocessing, pieces(features, order), 500)
    expected = np.empty((500, inputs.shape[1]), dtype)
    expected[order] = preprocessing.transform(features)
    numbers = np.random.default_rng(2).integers(500, size=300)
    found = inputs.rows(numbers)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, expected[numbers])
    np.testing.assert_array_equal(inputs.part(slice(100, 200)).rows(np.arange(100)), expected[100:200])
    assert inputs.nbytes == expected.nbytes


def test_a_category_without_an_input_is_all_zeros():
    columns = [Column("c", "category")]
    preprocessing = build_preprocessing(columns, "float32", 100).fit(pd.DataFrame({"c": ["a", "b"] * 50}))
    features = pd.DataFrame({"c": ["b", "new", "a"]})
    inputs = compact_inputs(preprocessing, [(np.arange(3), features)], 3)
    np.testing.assert_array_equal(inputs.rows(np.arange(3)), [[0, 1], [0, 0], [1, 0]])


@pytest.mark.parametrize("target", ["y", "z"])
def test_a_large_table_is_trained_as_a_small_one(target, monkeypatch):
    frame = make_features(700).drop(columns="t")
    frame["y"] = np.where(frame["n"].fillna(0) + (frame["c"] == "a") > 0.5, "yes", "no")
    frame["z"] = frame["n"].fillna(0) * 3 + 0.25
    table, options, settings = open_table(frame), ReadOptions(), Settings(hidden=(8,), epochs=4)
    found = infer_target(table, target, "auto", options)
    columns, _ = infer_columns(table, ReadOptions(kinds={"yz".replace(target, ""): "ignored"}), target)
    rows = choose_rows(table, found, options, settings, 0.2)
    weights = []
    for limit in (0, 1 << 30):
        monkeypatch.setattr(training, "MOST_BYTES_OF_A_MATRIX", limit)
        weights.append(fit_model(table, found, columns, rows, settings, options)[1].network.weights)
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
