"""What a column is taken for, and what becomes of its values."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from fastbp.tabular.columns import Column, infer_columns, rewritten
from fastbp.tabular.features import MISSING_CATEGORY, feature_kinds, unreadable_values
from fastbp.tabular.options import ReadOptions
from fastbp.tabular.table import open_table

NAN = float("nan")
MANY = 100


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1.5, 2.5, NAN], "number"),
        ([3, 1, 2], "number"),
        ([True, False, True], "boolean"),
        ([True, None, False], "boolean"),
        (["true", "NA", "FALSE"], "boolean"),
        (["red", "blue", None], "category"),
        (["None", "NA", "None"], "category"),
        (["2024-01-31", "2024-02-01", None], "date"),
        (["2024-01-31T10:00:00+02:00", "2024-02-01T00:00:00Z"], "date"),
        (["31/12/2020", "1/2/2021"], "date"),
        (["12/31/2020", "1/2/2021"], "date"),
        ([datetime.date(2020, 1, 2), datetime.date(2020, 1, 3)], "date"),
        (["14:30", "15:00"], "time"),
        ([datetime.timedelta(hours=1), datetime.timedelta(hours=2)], "time"),
        ([Decimal("1.5"), Decimal(2), None], "number"),
        (["1"] * MANY + ["2"] * MANY + ["none of them"], "number"),
        (["1"] * MANY + ["2"] * MANY + ["x"] * MANY, "category"),
        (["01", "02", "01"], "category"),
        ([NAN, NAN], "ignored"),
        ([7, 7, 7], "ignored"),
        (["cm", "cm"], "ignored"),
        (["cm", None], "category"),
        ([7.0, NAN], "number"),
        (range(MANY), "ignored"),
        (range(MANY, 0, -1), "ignored"),
        (range(0, 2 * MANY, 2), "number"),
        (range(10), "number"),
        ([f"user{i}" for i in range(MANY)], "ignored"),
        ([f"a text about number {i}" for i in range(MANY)], "text"),
        ([[1, 2], [3]], "ignored"),
        ([{"a": 1}, {"a": 2}], "ignored"),
    ],
)
def test_a_column_is_taken_for_what_it_looks_like(column_of, values, kind):
    assert column_of(values).kind == kind


def test_timestamps_are_dates(column_of):
    assert column_of(pd.date_range("2020-01-01", periods=3)).kind == "date"
    assert column_of(pd.date_range("2020-01-01", periods=3, tz="Europe/Paris")).kind == "date"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("id", "ignored"), ("user_id", "ignored"), ("userId", "ignored"), ("UUID", "ignored"), ("x", "number")],
)
def test_distinct_whole_numbers_with_the_name_of_an_identifier(name, kind):
    table = open_table(pd.DataFrame({name: [value**2 for value in range(MANY)]}))
    assert infer_columns(table, ReadOptions(), "")[0][0].kind == kind


@pytest.mark.parametrize("name", ["paid", "grid", "width", "valid"])
def test_names_that_only_end_like_an_identifier(name):
    table = open_table(pd.DataFrame({name: [value**2 for value in range(MANY)]}))
    assert infer_columns(table, ReadOptions(), "")[0][0].kind == "number"


@pytest.mark.parametrize("kind", ["category", "ignored", "text", "number"])
def test_the_user_decides(column_of, kind):
    column = column_of([10115, 20095, 10115], ReadOptions(kinds={"a": kind}))
    assert (column.kind, column.detail) == (kind, "as you said")


def test_the_target_is_no_column():
    table = open_table(pd.DataFrame({"a": [1, 2], "y": [3, 4]}))
    assert [column.name for column in infer_columns(table, ReadOptions(), "y")[0]] == ["a"]


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1, 2], "number", [1.0, 2.0]),
        (["1", "2.5", None], "number", [1.0, 2.5, NAN]),
        ([1.0, NAN, np.inf], "number", [1.0, NAN, NAN]),
        ([True, False], "number", [1.0, 0.0]),
        ([True, False], "boolean", [1.0, 0.0]),
        (["TRUE", "false", None, "x"], "boolean", [1.0, 0.0, NAN, NAN]),
        ([1.0, 0.0, NAN, 2.0], "boolean", [1.0, 0.0, NAN, NAN]),
        ([1, 2], "category", ["1", "2"]),
        ([1.0, NAN], "category", ["1", MISSING_CATEGORY]),
        (["4", "4.0", "4.00", "4.5"], "category", ["4", "4", "4", "4.5"]),
        ([True, None], "category", ["True", MISSING_CATEGORY]),
        (["some words", None], "text", ["some words", ""]),
        ([datetime.time(14, 30), None], "time", [52200.0, NAN]),
        ([datetime.date(1970, 1, 3), None], "date", [2.0, NAN]),
    ],
)
def test_values_are_converted_by_kind(values_of, values, kind, expected):
    found = values_of(pd.DataFrame({"a": pd.Series(values, dtype=object)}), [Column("a", kind)])["a"]
    np.testing.assert_array_equal(np.array(found), np.array(expected))


def test_timestamps_become_days_in_any_resolution(values_of):
    for unit in ("s", "ms", "us", "ns"):
        moments = pd.Series(pd.to_datetime(["1970-01-01 00:00", "1970-01-02 12:00"])).astype(f"datetime64[{unit}]")
        columns = [Column("a", "date")]
        assert values_of(pd.DataFrame({"a": moments}), columns)["a"] == [0.0, 1.5]
        assert values_of(pd.DataFrame({"a": moments.dt.tz_localize("UTC")}), columns)["a"] == [0.0, 1.5]


def test_parts_of_a_date_are_features_if_they_vary(column_of):
    assert column_of(["2020-01-01", "2020-01-05"]).parts == ()
    assert column_of(["2020-01-01", "2020-01-20"]).parts == ("weekday",)
    assert column_of(["2020-01-01", "2020-12-20"]).parts == ("month", "weekday")
    assert column_of(["2020-01-01 06:00", "2020-01-02 07:00"]).parts == ("hour",)
    column = column_of(["2020-01-01", "2020-01-20"])
    assert feature_kinds([column]) == {"a": "number", "a (weekday)": "number"}


def test_numbers_of_any_size_stay_finite_when_squared(column_of, values_of):
    for size in (1e300, 1e-300):
        values = [-size, 2.0 * size]
        column = column_of(values)
        scaled = np.array(values_of(pd.DataFrame({"a": values}), [column])["a"], dtype=np.float32)
        assert np.isfinite(scaled**2).all()
        assert (scaled**2 > 0.0).all()
        np.testing.assert_allclose(np.ldexp(scaled.astype(float), column.exponent) / size, [-1.0, 2.0], rtol=1e-6)


def test_a_model_reads_another_way_of_writing(values_of):
    columns = infer_columns(
        open_table(pd.DataFrame({"n": ["1.5", "2"], "d": ["13/01/2020", "1/2/2020"]})), ReadOptions(), ""
    )[0]
    other = pd.DataFrame({"n": ["1,5", "1.000"], "d": ["2020-01-13", "2020-02-01"]})
    found = values_of(other, rewritten(open_table(other), columns, ReadOptions())[0])
    assert found["n"] == [1.5, 1000.0]
    assert found["d"] == [18274.0, 18293.0]


def test_a_category_is_the_same_in_both_types(values_of):
    columns = [Column("a", "category")]
    found = [values_of(pd.DataFrame({"a": values}), columns)["a"] for values in (["4", "5"], [4, 5], [4.0, 5.0])]
    assert found == [["4", "5"]] * 3


@pytest.mark.parametrize(
    ("values", "kind", "example"),
    [
        (["1", "x", "2", "NA"], "number", "x"),
        (["true", "maybe", None], "boolean", "maybe"),
        (["14:30", "?", "25"], "time", "25"),
    ],
)
def test_unreadable_values_are_counted(values, kind, example):
    table = open_table(pd.DataFrame({"a": values}))
    (note,) = unreadable_values(table, [Column("a", kind)])
    assert note.startswith(f"1 value ({100 / len(values):.2g} %) in 'a' cannot be read as a {kind}")
    assert f"e.g. {example!r}" in note


def test_marks_of_missing_values_are_readable():
    table = open_table(pd.DataFrame({"a": ["1", "NA", None, "-"]}))
    assert unreadable_values(table, [Column("a", "number")]) == []
