"""What the commands write: tables of predictions, scores, descriptions of models, and JSON."""

import json
import re

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def model(run_fast, succeeded, table, tmp_path):
    """Train a small model into model.skops."""
    succeeded(run_fast(table, "label", "--ignore", "price"))
    return tmp_path / "model.skops"


@pytest.fixture
def predicted(run, succeeded, table, tmp_path):
    """Return a function that predicts mixed.csv and reads the predictions as text."""

    def predict(*args, out="p.csv"):
        succeeded(run("predict", "model.skops", table, "--out", out, *args))
        return pd.read_csv(tmp_path / out, dtype=str, keep_default_na=False)

    return predict


@pytest.fixture
def as_json(succeeded):
    """Return a function that reads all of stdout as one JSON object, in which there is no NaN."""

    def read(result):
        def fails(constant):
            raise AssertionError(constant)

        assert succeeded(result).stdout.count("\n") == 1
        return json.loads(result.stdout, parse_constant=fails)

    return read


def test_a_training_as_json(run_fast, table, as_json):
    found = as_json(run_fast(table, "label", "--ignore", "price", "--json"))
    assert (found["model"], found["target"], found["task"]) == ("model.skops", "label", "classification")
    assert found["classes"] == ["big", "small"]
    assert found["rows"] == {"training": 216, "validation": 24, "test": 60}
    assert found["columns"][0] == {"name": "width", "kind": "number", "detail": "decimal, 11.0 % missing"}
    assert 1 <= found["epochs"] <= 3
    assert found["interrupted"] is False
    assert set(found["scores"]) == set(found["baseline"]) == {"accuracy", "balanced accuracy", "log-loss", "ROC AUC"}
    assert sum(row["rows"] for row in found["by_class"]) == 60


def test_a_training_without_scores_as_json(run_fast, table, as_json):
    found = as_json(run_fast(table, "price", "--test-fraction", "0", "--json"))
    assert (found["task"], found["classes"], found["rows"]["test"]) == ("regression", [], 0)
    assert "scores" not in found


def test_scores_that_are_no_numbers_are_null(run_fast, run, table, tmp_path, mixed_table, as_json):
    run_fast(table, "price")
    mixed_table(n=5).assign(price=100.0).to_csv(tmp_path / "t.csv", index=False)
    assert as_json(run("evaluate", "model.skops", "t.csv", "--json"))["scores"]["R²"] is None


def test_predictions_as_json(run, model, table, as_json):
    found = as_json(run("predict", model, table, "--json"))
    assert (found["out"], found["rows"], found["target"]) == ("predictions.csv", 300, "label")
    assert 0.0 <= found["scores"]["accuracy"] <= 1.0
    assert any("does not use" in note for note in found["notes"])


def test_a_model_as_json(run, model, as_json):
    found = as_json(run("info", model, "--json"))
    assert (found["target"], found["task"], found["classes"]) == ("label", "classification", ["big", "small"])
    assert found["layers"][1:] == [8, 1]
    assert [column["name"] for column in found["columns"]] == ["width", "height", "color", "new", "day"]


def test_a_machine_as_json(run, as_json):
    assert {"fastbp", "cpu", "threads", "peak_float32", "duckdb"} <= set(as_json(run("info", "--json")))


def test_a_model_describes_itself(run, run_fast, model, table, succeeded):
    shown = succeeded(run("info", model)).stdout
    for line in ("predicts +'label': classification", "classes +'big', 'small'", "network +11-8-1, relu, float32"):
        assert re.search(f"^{line}", shown, re.MULTILINE), line
    assert re.search(r"^color +category +4 values", shown, re.MULTILINE)
    run_fast(table, "price", "--dtype", "float64", "--activation", "tanh", "--hidden", "")
    succeeded(run_fast(table, "price", "--dtype", "float64", "--activation", "tanh"))
    shown = succeeded(run("info", model)).stdout
    assert re.search(r"^mean of the target +10\d\.", shown, re.MULTILINE)
    assert "-8-1, tanh, float64" in shown


def test_evaluate_shows_the_scores_that_predict_shows(run, model, table, tmp_path, succeeded, as_json):
    scored = succeeded(run("evaluate", model, table))
    assert scored.stdout.startswith("\nScores on the 300 rows with a target\n")
    assert scored.stdout == succeeded(run("predict", model, table)).stdout
    found = as_json(run("evaluate", model, table, "--json"))
    written = pd.read_csv(tmp_path / "predictions.csv")["label"]
    assert found["scores"]["accuracy"] == np.mean(written == pd.read_csv(table)["label"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mixed.csv", "model.skops", "predictions.csv"]


def test_evaluate_needs_a_target(refused, model, tmp_path, mixed_table):
    mixed_table().drop(columns="label").to_csv(tmp_path / "t.csv", index=False)
    assert "no column 'label'" in refused("evaluate", model, "t.csv")
    mixed_table().assign(label=None).to_csv(tmp_path / "t.csv", index=False)
    assert "'label' has no values to score against" in refused("evaluate", model, "t.csv")


def test_unknown_classes_are_counted_and_not_scored(run, model, tmp_path, mixed_table, succeeded):
    frame = mixed_table()
    frame.loc[:3, "label"] = "huge"
    frame.to_csv(tmp_path / "t.csv", index=False)
    result = succeeded(run("evaluate", model, "t.csv"))
    assert "note: 4 rows have a class that did not occur in training, e.g. 'huge': not scored" in result.stderr
    assert "Scores on the 296 rows" in result.stdout


def test_quiet_leaves_results_and_errors(run, run_fast, table, succeeded):
    for result in (
        run_fast(table, "label", "--quiet"),
        run("predict", "model.skops", table, "--quiet"),
        run("evaluate", "model.skops", table, "--quiet"),
        run("info", "model.skops", "--quiet"),
    ):
        assert succeeded(result).stderr == ""
        assert result.stdout != ""
    failed = run("predict", "model.skops", table, "--quiet")
    assert (failed.exit_code, failed.stdout) == (2, "")
    assert failed.stderr.startswith("fastbp: error: ")


def test_rows_are_numbered(model, predicted):
    frame = predicted()
    assert frame.columns.tolist() == ["row", "label"]
    assert frame["row"].tolist() == [str(number) for number in range(1, 301)]


def test_predictions_beside_the_inputs(model, predicted, table):
    frame = predicted("--with-inputs", "--proba")
    inputs = pd.read_csv(table, dtype=str, keep_default_na=False)
    assert frame.columns.tolist() == [*inputs.columns, "predicted label", "proba_big", "proba_small"]
    pd.testing.assert_frame_equal(frame[inputs.columns], inputs)


def test_inputs_that_have_the_name_of_a_probability_stay(run, model, tmp_path, mixed_table, succeeded):
    mixed_table().assign(proba_big="mine").to_csv(tmp_path / "t.csv", index=False)
    succeeded(run("predict", model, "t.csv", "--with-inputs", "--proba"))
    frame = pd.read_csv(tmp_path / "predictions.csv")
    assert set(frame["proba_big"]) == {"mine"}
    assert frame["predicted proba_big"].between(0.0, 1.0).all()


def test_a_column_that_names_the_rows(model, predicted, refused, table):
    frame = predicted("--id", "code")
    assert frame.columns.tolist() == ["code", "label"]
    assert frame["code"].tolist() == pd.read_csv(table, dtype=str)["code"].tolist()
    assert predicted("--id", "code", "--with-inputs", out="q.csv").columns.tolist()[:2] == ["code", "width"]
    assert "did you mean 'code'?" in refused("predict", model, table, "--id", "Codes")


def test_the_column_that_names_the_rows_is_remembered(run, run_fast, table, tmp_path, succeeded, predicted):
    lines = succeeded(run_fast(table, "label", "--id", "width")).stderr.splitlines()
    assert any(re.match("width +ignored +as you said", line) for line in lines)
    assert predicted().columns.tolist() == ["width", "label"]
    assert predicted("--id", "serial", out="q.csv").columns.tolist() == ["serial", "label"]
    pd.read_csv(table).drop(columns="width").to_csv(tmp_path / "t.csv", index=False)
    succeeded(run("predict", "model.skops", "t.csv"))
    assert pd.read_csv(tmp_path / "predictions.csv").columns.tolist() == ["row", "label"]


def test_an_unknown_column_cannot_name_the_rows(refused, table):
    assert "did you mean 'code'?" in refused("train", table, "--target", "label", "--id", "cod")


def test_predictions_are_replaced_by_force_alone(refused, run, model, table, tmp_path, succeeded):
    (tmp_path / "predictions.csv").write_text("mine")
    assert "--force replaces it" in refused("predict", model, table)
    succeeded(run("predict", model, table, "--force"))
    assert len(pd.read_csv(tmp_path / "predictions.csv")) == 300


def test_neither_the_table_nor_the_model_is_replaced(refused, model, table, tmp_path):
    assert "would be overwritten" in refused("predict", model, table, "--out", "mixed.csv", "--force")
    (tmp_path / "link.csv").symlink_to(table)
    assert "would be overwritten" in refused("predict", model, table, "--out", "link.csv", "--force")


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_swapped_arguments_are_recognised(refused, model, command):
    assert refused(command, "mixed.csv", "model.skops").endswith(
        "the model comes before the table: model.skops mixed.csv\n"
    )


@pytest.mark.parametrize(
    ("columns", "proposed"),
    [
        (["a", "b"], "b"),
        (["Target", "b"], "Target"),
        (["a", "two words"], "'two words'"),
        (["a", "it's"], "'it'\\''s'"),
    ],
)
def test_without_a_target_the_columns_are_listed_and_one_is_proposed(run, tmp_path, columns, proposed):
    pd.DataFrame({columns[0]: [1.5, 2.5, 1.0] * 10, columns[1]: ["x", "y", "y"] * 10}).to_csv(
        tmp_path / "t.csv", index=False
    )
    result = run("train", "t.csv")
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.search(f"^{re.escape(columns[0])} +number +decimal", result.stderr, re.MULTILINE)
    assert re.search(f"^{re.escape(columns[1])} +category +2 values", result.stderr, re.MULTILINE)
    assert result.stderr.endswith(f"add: --target {proposed}\n")
    assert not (tmp_path / "model.skops").exists()


def test_a_class_of_a_name_that_json_has_to_escape(run_fast, run, tmp_path, as_json):
    pd.DataFrame({"x": np.arange(60) % 7, "y": ['"\n', "ü"] * 30}).to_csv(tmp_path / "t.csv", index=False)
    assert set(as_json(run_fast("t.csv", "y", "--json"))["classes"]) == {'"', "ü"}
