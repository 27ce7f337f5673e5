"""Reading tables strictly."""

import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest

from fastbp.cli._errors import CommandError
from fastbp.cli._read import read_table


@pytest.fixture
def read(tmp_path):
    """Return a function that reads a CSV file with the given content."""

    def write_and_read(content, name="table.csv", **options):
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(data)
        return read_table(tmp_path / name, **options)

    return write_and_read


def test_missing_values_of_all_spellings(read):
    frame = read("a,b\n1,x\n?,?\n NA , NaN\n,None\n").frame
    assert frame["a"].isna().tolist() == [False, True, False, True]  # a text column: " NA " kept its space
    assert frame["b"].isna().tolist() == [False, True, True, True]


def test_spaces_after_the_separator_do_not_count(read):
    frame = read("a, b\n1, x\n2, ?\n").frame
    assert frame.columns.tolist() == ["a", "b"]
    assert frame["b"].tolist()[0] == "x"
    assert pd.isna(frame["b"][1])


@pytest.mark.parametrize(
    ("name", "separator"), [("t.csv", ","), ("t.csv", ";"), ("t.csv", "\t"), ("t.csv", "|"), ("t.tsv", "\t")]
)
def test_separators_are_found(read, name, separator):
    table = read(f"a{separator}b\n1{separator}2\n", name)
    assert table.frame.to_dict("list") == {"a": [1], "b": [2]}
    assert bool(table.notes) == (separator != "," and name == "t.csv")


@pytest.mark.parametrize(
    "content", ["\ufeffa,b\n1,2\n", "\n\na,b\n1,2\n", "a,b\r\n1,2\r\n", '"a","b"\n1,2', "a,b\n\n1,2\n\n"]
)
def test_marks_blank_lines_and_line_ends(read, content):
    assert read(content).frame.to_dict("list") == {"a": [1], "b": [2]}


def test_quotes_hold_separators_and_line_ends(read):
    frame = read('a,b\n"x, y","line\nbreak"\n').frame
    assert frame.to_dict("list") == {"a": ["x, y"], "b": ["line\nbreak"]}


def test_repeated_and_empty_names_become_unique(read):
    table = read("a,a,,a.1\n1,2,3,4\n")
    assert table.frame.columns.tolist() == ["a", "a.1", "column 3", "a.1.1"]
    assert table.renamed == {"a.1": "a", "a.1.1": "a.1"}


def test_text_stays_as_written_on_request(read):
    assert read("a,b\n007,1\n", as_text=["a"]).frame.to_dict("list") == {"a": ["007"], "b": [1]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("a,b\n", "no rows"),
        ("a,b\n1,2\n1,2,3\n", "Expected 2 fields in line 3, saw 3"),
        ("a,b\n1,2,3\n1,2,3\n", "not a regular table"),
        ("a,b\n1,2\n1\n", "expected 2 fields in line 3, saw 1"),
        ('a,b\n1,"2\n', "not a regular table"),
        (b"a,b\n1,\xff\n", "not UTF-8"),
    ],
)
def test_broken_files_are_refused(read, content, message):
    with pytest.raises(CommandError, match=message):
        read(content)


def test_an_empty_field_at_the_end_is_a_missing_value(read):
    assert read("a,b\n1,\n2,3\n").frame["b"].isna().tolist() == [True, False]


@pytest.mark.parametrize("name", ["table.txt", "table", "table.csv.gz", "table.xlsx"])
def test_unknown_extensions_are_refused(tmp_path, name):
    with pytest.raises(CommandError, match=r"must end in \.csv"):
        read_table(tmp_path / name)


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(CommandError, match="there is no file"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(CommandError, match="cannot read"):
        read_table(tmp_path / "folder.csv")
    (tmp_path / "table.parquet").write_bytes(b"PAR1 and then nonsense")
    with pytest.raises(CommandError, match="cannot read"):
        read_table(tmp_path / "table.parquet")


def test_parquet_keeps_types(tmp_path):
    columns = {
        "color": pyarrow.array(["red", "blue", None]).dictionary_encode(),
        "grade": pyarrow.array([1, None, 2]).dictionary_encode(),
        "new": pyarrow.array([True, None, False]),
        "zip": pyarrow.array(["007", "008", "009"]),
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    frame = read_table(tmp_path / "t.parquet").frame
    assert frame["color"].tolist()[:2] == ["red", "blue"]
    assert frame["grade"].dtype == "float64"
    assert frame["new"].tolist() == [True, None, False]
    assert frame["zip"].tolist() == ["007", "008", "009"]


def test_a_parquet_index_is_a_column(tmp_path):
    frame = pd.DataFrame({"a": [1, 2]}, index=pd.Index([5, 6], name="key"))
    frame.to_parquet(tmp_path / "t.parquet")
    assert set(read_table(tmp_path / "t.parquet").frame.columns) == {"a", "key"}
