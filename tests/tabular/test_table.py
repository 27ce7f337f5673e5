"""Opening tables: files of all kinds, data frames, and what must be refused."""

import io
import json
from types import SimpleNamespace

import duckdb
import numpy as np
import pandas as pd
import pytest

from fastbp.tabular.columns import infer_columns
from fastbp.tabular.errors import TableError, counted, listing, no_such_column
from fastbp.tabular.features import feature_pieces
from fastbp.tabular.options import ReadOptions
from fastbp.tabular.table import open_table


def cells(table):
    """All values of a table by column."""
    rows = table.connection.execute("FROM data").fetchall()
    return {name: [row[index] for row in rows] for index, name in enumerate(table.names)}


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators_are_found(write, separator):
    table = open_table(write(f"a{separator}b\n1{separator}2\n"))
    assert cells(table) == {"a": ["1"], "b": ["2"]}
    assert table.delimiter == separator
    assert bool(table.notes) == (separator in ";|")


def test_a_separator_can_be_said(write):
    assert cells(open_table(write("a b\n1 2\n"), ReadOptions(sep=" "))) == {"a": ["1"], "b": ["2"]}
    assert cells(open_table(write("a,b\n1,2\n"), ReadOptions(sep=";"))) == {"a,b": ["1,2"]}
    with pytest.raises(TableError, match="one character"):
        open_table(write("a::b\n1::2\n"), ReadOptions(sep="::"))


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffa,b\n1,2\n",
        "\n\na,b\n1,2\n",
        "a,b\r\n1,2\r\n",
        'a,b\n"1","2"',
        "a,b\n\n1,2\n\n",
        "\na,b\r\n1,2\n",
        "sep=,\na,b\n1,2\n",
    ],
)
def test_marks_blank_lines_and_line_ends(write, content):
    assert cells(open_table(write(content))) == {"a": ["1"], "b": ["2"]}


def test_line_ends_of_two_kinds_lose_no_row_at_the_border_of_a_piece(write):
    rows = 1 << 18  # 4 bytes each: a line end lies across the first MiB
    content = "a,b\r\n" + "1,2\n" * rows + "3,4\r\n"
    assert open_table(write(content)).n_rows == rows + 1


@pytest.mark.parametrize("encoding", ["utf-8", "UTF-8", "utf8", "latin-1", "cp1252", "utf-16", "utf-16-le"])
def test_an_encoding_can_be_said(write, encoding):
    path = write("größe\nschön\n".encode(encoding))
    assert cells(open_table(path, ReadOptions(encoding=encoding))) == {"größe": ["schön"]}


def test_quotes_hold_separators_and_line_ends(write):
    table = open_table(write('a,b\n"x, y","line\nbreak"\nz,"say ""hi"""\n'))
    assert cells(table) == {"a": ["x, y", "z"], "b": ["line\nbreak", 'say "hi"']}


def test_text_stays_as_written_but_for_blanks_around_it(write):
    table = open_table(write('a,b\n007, x\n1E2,"y "\n,None\n" ",\u00a0\n'))
    assert cells(table) == {"a": ["007", "1E2", None, None], "b": ["x", "y", "None", None]}
    assert any("blanks around" in note for note in table.notes)


def test_values_that_mean_missing_can_be_said(write):
    table = open_table(write("a,b\n-9,x\n1,-9\n"), ReadOptions(missing=("-9",)))
    assert cells(table) == {"a": [None, "1"], "b": ["x", None]}
    frame = open_table(pd.DataFrame({"a": [-9, 1]}), ReadOptions(missing=("-9",)))
    assert cells(frame) == {"a": [None, 1]}


def test_repeated_and_empty_names_become_unique(write):
    table = open_table(write("a,a,,a.1\n1,2,3,4\n"))
    assert table.names == ["a", "a.1", "column 3", "a.1.1"]
    assert table.renamed == {"a.1": "a", "a.1.1": "a.1"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("sep=;\n", "is empty"),
        ("a,b\n", "no rows"),
        ("a,b\n1,2\n1,2,3\n", "line 3: expected 2 fields, found 3"),
        ("a,b\n1,2,3\n1,2,3\n", "line 2: expected 2 fields, found 3"),
        ("a,b\n1,2\n1\n", "line 3: expected 2 fields, found 1"),
        ('a,b\n1,2\n"x"y,2\n', "line 3: a quote that does not end, or text after its end"),
    ],
)
def test_broken_files_are_refused_with_the_line(write, content, message):
    path = write(content)
    with pytest.raises(TableError, match=message) as caught:
        open_table(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["table.doc", "table", "table.csv.zip", "table.xls", "table.gz"])
def test_unknown_suffixes_are_refused(write, name):
    with pytest.raises(TableError, match=r"must end in \.csv"):
        open_table(write("a\n1\n", name))


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(TableError, match="there is no file"):
        open_table(tmp_path / "none.csv")
    for name in ("folder.csv", "folder.parquet", "folder.jsonl", "folder.xlsx"):
        (tmp_path / name).mkdir()
        with pytest.raises(TableError, match="cannot read") as caught:
            open_table(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ""])
@pytest.mark.parametrize(
    "content", [b"\x1f\x8b\x08 nonsense", b"BZh9 nonsense", b"\xfd7zXZ\x00 nonsense", b"\x00" * 40]
)
def test_damaged_files_are_refused_in_a_line(write, suffix, content):
    with pytest.raises(TableError) as caught:
        open_table(write(content, f"table.csv{suffix}"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["no-such-code", "base64", "ascii", "utf-8"])
def test_wrong_encodings_are_refused(write, encoding):
    with pytest.raises(TableError, match=r"encoding|text"):
        open_table(write("a\nä\n".encode("latin-1")), ReadOptions(encoding=encoding))


def test_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"a;b\n1,5;x\n")))
    assert cells(open_table("-")) == {"a": ["1,5"], "b": ["x"]}


def test_parquet_keeps_types(tmp_path):
    rows = "('red', true, '007', 1), ('blue', NULL, '008', NULL), (NULL, false, '009', 3)"
    columns = "CAST(color AS ENUM ('red', 'blue')) AS color, new, zip, n"
    sql = f"COPY (SELECT {columns} FROM (VALUES {rows}) AS t(color, new, zip, n)) TO '{tmp_path / 't.parquet'}'"
    duckdb.connect().execute(sql)
    table = open_table(tmp_path / "t.parquet")
    assert table.types == ["text", "boolean", "text", "number"]
    assert cells(table) == {
        "color": ["red", "blue", None],
        "new": [True, None, False],
        "zip": ["007", "008", "009"],
        "n": [1, None, 3],
    }


def test_names_that_differ_in_case_are_kept(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    names = ["a", "A", "a_1", "b", "b"]
    rows = pyarrow.table([pyarrow.array([value]) for value in range(5)], names=names)
    parquet.write_table(rows, tmp_path / "t.parquet")
    for source in (rows, tmp_path / "t.parquet", pd.DataFrame([range(5)], columns=names)):
        table = open_table(source)
        assert table.names == ["a", "A", "a_1", "b", "b.1"]
        assert cells(table) == {"a": [0], "A": [1], "a_1": [2], "b": [3], "b.1": [4]}


def test_unique_identifiers_are_texts(tmp_path):
    sql = "COPY (SELECT uuid() AS u, range AS n FROM range(30)) TO '{}' (FORMAT parquet)"
    duckdb.connect().execute(sql.format(tmp_path / "t.parquet"))
    table = open_table(tmp_path / "t.parquet")
    assert table.types == ["text", "number"]
    assert infer_columns(table, ReadOptions(), "")[0][0].kind == "ignored"


@pytest.mark.parametrize("source", [[1, 2], {"a": [1]}, 7, None])
def test_what_is_no_table_is_refused(source):
    with pytest.raises(TypeError, match="must be a path or a data frame"):
        open_table(source)


def test_data_frames_without_columns_or_rows_are_refused():
    with pytest.raises(TableError, match="no columns"):
        open_table(pd.DataFrame())
    with pytest.raises(TableError, match="no rows"):
        open_table(pd.DataFrame({"a": []}))


def test_the_order_of_rows_is_kept(write):
    rows = 200_000
    table = open_table(write("a\n" + "".join(f"{row}.5\n" for row in range(rows))))
    columns, _ = infer_columns(table, ReadOptions(), "")
    found = pd.concat(feature_pieces(table, columns), ignore_index=True)["a"]
    np.testing.assert_array_equal(found, np.arange(rows) + 0.5)


def test_a_table_is_the_same_in_all_formats(tmp_path):
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=500) * 10.0 ** rng.integers(-300, 300, 500)
    frame = pd.DataFrame(
        {
            "n": numbers,
            "whole": rng.integers(-(2**62), 2**62, 500),
            "c": rng.choice(["red", "Öl", "None", "x, y"], 500),
            "b": rng.random(500) < 0.5,
            "d": pd.date_range("1969-12-01", periods=500, freq="11h").astype("datetime64[us]"),
            "gaps": np.where(rng.random(500) < 0.2, np.nan, numbers),
        }
    )
    connection = duckdb.connect()
    connection.register("frame", frame)
    found = {"frame": frame}
    for name, form in (
        ("t.csv", "csv, header"),
        ("t.tsv", "csv, header, delim '\t'"),
        ("t.parquet", "parquet"),
        ("t.jsonl", "json"),
    ):
        rows = "SELECT * REPLACE (if(isnan(gaps), NULL, gaps) AS gaps) FROM frame"
        connection.execute(f"COPY ({rows}) TO '{tmp_path / name}' (FORMAT {form})")
        found[name] = tmp_path / name
    read = {}
    for name, source in found.items():
        table = open_table(source)
        columns, _ = infer_columns(table, ReadOptions(), "")
        read[name] = pd.concat(feature_pieces(table, columns), ignore_index=True)
        assert [column.kind for column in columns] == ["number", "number", "category", "boolean", "date", "number"]
        pd.testing.assert_frame_equal(read[name], read["frame"], check_exact=True, obj=name)


def test_names_are_listed_and_near_ones_proposed():
    assert listing(["a", "b"]) == "'a', 'b'"
    assert listing(map(str, range(10)), limit=2) == "'0', '1' (and 8 more)"
    assert "did you mean 'Price'?" in str(no_such_column("prise", ["Price", "x"]))
    assert "it has 'Price', 'x'" in str(no_such_column("quantity", ["Price", "x"]))


def test_long_whole_numbers_of_json_lines_keep_their_digits(write):
    lines = [
        {"id": 123456789012345678901, "x": 1.5, "big": 1e200, "it's": 9007199254740993},
        {"id": 123456789012345678902, "x": 2, "big": 0.5, "it's": 9007199254740994},
    ]
    table = open_table(write("\n".join(map(json.dumps, lines)), "table.jsonl"))
    assert table.names == ["id", "x", "big", "it's"]
    assert table.select(["c0"]).fetchall() == [("123456789012345678901",), ("123456789012345678902",)]
    assert table.type("x") == "number"
    (column,) = [column for column in infer_columns(table, ReadOptions(), "")[0] if column.name == "big"]
    assert column.kind == "number"
    assert table.select(["c3"]).fetchall() == [(9007199254740993,), (9007199254740994,)]


def test_one_is_not_written_like_several():
    assert [counted(n, "row") for n in (0, 1, 2, 2000)] == ["0 rows", "1 row", "2 rows", "2,000 rows"]
    assert [counted(n, "class has", "classes have") for n in (1, 3)] == ["1 class has", "3 classes have"]


def test_numbers_of_one_in_notes_and_errors(write):
    assert open_table(write("a,b\n x,1\na,b\n")).notes == [
        "1 row repeats the column names: left out",
        "blanks around 1 value are left out",
    ]
    with pytest.raises(TableError, match="line 3: expected 1 field, found 2"):
        open_table(write("a\n1\n2,3\n"), ReadOptions(sep=","))


def test_a_folder_for_temporary_files_is_needed(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(TableError, match="cannot make a folder for temporary files: No such file or directory"):
        open_table(pd.DataFrame({"a": [1]}))


def test_a_full_disk_is_explained(write, monkeypatch):
    def fails(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", fails)
    with pytest.raises(TableError, match=r"cannot read '.*table\.csv': there is too little space for a copy in /"):
        open_table(write("a\r\n1\n"))


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("list(a)", "^cannot read the table: there is too little memory: failed to allocate"),
        ("count(DISTINCT md5(CAST(a AS VARCHAR)))", "there is too little space for temporary files in /.*: failed to"),
    ],
)
def test_a_query_that_needs_too_much_is_one_line(value, what):
    table = open_table(pd.DataFrame({"a": np.arange(1000)}))
    table.connection.execute("SET max_temp_directory_size = '0B'")
    table.connection.execute("SET memory_limit = '20MB'")
    with pytest.raises(TableError, match=what) as caught:
        table.row([value], a="unnest(range(c0, 3000 + c0)) * 1000 + c0")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_gone_when_it_is_read_is_one_line(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": [1, 2]}).to_parquet(path)
    table = open_table(path)
    path.unlink()
    with pytest.raises(TableError, match=r"^cannot read '.*t\.parquet': "):
        table.row(["sum(c0)"])


def test_a_wrong_query_is_no_fault_of_the_table(write):
    with pytest.raises(duckdb.BinderException, match="nothing"):
        open_table(write("a\n1\n")).row(["nothing"])
