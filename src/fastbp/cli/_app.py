"""The commands.  Only click is imported here; a command imports its work when it runs."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from fastbp.cli._errors import CommandError, one_line_errors
from fastbp.cli._options import (
    READING,
    SHOWING,
    Activations,
    columns_option,
    dtype_option,
    hidden_option,
    read_options,
    seed_option,
    with_options,
)


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
@hidden_option("256,256")
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
@columns_option("--number", "Take these columns as numbers.")
@columns_option("--category", "Take them as categories.")
@columns_option("--date", "Take them as dates. NAME=FORMAT says how they are written, as in %d%m%Y.")
@columns_option("--text", "Take them as free text.")
@columns_option("--ignore", "Leave them out.")
@click.option("--id", "id_column", metavar="COLUMN", help="Says which row is which: left out, and written by predict.")
@with_options(READING)
@with_options(SHOWING)
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
            if kinds.get(column, kind).partition("=")[0] != kind:
                raise CommandError(f"the column {column!r} cannot be taken as two kinds: see --{option}")
            kinds[column] = f"{kind}={form}" if form else kind
    if id_column:
        if kinds.get(id_column, "ignored") != "ignored":
            raise CommandError(f"the column {id_column!r} of --id is left out: it cannot have a kind")
        kinds[id_column] = "ignored"
    options = read_options(values, kinds)
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
@with_options(READING)
@with_options(SHOWING)
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
        read_options(values),
        proba=proba,
        with_inputs=with_inputs,
        id_column=id_column,
        force=force,
    )


@app.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("table")
@with_options(READING)
@with_options(SHOWING)
def evaluate(model: Path, table: str, quiet: bool, as_json: bool, **values: Any) -> None:
    """Score MODEL on TABLE, which has the target column."""
    from fastbp.cli import _predict
    from fastbp.cli._console import Screen

    _predict.evaluate(Screen(quiet=quiet, as_json=as_json), model, table, read_options(values))


@app.command()
@click.argument("model", type=click.Path(path_type=Path), required=False)
@with_options(SHOWING)
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
@hidden_option("256,128")
@click.option(
    "--epochs", type=click.IntRange(1), metavar="N", default=100, show_default=True, help="Passes over the rows."
)
@dtype_option
@seed_option
def demo(hidden: tuple[int, ...], epochs: int, dtype: str, seed: int) -> None:
    """Race scikit-learn on the handwritten digits."""
    from fastbp.cli import _demo

    _demo.demo(hidden, epochs, dtype, seed)


@app.command()
@click.argument("name", type=click.Choice(["adult-like"]))
@click.option("--rows", type=click.IntRange(1), metavar="N", default=5000, show_default=True, help="Rows of the table.")
@seed_option
def example(name: str, rows: int, seed: int) -> None:
    """Write an invented table to stdout, to try the other commands on.

    adult-like: people with their work, and whether they earn more than 50,000 a year.
    """
    from fastbp.cli import _example

    _example.write_people(rows, seed)
