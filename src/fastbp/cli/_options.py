"""Options of the commands, and the types of their values."""

import codecs
import csv
import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from fastbp.cli._errors import CommandError

if TYPE_CHECKING:
    from fastbp.tabular.options import ReadOptions

__all__ = [
    "READING",
    "SHOWING",
    "columns_option",
    "dtype_option",
    "hidden_option",
    "read_options",
    "seed_option",
    "with_options",
]

LARGEST_SEED = 2**32 - 1


class Layers(click.ParamType):
    """Widths of hidden layers, "256,128"."""

    name = "N,N,..."

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, ...]:
        """Return the widths as a tuple of positive integers."""
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in value.split(",")]
        if not all(part.isdecimal() and int(part) > 0 for part in parts):
            raise CommandError(f"{param.opts[0]} {value!r}: expected positive whole numbers, like 256,128")
        return tuple(int(part) for part in parts)


class Activations(click.ParamType):
    """Name of a hidden activation. The names are looked up when one is given, for help should not wait for Numba."""

    name = "NAME"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """Return the name if there is such an activation."""
        from fastbp.kernels.functions.activations import HIDDEN

        if value not in HIDDEN:
            raise CommandError(f"{param.opts[0]} {value!r}: expected one of {', '.join(HIDDEN)}")
        return value


class Columns(click.ParamType):
    """Names of columns, separated by commas."""

    name = "COLUMN,..."

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, ...]:
        """Return the names; one with a comma is written in quotes, as in a table."""
        if isinstance(value, tuple):
            return value
        return tuple(name for name in next(csv.reader([value], skipinitialspace=True)) if name)


class Encoding(click.ParamType):
    """Name of an encoding that Python knows."""

    name = "NAME"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """Return the name if there is such an encoding."""
        try:
            codecs.lookup(value)
        except LookupError as error:
            raise CommandError(f"--encoding {value!r}: there is no such encoding") from error
        return value


def hidden_option(default: str) -> Any:
    """Return the option for the widths of the hidden layers."""
    return click.option(
        "--hidden", type=Layers(), default=default, show_default=True, help="Widths of the hidden layers."
    )


def columns_option(name: str, about: str) -> Any:
    """Return an option that takes names of columns."""
    variable = name.strip("-") + "_columns"
    return click.option(name, variable, type=Columns(), multiple=True, help=about)


_SEPARATORS = {"tab": "\t", "\\t": "\t", "space": " "}


def _separator(ctx: Any, param: Any, value: str | None) -> str | None:
    value = _SEPARATORS.get(value, value) if value else value
    if value is not None and len(value) != 1:
        raise CommandError(f"{param.opts[0]} {value!r}: expected one character, or tab or space")
    if value is not None and (value.isalnum() or value in '"\r\n\0'):
        raise CommandError(f"{param.opts[0]} {value!r}: this character cannot be a separator")
    return value


READING = (
    click.option("--sep", metavar="C", callback=_separator, help="Separator of the fields; tab for a tab character."),
    click.option("--decimal", type=click.Choice([".", ","]), help="Decimal separator of numbers."),
    click.option("--thousands", metavar="C", callback=_separator, help="Thousands separator of numbers."),
    click.option("--encoding", type=Encoding(), help="Encoding of the text."),
    click.option("--no-header", is_flag=True, help="The first row is data."),
    click.option("--missing", metavar="TEXT", multiple=True, help="A text that means missing in every column."),
    click.option("--dayfirst/--monthfirst", default=None, help="Order in dates like 01/02/2020."),
)
SHOWING = (
    click.option("--quiet", is_flag=True, help="Show only results and errors."),
    click.option("--json", "as_json", is_flag=True, help="Show the results as one JSON object."),
)


def with_options(options: Sequence[Any]) -> Any:
    """Return a decorator that adds some options."""
    return lambda command: functools.reduce(lambda function, option: option(function), reversed(options), command)


def read_options(values: dict[str, Any], kinds: Mapping[str, str] | None = None) -> "ReadOptions":
    """Take the options of reading out of all values."""
    from fastbp.tabular.options import ReadOptions

    names = ("sep", "decimal", "thousands", "encoding", "dayfirst")
    own = {name: values.pop(name) for name in names}
    if own["decimal"] is not None and own["decimal"] == own["thousands"]:
        raise CommandError(f"--decimal and --thousands cannot both be {own['decimal']!r}")
    return ReadOptions(**own, header=not values.pop("no_header"), missing=values.pop("missing"), kinds=kinds or {})


dtype_option = click.option(
    "--dtype",
    type=click.Choice(["float32", "float64"]),
    default="float32",
    show_default=True,
    help="Precision.",
)
seed_option = click.option(
    "--seed",
    type=click.IntRange(0, LARGEST_SEED),
    metavar="N",
    default=0,
    show_default=True,
    help="Of everything random.",
)
