"""What a user can say about a table instead of having it guessed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["ReadOptions"]


@dataclass(frozen=True)
class ReadOptions:
    """How to read a table. What is None or empty is found out from the table.

    Attributes
    ----------
    sep : str or None
        Separator of the fields of a text file.
    encoding : str or None
        Encoding of a text file, by Python's name.
    header : bool
        Whether the first row of a text file holds the names of the columns.
    missing : tuple of str
        Values that mean "missing" in every column, beside empty fields.
    decimal, thousands : str or None
        Decimal and thousands separator of numbers in text.
    dayfirst : bool or None
        Whether the day comes before the month in dates like 01/02/2020.
    kinds : mapping of str to str
        Kinds of columns that the user has decided, by name. "date=%Y%m%d" is a date with its format.
    """

    sep: str | None = None
    encoding: str | None = None
    header: bool = True
    missing: tuple[str, ...] = ()
    decimal: str | None = None
    thousands: str | None = None
    dayfirst: bool | None = None
    kinds: Mapping[str, str] = field(default_factory=dict)
