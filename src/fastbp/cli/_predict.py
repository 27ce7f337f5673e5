"""``fastbp predict``: a saved model on a new table."""

from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
from rich.console import Console

from fastbp.cli._columns import as_features
from fastbp.cli._console import open_console, say, say_notes
from fastbp.cli._errors import CommandError, listing
from fastbp.cli._files import check_writable, open_atomically
from fastbp.cli._model import Model
from fastbp.cli._persist import load_model
from fastbp.cli._pipeline import unseen_categories
from fastbp.cli._read import PARQUET_SUFFIXES, TABLE_SUFFIXES, Table, read_table
from fastbp.cli._report import show_scores
from fastbp.cli._target import target_values


def predict(model_path: Path, path: Path, out: Path, *, proba: bool = False) -> None:
    """Predict the target of every row of a table and write the predictions in the same order.

    Parameters
    ----------
    model_path, path, out : Path
        The model and the table to read, the table to write.
    proba : bool
        Add a column of probabilities per class.
    """
    check_writable(out, TABLE_SUFFIXES)
    if any(out.exists() and source.exists() and out.samefile(source) for source in (model_path, path)):
        raise CommandError(f"'{out}' would be overwritten: choose another name for the predictions")
    console = open_console()
    model, notes = load_model(model_path)
    if proba and not model.is_classifier:
        raise CommandError("--proba is for classes; this model is a regression")
    table = read_table(path, _text_columns(model))
    features, more_notes = _features(table, model)
    say_notes(console, notes + table.notes + more_notes)
    outputs = model.outputs(features)
    predictions = _predictions(model, outputs, proba)
    with open_atomically(out) as file:
        _write_table(predictions, out, file)
    say(console, f"wrote {len(predictions):,} predictions of {model.target.name!r} to {out}")
    if model.target.name in table.frame.columns:
        _score(console, model, table.frame[model.target.name], outputs)


def _text_columns(model: Model) -> list[str]:
    names = [column.name for column in model.columns if column.kind == "category"]
    return [*names, model.target.name] if model.target.kind == "text" else names


def _features(table: Table, model: Model) -> tuple[pd.DataFrame, list[str]]:
    wanted = [column.name for column in model.columns]
    missing = [name for name in wanted if name not in table.frame.columns]
    if missing:
        raise CommandError(f"the table lacks columns that the model needs: {listing(missing)}")
    extra = [name for name in table.frame.columns if name not in {*wanted, model.target.name}]
    features, notes = as_features(table.frame, model.columns)
    if extra:
        notes.append(f"columns that the model does not use: {listing(extra)}")
    return features, notes + unseen_categories(model.pipeline, features)


def _predictions(model: Model, outputs: np.ndarray, proba: bool) -> pd.DataFrame:
    predictions = {model.target.name: model.decide(outputs)}
    if proba:
        predictions |= {f"proba_{label}": outputs[:, index] for index, label in enumerate(model.classes)}
    return pd.DataFrame(predictions)


def _write_table(table: pd.DataFrame, out: Path, file: BinaryIO) -> None:
    if out.suffix.lower() in PARQUET_SUFFIXES:
        pyarrow.parquet.write_table(pyarrow.Table.from_pandas(table, preserve_index=False), file)
    else:
        table.to_csv(file, index=False, sep="\t" if out.suffix.lower() == ".tsv" else ",")


def _score(console: Console, model: Model, column: pd.Series, outputs: np.ndarray) -> None:
    y, present = target_values(column, model.target)
    if not len(y):
        say_notes(console, [f"the column {model.target.name!r} has no values to score against"])
        return
    show_scores(console, f"Scores on the {len(y):,} rows with a target", model.score(outputs[present], y))
