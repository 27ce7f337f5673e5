"""The commands and their options.  Only click is imported here; a command imports its work when it runs."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from fastbp.cli._errors import CommandError, one_line_errors

LARGEST_SEED = 2**32 - 1
FORMER_NAMES = {"--alpha": "--weight-decay", "--threads": "--n-threads"}


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


class Renamed(click.Command):
    """A command that takes the former names of its options, too, for one release."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments after a note about each former name."""
        for index, argument in enumerate(args):
            former, *value = argument.split("=", 1)
            if former in FORMER_NAMES:
                present = FORMER_NAMES[former]
                click.echo(f"fastbp: note: {former} is now {present}; the old name will be removed", err=True)
                args[index] = "=".join([present, *value])
        return super().parse_args(ctx, args)


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


def _hidden_option(default: str) -> Any:
    return click.option(
        "--hidden", type=Layers(), default=default, show_default=True, help="Widths of the hidden layers."
    )


def _epochs_option(default: int, about: str) -> Any:
    return click.option("--epochs", type=click.IntRange(1), metavar="N", default=default, show_default=True, help=about)


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


@app.command(cls=Renamed)
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--target", required=True, help="The column to predict.")
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
@_epochs_option(20, "Passes over the rows, at most.")
@click.option(
    "--patience",
    type=click.IntRange(1),
    metavar="N",
    default=10,
    show_default=True,
    help="Stop after so many epochs without improvement.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    metavar="N",
    help="Rows per step.  [default: 200, or all if fewer]",
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
    help="Share of the training rows that scores every epoch; the best epoch's weights are kept.",
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
@click.option("--number", "numbers", multiple=True, metavar="COLUMN", help="Take this column as numbers.")
@click.option("--category", "categories", multiple=True, metavar="COLUMN", help="Take it as categories.")
@click.option("--ignore", "ignored", multiple=True, metavar="COLUMN", help="Leave it out.")
def train(
    table: Path,
    target: str,
    out: Path,
    task: str,
    test_fraction: float,
    numbers: tuple[str, ...],
    categories: tuple[str, ...],
    ignored: tuple[str, ...],
    **network: Any,
) -> None:
    """Train on TABLE and save the model.

    TABLE is a .csv, .tsv or .parquet file.  A part of its rows is held out for the report.  Columns may hold
    numbers, text, dates, true and false, and missing values.  The options --number, --category and --ignore
    may be repeated.
    """
    from fastbp.cli import _train
    from fastbp.cli._pipeline import Settings

    forced = dict.fromkeys(numbers, "number") | dict.fromkeys(categories, "category")
    forced |= dict.fromkeys(ignored, "ignored")
    network["batch_size"] = network["batch_size"] or "auto"
    _train.train(table, target, out, Settings(**network), task=task, test_fraction=test_fraction, forced=forced)


@app.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("table", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="predictions.csv",
    show_default=True,
    help="The table to write.",
)
@click.option("--proba", is_flag=True, help="Add the probability of every class.")
def predict(model: Path, table: Path, out: Path, proba: bool) -> None:
    """Predict the rows of TABLE with MODEL.

    The predictions are scored if TABLE has the target column, too.
    """
    from fastbp.cli import _predict

    _predict.predict(model, table, out, proba=proba)


@app.command()
def info() -> None:
    """Show the machine, its speed, and versions."""
    from fastbp.cli import _info

    _info.info()


@app.command()
def warmup() -> None:
    """Compile and cache all kernels."""
    from fastbp.cli import _info

    _info.warmup()


@app.command()
@_hidden_option("256,128")
@_epochs_option(100, "Passes over the rows.")
@dtype_option
@seed_option
def demo(hidden: tuple[int, ...], epochs: int, dtype: str, seed: int) -> None:
    """Race scikit-learn on the handwritten digits."""
    from fastbp.cli import _demo

    _demo.demo(hidden, epochs, dtype, seed)
