"""Tables as people write them, each read as `tests/tables/expected.json` says.

An entry has ``options`` (see `ReadOptions`), ``kinds`` and ``features`` by the column's name (null is a missing value,
a text in a column of dates is a moment in ISO 8601), ``target`` with its ``task`` and its ``labels`` or
``target_values``, and ``notes``: words of each note. Tables that must be refused have the words of the ``error``.
"""

import datetime
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fastbp.tabular.columns import infer_columns
from fastbp.tabular.errors import TableError
from fastbp.tabular.features import MISSING_CATEGORY, feature_pieces, unreadable_values
from fastbp.tabular.options import ReadOptions
from fastbp.tabular.table import open_table
from fastbp.tabular.target import class_numbers, infer_target, target_numbers

TABLES = Path(__file__).parents[1] / "tables"
EXPECTED = json.loads((TABLES / "expected.json").read_text(encoding="utf-8"))
REFUSED = {name for name, entry in EXPECTED.items() if "error" in entry}
EPOCH = datetime.datetime(1970, 1, 1)  # noqa: DTZ001 - the tables' moments have no zone either
DAY = 86_400_000_000


def open_with_options(name):
    """Open a table with its options; find out what its target is, if it has one."""
    if name.endswith(".xlsx"):
        pytest.importorskip("openpyxl")
    options = dict(EXPECTED[name].get("options", {}))
    if "missing" in options:
        options["missing"] = tuple(options["missing"])
    options = ReadOptions(**options)
    table = open_table(TABLES / name, options)
    target = infer_target(table, EXPECTED[name]["target"], "auto", options) if "target" in EXPECTED[name] else None
    return table, options, target


def as_feature(value, kind):
    """Return what a value of `expected.json` is as a feature."""
    if value is None:
        return MISSING_CATEGORY if kind == "category" else np.nan
    if kind == "date" and isinstance(value, str):
        since = datetime.datetime.fromisoformat(value) - EPOCH
        return since // datetime.timedelta(microseconds=1) / DAY
    return value


def check_features(table, columns, expected):
    frame = pd.concat(feature_pieces(table, columns), ignore_index=True)
    by_name = {column.name: column for column in columns}
    parts = {f"{column.name} ({part})" for column in columns for part in column.parts}
    assert list(expected) == [name for name in frame.columns if name not in parts or name in expected]
    for name, values in expected.items():
        kind = by_name[name].kind if name in by_name else "number"
        wanted = [as_feature(value, kind) for value in values]
        found = frame[name].to_numpy()
        if kind in ("category", "text"):
            assert found.tolist() == wanted, name
        else:
            exponent = by_name[name].exponent if name in by_name else 0
            np.testing.assert_array_equal(np.ldexp(found, exponent), np.array(wanted, dtype=np.float64), name)


def check_target(table, target, entry, options):
    assert target.task == entry["task"], target
    assert entry.get("reason", "") in target.reason
    if target.task == "regression":
        numbers, lost = target_numbers(table, target, options)
        np.testing.assert_array_equal(numbers, np.array(entry["target_values"], dtype=np.float64))
        assert lost == 0
        return
    numbers, unknown = class_numbers(table, target)
    assert [None if number == -1 else target.classes[number] for number in numbers] == entry["labels"]
    assert not unknown
    if "classes" in entry:
        assert list(target.classes) == entry["classes"]


def check_notes(notes, expected):
    assert len(notes) == len(expected), notes
    for words in expected:
        assert any(words in note for note in notes), (words, notes)


@pytest.mark.parametrize("name", sorted(set(EXPECTED) - REFUSED))
def test_a_table_is_read_as_its_reader_would(name):
    entry = EXPECTED[name]
    table, options, target = open_with_options(name)
    columns, doubts = infer_columns(table, options, entry.get("target", ""))
    assert {column.name: column.kind for column in columns} == entry["kinds"]
    check_features(table, columns, entry["features"])
    if target is not None:
        check_target(table, target, entry, options)
    check_notes(table.notes + doubts + unreadable_values(table, columns), entry.get("notes", []))


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_damaged_table_is_refused_in_one_line(name):
    entry = EXPECTED[name]
    with pytest.raises(TableError) as caught:
        open_with_options(name)
    message = str(caught.value)
    assert entry["error"] in message
    assert "\n" not in message


def test_every_table_has_an_entry():
    assert {path.name for path in TABLES.iterdir()} == {*EXPECTED, "expected.json"}
