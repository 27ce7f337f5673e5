"""Random tables are read back to the values that they were written from, or refused in a line."""

import numpy as np
import pandas as pd
import pytest
from tests.tabular.generator import make_table

from fastbp.tabular.columns import infer_columns
from fastbp.tabular.errors import TableError
from fastbp.tabular.features import MISSING_CATEGORY, feature_pieces
from fastbp.tabular.options import ReadOptions
from fastbp.tabular.table import open_table
from fastbp.tabular.target import class_numbers, infer_target

N_TABLES = 200
PER_TEST = 20


def read_and_compare(path, made):
    """Read a table, and say what differs from what was written."""
    path.write_bytes(made.data)
    options = ReadOptions()
    try:
        table = open_table(path, options)
    except TableError:
        # A separator within the only column may as well be one between two columns.
        assert len(made.columns) == 1
        return
    assert table.names == [column.name for column in made.columns]
    assert table.n_rows == made.n_rows
    columns, _ = infer_columns(table, options, made.target)
    if made.target:
        target = infer_target(table, made.target, "auto", options)
        written = next(column for column in made.columns if column.name == made.target)
        found = [None if place < 0 else target.classes[place] for place in class_numbers(table, target)[0]]
        assert found == written.values
    written = [column for column in made.columns if column.name != made.target]
    assert [(column.name, column.kind) for column in columns] == [(column.name, column.kind) for column in written]
    used = [column for column in written if column.kind != "ignored"]
    if not used:
        return
    frame = pd.concat(feature_pieces(table, columns), ignore_index=True)
    for column in used:
        if column.kind in ("category", "text"):
            expected = [MISSING_CATEGORY if value is None else value for value in column.values]
            assert frame[column.name].tolist() == expected
        else:
            np.testing.assert_array_equal(frame[column.name], np.array(column.values, dtype=np.float64), column.name)


@pytest.mark.parametrize("first", range(0, N_TABLES, PER_TEST))
def test_tables_are_read_as_they_were_written(tmp_path, first):
    for seed in range(first, first + PER_TEST):
        made = make_table(seed)
        try:
            read_and_compare(tmp_path / made.file_name, made)
        except Exception as error:
            error.add_note(f"table {seed}: {made.data[:2000]!r}")
            raise
