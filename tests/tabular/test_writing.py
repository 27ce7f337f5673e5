"""The format that reads most of a column's values."""

import pandas as pd
import pytest

from fastbp.tabular.numbers import PLAIN, NumberFormat
from fastbp.tabular.options import ReadOptions
from fastbp.tabular.table import open_table
from fastbp.tabular.writing import usual_format, writings

COMMA = NumberFormat(",", ".")


def found_in(columns, options=None):
    table = open_table(pd.DataFrame(columns))
    options = options or ReadOptions()
    found = writings(table, list(columns), options)
    return found, usual_format(table, found, options)


@pytest.mark.parametrize(
    ("values", "form"),
    [
        (["1.5", "2"], PLAIN),
        (["1,5", "2"], COMMA),
        (["1,234.5", "2"], PLAIN),
        (["1.234,5", "2"], COMMA),
        (["1,5", "2.5", "3,5"], COMMA),
        (["1 234,5", "2"], NumberFormat(",", " ")),
        (["1'234.5", "2"], NumberFormat(".", "'")),
    ],
)
def test_most_values_decide(values, form):
    found, _ = found_in({"a": values})
    assert found["a"].number_format(PLAIN) == form
    assert not found["a"].is_unclear


def test_the_preferred_format_decides_where_the_values_do_not():
    found, _ = found_in({"a": ["1,234", "2,345"]})
    assert found["a"].is_unclear
    assert found["a"].number_format(PLAIN) == PLAIN
    assert found["a"].number_format(COMMA) == COMMA


def test_whole_numbers_are_clear():
    found, _ = found_in({"a": ["$1", "$2"], "b": ["(1)", "2"], "c": ["1", "2"]})
    assert not any(writing.is_unclear for writing in found.values())


def test_the_clear_columns_say_what_is_usual():
    assert found_in({"a": ["1,5", "2"], "b": ["1,234", "2,345"]})[1] == COMMA
    assert found_in({"a": ["1,234.5", "2"], "b": ["1,234", "2,345"]})[1] == PLAIN
    assert found_in({"a": ["x", "y"]})[1] == PLAIN


@pytest.mark.parametrize(
    ("options", "form"),
    [
        ({"decimal": ","}, COMMA),
        ({"decimal": "."}, PLAIN),
        ({"thousands": "."}, COMMA),
        ({"thousands": "'"}, NumberFormat(".", "'")),
        ({"decimal": ",", "thousands": " "}, NumberFormat(",", " ")),
    ],
)
def test_the_user_decides(options, form):
    found, usual = found_in({"a": ["1", "2"], "b": ["1,234", "2,345"]}, ReadOptions(**options))
    assert found["b"].number_format(usual).decimal == form.decimal
    if "thousands" in options:
        assert list(found["b"].numbers) == [form]


def test_dates_are_counted_by_their_order():
    found, _ = found_in({"a": ["13/01/2020", "02/03/2020", "?"], "b": ["2020-01-05", "NA", None]})
    assert found["a"].dates["dmy"] == 2
    assert found["a"].dates["mdy"] == 1
    assert found["a"].date_order("mdy") == "dmy"
    assert (found["b"].values, found["b"].dates["iso"]) == (1, 1)


def test_an_order_that_the_user_rules_out_is_not_considered():
    values = {"a": ["01/02/2020", "02/03/2020"]}
    assert "mdy" not in found_in(values, ReadOptions(dayfirst=True))[0]["a"].dates
    assert "dmy" not in found_in(values, ReadOptions(dayfirst=False))[0]["a"].dates


def test_nearly_all_values_suffice():
    found, _ = found_in({"a": ["1.5"] * 95 + ["x"] * 5, "b": ["1.5"] * 94 + ["x"] * 6, "c": ["NA"] * 100})
    assert [w.nearly_all(max(w.numbers.values())) for w in found.values()] == [True, False, False]
