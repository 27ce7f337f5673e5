"""Random tables as text, with the values that they were written from: what `test_generated.py` reads."""

import codecs
import csv
import datetime
import gzip
import io
from dataclasses import dataclass, field

import numpy as np

EPOCH = datetime.datetime(1970, 1, 1)  # noqa: DTZ001 - the tables' moments have no zone either
DAY = 86_400_000_000
# Each with a name by which the column is called; all of Windows-1252.
NAMES = ("größe", "unit price", "a;b", "x, y", 'the "best"', "A", "a", "name|surname", "naïve", "2020", "né(e)", "sep")
LABELS = (
    ("None", "NA", "null", "yes"),
    ("yes", "no"),
    ("Yes", "yes", "YES"),
    ("004", "01", "1E2", "TRUE"),
    ("x, y", "u;v", "p|q", "t\tt"),
    ('say "hi"', "it's", "two\nlines"),
    ("Ärger", "Öl", "naïve café"),
    ("<5", "5-10", ">10"),
    ("10.0.0.1", "10.0.0.2"),
    ("A", "a", "B"),
    ("1st", "2nd", "3rd"),
    ("true", "false", "perhaps"),
    ("-", "+", "0"),
    ("2020-01", "spring", "May"),
    ("n/a", "?", "-"),
)
MARKS = ("", "NA", "n/a", "-", "?", ".", "NaN", "null", "None", "--", "#N/A", "missing")
# Decimal separator, and separators of thousands that go with it.
STYLES = {".": ("", ",", "'", " ", "\u00a0"), ",": ("", ".", " ", "'", "\u00a0")}
WORDS = ("the", "quick", "brown", "fox", "jumps", "dog, while;", "nobody", '"looks"', "or", "cares", "a", "lot")
DATES = {
    "iso": ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S.%f"),
    "ymd": ("%Y/%m/%d", "%Y.%m.%d", "%Y/%m/%d %H:%M"),
    "mdy": ("%m/%d/%Y", "%m-%d-%Y", "%m/%d/%Y %I:%M %p", "%m/%d/%y"),
    "dmy": ("%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d/%m/%Y %H:%M:%S", "%d.%m.%y"),
    "names": ("%b %d, %Y", "%d %B %Y", "%d-%b-%Y", "%d-%b-%y", "%B %d, %Y %I:%M %p"),
}


@dataclass
class Written:
    """A column of a table.

    Attributes
    ----------
    kind : str
        What it must be taken for.
    values : list
        What must be read: numbers, texts, None where there is nothing.
    texts : list of str
        How it is written.
    """

    kind: str
    values: list
    texts: list[str]
    name: str = ""


@dataclass
class Generated:
    """A table, and the options that say what it leaves open."""

    data: bytes
    file_name: str
    columns: list[Written]
    target: str
    n_rows: int
    options: dict = field(default_factory=dict)


def pick(rng, choices):
    return choices[int(rng.integers(len(choices)))]


def write_number(rng, value, decimals, style):
    """Write a number, with its decimal separator and its groups of digits."""
    decimal, thousands, prefix, suffix, accounting = style
    digits = f"{abs(value):,.{decimals}f}"
    text = digits.replace(",", "\0").replace(".", decimal).replace("\0", thousands)
    if value < 0:
        return f"({text})" if accounting else f"-{prefix}{text}{suffix}"
    return f"{prefix}{text}{suffix}"


def numbers(rng, n, decimal):
    thousands = pick(rng, STYLES[decimal])
    prefix, suffix = pick(rng, [("", "")] * 3 + [("$", ""), ("", " €"), ("", "%"), ("", " %"), ("€ ", "")])
    decimals = int(rng.integers(0, 4))
    style = (decimal, thousands, prefix, suffix, bool(rng.random() < 0.2))
    size = pick(rng, [10.0, 1e3, 1e5, 1e7])
    values = np.round(rng.normal(size=n) * size, decimals)
    # A number that can be read in a single way: with groups and decimals, or with two groups.
    values[int(rng.integers(n))] = round(1234567.25, decimals) if decimals else 7654321.0
    texts = [write_number(rng, value, decimals, style) for value in values]
    canonical = [float(f"{value:.{decimals}f}") for value in values]
    return Written("number", canonical, texts)


def exponents(rng, n, decimal):
    texts = [repr(float(value)) for value in rng.normal(size=n) * 10.0 ** rng.integers(-9, 9, n)]
    return Written("number", [float(text) for text in texts], [text.replace(".", decimal) for text in texts])


def dates(rng, n, order):
    form = pick(rng, DATES[order])
    first = datetime.datetime(1975, 1, 1)  # noqa: DTZ001
    moments = [first + datetime.timedelta(seconds=int(s)) for s in rng.integers(0, 50 * 365 * 86400, n)]
    # A day that is no month.
    moments[int(rng.integers(n))] = datetime.datetime(2001, 5, 23)  # noqa: DTZ001
    texts = [moment.strftime(form) for moment in moments]
    read = [datetime.datetime.strptime(text, form) for text in texts]  # noqa: DTZ007 - what the text leaves of it
    return Written("date", [(when - EPOCH) // datetime.timedelta(microseconds=1) / DAY for when in read], texts)


def times(rng, n):
    seconds = rng.integers(0, 86400, n)
    with_seconds = rng.random() < 0.5
    seconds = seconds if with_seconds else seconds // 60 * 60
    texts = [f"{s // 3600:02}:{s // 60 % 60:02}" + (f":{s % 60:02}" if with_seconds else "") for s in seconds]
    return Written("time", [float(s) for s in seconds], texts)


def labels(rng, n):
    choices = pick(rng, LABELS)
    values = [pick(rng, choices) for _ in range(n)]
    values[:2] = choices[:2]
    if all(value in choices[:3] and choices[0] == "004" for value in values):
        values[2] = "TRUE"  # else they are all numbers
    blanks = pick(rng, ["", "", " "])
    return Written("category", values, [value + blanks for value in values])


def integers(rng, n):
    values = rng.integers(-5, 6, n)
    values[:2] = -5, 5
    plus = pick(rng, ["", "", "+"])
    return Written("number", values.astype(float).tolist(), [f"{plus if v > 0 else ''}{v}" for v in values.tolist()])


def half_days(rng, n):
    minutes = rng.integers(0, 1440, n).tolist()
    texts = [f"{m // 60 % 12 or 12}:{m % 60:02} {'PM' if m >= 720 else 'AM'}" for m in minutes]
    return Written("time", [60.0 * m for m in minutes], texts)


def sentences(rng, n):
    values = [" ".join(pick(rng, WORDS) for _ in range(int(rng.integers(3, 9)))) + f" ({row})" for row in range(n)]
    return Written("text" if n > 20 else "category", values, list(values))


def constants(rng, n):
    word = pick(rng, ["cm", "1", "2020-01-01", "true", "-", "x, y"])
    return Written("ignored", [word] * n, [word] * n)


def serials(rng, n):
    values = [f"id-{value:x}" for value in rng.permutation(10 * n)[:n]]
    return Written("ignored" if n > 20 else "category", values, list(values))


def booleans(rng, n):
    true, false = pick(rng, [("true", "false"), ("TRUE", "FALSE"), ("True", "False")])
    values = rng.random(n) < 0.5
    values[:2] = True, False
    return Written("boolean", [float(value) for value in values], [true if value else false for value in values])


def make_column(rng, n, decimal, order):
    makers = (
        lambda: numbers(rng, n, decimal),
        lambda: exponents(rng, n, decimal),
        lambda: dates(rng, n, order),
        lambda: times(rng, n),
        lambda: labels(rng, n),
        lambda: booleans(rng, n),
        lambda: integers(rng, n),
        lambda: half_days(rng, n),
        lambda: sentences(rng, n),
        lambda: constants(rng, n),
        lambda: serials(rng, n),
    )
    column = pick(rng, makers)()
    if column.kind in ("text", "ignored"):
        return column
    # Some values are missing, but not those that make clear what the column is.
    marks = [""] if column.kind == "category" else [pick(rng, MARKS), pick(rng, MARKS)]
    share = pick(rng, [0.0, 0.0, 0.1, 0.4])
    keep = clear_rows(column)
    for row in range(n):
        if row not in keep and rng.random() < share:
            column.values[row], column.texts[row] = None, pick(rng, marks)
    if rng.random() < 0.1:
        column.texts = [f"{pick(rng, ['', ' ', '  '])}{text}{pick(rng, ['', ' '])}" for text in column.texts]
    return column


def clear_rows(column):
    """Rows without which a reader could not tell how the column is written."""
    if column.kind == "number":
        large = [row for row, value in enumerate(column.values) if value in (1234567.2, 1234567.25, 7654321.0)]
        return {0, 1, *large}
    if column.kind == "date":
        return {row for row, text in enumerate(column.texts) if "23" in text}
    return {0, 1, 2}


def encode(rng, text, dialect):
    encoding = pick(rng, ["utf-8"] * 4 + ["utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
    data = text.encode(encoding)
    if encoding == "utf-16-le" and rng.random() < 0.5:
        data = codecs.BOM_UTF16_LE + data
    if rng.random() < 0.2:
        return gzip.compress(data, mtime=0), dialect + ".gz"
    return data, dialect


def make_table(seed):
    """Make a table of a few columns; the same for the same seed."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 60))
    decimal, order = pick(rng, [".", ".", ","]), pick(rng, list(DATES))
    names = rng.permutation(NAMES)[: int(rng.integers(1, 8))].tolist()
    columns = [make_column(rng, n, decimal, order) for _ in names]
    for column, name in zip(columns, names, strict=True):
        column.name = name
    buffer = io.StringIO()
    buffer.write(pick(rng, ["", "", "", "\n", " \n\n"]))
    delimiter = pick(rng, [",", ",", ";", ";", "\t", "|"]) if len(columns) > 1 else ","
    quoting = csv.QUOTE_ALL if rng.random() < 0.3 else csv.QUOTE_MINIMAL
    writer = csv.writer(buffer, delimiter=delimiter, quoting=quoting, lineterminator=pick(rng, ["\n", "\r\n"]))
    rows = [list(row) for row in zip(*(column.texts for column in columns), strict=True)]
    if len(columns) > 1 and rng.random() < 0.1:  # files that were joined
        rows.insert(int(rng.integers(n)), names)
    writer.writerow(names)
    writer.writerows(rows)
    buffer.write(pick(rng, ["", "", "\n", "\r\n"]) if len(columns) > 1 else "")
    data, file_name = encode(rng, buffer.getvalue(), pick(rng, ["t.csv", "t.csv", "t.txt"]))
    able = [column.name for column in columns if column.kind == "category"]
    target = pick(rng, able) if able and len(columns) > 1 and rng.random() < 0.7 else ""
    return Generated(data, file_name, columns, target, n)
