"""Numbers as people write them, one by one."""

import duckdb
import pytest

from fastbp.tabular.numbers import FORMATS, MISSING_MARKS, PLAIN, NumberFormat, is_mark, plain_number

COMMA = NumberFormat(",", ".")


@pytest.fixture(scope="module")
def sql():
    """Return a function that evaluates a piece of SQL on a text."""
    connection = duckdb.connect()
    return lambda make, text: connection.execute(f"SELECT {make('t')} FROM (SELECT $1 AS t)", [text]).fetchone()[0]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0.0),
        ("-0.5", -0.5),
        ("+7", 7.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("-2.5E-3", -0.0025),
        ("1,234", 1234.0),
        ("1,234.50", 1234.5),
        ("12,345,678", 12345678.0),
        ("12,34,567.5", 1234567.5),
        ("$5", 5.0),
        ("$ 1,000", 1000.0),
        ("-$5", -5.0),
        ("$-5", -5.0),
        ("US$7.25", 7.25),
        ("12.3 €", 12.3),
        ("12.3€", 12.3),
        ("EUR 12.3", 12.3),
        ("12.3 usd", 12.3),
        ("£3", 3.0),
        ("100 kr", 100.0),
        ("12%", 12.0),
        ("12.5 %", 12.5),
        ("3‰", 3.0),
        ("<0.01", 0.01),
        ("< 0.01", 0.01),
        (">=5", 5.0),
        ("≤ 5", 5.0),
        ("~7", 7.0),
        ("(5)", -5.0),
        ("(1,234.50)", -1234.5),
        ("($3)", -3.0),
        ("(1\u00a0€)", -1.0),
        ("\u22122.5", -2.5),
        ("- 3", -3.0),
        ("1e200", 1e200),
        ("1e-250", 1e-250),
        ("0.1", 0.1),
        ("9007199254740993", 9007199254740992.0),
    ],
)
def test_numbers_with_decimal_points(sql, text, number):
    assert sql(PLAIN.value, text) == number
    assert sql(PLAIN.reads, text)


@pytest.mark.parametrize(
    ("decimal", "thousands", "text", "number"),
    [
        (",", ".", "1,5", 1.5),
        (",", ".", "1.234,50", 1234.5),
        (",", ".", "1.234", 1234.0),
        (",", ".", "12,3 €", 12.3),
        (",", ".", "(0,5)", -0.5),
        (",", ".", "1,5e3", 1500.0),
        (",", " ", "1 234,5", 1234.5),
        (",", " ", "1\u00a0234\u202f567", 1234567.0),
        (",", " ", "(1\u00a0234,5)", -1234.5),
        (",", "'", "1'234,5", 1234.5),
        (".", "'", "1'234.5", 1234.5),
        (".", "'", "(1\u2019234)", -1234.0),
        (".", " ", "1 234.5", 1234.5),
    ],
)
def test_numbers_with_other_separators(sql, decimal, thousands, text, number):
    assert sql(NumberFormat(decimal, thousands).value, text) == number


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "x",
            "1 2",
            "1_000",
            "1.2.3",
            "1,23",
            "12,3456",
            "0x10",
            "1e",
            "e5",
            "--1",
            "1-",
            "5 apples",
            "$",
            "%",
        ),
        *("inf", "nan", "1e999", "10.0.0.1", "1/2", "2020-01-05", "12:30", "((5))", "(5", "5)", "1'234", "TRUE", "(x)"),
    ],
)
def test_texts_that_are_no_numbers(sql, text):
    assert sql(PLAIN.value, text) is None


@pytest.mark.parametrize("text", ["1.5", "1,234.5", "1.2345", "12.34"])
def test_decimal_points_among_decimal_commas_are_no_numbers(sql, text):
    assert sql(COMMA.value, text) is None


@pytest.mark.parametrize("form", FORMATS)
def test_a_format_reads_what_it_writes(sql, form):
    text = "-1,234,567.25".replace(",", "\0").replace(".", form.decimal).replace("\0", form.thousands)
    assert sql(form.value, text) == -1234567.25


@pytest.mark.parametrize("text", ["1_000", "inf", "NaN", "1,5", "x"])
def test_plain_numbers_have_no_decorations(sql, text):
    assert sql(plain_number, text) is None


def test_marks_of_missing_values_in_any_case(sql):
    for mark in MISSING_MARKS:
        assert sql(is_mark, mark)
        assert sql(is_mark, mark.upper())
    for text in ("0", "none of them", "n", "~", "xn/a"):
        assert not sql(is_mark, text)


def test_no_mark_is_a_number(sql):
    assert [mark for mark in MISSING_MARKS for form in FORMATS if sql(form.value, mark) is not None] == []
