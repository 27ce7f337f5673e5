"""Tables that are read in unusual circumstances: odd names, few readable values, unusual types."""

import json

import numpy as np
import pandas as pd
import pytest

from fastbp.tabular.columns import Column, infer_columns, rewritten
from fastbp.tabular.errors import TableError
from fastbp.tabular.features import feature_pieces, unreadable_values
from fastbp.tabular.fitting import choose_rows, fit_model
from fastbp.tabular.options import ReadOptions
from fastbp.tabular.table import open_table
from fastbp.tabular.target import Target, class_numbers, infer_target, target_numbers
from fastbp.tabular.training import Settings


def features(table, columns):
    return pd.concat(feature_pieces(table, columns), ignore_index=True)


@pytest.mark.parametrize(
    ("values", "column", "expected"),
    [
        (["12,5", "13,5", "99,1", "k.A. neu"], Column("a", "number"), [12.5, 13.5, 99.1, np.nan]),
        (
            ["1.234", "2.345", "9.187", "unklar"],
            Column("a", "number", decimal=",", thousands="."),
            [1234, 2345, 9187, np.nan],
        ),
        (["13/01/2020", "pending", "open"], Column("a", "date", order="iso"), [18274, np.nan, np.nan]),
    ],
)
def test_formats_of_a_known_column_are_found_however_few_values_can_be_read(values, column, expected):
    table = open_table(pd.DataFrame({"a": values}))
    found = features(table, rewritten(table, [column], ReadOptions())[0])
    np.testing.assert_array_equal(found["a"], expected)


@pytest.mark.parametrize(
    ("kind", "values", "first"),
    [("number", ["12,34"] * 7 + ["sold out"], 12.34), ("date", ["13/01/2020"] * 7 + ["pending"], 18274)],
)
def test_a_column_that_was_said_to_be_of_a_kind_is_read_as_such(kind, values, first):
    table = open_table(pd.DataFrame({"a": values * 5}))
    (column,), _ = infer_columns(table, ReadOptions(kinds={"a": kind}), "")
    found = features(table, [column])["a"]
    assert found[0] == first
    assert found.isna().sum() == 5
    (note,) = unreadable_values(table, [column])
    assert note.startswith(f"5 values (12 %) in 'a' cannot be read as a {kind}")


def test_a_target_of_numbers_is_read_however_few_values_are_numbers():
    table = open_table(pd.DataFrame({"y": ["1,25", "3,25", "unklar"]}))
    numbers, lost = target_numbers(table, Target("y", "regression", "number"), ReadOptions())
    np.testing.assert_array_equal(numbers, [1.25, 3.25, np.nan])
    assert lost == 1


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize(("name", "other"), [("x[1]", "x1"), ("s*", "s2"), ("q?", "qq")])
def test_names_of_files_are_no_patterns(tmp_path, suffix, name, other):
    writers = {
        ".csv": lambda frame, path: frame.to_csv(path, index=False),
        ".jsonl": lambda frame, path: frame.to_json(path, orient="records", lines=True),
        ".parquet": lambda frame, path: frame.to_parquet(path),
    }
    for stem, value in ((name, 1), (other, 2)):
        writers[suffix](pd.DataFrame({"a": [value]}), tmp_path / f"{stem}{suffix}")
    table = open_table(tmp_path / f"{name}{suffix}")
    assert table.select(["CAST(c0 AS INTEGER)"]).fetchall() == [(1,)]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_names_of_folders_are_no_columns(tmp_path, suffix):
    folder = tmp_path / "year=2020"
    folder.mkdir()
    frame = pd.DataFrame({"year": [2001, 2002]})
    path = folder / f"t{suffix}"
    if suffix == ".parquet":
        frame.to_parquet(path)
    elif suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_json(path, orient="records", lines=True)
    table = open_table(path)
    assert table.names == ["year"]
    assert table.select(["CAST(c0 AS INTEGER)"]).fetchall() == [(2001,), (2002,)]


def test_json_names_that_differ_in_case_keep_their_values(write):
    lines = [{"a": i + 0.5, "A": i + 0.25, "big": 1.5e20 * i} for i in range(30)]
    table = open_table(write("\n".join(map(json.dumps, lines)), "t.jsonl"))
    assert table.names == ["a", "A", "big"]
    assert table.select(["c0", "c1"]).fetchall()[3] == (3.5, 3.25)


def test_json_lines_may_have_many_columns(write):
    lines = [{f"k{j}": i * j % 11 / 2 for j in range(250)} for i in range(20)]
    assert len(open_table(write("\n".join(map(json.dumps, lines)), "t.jsonl")).names) == 250


def test_columns_of_python_objects_are_looked_at_in_full():
    values = np.array([1] * 5000, dtype=object)
    values[2500] = "n.a."
    table = open_table(pd.DataFrame({"a": values}))
    (column,), _ = infer_columns(table, ReadOptions(kinds={"a": "number"}), "")
    assert features(table, [column])["a"].isna().sum() == 1


def test_a_column_may_have_the_name_of_a_part_of_a_date():
    days = pd.date_range("2020-01-01", periods=90).strftime("%Y-%m-%d")
    table = open_table(pd.DataFrame({"hired": days, "hired (month)": np.arange(90) % 7 + 0.5}))
    columns, _ = infer_columns(table, ReadOptions(), "")
    found = features(table, columns)
    assert found["hired (month)"][3] == 3.5
    assert found["hired (month)'"].tolist() == [int(day[5:7]) for day in days]


@pytest.mark.parametrize(
    ("column", "values", "lost", "missing"),
    [
        (Column("a", "date", order="mdy"), [44000, 44001], 2, 2),
        (Column("a", "date", order="iso"), [True, False], 2, 2),
        (Column("a", "number"), pd.to_datetime(["2020-01-01", "2020-01-02"]), 2, 2),
        (Column("a", "date", order="%Y%m%d"), [20200102.0, np.nan], 0, 1),
        (Column("a", "number"), [1.5, np.nan], 0, 1),
    ],
)
def test_values_of_other_types_that_cannot_be_read_are_counted(column, values, lost, missing):
    table = open_table(pd.DataFrame({"a": values}))
    notes = unreadable_values(table, [column])
    assert [note.split(" in ")[0] for note in notes] == ([f"{lost} values (100 %)"] if lost else [])
    assert features(table, [column])["a"].isna().sum() == missing


@pytest.mark.parametrize("make", [lambda v: v, lambda v: [str(x) for x in v], lambda v: [f"{x:.1f}" for x in v]])
def test_a_number_that_means_missing_may_be_written_with_a_point(make):
    table = open_table(pd.DataFrame({"a": make([1.0, -999.0, 3.0])}), ReadOptions(missing=("-999",)))
    assert table.row(["count(c0)"]) == (2,)


def test_thousands_are_no_decimal_numbers():
    frame = pd.DataFrame({"y": ["1", "500", "1.000", "2.000"] * 5})
    table = open_table(frame)
    target = infer_target(table, "y", "classification", ReadOptions())
    assert sorted(target.classes) == ["1", "1.000", "2.000", "500"]
    assert class_numbers(table, target)[0].max() == 3


def test_true_and_false_are_categories_as_in_a_file_of_pandas():
    column = Column("a", "category")
    found = [
        features(open_table(pd.DataFrame({"a": v})), [column])["a"].tolist() for v in ([True, False], ["True", "False"])
    ]
    assert found[0] == found[1]


def test_long_cells_do_not_disturb_the_search_for_the_separator(write):
    text = "a;b\n1;x\n" + "2;" + "z" * 140_000 + "\n3;y\n"
    assert open_table(write(text)).names == ["a", "b"]


def test_a_name_that_is_too_long_is_one_line(write):
    with pytest.raises(TableError, match="column names cannot be read"):
        open_table(write("a," + "n" * 200_000 + "\n1,2\n"))


@pytest.mark.parametrize("thousands", ["*", "(", "?", "[", "+", "\\", "|", "^"])
def test_any_sign_may_separate_thousands(thousands):
    values = [f"1{thousands}234.5", f"12{thousands}345{thousands}678"]
    table = open_table(pd.DataFrame({"a": values}))
    (column,), _ = infer_columns(table, ReadOptions(thousands=thousands, kinds={"a": "number"}), "")
    assert features(table, [column])["a"].tolist() == [1234.5, 12345678.0]


@pytest.mark.parametrize("source", [np.ones((2, 2)), [1, 2], None])
def test_what_is_no_table_is_a_type_error(source):
    with pytest.raises(TypeError, match="must be a path or a data frame"):
        open_table(source)


def test_an_unclear_column_is_read_as_the_others_of_its_file(write):
    """8,325 is taken as in the file's other columns, whatever it was in training, and the guess is said."""
    model = [Column("income", "number"), Column("latitude", "number")]
    table = open_table(write("income;latitude\n8,325;37,88\n8,301;-37,8\n"))
    columns, notes = rewritten(table, model, ReadOptions())
    assert features(table, columns)["income"].tolist() == [8.325, 8.301]
    assert [note.partition(":")[0] for note in notes] == ["'income'"]
    model = [Column(name, "number", decimal=",", thousands=".") for name in ("income", "latitude")]
    table = open_table(write("income,latitude\n8.325,37.88\n", "english.csv"))
    assert features(table, rewritten(table, model, ReadOptions())[0])["income"].tolist() == [8.325]


def test_an_unclear_table_is_read_as_in_training():
    model = [Column("income", "number", decimal=",", thousands=".")]
    table = open_table(pd.DataFrame({"income": ["8.325", "1.250"]}))
    assert features(table, rewritten(table, model, ReadOptions())[0])["income"].tolist() == [8325, 1250]


@pytest.mark.parametrize("kind", ["number", "date=%d%m%Y"])
def test_a_kind_that_reads_nothing_is_an_error(kind):
    table = open_table(pd.DataFrame({"a": ["5.4 parts", "7 parts"] * 9, "b": np.arange(18) % 5}))
    with pytest.raises(TableError, match=r"no value of 'a' can be read as a (number|date), e\.g\. '5\.4 parts'"):
        infer_columns(table, ReadOptions(kinds={"a": kind}), "")


def test_python_is_told_what_could_not_be_read():
    """What the command line shows are warnings in Python."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"n": rng.normal(size=80), "c": rng.choice(["a", "b"], 80)})
    table = open_table(frame.assign(y=np.where(frame["n"] > 0, "yes", "no")))
    target = infer_target(table, "y", "auto", ReadOptions())
    columns, _ = infer_columns(table, ReadOptions(), "y")
    settings = Settings(hidden=(4,), epochs=2)
    rows = choose_rows(table, target, ReadOptions(), settings, 0.2)
    model, _ = fit_model(table, target, columns, rows, settings, ReadOptions())
    with pytest.warns(UserWarning, match="cannot be read|did not occur") as caught:
        model.predict(pd.DataFrame({"n": ["1.5", "x", "2"], "c": ["a", "new", "newer"]}))
    assert sorted(str(warning.message).partition(",")[0] for warning in caught) == [
        "1 value (33 %) in 'n' cannot be read as a number",
        "2 values in 'c' did not occur in training",
    ]
    assert {warning.filename for warning in caught} == {__file__}
