"""Options that say how a table is to be read."""

import json

import numpy as np
import pandas as pd
import pytest

from fastbp import load_model


@pytest.fixture
def columns_of(run_fast, succeeded, tmp_path):
    """Return a function that trains on lines of text and says what the columns are taken for."""

    def train(lines, *args, target="y", encoding="utf-8"):
        (tmp_path / "t.csv").write_bytes("\n".join(lines).encode(encoding))
        result = succeeded(run_fast("t.csv", target, "--json", *args))
        return {column["name"]: column for column in json.loads(result.stdout)["columns"]}

    return train


def test_a_separator(columns_of):
    lines = ["a b\ty", *(f"{i}.5 m\t{'ab'[i % 2]}" for i in range(40))]
    assert set(columns_of(lines, "--sep", "tab")) == {"a b"}
    assert set(columns_of([line.replace("\t", ":") for line in lines], "--sep", ":")) == {"a b"}


@pytest.mark.parametrize("value", ["xx", ""])
def test_a_separator_is_one_character(refused, value):
    assert "--sep" in refused("train", "t.csv", "--target", "y", "--sep", value)


def test_decimal_and_thousands_separators(columns_of, tmp_path):
    lines = ["a;y", *(f"1.{37 * i % 500:03d};{'ab'[i % 2]}" for i in range(40))]
    for options, decimal in (
        (("--decimal", ","), ","),
        (("--decimal", "."), "."),
        (("--thousands", "."), ","),
        (("--thousands", ","), "."),
    ):
        columns_of(lines, *options)
        (column,) = load_model(tmp_path / "model.skops").columns
        assert (column.kind, column.decimal) == ("number", decimal)


def test_one_character_cannot_separate_both(refused):
    line = refused("train", "t.csv", "--target", "y", "--decimal", ",", "--thousands", ",")
    assert "cannot both be ','" in line


def test_an_encoding(columns_of, refused, tmp_path):
    lines = ["a,y", *(f"{'шляпа' if i % 3 else 'дом'},{'ab'[i % 2]}" for i in range(40))]
    columns_of(lines, "--encoding", "cp1251", encoding="cp1251")
    encoder = load_model(tmp_path / "model.skops").pipeline["columns"].named_transformers_["categories"]
    assert set(encoder.categories_[0]) == {"шляпа", "дом"}
    assert "there is no such encoding" in refused("train", "t.csv", "--target", "y", "--encoding", "cp9")
    assert "is not ascii text" in refused("train", "t.csv", "--target", "y", "--encoding", "ascii").replace("it ", "")


def test_no_names(columns_of, run, succeeded):
    lines = [f"{i % 7}.5,{'ab'[i % 2]}" for i in range(40)]
    assert set(columns_of(lines, "--no-header", target="column 2")) == {"column 1"}
    assert "wrote 40 predictions" in succeeded(run("predict", "model.skops", "t.csv", "--no-header")).stderr


def test_texts_that_mean_missing(columns_of, run, tmp_path, succeeded):
    lines = ["a,y", *(f"{'-9' if i % 4 == 0 else i % 7},{'ab'[i % 2]}" for i in range(40))]
    assert "missing" not in columns_of(lines)["a"]["detail"]
    assert "25.0 % missing" in columns_of(lines, "--missing", "-9", "--missing", "none")["a"]["detail"]
    assert load_model(tmp_path / "model.skops").options.missing == ("-9", "none")
    (tmp_path / "new.csv").write_text("a\n-9\n")
    missing = load_model(tmp_path / "model.skops").predict_proba(pd.DataFrame({"a": [None]}))
    np.testing.assert_array_equal(load_model(tmp_path / "model.skops").predict_proba(tmp_path / "new.csv"), missing)


@pytest.mark.parametrize(("option", "order"), [("--dayfirst", "dmy"), ("--monthfirst", "mdy")])
def test_days_or_months_first(columns_of, tmp_path, option, order):
    lines = ["a,y", *(f"{1 + i % 12:02d}/{1 + i % 11:02d}/2020,{'ab'[i % 2]}" for i in range(40))]
    assert columns_of(lines, option)["a"]["kind"] == "date"
    assert load_model(tmp_path / "model.skops").columns[0].order == order


def test_kinds_of_columns(columns_of):
    names = ["a", "b", "c", "d,e", "f", "g", "h"]
    header = ",".join(f'"{name}"' for name in [*names, "y"])
    lines = [header, *(f"{i % 3},{i % 5},{i},{i},010{1 + i % 9}2020,w {i % 4},x,{'ab'[i % 2]}" for i in range(40))]
    found = columns_of(
        lines,
        *("--category", "a, b", "--number", "c", "--ignore", '"d,e",h', "--date", "f=%d%m%Y", "--text", "g"),
    )
    assert {name: column["kind"] for name, column in found.items()} == {
        "a": "category",
        "b": "category",
        "c": "number",
        "d,e": "ignored",
        "f": "date",
        "g": "text",
        "h": "ignored",
    }
    assert {column["detail"] for column in found.values()} == {"as you said"}


def test_a_date_with_a_format_is_read_by_it(columns_of, run, tmp_path, succeeded):
    lines = ["f,y", *(f"{1 + i % 28:02d}02202{i % 3},{'ab'[i % 2]}" for i in range(40))]
    columns_of(lines, "--date", "f=%d%m%Y")
    assert load_model(tmp_path / "model.skops").columns[0].order == "%d%m%Y"
    assert "cannot be read" not in succeeded(run("predict", "model.skops", "t.csv")).stderr


@pytest.mark.parametrize("option", ["--number", "--category", "--date", "--text", "--ignore", "--id"])
def test_options_of_columns_need_a_column_that_is_there(refused, table, option):
    assert "did you mean 'color'?" in refused("train", table, "--target", "label", option, "colour")


def test_a_table_from_standard_input(process, table, tmp_path):
    shell = "< mixed.csv"
    assert process("train", "-", "--target", "label", "--hidden", "8", "--epochs", "2", shell=shell).returncode == 0
    assert process("predict", "model.skops", "-", shell=shell).returncode == 0
    assert process("predict", "model.skops", "mixed.csv", "--out", "p.csv").returncode == 0
    assert (tmp_path / "p.csv").read_text() == (tmp_path / "predictions.csv").read_text()
    for shell, reason in (("< /dev/null", "it is empty"), ("<&-", "it is closed")):
        result = process("evaluate", "model.skops", "-", shell=shell)
        assert (result.returncode, result.stderr) == (2, f"fastbp: error: cannot read standard input: {reason}\n")


def test_what_new_tables_lack_is_counted(run_fast, run, table, tmp_path, mixed_table, succeeded):
    succeeded(run_fast(table, "label", "--ignore", "price"))
    new = mixed_table(n=20, seed=1).astype({"height": object}).assign(new=None)
    new.loc[:2, "color"] = "violet"
    new.loc[:4, "height"] = "tall"
    new.loc[:1, "day"] = "someday"
    new.to_csv(tmp_path / "new.csv", index=False)
    result = succeeded(run("predict", "model.skops", "new.csv"))
    for note in (
        "3 values in 'color' did not occur in training, e.g. 'violet'",
        "5 values (25 %) in 'height' cannot be read as a number, e.g. 'tall': taken as missing",
        "2 values (10 %) in 'day' cannot be read as a date, e.g. 'someday': taken as missing",
        "columns that the model needs are empty: 'new'",
    ):
        assert f"note: {note}\n" in result.stderr
        assert note not in result.stdout


@pytest.mark.parametrize("sign", ["5", "x", '"'])
@pytest.mark.parametrize("option", ["--sep", "--thousands"])
def test_signs_that_separate_nothing_are_refused(refused, table, option, sign):
    assert f"{option} {sign!r}: this character cannot be a separator" in refused(
        "train", table, "--target", "label", option, sign
    )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--number", "width", "--category", "width"), "'width' cannot be taken as two kinds"),
        (("--id", "width", "--number", "width"), "the column 'width' of --id is left out"),
    ],
)
def test_options_that_contradict_each_other_are_refused(refused, table, options, reason):
    assert reason in refused("train", table, "--target", "label", *options)


def test_marks_of_missing_values_add_to_those_of_the_model(run, run_fast, succeeded, tmp_path):
    frame = pd.DataFrame({"k": [-999.0, 1.5, 2.5, 3.5, -999.0] * 12, "y": ["a", "b", "a", "b", "b"] * 12})
    frame.to_csv(tmp_path / "t.csv", index=False)
    succeeded(run_fast("t.csv", "y", "--missing", "-999"))
    for name, options in (("p.csv", ()), ("q.csv", ("--missing", "k.A."))):
        succeeded(run("predict", "model.skops", "t.csv", "--proba", "--out", name, *options))
    assert (tmp_path / "p.csv").read_text() == (tmp_path / "q.csv").read_text()
