"""``fastbp train``: from a table to a saved model and a report."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline

from fastbp.cli._columns import Column, as_features, infer_columns
from fastbp.cli._console import duration, open_console, say, say_notes, size
from fastbp.cli._errors import CommandError, no_such_column, one_line
from fastbp.cli._files import check_writable
from fastbp.cli._model import Model
from fastbp.cli._persist import MODEL_SUFFIXES, save_model
from fastbp.cli._pipeline import Settings, build_pipeline, network
from fastbp.cli._progress import EpochLog, watch_training
from fastbp.cli._read import Table, read_table
from fastbp.cli._report import show_columns, show_scores
from fastbp.cli._split import can_validate, hold_out
from fastbp.cli._target import Target, infer_target, target_values


@dataclass(frozen=True)
class Data:
    """Rows that have a target.

    Attributes
    ----------
    features : DataFrame of shape (n, n_used)
    y : ndarray of shape (n,)
    """

    features: pd.DataFrame
    y: np.ndarray

    def rows(self, index: np.ndarray) -> "Data":
        """Return some of the rows."""
        return Data(self.features.iloc[index], self.y[index])


def train(
    path: Path,
    target_name: str,
    out: Path,
    settings: Settings,
    *,
    task: str = "auto",
    test_fraction: float = 0.2,
    forced: Mapping[str, str],
) -> None:
    """Train on a table, report on held-out rows, save the pipeline.

    Parameters
    ----------
    path, out : Path
        The table to read, the model to write.
    target_name : str
        The column to predict.
    settings : Settings
    task : "auto", "classification" or "regression"
    test_fraction : float
        Share of the rows held out for the report; 0 for no report.
    forced : mapping of str to str
        Kinds of columns that the user has decided.
    """
    check_writable(out, MODEL_SUFFIXES)
    console = open_console()
    as_text = [name for name, kind in forced.items() if kind == "category"]
    table = read_table(path, as_text)
    _check_names(table, target_name, forced)
    target = infer_target(table.frame[target_name], task)
    columns = infer_columns(table.frame.drop(columns=target_name), forced)
    n_rows, n_columns = table.frame.shape
    say(console, f"{path}: {n_rows:,} rows, {n_columns:,} columns", style="bold")
    say(console, f"target {target.name!r}: {target.task} ({target.reason})")
    show_columns(console, columns)
    data, notes = _prepare(table, columns, target)
    say_notes(console, table.notes + notes)

    training, test = hold_out(data.y, test_fraction, settings.seed, target.task == "classification")
    fitting = data.rows(training)
    settings = _without_validation_if_impossible(console, fitting, target, settings)
    _show_rows(console, len(training), len(test), settings)
    pipeline = build_pipeline(columns, target.task, settings, len(training))
    log, ending = _fit(console, pipeline, fitting, settings)
    _show_training(console, pipeline, log, ending)

    model = Model.describe(pipeline, target, columns, fitting.y)
    # Saved before it is scored: nothing that goes wrong in a report may cost the training.
    save_model(out, model)
    if len(test):
        held_out = data.rows(test)
        scores = model.score(model.outputs(held_out.features), held_out.y)
        show_scores(console, f"Scores on {len(test):,} held-out rows", scores)
    say(console, f"saved {out} ({size(out.stat().st_size)})")


def _check_names(table: Table, target_name: str, forced: Mapping[str, str]) -> None:
    names = list(table.frame.columns)
    for name in (target_name, *forced):
        if name not in names:
            raise no_such_column(name, names)
    if target_name in table.renamed.values():
        raise CommandError(f"the target column {target_name!r} occurs more than once")
    if target_name in forced:
        raise CommandError(f"the target {target_name!r} cannot be given to --{forced[target_name]}; see --task")


def _prepare(table: Table, columns: list[Column], target: Target) -> tuple[Data, list[str]]:
    notes = [f"another {old!r} is called {new!r} here" for new, old in table.renamed.items()]
    y, present = target_values(table.frame[target.name], target)
    if len(y) < len(present):
        notes.append(f"{len(present) - len(y):,} rows without a target are left out")
    features, lost = as_features(table.frame.loc[present], columns)
    if not features.shape[1]:
        raise CommandError("no column is left to learn from")
    return Data(features, y), notes + lost


def _without_validation_if_impossible(console: Console, data: Data, target: Target, settings: Settings) -> Settings:
    fraction = settings.validation_fraction
    if fraction and not can_validate(data.y, fraction, target.task == "classification"):
        say_notes(console, ["too few rows for a validation score: the training loss decides when to stop"])
        return replace(settings, validation_fraction=0.0)
    return settings


def _show_rows(console: Console, n_training: int, n_test: int, settings: Settings) -> None:
    n_validation = int(np.ceil(settings.validation_fraction * n_training))
    layers = "-".join(map(str, settings.hidden)) or "no"
    say(
        console,
        f"rows: {n_training - n_validation:,} training, {n_validation:,} validation, {n_test:,} test; "
        f"hidden layers: {layers}; {settings.dtype}",
    )


def _fit(console: Console, pipeline: Pipeline, data: Data, settings: Settings) -> tuple[EpochLog, str]:
    """Fit the pipeline; return the epochs and why there were no more of them ("" if there were all)."""
    with warnings.catch_warnings(record=True) as caught, watch_training(console, settings.epochs) as log:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", message=".*Maximum iterations", category=ConvergenceWarning)
        try:
            pipeline.fit(data.features, data.y)
        except ValueError as error:
            if "non-finite" not in str(error).lower():
                raise
            raise CommandError("the training diverged; try a smaller --learning-rate") from error
    others = []
    ending = ""
    if len(log.reports) < settings.epochs:
        ending = f"stopped early: no improvement for {settings.patience} epochs"
    for message in (one_line(str(warning.message)) for warning in caught):
        if "interrupted" in message:
            ending = f"interrupted: {settings.epochs} were asked for"
        elif "not finite" in message:
            ending = "stopped: the loss was not finite any more; try a smaller --learning-rate"
        else:
            others.append(message)
    say_notes(console, others)
    return log, ending


def _show_training(console: Console, pipeline: Pipeline, log: EpochLog, ending: str) -> None:
    line = f"{len(log.reports)} epochs in {duration(log.total_seconds())}, {duration(log.median_seconds())} each"
    say(console, f"{line}; {ending}" if ending else line)
    history = getattr(network(pipeline), "validation_scores_", None)
    if history and not np.all(np.isnan(history)):
        best = int(np.nanargmax(history))
        say(console, f"weights of epoch {best + 1} kept: best validation score {history[best]:.4f}")
