"""Dates, times and durations as people write them."""

from collections.abc import Sequence

from fastbp.tabular.sql import quoted

__all__ = ["ORDERS", "PARTS", "date_part", "days", "moment", "seconds"]

_TIMES = (" %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M", "T%H:%M:%S", "T%H:%M:%S.%f")
_NAMES = (
    *("%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%B-%Y", "%d. %B %Y"),
    *("%b-%Y", "%b %Y", "%B %Y", "%a, %d %b %Y", "%A, %B %d, %Y"),
)
# By what comes first. "iso" is year-month-day with hyphens; its values may have a time zone.
ORDERS = ("iso", "ymd", "mdy", "dmy", "names")
# Formats with four and with two digits for the year, and what a text must look like: trying formats is slow.
_FORMATS = {
    "ymd": (("%Y/%m/%d", "%Y.%m.%d", "%Y-%m", "%Y/%m"), ()),
    "mdy": (("%m/%d/%Y", "%m-%d-%Y", "%m.%d.%Y", "%m/%Y", "%m-%Y"), ("%m/%d/%y", "%m-%d-%y", "%m.%d.%y")),
    "dmy": (("%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%m/%Y", "%m-%Y"), ("%d/%m/%y", "%d-%m-%y", "%d.%m.%y")),
    "names": (_NAMES, ("%d-%b-%y", "%d %b %y", "%b-%y")),
}
_SHAPES = {
    "iso": r"^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}",
    "ymd": r"^[0-9]{4}([/.][0-9]{1,2}\b|-[0-9]{1,2}$)",
    "mdy": r"^[0-9]{1,2}[/.\-]([0-9]{1,2}[/.\-]([0-9]{2}|[0-9]{4})\b|[0-9]{4}$)",
    "dmy": r"^[0-9]{1,2}[/.\-]([0-9]{1,2}[/.\-]([0-9]{2}|[0-9]{4})\b|[0-9]{4}$)",
    "names": r"(?i)\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b",
}
# Features of a date beside the number of its day.
PARTS = {"month": "month", "weekday": "isodow", "hour": "hour"}
_MICROSECONDS_OF_A_DAY = 86400e6


def moment(text: str, order: str) -> str:
    """Return SQL for the moment (a TIMESTAMP, UTC) that a text holds, NULL if it holds none.

    Parameters
    ----------
    text : str
        SQL of a text.
    order : str
        One of `ORDERS`, or a format of strptime.
    """
    if order not in ORDERS:
        return f"try_strptime({text}, {quoted(order)})"
    fits = f"regexp_matches({text}, {quoted(_SHAPES[order])})"
    if order == "iso":
        return f"CASE WHEN {fits} THEN CAST(try_cast({text} AS TIMESTAMPTZ) AS TIMESTAMP) END"
    long, short = _FORMATS[order]
    value = f"CASE WHEN {fits} AND regexp_matches({text}, '[0-9]{{4}}') THEN {_first_that_reads(text, long)}"
    return f"{value} WHEN {fits} THEN {_first_that_reads(text, short)} END" if short else f"{value} END"


def _first_that_reads(text: str, formats: Sequence[str]) -> str:
    dates = ", ".join(map(quoted, formats))
    moments = ", ".join(quoted(form + time) for form in formats for time in _TIMES)
    with_time = f"CASE WHEN contains({text}, ':') THEN try_strptime({text}, [{moments}])"
    return f"{with_time} ELSE try_strptime({text}, [{dates}]) END"


def days(timestamp: str) -> str:
    """Return SQL for the days since 1970-01-01 of a moment, with its time as the fraction."""
    return f"CASE WHEN isfinite({timestamp}) THEN epoch_us({timestamp}) / {_MICROSECONDS_OF_A_DAY!r} END"


def date_part(timestamp: str, part: str) -> str:
    """Return SQL for a part of a moment: one of `PARTS`."""
    return f"CASE WHEN isfinite({timestamp}) THEN CAST(date_part({quoted(PARTS[part])}, {timestamp}) AS DOUBLE) END"


def seconds(text: str) -> str:
    """Return SQL for the seconds of a time of day or a duration: 14:30, 2:30 PM, 100:05:09, 3 days 02:00:00."""
    clock = quoted(r"(?:\d+ days?,? ?)?\d{1,4}:\d{2}(?::\d{2}(?:\.\d+)?)?")
    plain = f"replace({text}, ',', ' ')"
    interval = f"CASE WHEN regexp_full_match({text}, {clock}) THEN epoch(try_cast({plain} AS INTERVAL)) END"
    moment_of_day = f"try_strptime({text}, ['%I:%M %p', '%I:%M:%S %p', '%I:%M%p'])"
    half_day = (
        f"CASE WHEN regexp_matches({text}, '(?i)^[0-9]{{1,2}}:.*[ap]m$') THEN epoch(CAST({moment_of_day} AS TIME)) END"
    )
    return f"coalesce({interval}, {half_day})"
