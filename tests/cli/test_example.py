"""The invented table: the same for a seed, with everything that it promises."""

import io

import pandas as pd
import pytest

from fastbp.cli import _example


def read(text):
    return pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)


def test_the_table_has_what_tables_have(run, succeeded):
    table = read(succeeded(run("example", "adult-like")).stdout)
    assert len(table) == 5000
    assert table["person"].tolist() == [str(number) for number in range(1, 5001)]
    assert table["country"].unique().tolist() == ["Utopia"]
    for name in ("employer", "occupation"):
        assert 0.03 < (table[name] == "?").mean() < 0.07
    assert table["capital gain"].str.fullmatch(r"\$[\d,]+\.\d\d").all()
    assert pd.to_datetime(table["hired"], format="%Y-%m-%d").dt.year.between(1995, 2024).all()
    assert 0.2 < (table["income"] == ">50K").mean() < 0.5


def test_a_seed_gives_one_table(run, succeeded):
    first, again, other = (
        succeeded(run("example", "adult-like", "--rows", "50", "--seed", seed)).stdout for seed in (1, 1, 2)
    )
    assert first == again != other
    assert len(read(first)) == 50


def test_a_large_table_is_written_in_pieces(run, succeeded, monkeypatch):
    monkeypatch.setattr(_example, "ROWS_AT_ONCE", 20)
    table = read(succeeded(run("example", "adult-like", "--rows", 50)).stdout)
    assert table["person"].tolist() == [str(number) for number in range(1, 51)]
    assert table["age"].iloc[:20].tolist() != table["age"].iloc[20:40].tolist()


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_any_number_of_rows(run, succeeded, rows):
    assert len(read(succeeded(run("example", "adult-like", "--rows", rows)).stdout)) == rows


def test_other_names_are_refused(refused):
    assert "'adult-like'" in refused("example", "adult")


@pytest.mark.parametrize(("shell", "status"), [("| head -1", 0), ("> /dev/full", 2), (">&-", 2)])
def test_a_reader_that_goes_costs_nothing_and_a_full_disk_is_an_error(process, shell, status):
    result = process("example", "adult-like", shell=shell)
    assert result.returncode == status, result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.count("cannot write the table") == (status == 2)
