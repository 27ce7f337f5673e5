"""The tables that ``train`` and ``predict`` print."""

from collections.abc import Sequence

from rich.console import Console

from fastbp.cli._columns import KINDS, Column
from fastbp.cli._console import add_row, new_table, say, show_table
from fastbp.cli._errors import listing
from fastbp.cli._scores import Scores

MAX_COLUMNS_LISTED = 30
MAX_CLASSES_LISTED = 20


def show_columns(console: Console, columns: Sequence[Column]) -> None:
    """Print what every column is taken for; by kind if the table is wide."""
    if len(columns) <= MAX_COLUMNS_LISTED:
        table = new_table("column", "taken as", "because", n_text=3)
        for column in columns:
            add_row(table, column.name, column.kind, column.detail)
    else:
        table = new_table("taken as", "how many", "which", n_text=3)
        for kind in KINDS:
            names = [column.name for column in columns if column.kind == kind]
            if names:
                add_row(table, kind, f"{len(names):,}", listing(names))
    show_table(console, "Columns", table)


def show_scores(console: Console, title: str, scores: Scores) -> None:
    """Print the scores of a model beside those of a constant, and a line per class."""
    constant = f"{scores.constant:.4g}" if isinstance(scores.constant, float) else repr(str(scores.constant))
    table = new_table("score", "model", f"always {constant}")
    for name, value in scores.model.items():
        add_row(table, name, f"{value:.4f}", f"{scores.baseline[name]:.4f}")
    show_table(console, title, table)
    if scores.per_class:
        _show_classes(console, scores)


def _show_classes(console: Console, scores: Scores) -> None:
    by_size = sorted(scores.per_class, key=lambda row: -row[-1])
    table = new_table("class", "precision", "recall", "F1", "rows")
    for name, precision, recall, f1, n_rows in by_size[:MAX_CLASSES_LISTED]:
        add_row(table, name, f"{precision:.3f}", f"{recall:.3f}", f"{f1:.3f}", f"{n_rows:,}")
    show_table(console, "By class", table)
    if len(by_size) > MAX_CLASSES_LISTED:
        say(console, f"(and {len(by_size) - MAX_CLASSES_LISTED} smaller classes)")
