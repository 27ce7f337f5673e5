"""What is built around the network, and that every setting reaches it."""

import numpy as np
import pandas as pd
import pytest

import fastbp
from fastbp.cli._columns import Column
from fastbp.cli._pipeline import MAX_INPUTS_PER_COLUMN, Settings, build_pipeline, network, unseen_categories

NAN = float("nan")
NUMBER = [Column("a", "number")]
CATEGORY = [Column("a", "category")]


def inputs(columns, training, new, n_rows=1000, **settings):
    """Return what the network sees of new rows after fitting the preprocessing to training rows."""
    pipeline = build_pipeline(columns, "classification", Settings(**settings), n_rows)[:-1]
    return pipeline.fit(pd.DataFrame(training)).transform(pd.DataFrame(new))


def test_numbers_are_standardized_and_missing_ones_marked():
    found = inputs(NUMBER, {"a": [1.0, 2.0, 9.0, NAN]}, {"a": [2.0, NAN]}, dtype="float64")
    filled = np.array([1.0, 2.0, 9.0, 2.0])
    expected = (2.0 - filled.mean()) / filled.std()
    np.testing.assert_allclose(found[:, 0], expected)
    assert found[0, 1] < 0.0 < found[1, 1]


def test_a_number_without_training_values_is_harmless():
    found = inputs([*NUMBER, Column("b", "number")], {"a": [1.0, 2.0], "b": [NAN, NAN]}, {"a": [1.0], "b": [7.0]})
    assert np.isfinite(found).all()


def test_categories_have_one_input_each_and_missing_is_one():
    training = {"a": np.array(["x"] * 20 + ["y"] * 20 + [NAN] * 20, dtype=object)}
    new = {"a": np.array(["x", "y", NAN], dtype=object)}
    found = inputs(CATEGORY, training, new)
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


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_network_sees_one_dtype(dtype):
    columns = [Column("a", "number"), Column("b", "category")]
    table = {"a": [1.0, 2.0], "b": ["x", "y"]}
    found = inputs(columns, table, table, dtype=dtype)
    assert found.dtype == dtype
    assert isinstance(found, np.ndarray)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("task", "kind"), [("classification", fastbp.MLPClassifier), ("regression", fastbp.MLPRegressor)]
)
def test_every_setting_reaches_the_network(task, kind):
    settings = Settings(
        hidden=(5, 4),
        epochs=3,
        patience=2,
        batch_size=7,
        learning_rate=0.02,
        weight_decay=0.5,
        activation="tanh",
        validation_fraction=0.25,
        seed=9,
        n_threads=1,
    )
    rng = np.random.default_rng(0)
    features = pd.DataFrame({"a": rng.normal(size=40)})
    fitted = network(build_pipeline(NUMBER, task, settings, 40).fit(features, np.arange(40) % 2))
    assert type(fitted) is kind
    expected = {
        "hidden_layer_sizes": (5, 4),
        "max_iter": 3,
        "n_iter_no_change": 2,
        "batch_size": 7,
        "learning_rate_init": 0.02,
        "alpha": 0.5,
        "activation": "tanh",
        "validation_fraction": 0.25,
        "early_stopping": True,
        "random_state": 9,
        "n_jobs": 1,
    }
    assert expected.items() <= fitted.get_params().items()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_targets_of_any_scale_are_learned():
    rng = np.random.default_rng(0)
    features = pd.DataFrame({"a": rng.normal(size=400)})
    y = 1e6 * (5.0 + features["a"].to_numpy())
    settings = Settings(hidden=(16,), epochs=60, learning_rate=0.01, batch_size=20)
    predicted = build_pipeline(NUMBER, "regression", settings, 400).fit(features, y).predict(features)
    assert np.sqrt(np.mean((predicted - y) ** 2)) < 0.2 * y.std()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_unseen_categories_are_named():
    columns = [*CATEGORY, Column("b", "number")]
    training = pd.DataFrame({"a": ["x", "y"] * 20, "b": np.arange(40.0)})
    pipeline = build_pipeline(columns, "regression", Settings(hidden=(2,), epochs=1), 40)
    pipeline.fit(training, np.arange(40.0))
    assert unseen_categories(pipeline, training) == []
    new = pd.DataFrame({"a": ["x", "z", "z", NAN], "b": 0.0})
    assert unseen_categories(pipeline, new) == ["2 values in 'a' did not occur in training, e.g. 'z'"]
