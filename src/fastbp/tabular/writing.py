"""How the numbers and dates of a table's text columns are written: as what reads most of the values."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial

from fastbp.tabular.dates import ORDERS, moment, seconds
from fastbp.tabular.numbers import FORMATS, PLAIN, NumberFormat, is_mark, plain_number
from fastbp.tabular.options import ReadOptions
from fastbp.tabular.sql import quoted
from fastbp.tabular.table import Table

__all__ = ["NEARLY_ALL", "Writing", "clear_format", "usual_format", "writings"]

# This share of a text column's values must read as numbers (or dates) for it to count as one.
NEARLY_ALL = 0.95
# Aggregates asked for in one query.
_MOST_AGGREGATES = 200
_GROUPS = quoted(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+")


@dataclass
class Writing:
    """What reads the values of a text column.

    Attributes
    ----------
    values : int
        Values, without those that mark a missing one among numbers.
    numbers : dict of NumberFormat to int
        How many values each format reads.
    dates : dict of str to int
        How many values each order of dates reads.
    times : int
        How many values are times of day or durations.
    separators : int
        How many values have a point or a comma between digits.
    """

    values: int
    numbers: dict[NumberFormat, int]
    dates: dict[str, int] = field(default_factory=dict)
    times: int = 0
    separators: int = 0

    def nearly_all(self, count: int) -> bool:
        """Whether a count is nearly all of the values."""
        return self.values > 0 and count >= NEARLY_ALL * self.values

    def number_format(self, preferred: NumberFormat) -> NumberFormat:
        """Return the format that reads most values; the preferred one, or one with its decimal point, if several do."""
        best = [form for form, count in self.numbers.items() if count == max(self.numbers.values())]
        same_point = [form for form in best if form.decimal == preferred.decimal]
        return preferred if preferred in best else (same_point or best)[0]

    @property
    def is_unclear(self) -> bool:
        """Whether a point or a comma between digits may as well be the decimal separator as one of thousands."""
        most = max(self.numbers.values())
        points = {form.decimal for form, count in self.numbers.items() if count == most}
        return self.separators > 0 and len(points) > 1

    def date_order(self, preferred: str) -> str:
        """Return the order that reads most dates; the preferred one if several do."""
        best = [order for order, count in self.dates.items() if count == max(self.dates.values())]
        return preferred if preferred in best else best[0]


def writings(
    table: Table, names: Sequence[str], options: ReadOptions, known: Collection[str] = ()
) -> dict[str, Writing]:
    """Find out what reads the text columns of a table.

    Parameters
    ----------
    table : Table
    names : sequence of str
        Text columns.
    options : ReadOptions
        What the user has said about numbers and dates.
    known : collection of str
        Those that hold numbers or dates in any case, however few of their values can be read.
    """
    columns: dict[str, Callable[[str], str]] = {
        "values": lambda text: text,
        "plain": plain_number,
        "groups": lambda text: _true(f"regexp_full_match({text}, {_GROUPS})"),
        "digits": lambda text: _true(f"regexp_matches({text}, '[0-9]')"),
        "separators": _has_separator,
    }
    counts = _count(table, names, list(columns.values()))
    found = {}
    unclear = []
    formats = _formats(options)
    for name, (values, plain, groups, digits, separators) in counts.items():
        found[name] = Writing(values, {PLAIN: plain}, separators=separators)
        may_be_read = name in known or (values and digits >= NEARLY_ALL * values)
        if may_be_read and (plain < values or groups or PLAIN not in formats):
            unclear.append(name)
    readers = [partial(_read_by, form) for form in formats]
    for name, row in _count(table, unclear, readers).items():
        found[name].numbers = dict(zip(formats, row, strict=True))
    others = [name for name in unclear if not found[name].nearly_all(max(found[name].numbers.values()))]
    orders = [partial(moment, order=order) for order in ORDERS]
    for name, (times, *row) in _count(table, others, [seconds, *orders]).items():
        found[name].times = times
        found[name].dates = dict(zip(ORDERS, row, strict=True))
        if options.dayfirst is not None and row[ORDERS.index("mdy")] and row[ORDERS.index("dmy")]:
            del found[name].dates["mdy" if options.dayfirst else "dmy"]
    return found


def usual_format(table: Table, found: dict[str, Writing], options: ReadOptions) -> NumberFormat:
    """Return how most columns of a table write numbers; it decides where a column is unclear."""
    return clear_format(table, found, options) or PLAIN


def clear_format(table: Table, found: dict[str, Writing], options: ReadOptions) -> NumberFormat | None:
    """Return how most columns of a table write numbers, None if no column shows it."""
    points = commas = 0
    for writing in found.values():
        by_point = max((count for form, count in writing.numbers.items() if form.decimal == "."), default=0)
        by_comma = max((count for form, count in writing.numbers.items() if form.decimal == ","), default=0)
        points += by_point > by_comma and writing.separators > 0
        commas += by_comma > by_point
    if options.decimal:
        return _formats(options)[0]
    if commas > points or (commas == points == 0 and table.delimiter == ";"):
        return NumberFormat(",", ".")
    return PLAIN if points else None


def _formats(options: ReadOptions) -> list[NumberFormat]:
    """Return the formats of numbers that the user's options leave."""
    decimal, thousands = options.decimal, options.thousands
    if thousands is not None:
        return [NumberFormat(decimal or ("," if thousands == "." else "."), thousands)]
    return [form for form in FORMATS if decimal in (None, form.decimal)]


def _read_by(form: NumberFormat, text: str) -> str:
    return _true(form.reads(text))


def _has_separator(text: str) -> str:
    return _true(f"regexp_matches({text}, '[0-9][.,][0-9]')")


def _true(condition: str) -> str:
    """Return SQL that is NULL where a condition does not hold."""
    return f"nullif({condition}, false)"


def _count(table: Table, names: Sequence[str], readers: Sequence[Callable[[str], str]]) -> dict[str, list[int]]:
    """Count the values of each column that each reader reads, without those that mark a missing value."""
    width = len(readers)
    at_once = max(1, _MOST_AGGREGATES // width)
    counts = {}
    for first in range(0, len(names), at_once):
        some = names[first : first + at_once]
        places = [table.place(name) for name in some]
        unmarked = {place: f"CASE WHEN NOT {is_mark(place)} THEN {place} END" for place in places}
        values = table.row([f"count({read(place)})" for place in places for read in readers], **unmarked)
        for index, name in enumerate(some):
            counts[name] = list(values[width * index : width * (index + 1)])
    return counts
