"""The tables and JSON objects that the commands show."""

from collections.abc import Sequence
from typing import Any

from fastbp.cli._console import Screen, add_row, new_table
from fastbp.tabular.columns import KINDS, Column
from fastbp.tabular.errors import counted, listing
from fastbp.tabular.scores import Scores

MAX_COLUMNS_LISTED = 30
MAX_CLASSES_LISTED = 20


def show_columns(screen: Screen, columns: Sequence[Column]) -> None:
    """Show what every column is taken for; by kind if the table is wide."""
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
    screen.table("Columns", table)


def show_scores(screen: Screen, title: str, scores: Scores) -> None:
    """Show the scores of a model beside those of a constant, and a line per class."""
    constant = f"{scores.constant:.4g}" if isinstance(scores.constant, float) else repr(str(scores.constant))
    table = new_table("score", "model", f"always {constant}")
    for name, value in scores.model.items():
        add_row(table, name, _written(value), _written(scores.baseline[name]))
    screen.result_table(title, table)
    if scores.per_class:
        _show_classes(screen, scores)
    if not scores.beats_baseline:
        screen.note(f"the model is no better than always predicting the same, judged by {scores.decisive}")


def _written(score: float) -> str:
    """Write a score with four places, or four digits if it is very large or small."""
    return f"{score:.4f}" if score == 0.0 or 1e-3 <= abs(score) < 1e6 else f"{score:.4g}"


def _show_classes(screen: Screen, scores: Scores) -> None:
    by_size = sorted(scores.per_class, key=lambda row: -row[-1])
    table = new_table("class", "precision", "recall", "F1", "rows")
    for name, precision, recall, f1, n_rows in by_size[:MAX_CLASSES_LISTED]:
        add_row(table, name, f"{precision:.3f}", f"{recall:.3f}", f"{f1:.3f}", f"{n_rows:,}")
    screen.result_table("By class", table)
    if len(by_size) > MAX_CLASSES_LISTED:
        screen.result(f"(and {counted(len(by_size) - MAX_CLASSES_LISTED, 'smaller class', 'smaller classes')})")


def scores_as_json(scores: Scores | None) -> dict[str, Any]:
    """Return scores as plain values."""
    if scores is None:
        return {}
    per_class = [
        {"class": str(name), "precision": float(p), "recall": float(r), "f1": float(f), "rows": int(n)}
        for name, p, r, f, n in scores.per_class
    ]
    return {"scores": scores.model, "baseline": scores.baseline, "by_class": per_class}


def columns_as_json(columns: Sequence[Column]) -> list[dict[str, str]]:
    """Return columns as plain values."""
    return [{"name": column.name, "kind": column.kind, "detail": column.detail} for column in columns]
