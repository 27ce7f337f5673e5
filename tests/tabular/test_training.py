"""Held-out rows, and how long a network is trained."""

import numpy as np
import pandas as pd
import pytest

from fastbp.tabular.columns import infer_columns
from fastbp.tabular.errors import TableError
from fastbp.tabular.fitting import choose_rows, fit_model, score_rows
from fastbp.tabular.inputs import Inputs
from fastbp.tabular.options import ReadOptions
from fastbp.tabular.table import open_table
from fastbp.tabular.target import infer_target
from fastbp.tabular.training import Settings, split, train_network

Y = np.array([0] * 60 + [1] * 35 + [2] * 4 + [3])
TINY = Settings(hidden=(8,), epochs=3)


def test_every_class_gives_its_share_and_single_rows_stay():
    first, second = split(Y, 0.2, seed=0, stratify=True)
    assert sorted([*first, *second]) == list(range(len(Y)))
    assert [int(np.sum(Y[second] == label)) for label in range(4)] == [12, 7, 1, 0]
    assert (np.diff(first) > 0).all()
    assert (np.diff(second) > 0).all()


def test_many_classes_that_cannot_all_be_held_out_are_split_at_random():
    y = np.repeat(np.arange(50), 2)
    first, second = split(y, 0.1, seed=0, stratify=True)
    assert (len(first), len(second)) == (90, 10)


def test_numbers_are_held_out_at_random():
    y = np.linspace(0.0, 1.0, 100)
    first, second = split(y, 0.25, seed=0, stratify=False)
    assert (len(first), len(second)) == (75, 25)
    assert not np.array_equal(second, split(y, 0.25, seed=1, stratify=False)[1])
    np.testing.assert_array_equal(second, split(y, 0.25, seed=0, stratify=False)[1])


@pytest.mark.parametrize(("y", "fraction"), [(Y, 0.0), (Y[:3], 0.1), (np.arange(5), 0.4)])
def test_nothing_is_held_out_for_small_fractions_or_single_rows(y, fraction):
    first, second = split(y, fraction, seed=0, stratify=True)
    if len(y) == 5:  # every class has a single row
        assert len(second) == 0
    np.testing.assert_array_equal(np.sort([*first, *second]), np.arange(len(y)))
    assert fraction >= 0.4 or len(second) == 0


def rows_of(values, test_fraction=0.2, settings=TINY):
    table = open_table(pd.DataFrame({"y": values}))
    return choose_rows(table, infer_target(table, "y", "auto", ReadOptions()), ReadOptions(), settings, test_fraction)


def test_rows_without_a_target_are_left_out():
    rows = rows_of([1.5, None, 2.5, 3.5, np.nan] * 20)
    chosen = np.sort([*rows.fitting, *rows.validation, *rows.test])
    np.testing.assert_array_equal(chosen, np.flatnonzero(np.isfinite(rows.y)))
    assert any("40 rows without a target" in note for note in rows.notes)


def test_targets_that_are_no_numbers_are_left_out():
    rows = rows_of(["1.5"] * 30 + ["2.5"] * 30 + ["x"])
    assert len(rows.training) + len(rows.test) == 60
    assert any("1 value of the target 'y' cannot be read as a number" in note for note in rows.notes)


def test_single_rows_of_a_class_are_named():
    assert any("1 class has a single row, e.g. 'c'" in note for note in rows_of(["a", "b"] * 10 + ["c"]).notes)


@pytest.mark.parametrize(("n", "fraction", "message"), [(3, 0.0, "too few"), (6, 0.01, "--test-fraction 0")])
def test_too_few_rows_are_refused(n, fraction, message):
    with pytest.raises(TableError, match=message):
        rows_of(np.arange(n) + 0.5, fraction)


def test_too_few_rows_for_a_validation_set_are_all_trained_on():
    rows = rows_of(np.arange(10) + 0.5)
    assert (len(rows.fitting), len(rows.validation)) == (8, 0)
    assert any("validation" in note for note in rows.notes)


def trained_on(frame, settings, target="y"):
    table = open_table(frame)
    options = ReadOptions()
    found = infer_target(table, target, "auto", options)
    columns, _ = infer_columns(table, options, target)
    rows = choose_rows(table, found, options, settings, 0.2)
    model, trained = fit_model(table, found, columns, rows, settings, options)
    return model, trained, score_rows(model, table, rows.test, rows.y)


@pytest.mark.parametrize(
    ("size", "dtype"), [(1.0, "float32"), (1e6, "float32"), (1e-30, "float32"), (1e-200, "float64"), (1e100, "float64")]
)
def test_targets_of_any_size_are_learned(size, dtype):
    x = np.random.default_rng(0).normal(size=400)
    frame = pd.DataFrame({"a": x, "y": size * (5.0 + x)})
    model, _, _ = trained_on(frame, Settings(hidden=(8,), epochs=60, learning_rate=0.01, dtype=dtype))
    error = (model.predict(frame) - frame["y"]) / size
    assert np.sqrt(np.mean(error**2)) < 0.2


def test_classes_are_learned_with_missing_values_and_categories():
    rng = np.random.default_rng(0)
    color = rng.choice(["red", "green", "?"], 400)
    height = np.where(rng.random(400) < 0.1, np.nan, rng.normal(size=400))
    y = np.where((color == "red") | (height > 0.5), "big", "small")
    model, trained, scores = trained_on(
        pd.DataFrame({"color": color, "height": height, "y": y}), Settings(hidden=(8,), epochs=40, learning_rate=0.01)
    )
    assert scores.model["accuracy"] > 0.9
    assert scores.beats_baseline
    assert trained.best_loss > 0.0
    assert model.predict_proba(pd.DataFrame({"color": ["red"], "height": [None]})).shape == (1, 2)
    with pytest.warns(UserWarning, match="columns that the model needs are empty: 'height'"):
        assert model.predict_proba(pd.DataFrame({"color": ["red", "red"], "height": [None, None]})).shape == (2, 2)


def test_every_setting_reaches_the_model():
    settings = Settings(
        hidden=(5, 4),
        epochs=3,
        batch_size=7,
        learning_rate=0.02,
        weight_decay=0.5,
        activation="tanh",
        seed=9,
        n_threads=1,
    )
    x = np.random.default_rng(0).normal(size=40)
    model, trained, _ = trained_on(pd.DataFrame({"a": x, "y": x + 0.5}), settings)
    estimator = model.pipeline["model"].regressor_
    expected = {
        "hidden_layer_sizes": (5, 4),
        "learning_rate_init": 0.02,
        "alpha": 0.5,
        "activation": "tanh",
        "random_state": 9,
        "n_jobs": 1,
    }
    assert expected.items() <= estimator.get_params().items()
    assert estimator.n_iter_ == trained.epochs <= 3
    assert [weights.shape for weights in estimator.coefs_] == [(1, 5), (5, 4), (4, 1)]


def test_epochs_and_batches_follow_the_size_of_the_table():
    assert Settings().batch(100) == 32
    assert Settings().batch(10_000) == 200
    assert Settings(batch_size=7).batch(100) == 7
    assert Settings().most_epochs(32) == 500
    assert Settings().most_epochs(10_000) == 100
    assert Settings().most_epochs(10**6) == 20
    assert Settings().most_epochs(4 * 10**6) == 5
    assert Settings().most_epochs(10**8) == 3
    assert Settings(epochs=3).most_epochs(10**8) == 3


def as_inputs(x: np.ndarray) -> Inputs:
    return Inputs(x, np.arange(x.shape[1]), np.empty((len(x), 0), np.uint8), np.empty(0, np.intp), x.shape[1])


def test_the_epochs_of_the_least_validation_loss_are_trained_on_all_rows():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3)).astype(np.float32)
    y = rng.normal(size=60).astype(np.float32)  # noise: the validation loss soon rises
    settings = Settings(hidden=(8,), epochs=100, patience=5, learning_rate=0.01)
    trained = train_network(as_inputs(x), y, 48, "squared_error", 1, settings)
    assert trained.epochs < 100
    assert trained.network.history.n_iter == trained.epochs
    assert "stopped early: no improvement for 5 epochs" in trained.ending
    again = train_network(
        as_inputs(x), y, 60, "squared_error", 1, Settings(hidden=(8,), epochs=trained.epochs, learning_rate=0.01)
    )
    assert (again.best_loss, again.ending) == (None, "")


def test_a_training_that_diverges_says_so():
    x = np.full((40, 1), 1e30, dtype=np.float32)
    y = np.linspace(0, 1, 40, dtype=np.float32)
    with pytest.raises(TableError, match="learning-rate"):
        train_network(as_inputs(x), y, 40, "squared_error", 1, Settings(hidden=(8,), epochs=50, learning_rate=1e10))
