"""``fastbp train``: from a table to a saved model and a report."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from fastbp.cli._console import Screen, duration, size
from fastbp.cli._errors import CommandError, Interrupted
from fastbp.cli._files import check_writable, explained
from fastbp.cli._progress import EpochLog, watch_training
from fastbp.cli._report import columns_as_json, scores_as_json, show_columns, show_scores
from fastbp.tabular.columns import infer_columns
from fastbp.tabular.errors import counted, no_such_column
from fastbp.tabular.features import unreadable_values
from fastbp.tabular.files import MODEL_SUFFIXES, save_model
from fastbp.tabular.fitting import Rows, choose_rows, fit_model, score_rows
from fastbp.tabular.options import ReadOptions
from fastbp.tabular.scores import SMALL_SHARE
from fastbp.tabular.table import Table, open_table
from fastbp.tabular.target import Target, infer_target
from fastbp.tabular.training import Settings, Trained


def train(
    screen: Screen,
    path: str,
    target_name: str | None,
    out: Path,
    settings: Settings,
    options: ReadOptions,
    *,
    task: str = "auto",
    test_fraction: float = 0.2,
    id_column: str = "",
) -> None:
    """Train on a table, report on held-out rows, save the model.

    Parameters
    ----------
    screen : Screen
    path : str
        The table to read; "-" for standard input.
    target_name : str or None
        The column to predict. None lists the columns and proposes one.
    out : Path
        The model to write.
    settings : Settings
    options : ReadOptions
    task : "auto", "classification" or "regression"
    test_fraction : float
        Share of the rows held out for the report; 0 for no report.
    id_column : str
        The column that says which row is which; empty for none.
    """
    check_writable(out, MODEL_SUFFIXES)
    table = open_table(path, options)
    screen.say(f"{path}: {counted(table.n_rows, 'row')}, {counted(len(table.names), 'column')}", style="bold")
    if target_name is None:
        _propose_target(screen, table, options)
    assert target_name is not None
    _check_names(table, target_name, options)
    target = infer_target(table, target_name, task, options)
    screen.say(f"target {target.name!r}: {target.task} ({target.reason})")
    columns, doubts = infer_columns(table, options, target_name)
    show_columns(screen, columns)
    screen.note(*table.notes, *(f"another {old!r} is called {new!r} here" for new, old in table.renamed.items()))
    screen.note(*doubts, *unreadable_values(table, columns))
    if all(column.kind == "ignored" for column in columns):
        raise CommandError("no column is left to learn from")
    rows = choose_rows(table, target, options, settings, test_fraction)
    screen.note(*rows.notes)
    _show_rows(screen, rows, target, settings)

    epochs = settings.most_epochs(len(rows.fitting))
    with watch_training(screen.progress, epochs) as log:
        model, trained = fit_model(table, target, columns, rows, settings, options)
    _show_training(screen, log, trained)

    # Saved before it is scored: nothing that goes wrong in a report may cost the training.
    with explained(out):
        save_model(out, replace(model, id_column=id_column))
    screen.say(f"saved {out} ({size(out.stat().st_size)})")
    scores = None
    if len(rows.test):
        scores = score_rows(model, table, rows.test, rows.y)
        show_scores(screen, f"Scores on {counted(len(rows.test), 'held-out row')}", scores)
    screen.finish(
        model=str(out),
        target=target.name,
        task=target.task,
        classes=[str(label) for label in target.classes],
        columns=columns_as_json(columns),
        rows={"training": len(rows.fitting), "validation": len(rows.validation), "test": len(rows.test)},
        epochs=trained.epochs,
        interrupted=trained.interrupted,
        **scores_as_json(scores),
    )
    if trained.interrupted:
        raise Interrupted(f"interrupted: {out} has the model trained so far")


def _propose_target(screen: Screen, table: Table, options: ReadOptions) -> None:
    columns, _ = infer_columns(table, options, "")
    show_columns(screen, columns)
    usual = ("target", "label", "class", "y", "outcome", "result")
    named = [name for name in table.names if name.lower() in usual]
    able = [column.name for column in columns if column.kind in ("category", "number", "boolean")]
    guess = (named or able[-1:] or table.names[-1:])[0]
    raise CommandError(f"which column is to be predicted? If it is {guess!r}, add: --target {_shell(guess)}")


def _shell(name: str) -> str:
    return name if name.replace("_", "").isalnum() else "'" + name.replace("'", "'\\''") + "'"


def _check_names(table: Table, target_name: str, options: ReadOptions) -> None:
    for name in (target_name, *options.kinds):
        if name not in table.names:
            raise no_such_column(name, table.names)
    if target_name in table.renamed.values():
        raise CommandError(f"the target column {target_name!r} occurs more than once")
    if target_name in options.kinds:
        raise CommandError(f"the target {target_name!r} cannot be given to an option of columns; see --task")


def _show_rows(screen: Screen, rows: Rows, target: Target, settings: Settings) -> None:
    layers = "-".join(map(str, settings.hidden)) or "no"
    screen.say(
        f"rows: {len(rows.fitting):,} training, {len(rows.validation):,} validation, {len(rows.test):,} test; "
        f"hidden layers: {layers}; {settings.dtype}"
    )
    if target.task == "classification":
        counts = np.bincount(rows.y[rows.training], minlength=len(target.classes))
        share = counts.min() / counts.sum()
        if len(counts) == 2 and share < SMALL_SHARE:
            rare = target.classes[int(counts.argmin())]
            screen.note(f"only {100 * share:.2g} % of the rows are {rare!r}: look at ROC AUC rather than at accuracy")


def _show_training(screen: Screen, log: EpochLog, trained: Trained) -> None:
    screen.note(*trained.notes)
    epochs = counted(len(log.reports), "epoch")
    line = f"{epochs} in {duration(log.total_seconds())}, {duration(log.median_seconds())} each"
    screen.say(f"{line}; {trained.ending}" if trained.ending else line)
    if trained.best_loss is not None:
        screen.say(f"the validation loss was least after {counted(trained.epochs, 'epoch')}: {trained.best_loss:.4f}")
