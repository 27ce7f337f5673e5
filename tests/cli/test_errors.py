"""Every error is one line on stderr with status 2, and leaves all files alone."""

import json
import os
import shutil
import zipfile

import duckdb
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from fastbp import load_model
from fastbp.tabular.columns import Column
from fastbp.tabular.errors import TableError
from fastbp.tabular.files import save_model
from fastbp.tabular.model import Model
from fastbp.tabular.options import ReadOptions
from fastbp.tabular.target import Target


@pytest.fixture
def model(run_fast, table, tmp_path):
    """Train a small model into model.skops."""
    assert run_fast(table, "label", "--ignore", "price").exit_code == 0
    return tmp_path / "model.skops"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bogus"], "No such option"),
        (["bogus"], "No such command 'bogus'"),
        (["train"], "Missing argument 'TABLE'"),
        (["train", "mixed.csv"], "If it is 'label', add: --target label"),
        (["train", "none.csv", "--target", "y"], "there is no file 'none.csv'"),
        (["train", "mixed.doc", "--target", "y"], "must end in .csv"),
        (["train", "mixed.csv", "--target", "Lable"], "did you mean 'label'?"),
        (["train", "mixed.csv", "--target", "zzz"], "it has 'width', 'height'"),
        (["train", "mixed.csv", "--target", "label", "--ignore", "prize"], "did you mean 'price'?"),
        (["train", "mixed.csv", "--target", "label", "--ignore", "label"], "cannot be given to an option of columns"),
        (["train", "mixed.csv", "--target", "label", "--hidden", "8,x"], "--hidden '8,x'"),
        (["train", "mixed.csv", "--target", "label", "--hidden", "0"], "--hidden '0'"),
        (["train", "mixed.csv", "--target", "label", "--hidden", ""], "--hidden ''"),
        (["train", "mixed.csv", "--target", "label", "--epochs", "0"], "--epochs"),
        (["train", "mixed.csv", "--target", "label", "--learning-rate", "0"], "--learning-rate"),
        (["train", "mixed.csv", "--target", "label", "--test-fraction", "1"], "--test-fraction"),
        (["train", "mixed.csv", "--target", "label", "--out", "model.pkl"], "must end in .skops"),
        (["train", "mixed.csv", "--target", "label", "--out", "no/model.skops"], "there is no folder 'no'"),
        (["train", "mixed.csv", "--target", "nothing"], "all are missing"),
        (["train", "mixed.csv", "--target", "unit"], "single value"),
        (["train", "mixed.csv", "--target", "code"], "no class labels"),
        (["train", "mixed.csv", "--target", "label", "--task", "regression"], "needs numbers"),
        (["train", "mixed.csv", "--target", "price", "--task", "classification"], "whole numbers"),
        (["predict", "none.skops", "mixed.csv"], "there is no file 'none.skops'"),
        (["predict", "mixed.csv", "mixed.csv"], "not a readable fastbp model"),
    ],
)
def test_wrong_arguments_are_explained(refused, table, arguments, message):
    assert message in refused(*arguments)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("a,y\n", "no rows"),
        ("a,y\n1,2\n1,2,3\n", "line 3: expected 2 fields, found 3"),
        ("a,y\n1,2\n1\n", "line 3: expected 2 fields, found 1"),
        ("a,y\n1,x\n2,z\n", "too few"),
        ("y\n1\n2\n3\n1\n2\n", "no column is left to learn from"),
        ("a,y,y\n1,2,3\n", "'y' occurs more than once"),
    ],
)
def test_broken_tables_are_explained(refused, tmp_path, content, message):
    (tmp_path / "t.csv").write_text(content)
    assert message in refused("train", "t.csv", "--target", "y")


def test_the_output_is_checked_before_the_training(refused, table, tmp_path, monkeypatch):
    def touch_fails(*args, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.touch", touch_fails)
    line = refused("train", "none.csv", "--target", "y", "--out", "model.skops")
    assert line == "fastbp: error: cannot write 'model.skops': Permission denied\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_explained(refused, table, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "Permission denied" in refused("train", table, "--target", "label", "--out", "locked/model.skops")


def test_only_regular_files_are_replaced(refused, table, tmp_path):
    (tmp_path / "folder.skops").mkdir()
    assert "not a regular file" in refused("train", table, "--target", "label", "--out", "folder.skops")
    os.mkfifo(tmp_path / "pipe.skops")
    assert "not a regular file" in refused("train", table, "--target", "label", "--out", "pipe.skops")


def test_a_full_disk_leaves_the_old_model(refused, model, table, monkeypatch):
    def fsync_fails(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fsync_fails)
    line = refused("train", table, "--target", "label", "--hidden", "4", "--epochs", "1", "--out", "model.skops")
    assert "No space left on device" in line


def test_the_old_model_stays_until_the_new_one_is_complete(run_fast, model, table, monkeypatch):
    before = model.read_bytes()
    seen = []
    replace = os.replace

    def watched(source, target):
        seen.append((source, model.read_bytes() == before))
        replace(source, target)

    monkeypatch.setattr("os.replace", watched)
    assert run_fast(table, "price").exit_code == 0
    ((source, was_untouched),) = seen
    assert was_untouched
    assert source.parent == model.parent  # a move within a file system is atomic
    assert model.read_bytes() != before


def test_a_link_to_a_model_stays_a_link(run_fast, model, table):
    link = model.with_name("link.skops")
    link.symlink_to(model)
    before = model.read_bytes()
    assert run_fast(table, "price", "--out", "link.skops").exit_code == 0
    assert link.is_symlink()
    assert model.read_bytes() != before


def test_missing_features_are_named(refused, model, tmp_path):
    pd.DataFrame({"color": ["red"], "new": [True], "day": ["2020-01-01"]}).to_csv(tmp_path / "t.csv")
    assert "lacks columns that the model needs: 'width', 'height'" in refused("predict", "model.skops", "t.csv")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.csv"], "there is no file 'none.csv'"),
        (["mixed.csv", "--out", "mixed.csv"], "would be overwritten"),
        (["mixed.csv", "--out", "predictions.xlsx"], "must end in .csv"),
        (["mixed.csv", "--out", "no/predictions.csv"], "there is no folder 'no'"),
    ],
)
def test_predictions_that_cannot_be_made_are_explained(refused, model, arguments, message):
    assert message in refused("predict", "model.skops", *arguments)


def test_a_regression_has_no_probabilities(refused, run_fast, table):
    assert run_fast(table, "price").exit_code == 0
    assert "--proba is for classes" in refused("predict", "model.skops", table, "--proba")


def test_a_table_that_is_damaged_where_it_is_read_later_is_explained(refused, model, tmp_path, mixed_table):
    path = tmp_path / "t.parquet"
    mixed_table(n=3000).to_parquet(path, row_group_size=1000)
    query = f"SELECT max(data_page_offset) FROM parquet_metadata('{path}') WHERE path_in_schema = 'height'"
    (offset,) = duckdb.connect().execute(query).fetchone()
    data = bytearray(path.read_bytes())
    data[offset : offset + 100] = b"\xff" * 100
    path.write_bytes(data)
    assert "error: cannot read 't.parquet': " in refused("predict", "model.skops", "t.parquet")
    with pytest.raises(TableError, match=r"^cannot read '.*t\.parquet': "):
        load_model(model).predict(path)


def test_a_folder_for_temporary_files_is_needed(refused, model, table, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    for arguments in (("train", table, "--target", "label"), ("predict", "model.skops", table)):
        assert "cannot make a folder for temporary files" in refused(*arguments)


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_model_is_refused(refused, model, kept):
    data = model.read_bytes()
    model.write_bytes(data[: int(kept * len(data))])
    assert "not a readable fastbp model" in refused("predict", "model.skops", "mixed.csv")


def test_a_damaged_member_is_refused(refused, model):
    data = bytearray(model.read_bytes())
    with zipfile.ZipFile(model) as file:
        start = next(member.header_offset for member in file.infolist() if member.filename.endswith(".npy"))
    data[start + 100 : start + 140] = bytes(40)
    model.write_bytes(data)
    assert "not a readable fastbp model" in refused("predict", "model.skops", "mixed.csv")


def rewrite_description(path, change):
    """Replace the description inside a model file."""
    copy = path.with_suffix(".copy")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
        for member in old.namelist():
            data = old.read(member)
            if member == "fastbp.json":
                data = json.dumps(change(json.loads(data))).encode()
            new.writestr(member, data)
    shutil.move(copy, path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d | {"format": 99}, "its format is 99"),
        (lambda d: d | {"columns": [d["columns"][0] | {"kind": "alien"}]}, "unknown kinds"),
        (lambda d: d | {"target": {"name": "y"}}, "not a readable fastbp model"),
        (lambda d: [], "not a readable fastbp model"),
    ],
)
def test_a_wrong_description_is_refused(refused, model, change, message):
    rewrite_description(model, change)
    assert message in refused("predict", "model.skops", "mixed.csv")


def test_other_versions_are_mentioned(run, model):
    rewrite_description(model, lambda d: d | {"versions": d["versions"] | {"scikit-learn": "0.1"}})
    assert "written with scikit-learn 0.1, installed is" in run("predict", "model.skops", "mixed.csv").stderr


def harmless(x):
    """Stand in for code that a stranger's file wants to run."""
    return x


def test_a_file_that_asks_for_other_code_is_refused(refused, table, tmp_path):
    pipeline = Pipeline([("columns", FunctionTransformer(harmless)), ("cast", "passthrough"), ("model", "passthrough")])
    target = Target("y", "regression", "number")
    save_model(tmp_path / "evil.skops", Model(pipeline, target, [Column("width", "number")], [], 0.0, ReadOptions()))
    line = refused("predict", "evil.skops", table)
    assert "is refused" in line
    assert "harmless" in line


@pytest.mark.parametrize("thing", [{"a": np.ones(3)}, Pipeline([("only", "passthrough")])])
def test_another_skops_file_is_refused(refused, table, tmp_path, thing):
    skops.io.dump(thing, tmp_path / "other.skops")
    assert "it has no fastbp.json" in refused("predict", "other.skops", table)
    with zipfile.ZipFile(tmp_path / "other.skops", "a") as file:
        file.writestr("fastbp.json", json.dumps({"format": 2}))
    assert "another kind of object" in refused("predict", "other.skops", table)
