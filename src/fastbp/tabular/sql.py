"""Pieces of SQL for DuckDB."""

from pathlib import Path

__all__ = ["category_text", "file_name", "identifier", "lower_in", "quoted"]


def quoted(text: str) -> str:
    """Return a string literal."""
    return "'" + text.replace("'", "''") + "'"


def file_name(path: Path) -> str:
    """Return the name of one file for DuckDB's readers, which take names for patterns."""
    return quoted("".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(path.resolve())))


def category_text(place: str) -> str:
    """Return SQL for a category: "4", "4.0" and "4.00" are one. "4.000" may be four thousand."""
    return f"regexp_replace(CAST({place} AS VARCHAR), '^([+-]?[0-9]+)\\.(?:0{{1,2}}|0{{4,}})$', '\\1')"


def identifier(name: str) -> str:
    """Return the name of a column in quotes."""
    return '"' + name.replace('"', '""') + '"'


def lower_in(value: str, words: tuple[str, ...]) -> str:
    """Return a condition: the value, in lower case, is one of some words."""
    return f"lower({value}) IN ({', '.join(map(quoted, words))})"
