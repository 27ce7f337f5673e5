"""Numbers as people write them: 1,234.50, 12,3 €, $5, (7), <0.01, 12 %."""

import re
from dataclasses import dataclass

from fastbp.tabular.sql import lower_in, quoted

__all__ = ["FORMATS", "MISSING_MARKS", "PLAIN", "NumberFormat", "is_mark", "plain_number"]

# What stands for a missing value among numbers and dates.
MISSING_MARKS = (
    *(
        "?",
        ".",
        "..",
        "...",
        "-",
        "--",
        "---",
        "\u2013",
        "\u2014",
        "*",
        "na",
        "n/a",
        "n.a.",
        "n.a",
        "nan",
        "<na>",
        "null",
        "none",
    ),
    *("nil", "nat", "missing", "unknown", "tbd", "#n/a", "#value!", "#div/0!", "#num!", "#ref!", "\\n"),
)
_CURRENCY = (
    r"(?:(?:US|A|C|R|NZ|HK|S)?\p{Sc}|(?i:usd|eur|gbp|chf|jpy|cny|inr|cad|aud|nzd|sek|nok|dkk|pln|czk|huf|brl|zar|mxn|krw|"
    r"rub|try|kr\.?|zł|kč|ft|rs\.?))"
)
_SPACES = r"[ \x{00A0}\x{202F}\x{2009}]"


@dataclass(frozen=True)
class NumberFormat:
    """How the numbers of a column are written.

    Attributes
    ----------
    decimal : str
        "." or ",".
    thousands : str
        Separator of groups of three digits: one of ",", ".", "'" and " ".
    """

    decimal: str = "."
    thousands: str = ","

    @property
    def _groups(self) -> str:
        return {" ": _SPACES, "'": "['\u2019]"}.get(self.thousands, re.escape(self.thousands))

    @property
    def _pattern(self) -> str:
        point = rf"\{self.decimal}"
        whole = rf"\d{{1,3}}(?:{self._groups}\d{{3}})+|\d{{1,3}}(?:{self._groups}\d{{2}})+{self._groups}\d{{3}}|\d+"
        number = rf"(?:{whole})(?:{point}\d*)?|{point}\d+"
        currency = rf"(?:{_CURRENCY}{_SPACES}*)?"
        sign = rf"([+\-\x{{2212}}]?){_SPACES}*"
        return (
            rf"(?:[<>≤≥~≈]=?{_SPACES}*)?{currency}{sign}{currency}({number})((?:[eE][+\-]?\d+)?)"
            rf"{_SPACES}*(?:{_CURRENCY}|%|‰)?"
        )

    def reads(self, text: str) -> str:
        """Return a condition: a text is a number in this format."""
        return f"regexp_full_match({self._unsigned(text)}, {quoted(self._pattern)})"

    def value(self, text: str) -> str:
        """Return SQL for the finite number that a text holds, NULL if it holds none."""
        core = f"regexp_replace({self._unsigned(text)}, {quoted('^' + self._pattern + '$')}, '\\1\\2\\3')"
        plain = f"regexp_replace({core}, {quoted(self._groups)}, '', 'g')"
        point = f"replace(replace({plain}, {quoted(self.decimal)}, '.'), '\u2212', '-')"
        number = f"CASE WHEN {self.reads(text)} THEN {_finite(point)} END"
        # Most numbers are plain, and these are read much faster.
        return f"coalesce({plain_number(text)}, {number})" if self.decimal == "." else number

    @staticmethod
    def _unsigned(text: str) -> str:
        """Write the negative numbers of accountants, (5), with a sign."""
        inside = rf"{_CURRENCY}?{_SPACES}*[\d.,'\x{{2019}}\x{{00A0}}\x{{202F}}\x{{2009}} ]+{_CURRENCY}?"
        return f"regexp_replace({text}, {quoted(rf'^[(]{_SPACES}*({inside}){_SPACES}*[)]$')}, '-\\1')"


PLAIN = NumberFormat()
FORMATS = tuple(NumberFormat(d, t) for d, t in ((".", ","), (".", "'"), (".", " "), (",", "."), (",", " "), (",", "'")))


def _finite(text: str) -> str:
    number = f"try_cast({text} AS DOUBLE)"
    return f"CASE WHEN isfinite({number}) THEN {number} END"


def plain_number(text: str) -> str:
    """Return SQL for the finite number that a text without decorations holds, NULL if it holds none."""
    return f"CASE WHEN NOT contains({text}, '_') THEN {_finite(text)} END"


def is_mark(text: str) -> str:
    """Return a condition: a text stands for a missing number or date."""
    longest = max(len(mark.encode()) for mark in MISSING_MARKS)
    # The length is looked at first because it is quicker.
    return f"(strlen({text}) <= {longest} AND {lower_in(text, MISSING_MARKS)})"
