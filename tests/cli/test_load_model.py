"""`fastbp.load_model`: predictions in Python are those of the command line."""

import numpy as np
import pandas as pd
import pytest

import fastbp


@pytest.fixture
def european(tmp_path):
    """Write a table with decimal commas, dates with the day first, and a target of either kind."""
    rng = np.random.default_rng(0)
    size = 1000.0 * rng.normal(size=120)
    frame = pd.DataFrame(
        {
            "size": [f"{value:.3f}".replace(".", ",") for value in size],
            "day": pd.date_range("2020-01-01", periods=120, freq="36h").strftime("%d.%m.%Y %H:%M"),
            "code": rng.choice(["01", "02", "10"], size=120),
            "label": np.where(size > 0, "big", "small"),
            "price": [f"{value / 3:.2f}".replace(".", ",") for value in size],
        }
    )
    frame.to_csv(tmp_path / "mixed.csv", sep=";", index=False)
    return tmp_path / "mixed.csv"


@pytest.fixture(params=["mixed", "european"])
def any_table(request):
    """A table as Python writes it, and one as people write it."""
    return request.getfixturevalue("table" if request.param == "mixed" else "european")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("target", ["label", "price"])
def test_frames_and_files_give_what_predict_writes(run_fast, run, any_table, tmp_path, succeeded, target, dtype):
    succeeded(run_fast(any_table, target, "--dtype", dtype))
    proba = ["--proba"] if target == "label" else []
    succeeded(run("predict", "model.skops", any_table, *proba))
    written = pd.read_csv(tmp_path / "predictions.csv", dtype=str)
    sep = ";" if ";" in any_table.read_text() else ","
    model = fastbp.load_model(tmp_path / "model.skops")
    expected = written[target].to_numpy(object if target == "label" else np.float64)
    texts = pd.read_csv(any_table, sep=sep, dtype=str, keep_default_na=False)
    frames = [any_table, str(any_table), texts, texts[texts.columns[::-1]]]
    if sep == ",":
        frames.append(pd.read_csv(any_table))
    for frame in frames:
        np.testing.assert_array_equal(model.predict(frame), expected)
        if proba:
            found = model.predict_proba(frame)
            for column, label in zip(found.T, model.classes, strict=True):
                np.testing.assert_array_equal(column, written[f"proba_{label}"].to_numpy(found.dtype))


def test_a_frame_of_numbers_and_dates_gives_what_the_text_gives(run_fast, european, tmp_path, succeeded):
    succeeded(run_fast(european, "label", "--ignore", "price"))
    model = fastbp.load_model(tmp_path / "model.skops")
    frame = pd.read_csv(european, sep=";", decimal=",", dtype={"code": str})
    frame["day"] = pd.to_datetime(frame["day"], format="%d.%m.%Y %H:%M")
    np.testing.assert_array_equal(model.predict_proba(frame), model.predict_proba(european))


def test_a_column_that_is_not_there_is_named(run_fast, table, tmp_path, succeeded):
    succeeded(run_fast(table, "label"))
    model = fastbp.load_model(tmp_path / "model.skops")
    frame = pd.read_csv(table)
    with pytest.raises(ValueError, match="lacks columns that the model needs: 'height'"):
        model.predict(frame.drop(columns="height"))
    with pytest.raises(ValueError, match="'height', 'color'"):
        model.predict_proba(frame.drop(columns=["color", "height"]))


def test_a_regression_has_no_probabilities(run_fast, table, tmp_path, succeeded):
    succeeded(run_fast(table, "price"))
    with pytest.raises(AttributeError, match="a regression has no probabilities"):
        fastbp.load_model(tmp_path / "model.skops").predict_proba(table)


def test_what_is_no_table_is_refused(run_fast, table, tmp_path, succeeded):
    succeeded(run_fast(table, "label"))
    model = fastbp.load_model(str(tmp_path / "model.skops"))
    with pytest.raises(TypeError, match="a table must be a path or a data frame, got int"):
        model.predict(3)
    with pytest.raises(ValueError, match=r"there is no file 'none\.csv'"):
        model.predict("none.csv")


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match="there is no file"):
        fastbp.load_model(tmp_path / "none.skops")
    (tmp_path / "model.skops").write_text("no model")
    with pytest.raises(ValueError, match="is not a readable fastbp model"):
        fastbp.load_model(tmp_path / "model.skops")
