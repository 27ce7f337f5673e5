"""Pieces of SQL for DuckDB."""

__all__ = ["identifier", "lower_in", "quoted"]


def quoted(text: str) -> str:
    """Return a string literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return the name of a column in quotes."""
    return '"' + name.replace('"', '""') + '"'


def lower_in(value: str, words: tuple[str, ...]) -> str:
    """Return a condition: the value, in lower case, is one of some words."""
    return f"lower({value}) IN ({', '.join(map(quoted, words))})"
