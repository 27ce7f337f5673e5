"""From a table to a model to predictions."""

import json
import re
import zipfile

import numpy as np
import pandas as pd
import pytest
import skops.io

from fastbp.tabular.files import read_model, trusted_types

TARGETS = ("label", "price")


def succeeded(result):
    assert result.exit_code == 0, (result.output, result.exception)
    assert "\x1b" not in result.output
    return result.output


@pytest.mark.parametrize(
    ("target", "task", "other"), [("label", "classification", "price"), ("price", "regression", "label")]
)
def test_training_says_what_it_does_and_saves(run_fast, table, tmp_path, target, task, other):
    shown = succeeded(run_fast(table, target, "--ignore", other))
    assert f"target {target!r}: {task} (" in shown
    for kind in ("number", "boolean", "date", "category", "ignored"):
        assert re.search(rf"^\w+ +{kind} ", shown, re.MULTILINE), kind
    assert "epoch 3/3" in shown
    assert "held-out rows" in shown
    assert "always" in shown
    assert (tmp_path / "model.skops").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mixed.csv", "model.skops"]


@pytest.mark.parametrize("target", TARGETS)
def test_predictions_from_the_file_are_those_of_the_pipeline(run_fast, run, table, tmp_path, target):
    succeeded(run_fast(table, target))
    shown = succeeded(run("predict", "model.skops", table))
    assert "Scores on the 300 rows with a target" in shown
    written = pd.read_csv(tmp_path / "predictions.csv")
    assert written.columns.tolist() == ["row", target]
    assert written["row"].tolist() == list(range(1, 301))

    pipeline = skops.io.load(tmp_path / "model.skops", trusted=sorted(trusted_types()))
    frame = pd.read_csv(table)
    day = pd.to_datetime(frame["day"])
    days = (day - pd.Timestamp(0)) / pd.Timedelta(days=1)
    parts = {"day (month)": day.dt.month, "day (weekday)": day.dt.day_of_week + 1}
    expected = pipeline.predict(frame.assign(new=frame["new"].astype(float), day=days, **parts))
    if target == "label":
        assert written[target].tolist() == expected.tolist()
    else:
        np.testing.assert_allclose(written[target], expected, rtol=1e-6)


def test_the_network_learns(run_fast, run, table):
    options = ("--epochs", "60", "--batch-size", "20", "--learning-rate", "0.01")
    shown = succeeded(run_fast(table, "label", "--ignore", "price", *options))
    accuracy, baseline = re.search(r"^accuracy +([\d.]+) +([\d.]+)$", shown, re.MULTILINE).groups()
    assert float(accuracy) > 0.8 > float(baseline)
    shown = succeeded(run_fast(table, "price", "--ignore", "label", *options))
    r2, baseline = re.search(r"^R² +(-?[\d.]+) +(-?[\d.]+)$", shown, re.MULTILINE).groups()
    assert float(r2) > 0.6 > 0.1 > float(baseline)


def test_probabilities_have_a_column_per_class(run_fast, run, table, tmp_path):
    succeeded(run_fast(table, "label"))
    succeeded(run("predict", "model.skops", table, "--proba", "--out", "p.csv"))
    written = pd.read_csv(tmp_path / "p.csv")
    assert written.columns.tolist() == ["row", "label", "proba_big", "proba_small"]
    np.testing.assert_allclose(written["proba_big"] + written["proba_small"], 1.0, rtol=1e-5)
    assert ((written["proba_big"] > 0.5) == (written["label"] == "big")).all()


@pytest.mark.parametrize("suffix", [".parquet", ".pq", ".tsv", ".csv"])
def test_all_formats_can_be_read_and_written(run_fast, run, tmp_path, suffix, mixed_table):
    table = mixed_table()
    if suffix in (".parquet", ".pq"):
        table = table.assign(day=pd.to_datetime(table["day"]), color=table["color"].astype("category"))
        table.to_parquet(tmp_path / f"t{suffix}")
    else:
        table.to_csv(tmp_path / f"t{suffix}", index=False, sep="\t" if suffix == ".tsv" else ",")
    shown = succeeded(run_fast(f"t{suffix}", "label"))
    assert re.search(r"^day +date ", shown, re.MULTILINE)
    succeeded(run("predict", "model.skops", f"t{suffix}", "--out", f"p{suffix}"))
    readers = {".tsv": lambda path: pd.read_csv(path, sep="\t"), ".csv": pd.read_csv}
    written = readers.get(suffix, pd.read_parquet)(tmp_path / f"p{suffix}")
    assert len(written) == len(table)
    assert set(written["label"]) <= {"big", "small"}


@pytest.mark.parametrize(
    ("labels", "dtype"),
    [(["yes", "no"], "str"), ([3, 7], "int64"), ([True, False], "bool"), ([-1, 0, 1], "int64")],
)
def test_labels_come_back_as_they_were(run_fast, run, tmp_path, labels, dtype):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=60), "y": rng.choice(labels, size=60)})
    frame.to_csv(tmp_path / "t.csv", index=False)
    succeeded(run_fast("t.csv", "y"))
    succeeded(run("predict", "model.skops", "t.csv"))
    written = pd.read_csv(tmp_path / "predictions.csv")["y"]
    assert written.dtype == frame["y"].dtype if dtype == "str" else written.dtype == dtype
    assert set(written) <= set(labels)


def test_new_tables_may_differ_in_what_does_not_matter(run_fast, run, table, tmp_path, mixed_table):
    succeeded(run_fast(table, "label", "--ignore", "price"))
    new = mixed_table(n=20, seed=1).drop(columns=["label", "serial", "code", "unit", "nothing"])
    new = new[new.columns[::-1]].assign(extra=1)
    new.loc[:2, "color"] = "violet"
    new.loc[:4, "width"] = np.nan
    new.to_csv(tmp_path / "new.csv", index=False)
    shown = succeeded(run("predict", "model.skops", "new.csv"))
    assert "Scores" not in shown
    assert "note: columns that the model does not use: 'price', 'extra'" in shown
    assert "note: 3 values in 'color' did not occur in training, e.g. 'violet'" in shown
    assert len(pd.read_csv(tmp_path / "predictions.csv")) == 20


def test_a_column_of_another_type_is_read_as_in_training(run_fast, run, tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"code": rng.choice(["01", "02", "x"], size=80), "size": rng.normal(size=80)})
    frame.assign(y=frame["size"] > 0).to_csv(tmp_path / "t.csv", index=False)
    succeeded(run_fast("t.csv", "y"))
    # Alone, these would be whole numbers and text.
    pd.DataFrame({"code": ["01", "02"], "size": ["1.5", "tiny"]}).to_csv(tmp_path / "new.csv", index=False)
    shown = succeeded(run("predict", "model.skops", "new.csv"))
    assert "did not occur" not in shown
    assert "note: 1 value (50 %) in 'size' cannot be read as a number, e.g. 'tiny': taken as missing" in shown


def test_rows_without_a_target_are_left_out(run_fast, run, tmp_path, mixed_table):
    frame = mixed_table()
    frame.loc[:9, "label"] = None
    frame.to_csv(tmp_path / "t.csv", index=False)
    shown = succeeded(run_fast("t.csv", "label"))
    assert "note: 10 rows without a target: left out" in shown
    shown = succeeded(run("predict", "model.skops", "t.csv"))
    assert "wrote 300 predictions" in shown
    assert "Scores on the 290 rows" in shown
    frame.assign(label=None).to_csv(tmp_path / "t.csv", index=False)
    assert "has no values to score against" in succeeded(run("predict", "model.skops", "t.csv", "--force"))


def test_the_user_decides_about_columns(run_fast, table, tmp_path):
    shown = succeeded(
        run_fast(table, "label", "--category", "serial", "--ignore", "price", "--ignore", "day", "--text", "color")
    )
    assert re.search(r"^serial +category +as you said", shown, re.MULTILINE)
    assert re.search(r"^price +ignored +as you said", shown, re.MULTILINE)
    model, _ = read_model(tmp_path / "model.skops")
    assert {"serial": "category", "color": "text"}.items() <= {c.name: c.kind for c in model.columns}.items()


def test_repeated_column_names_are_told_apart(run_fast, run, tmp_path):
    lines = ["x,x,y", *(f"{i % 7},{i % 5},{i % 2}" for i in range(60))]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    shown = succeeded(run_fast("t.csv", "y"))
    assert "note: another 'x' is called 'x.1' here" in shown
    succeeded(run("predict", "model.skops", "t.csv"))


def test_wide_tables_are_summarized(run_fast, tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, 200))).add_prefix("p")
    frame.assign(y=rng.choice(["a", "b"], size=60)).to_csv(tmp_path / "t.csv", index=False)
    shown = succeeded(run_fast("t.csv", "y"))
    assert re.search(r"^number +200 +'p0', 'p1', .*\(and 192 more\)", shown, re.MULTILINE)


def test_names_that_look_like_markup_are_taken_literally(run_fast, run, tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"[red]x[/red]": rng.normal(size=60), "a\x1b[31mb": rng.normal(size=60)})
    frame.assign(**{"[/y]": rng.choice(["a", "[/b]"], size=60)}).to_csv(tmp_path / "t.csv", index=False)
    shown = succeeded(run_fast("t.csv", "[/y]"))
    assert "[red]x[/red]" in shown
    assert "a?[31mb" in shown
    succeeded(run("predict", "model.skops", "t.csv", "--proba"))
    assert pd.read_csv(tmp_path / "predictions.csv").columns.tolist() == ["row", "[/y]", "proba_[/b]", "proba_a"]


def test_tiny_tables_train(run_fast, tmp_path):
    lines = ["x,y", *(f"{i},{'a' if i % 2 else 'b'}" for i in range(12))]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    shown = succeeded(run_fast("t.csv", "y"))
    assert "too few rows for a validation set" in shown
    assert "Scores on 2 held-out rows" in shown
    shown = succeeded(run_fast("t.csv", "y", "--test-fraction", "0", "--validation-fraction", "0"))
    assert "Scores" not in shown


def test_rare_classes_stay_in_training(run_fast, run, tmp_path):
    lines = ["x,y", *(f"{i},{'a' if i % 2 else 'b'}" for i in range(40)), "-9,c"]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    shown = succeeded(run_fast("t.csv", "y"))
    assert "Scores on 8 held-out rows" in shown
    assert "note: 1 class has a single row, e.g. 'c'" in shown
    succeeded(run("predict", "model.skops", "t.csv", "--proba"))
    assert "proba_c" in pd.read_csv(tmp_path / "predictions.csv")


def test_a_linear_model_of_booleans_only(run_fast, run, tmp_path):
    lines = ["x,z,y", *(f"{i % 2 == 0},{i % 3 == 0},{i % 2}" for i in range(60))]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    succeeded(run_fast("t.csv", "y", "--dtype", "float64", "--activation", "tanh", "--n-threads", "1"))
    assert "wrote 60 predictions" in succeeded(run("predict", "model.skops", "t.csv"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_same_seed_gives_the_same_model(run_fast, run, table, tmp_path, dtype):
    for out in ("a.skops", "b.skops"):
        succeeded(run_fast(table, "price", "--dtype", dtype, "--seed", "3", "--out", out))
        succeeded(run("predict", out, table, "--out", f"{out}.csv"))
    assert (tmp_path / "a.skops.csv").read_bytes() == (tmp_path / "b.skops.csv").read_bytes()


def test_training_stops_when_nothing_improves(run_fast, table):
    shown = succeeded(run_fast(table, "label", "--epochs", "500", "--patience", "2", "--learning-rate", "0.05"))
    assert "stopped early: no improvement for 2 epochs" in shown
    assert re.search(r"the validation loss was least after \d+ epochs", shown)


def test_a_diverging_training_is_an_error(refused, table):
    command = ("train", table, "--target", "price", "--hidden", "8", "--learning-rate", "1e30")
    assert "diverged" in refused(*command, "--validation-fraction", "0")


def test_the_file_describes_itself(run_fast, table, tmp_path):
    succeeded(run_fast(table, "label"))
    with zipfile.ZipFile(tmp_path / "model.skops") as file:
        description = json.loads(file.read("fastbp.json"))
    assert description["target"]["name"] == "label"
    assert description["target"]["classes"] == ["big", "small"]
    assert {"name", "kind"} <= set(description["columns"][0])
    assert set(description["versions"]) == {"fastbp", "scikit-learn", "numpy"}
