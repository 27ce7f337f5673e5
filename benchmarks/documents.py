"""Saved results, and documents with a generated part."""

import json
import re
from pathlib import Path


def load_result(path: Path, schema: int) -> dict:
    """Read a result; raises ValueError if another version of the program wrote it."""
    result = json.loads(path.read_text(encoding="utf-8"))
    if result.get("schema") != schema:
        raise ValueError(f"{path} has schema {result.get('schema')}, not {schema}")
    return result


def put_between(text: str, begin: str, end: str, body: str) -> str:
    """Return a document with the text between two marks replaced; raises ValueError if it has no such marks."""
    before, found_begin, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise ValueError(f"there are no marks {begin} and {end}")
    return f"{before}{begin}\n{body}\n{end}{after}"


def markdown_table(heads: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown: the first column to the left, all others to the right."""
    lines = [heads, ["---", *["--:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def slug(cpu: str) -> str:
    """Return a processor's name for a file: "amd-epyc-znver4"."""
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((r|tm)\)", "", cpu.lower())).strip("-")
