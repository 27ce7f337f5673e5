"""Dates, times and durations as people write them, one by one."""

import datetime
from functools import partial

import duckdb
import pytest

from fastbp.tabular.dates import ORDERS, date_part, days, moment, seconds


@pytest.fixture(scope="module")
def sql():
    """Return a function that evaluates a piece of SQL on a text."""
    connection = duckdb.connect()
    connection.execute("SET timezone = 'UTC'")
    return lambda make, text: connection.execute(f"SELECT {make('t')} FROM (SELECT $1 AS t)", [text]).fetchone()[0]


@pytest.mark.parametrize(
    ("order", "text", "expected"),
    [
        ("iso", "2020-01-05", "2020-01-05"),
        ("iso", "2020-1-5", "2020-01-05"),
        ("iso", "2020-01-05 14:30", "2020-01-05T14:30"),
        ("iso", "2020-01-05T14:30:15.25", "2020-01-05T14:30:15.25"),
        ("iso", "2020-01-05T14:30:00Z", "2020-01-05T14:30"),
        ("iso", "2020-01-05T14:30:00+02:00", "2020-01-05T12:30"),
        ("iso", "9999-12-31", "9999-12-31"),
        ("iso", "1500-01-01", "1500-01-01"),
        ("iso", "2000-02-29", "2000-02-29"),
        ("ymd", "2020/01/05", "2020-01-05"),
        ("ymd", "2020.1.5 06:00", "2020-01-05T06:00"),
        ("ymd", "2020-07", "2020-07-01"),
        ("mdy", "1/31/2020", "2020-01-31"),
        ("mdy", "01-11-2019", "2019-01-11"),
        ("mdy", "1/31/20", "2020-01-31"),
        ("mdy", "1/31/2020 2:30 PM", "2020-01-31T14:30"),
        ("mdy", "12/2020", "2020-12-01"),
        ("dmy", "31/1/2020", "2020-01-31"),
        ("dmy", "01-11-2019", "2019-11-01"),
        ("dmy", "31.12.99", "1999-12-31"),
        ("dmy", "31.12.2020 23:59:59", "2020-12-31T23:59:59"),
        ("names", "Jan 05, 2020", "2020-01-05"),
        ("names", "January 5 2020", "2020-01-05"),
        ("names", "5 Jan 2020", "2020-01-05"),
        ("names", "05-JAN-2020", "2020-01-05"),
        ("names", "05-Jan-20", "2020-01-05"),
        ("names", "Sun, 05 Jan 2020", "2020-01-05"),
        ("names", "Sunday, January 5, 2020", "2020-01-05"),
        ("names", "Mar-2021", "2021-03-01"),
        ("%Y%m%d", "20200105", "2020-01-05"),
    ],
)
def test_dates(sql, order, text, expected):
    assert sql(partial(moment, order=order), text) == datetime.datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    ("order", "text"),
    [
        ("iso", "2020-02-30"),
        ("iso", "2020-13-01"),
        ("iso", "05/01/2020"),
        ("iso", "20200105"),
        ("mdy", "31/01/2020"),
        ("dmy", "01/31/2020"),
        ("dmy", "1.5"),
        ("dmy", "10.0.0.1"),
        ("names", "may"),
        ("names", "May be 2020"),
        ("names", "Janet 5, 2020"),
        ("%Y%m%d", "2020-01-05"),
    ],
)
def test_texts_that_are_no_dates(sql, order, text):
    assert sql(partial(moment, order=order), text) is None


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("text", ["", "x", "12", "1.5", "2020", "14:30", "1-2", "-"])
def test_no_order_reads_numbers_times_or_marks(sql, order, text):
    assert sql(partial(moment, order=order), text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("14:30", 52200.0),
        ("00:00", 0.0),
        ("7:05", 25500.0),
        ("08:15:30.5", 29730.5),
        ("2:30 PM", 52200.0),
        ("12:00 AM", 0.0),
        ("12:15 pm", 44100.0),
        ("2:30pm", 52200.0),
        ("1:02:03 am", 3723.0),
        ("100:05:09", 360309.0),
        ("1 day 02:00:00", 93600.0),
        ("3 days, 0:00:01", 259201.0),
    ],
)
def test_times_and_durations(sql, text, expected):
    assert sql(seconds, text) == expected


@pytest.mark.parametrize("text", ["", "x", "14", "14.30", "12:3", "1:2:3:4", "13:00 PM", "3 days", "2020-01-05", "1/2"])
def test_texts_that_are_no_times(sql, text):
    assert sql(seconds, text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1970-01-03", 2.0), ("1969-12-31 12:00", -0.5), ("2020-01-05 06:00", 18266.25), ("infinity", None)],
)
def test_days_since_1970(sql, text, expected):
    assert sql(lambda text: days(f"CAST({text} AS TIMESTAMP)"), text) == expected


def test_parts_of_a_date(sql):
    def part(name, text):
        return sql(lambda text: date_part(f"CAST({text} AS TIMESTAMP)", name), text)

    assert [part(name, "2020-03-08 18:30") for name in ("month", "weekday", "hour")] == [3.0, 7.0, 18.0]
    assert part("weekday", "2020-03-09") == 1.0
    assert part("month", "infinity") is None
