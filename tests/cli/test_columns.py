"""What a column is taken for, and what becomes of its values."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from fastbp.cli._columns import Column, as_features, infer_columns

NAN = float("nan")
MANY = 100


def kind_of(values, **options):
    (column,) = infer_columns(pd.DataFrame({"a": pd.Series(values, **options)}))
    return column.kind


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1.5, 2.5, NAN], "number"),
        ([3, 1, 2], "number"),
        ([True, False, True], "boolean"),
        ([True, None, False], "boolean"),
        (["red", "blue", None], "category"),
        (["2024-01-31", "2024-02-01", None], "date"),
        (["2024-01-31T10:00:00+02:00", "2024-02-01T00:00:00Z"], "date"),
        (["31/12/2020", "1/2/2021"], "date"),
        (["12/31/2020", "1/2/2021"], "date"),
        (["31.12.2020", "1.2.2021"], "date"),
        ([datetime.date(2020, 1, 2), datetime.date(2020, 1, 3)], "date"),
        ([Decimal("1.5"), Decimal(2), None], "number"),
        (["1"] * MANY + ["2"] * MANY + ["none of them"], "number"),
        (["1"] * MANY + ["2"] * MANY + ["x"] * MANY, "category"),
        ([NAN, NAN], "ignored"),
        ([7, 7, 7], "ignored"),
        (["cm", "cm"], "ignored"),
        (["cm", None], "category"),
        ([7.0, NAN], "number"),
        (range(MANY), "ignored"),
        (range(MANY, 0, -1), "ignored"),
        (range(0, 2 * MANY, 2), "number"),
        ([f"user {i}" for i in range(MANY)], "ignored"),
        ([[1, 2], [3]], "ignored"),
        ([{"a": 1}, {"a": 2}], "ignored"),
    ],
)
def test_a_column_is_taken_for_what_it_looks_like(values, kind):
    assert kind_of(values) == kind


def test_timestamps_are_dates():
    assert kind_of(pd.date_range("2020-01-01", periods=3)) == "date"
    assert kind_of(pd.date_range("2020-01-01", periods=3, tz="Europe/Paris")) == "date"


def test_the_user_decides():
    frame = pd.DataFrame({"zip": [10115, 20095, 10115]})
    assert infer_columns(frame, {"zip": "category"})[0].kind == "category"
    assert infer_columns(frame, {"zip": "ignored"})[0].kind == "ignored"


def features_of(values, kind, date_format=""):
    frame, notes = as_features(pd.DataFrame({"a": values}), [Column("a", kind, date_format=date_format)])
    return frame["a"].tolist(), notes


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1, 2], "number", [1.0, 2.0]),
        (["1", "2.5", None], "number", [1.0, 2.5, NAN]),
        ([1.0, NAN], "number", [1.0, NAN]),
        ([True, False], "number", [1.0, 0.0]),
        ([True, False], "boolean", [1.0, 0.0]),
        (["TRUE", "false", None], "boolean", [1.0, 0.0, NAN]),
        ([1.0, 0.0, NAN], "boolean", [1.0, 0.0, NAN]),
        ([1, 2], "category", ["1", "2"]),
        ([1.0, NAN], "category", ["1", NAN]),
        ([True, None], "category", ["True", NAN]),
        ([1.5, 2.0], "category", ["1.5", "2.0"]),
    ],
)
def test_values_are_converted_by_kind(values, kind, expected):
    found, notes = features_of(values, kind)
    pd.testing.assert_series_equal(pd.Series(found, dtype=object), pd.Series(expected, dtype=object))
    assert notes == []


@pytest.mark.parametrize(
    ("text", "date_format"),
    [
        ("1970-01-03", "ISO8601"),
        ("1970-01-03T00:00:00Z", "ISO8601"),
        ("1970-01-03 02:00:00+02:00", "ISO8601"),
        ("3/1/1970", "%d/%m/%Y"),
        ("1/3/1970", "%m/%d/%Y"),
    ],
)
def test_dates_become_days_since_1970(text, date_format):
    found, _ = features_of([text, None], "date", date_format)
    np.testing.assert_array_equal(found, [2.0, NAN])


def test_timestamps_become_days_in_any_resolution():
    for unit in ("s", "ms", "us", "ns"):
        moments = pd.Series(pd.to_datetime(["1970-01-01 00:00", "1970-01-02 12:00"])).astype(f"datetime64[{unit}]")
        assert features_of(moments, "date")[0] == [0.0, 1.5]
        assert features_of(moments.dt.tz_localize("UTC"), "date")[0] == [0.0, 1.5]


@pytest.mark.parametrize(
    ("values", "kind"), [(["1", "x", "2"], "number"), ([1.0, np.inf, 2.0], "number"), ([0, 2, 1], "boolean")]
)
def test_unreadable_values_become_missing_and_are_counted(values, kind):
    found, notes = features_of(values, kind)
    assert np.isnan(found[1])
    assert notes == [f"1 values in 'a' are not a {kind}: taken as missing"]
