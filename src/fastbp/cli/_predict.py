"""``fastbp predict`` and ``fastbp evaluate``: a saved model on a new table."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import numpy as np
import pandas as pd

from fastbp.cli._console import Screen
from fastbp.cli._errors import CommandError
from fastbp.cli._files import check_writable, open_atomically
from fastbp.cli._report import scores_as_json, show_scores
from fastbp.tabular.database import Connection
from fastbp.tabular.errors import counted, listing, no_such_column
from fastbp.tabular.files import MODEL_SUFFIXES, read_model
from fastbp.tabular.model import Model
from fastbp.tabular.options import ReadOptions
from fastbp.tabular.pipeline import add_unseen, unseen_notes
from fastbp.tabular.scores import Scores
from fastbp.tabular.sql import quoted
from fastbp.tabular.table import PARQUET_SUFFIXES, Table, open_table
from fastbp.tabular.target import class_numbers, target_numbers

OUT_SUFFIXES = (".csv", ".tsv", *PARQUET_SUFFIXES)


def predict(
    screen: Screen,
    model_path: Path,
    path: str,
    out: Path,
    options: ReadOptions,
    *,
    proba: bool = False,
    with_inputs: bool = False,
    id_column: str | None = None,
    force: bool = False,
) -> None:
    """Predict the target of every row of a table and write the predictions in the same order.

    Parameters
    ----------
    screen : Screen
    model_path : Path
    path : str
        The table to read; "-" for standard input.
    out : Path
        The table to write.
    options : ReadOptions
    proba : bool
        Add a column of probabilities per class.
    with_inputs : bool
        Add all columns of the table.
    id_column : str or None
        A column that says which row is which; None for the number of the row.
    force : bool
        Replace `out` if it exists.
    """
    check_writable(out, OUT_SUFFIXES)
    _check_order(model_path, path)
    if any(out.exists() and source.exists() and out.samefile(source) for source in (model_path, Path(path))):
        raise CommandError(f"'{out}' would be overwritten: choose another name for the predictions")
    if out.exists() and not force:
        raise CommandError(f"'{out}' exists: choose another name, or --force replaces it")
    model, table, outputs, options = _run(screen, model_path, path, options)
    if proba and not model.is_classifier:
        raise CommandError("--proba is for classes; this model is a regression")
    frame = _predictions(model, table, outputs, id_column, proba=proba, with_inputs=with_inputs)
    with open_atomically(out) as file:
        _write_table(frame, out, file)
    screen.say(f"wrote {counted(len(frame), 'prediction')} of {model.target.name!r} to {out}")
    scores = None
    if model.target.name in table.names:
        scores = _score(screen, model, table, outputs, options)
    screen.finish(out=str(out), rows=len(frame), target=model.target.name, **scores_as_json(scores))


def evaluate(screen: Screen, model_path: Path, path: str, options: ReadOptions) -> None:
    """Score a model on a table that has the target.

    Parameters
    ----------
    screen : Screen
    model_path : Path
    path : str
        The table to read; "-" for standard input.
    options : ReadOptions
    """
    _check_order(model_path, path)
    model, table, outputs, options = _run(screen, model_path, path, options, needs_target=True)
    scores = _score(screen, model, table, outputs, options)
    if scores is None:
        raise CommandError(f"the column {model.target.name!r} has no values to score against")
    screen.finish(rows=table.n_rows, target=model.target.name, **scores_as_json(scores))


def _check_order(model_path: Path, path: str) -> None:
    if model_path.suffix.lower() not in MODEL_SUFFIXES and Path(path).suffix.lower() in MODEL_SUFFIXES:
        raise CommandError(f"the model comes before the table: {path} {model_path}")


def _run(
    screen: Screen, model_path: Path, path: str, options: ReadOptions, *, needs_target: bool = False
) -> tuple[Model, Table, np.ndarray, ReadOptions]:
    """Load a model, read a table, and compute the outputs for its rows."""
    model, notes = read_model(model_path)
    options = replace(options, missing=(*model.options.missing, *options.missing))
    table = open_table(path, options)
    if needs_target and model.target.name not in table.names:
        raise no_such_column(model.target.name, table.names)
    columns, more = model.settle(table, options)
    if unused := model.unused(table):
        more.append(f"columns that the model does not use: {listing(unused)}")
    screen.note(*notes, *table.notes, *more)
    outputs = []
    unseen: dict[str, tuple[int, str]] = {}
    for piece, found in model.outputs(table, columns):
        outputs.append(piece)
        add_unseen(unseen, found)
    screen.note(*unseen_notes(unseen))
    return model, table, np.concatenate(outputs), options


def _predictions(
    model: Model, table: Table, outputs: np.ndarray, id_column: str | None, *, proba: bool, with_inputs: bool
) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    if id_column is None and model.id_column in table.names:
        id_column = model.id_column
    if id_column is not None and id_column not in table.names:
        raise no_such_column(id_column, table.names)
    if id_column is not None:
        columns[id_column] = table.select([table.place(id_column)]).df().iloc[:, 0]
    elif not with_inputs:
        columns["row"] = np.arange(1, table.n_rows + 1)
    if with_inputs:
        inputs = table.select([f"c{index}" for index in range(len(table.names))]).df()
        for name, (_, series) in zip(table.names, inputs.items(), strict=True):
            columns.setdefault(name, series)
    _add(columns, model.target.name, model.decide(outputs))
    if proba:
        for index, label in enumerate(model.classes):
            _add(columns, f"proba_{label}", outputs[:, index])
    return pd.DataFrame(columns)


def _add(columns: dict[str, Any], name: str, values: np.ndarray) -> None:
    """Add a column of predictions under a name that is free."""
    while name in columns:
        name = f"predicted {name}"
    columns[name] = values


def _write_table(table: pd.DataFrame, out: Path, file: BinaryIO) -> None:
    if out.suffix.lower() in PARQUET_SUFFIXES:
        file.write(_as_parquet(table))
    else:
        table.to_csv(file, index=False, sep="\t" if out.suffix.lower() == ".tsv" else ",")


def _as_parquet(frame: pd.DataFrame) -> bytes:
    with tempfile.TemporaryDirectory(prefix="fastbp-") as folder:
        path = Path(folder, "table.parquet")
        connection = Connection(duckdb.connect(), "cannot write the predictions")
        connection.register("frame", frame)
        connection.execute(f"COPY frame TO {quoted(str(path))} (FORMAT parquet)")
        return path.read_bytes()


def _score(screen: Screen, model: Model, table: Table, outputs: np.ndarray, options: ReadOptions) -> Scores | None:
    """Show the scores on the rows that have a target; None if there are none."""
    if model.is_classifier:
        numbers, unknown = class_numbers(table, model.target)
        if unknown:
            rows = counted(int((numbers == -2).sum()), "row has", "rows have")
            screen.note(f"{rows} a class that did not occur in training, e.g. {unknown[0]!r}: not scored")
        present = numbers >= 0
        truth = model.classes[numbers[present]]
    else:
        numbers, lost = target_numbers(table, model.target, options)
        if lost:
            screen.note(f"{counted(lost, 'value')} of {model.target.name!r} cannot be read as a number: not scored")
        present = np.isfinite(numbers)
        truth = numbers[present]
    if not present.any():
        screen.note(f"the column {model.target.name!r} has no values to score against")
        return None
    scores = model.score(outputs[present], truth)
    show_scores(screen, f"Scores on the {counted(len(truth), 'row')} with a target", scores)
    return scores
