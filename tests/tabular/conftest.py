"""Small tables for the tests of this folder."""

import pandas as pd
import pytest

from fastbp.tabular.columns import infer_columns
from fastbp.tabular.features import feature_pieces
from fastbp.tabular.options import ReadOptions
from fastbp.tabular.table import open_table


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file and gives back its path."""

    def write_file(content, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file


@pytest.fixture
def column_of():
    """Return a function that says what a column "a" of some values is taken for."""

    def infer(values, options=None):
        options = options or ReadOptions()
        (column,) = infer_columns(open_table(pd.DataFrame({"a": values})), options, "")[0]
        return column

    return infer


@pytest.fixture
def values_of():
    """Return a function that gives back the features of a table, as lists by their names."""

    def read(source, columns):
        return pd.concat(feature_pieces(open_table(source), columns), ignore_index=True).to_dict("list")

    return read
