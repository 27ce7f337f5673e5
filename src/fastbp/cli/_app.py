"""The commands and their options.  Only click is imported here; a command imports its work when it runs."""

import codecs
import csv
import functools
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fastbp.cli._errors import CommandError, one_line_errors

if TYPE_CHECKING:
    from fastbp.tabular.options import ReadOptions

LARGEST_SEED = 2**32 - 1


class Commands(click.Group):
    """A group whose errors, click's own included, are one line on stderr."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Parse the options of the group itself."""
        with one_line_errors():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Parse and run a command."""
        with one_line_errors():
            return super().invoke(ctx)


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


def _hidden_option(default: str) -> Any:
    return click.option(
        "--hidden", type=Layers(), default=default, show_default=True, help="Widths of the hidden layers."
    )


def _columns_option(name: str, about: str) -> Any:
    variable = name.strip("-") + "_columns"
    return click.option(name, variable, type=Columns(), multiple=True, help=about)


_SEPARATORS = {"tab": "\t", "\\t": "\t", "space": " "}


def _separator(ctx: Any, param: Any, value: str | None) -> str | None:
    value = _SEPARATORS.get(value, value) if value else value
    if value is not None and len(value) != 1:
        raise CommandError(f"{param.opts[0]} {value!r}: expected one character, or tab or space")
    return value


_READING = (
    click.option("--sep", metavar="C", callback=_separator, help="Separator of the fields; tab for a tabulator."),
    click.option("--decimal", type=click.Choice([".", ","]), help="Decimal separator of numbers."),
    click.option("--thousands", metavar="C", callback=_separator, help="Thousands separator of numbers."),
    click.option("--encoding", type=Encoding(), help="Encoding of the text."),
    click.option("--no-header", is_flag=True, help="The first row is data."),
    click.option("--missing", metavar="TEXT", multiple=True, help="A text that means missing in every column."),
    click.option("--dayfirst/--monthfirst", default=None, help="Order in dates like 01/02/2020."),
)
_SHOWING = (
    click.option("--quiet", is_flag=True, help="Show only results and errors."),
    click.option("--json", "as_json", is_flag=True, help="Show the results as one JSON object."),
)


def _with(options: Sequence[Any]) -> Any:
    """Return a decorator that adds some options."""
    return lambda command: functools.reduce(lambda function, option: option(function), reversed(options), command)


def _read_options(values: dict[str, Any], kinds: Mapping[str, str] | None = None) -> "ReadOptions":
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


@click.group(cls=Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("fastbp"), prog_name="fastbp")
@click.pass_context
def app(ctx: click.Context) -> None:
    """Multi-layer perceptrons on a CPU, from tables to predictions."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@app.command()
@click.argument("table")
@click.option("--target", help="The column to predict. Without it, the columns are listed.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="model.skops",
    show_default=True,
    help="The model file to write.",
)
@click.option(
    "--task",
    type=click.Choice(["auto", "classification", "regression"]),
    default="auto",
    show_default=True,
    help="What the target is.",
)
@_hidden_option("256,256")
@click.option(
    "--epochs",
    type=click.IntRange(1),
    metavar="N",
    help="Passes over the rows, at most.  [default: 20 to 500, by rows]",
)
@click.option(
    "--patience",
    type=click.IntRange(1),
    metavar="N",
    help="Stop after so many epochs without improvement.  [default: a tenth of the epochs, at least 10]",
)
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    metavar="N",
    help="Rows per step.  [default: 200, or 32 if the table is small]",
)
@click.option(
    "--learning-rate",
    type=click.FloatRange(0.0, min_open=True),
    metavar="X",
    default=0.001,
    show_default=True,
    help="Of Adam.",
)
@click.option(
    "--weight-decay",
    type=click.FloatRange(0.0),
    metavar="X",
    default=0.0001,
    show_default=True,
    help="Strength of the L2 penalty.",
)
@click.option(
    "--activation",
    type=Activations(),
    default="relu",
    show_default=True,
    help="Of the hidden layers: relu, tanh, logistic, identity, gelu, silu and others.",
)
@dtype_option
@click.option(
    "--validation-fraction",
    type=click.FloatRange(0.0, 1.0, max_open=True),
    metavar="X",
    default=0.1,
    show_default=True,
    help="Share of the training rows that finds the number of epochs.",
)
@click.option(
    "--test-fraction",
    type=click.FloatRange(0.0, 1.0, max_open=True),
    metavar="X",
    default=0.2,
    show_default=True,
    help="Share of the rows held out for the final report.",
)
@seed_option
@click.option("--n-threads", type=click.IntRange(1), metavar="N", help="Threads.  [default: as many as pay off]")
@_columns_option("--number", "Take these columns as numbers.")
@_columns_option("--category", "Take them as categories.")
@_columns_option("--date", "Take them as dates. NAME=FORMAT says how they are written, as in %d%m%Y.")
@_columns_option("--text", "Take them as free text.")
@_columns_option("--ignore", "Leave them out.")
@click.option("--id", "id_column", metavar="COLUMN", help="Says which row is which: left out, and written by predict.")
@_with(_READING)
@_with(_SHOWING)
def train(
    table: str,
    target: str | None,
    out: Path,
    task: str,
    test_fraction: float,
    id_column: str | None,
    quiet: bool,
    as_json: bool,
    **values: Any,
) -> None:
    """Train on TABLE and save the model.

    TABLE is a .csv, .tsv, .txt, .parquet, .jsonl or .xlsx file, or - for standard input. Text files may be compressed.
    A part of the rows is held out for the report. Everything about the columns is found out from the table; the
    options overrule it. Options that take columns take several, separated by commas, and may be repeated.
    """
    from fastbp.cli import _train
    from fastbp.cli._console import Screen
    from fastbp.tabular.training import Settings

    kinds: dict[str, str] = {}
    for option, kind in (
        ("number", "number"),
        ("category", "category"),
        ("date", "date"),
        ("text", "text"),
        ("ignore", "ignored"),
    ):
        for name in (name for names in values.pop(f"{option}_columns") for name in names):
            column, _, form = name.partition("=") if kind == "date" and "%" in name else (name, "", "")
            kinds[column] = f"{kind}={form}" if form else kind
    if id_column:
        kinds[id_column] = "ignored"
    options = _read_options(values, kinds)
    _train.train(
        Screen(quiet=quiet, as_json=as_json),
        table,
        target,
        out,
        Settings(**values),
        options,
        task=task,
        test_fraction=test_fraction,
        id_column=id_column or "",
    )


@app.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("table")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="predictions.csv",
    show_default=True,
    help="The table to write.",
)
@click.option("--proba", is_flag=True, help="Add the probability of every class.")
@click.option("--with-inputs", is_flag=True, help="Add all columns of TABLE.")
@click.option("--id", "id_column", metavar="COLUMN", help="Add this column instead of the numbers of the rows.")
@click.option("--force", is_flag=True, help="Replace the table if it exists.")
@_with(_READING)
@_with(_SHOWING)
def predict(
    model: Path,
    table: str,
    out: Path,
    proba: bool,
    with_inputs: bool,
    id_column: str | None,
    force: bool,
    quiet: bool,
    as_json: bool,
    **values: Any,
) -> None:
    """Predict the rows of TABLE with MODEL.

    The predictions are scored if TABLE has the target column, too.
    """
    from fastbp.cli import _predict
    from fastbp.cli._console import Screen

    screen = Screen(quiet=quiet, as_json=as_json)
    _predict.predict(
        screen,
        model,
        table,
        out,
        _read_options(values),
        proba=proba,
        with_inputs=with_inputs,
        id_column=id_column,
        force=force,
    )


@app.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("table")
@_with(_READING)
@_with(_SHOWING)
def evaluate(model: Path, table: str, quiet: bool, as_json: bool, **values: Any) -> None:
    """Score MODEL on TABLE, which has the target column."""
    from fastbp.cli import _predict
    from fastbp.cli._console import Screen

    _predict.evaluate(Screen(quiet=quiet, as_json=as_json), model, table, _read_options(values))


@app.command()
@click.argument("model", type=click.Path(path_type=Path), required=False)
@_with(_SHOWING)
def info(model: Path | None, quiet: bool, as_json: bool) -> None:
    """Show what MODEL is; without one the machine, its speed, and versions."""
    from fastbp.cli import _info
    from fastbp.cli._console import Screen

    screen = Screen(quiet=quiet, as_json=as_json)
    if model is None:
        _info.info(screen)
    else:
        _info.describe_model(screen, model)


@app.command()
def warmup() -> None:
    """Compile and cache all kernels."""
    from fastbp.cli import _info

    _info.warmup()


@app.command()
@_hidden_option("256,128")
@click.option(
    "--epochs", type=click.IntRange(1), metavar="N", default=100, show_default=True, help="Passes over the rows."
)
@dtype_option
@seed_option
def demo(hidden: tuple[int, ...], epochs: int, dtype: str, seed: int) -> None:
    """Race scikit-learn on the handwritten digits."""
    from fastbp.cli import _demo

    _demo.demo(hidden, epochs, dtype, seed)
