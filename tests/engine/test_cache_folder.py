"""`fastbp info` and `fastbp warmup` name the folder in which compiled code is stored."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastbp
from support.limits import HANG_SECONDS
from support.processes import environment

pytest.importorskip("click", reason="the command line needs it")

SOURCE = Path(fastbp.__file__).parent
# Both commands, with one kernel to warm up instead of all.
PROGRAM = """
from fastbp import machine
from fastbp.cli._app import app

machine.warmup = lambda progress: machine.fma_peak("float32")
for arguments in (["info", "--json"], ["warmup"]):
    app.main(arguments, standalone_mode=False)
"""
FULL_DISK = """
from fastbp.compiler import code_cache

def write(path, content):
    raise OSError(28, "No space left on device")

code_cache._write = write
"""


class Place:
    """A copy of the package and a home of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.package, self.home = folder / "package" / "fastbp", folder / "home"
        shutil.copytree(SOURCE, self.package, ignore=shutil.ignore_patterns("__pycache__"))
        self.home.mkdir()

    def named(self, before="", cache=None):
        """Return the folder that both commands name, empty if none; `before` is Python that runs first."""
        path = os.pathsep.join([str(self.package.parent), environment()["PYTHONPATH"]])
        done = subprocess.run(
            [sys.executable, "-c", before + PROGRAM],
            cwd=self.folder,
            env=environment(PYTHONPATH=path, HOME=str(self.home), XDG_CACHE_HOME=None, NUMBA_CACHE_DIR=cache),
            capture_output=True,
            text=True,
            timeout=HANG_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        facts, warm = done.stdout.splitlines()
        folder = json.loads(facts)["cache_folder"]
        assert re.fullmatch(
            rf"kernels ready after [^/]* {f'in {folder}' if folder else 'but not kept: there is .*'}", warm
        )
        return folder

    def stored(self):
        """Return the folders that hold compiled code."""
        return {str(path.parent) for path in self.folder.rglob("*.nbc")}


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def block(path):
    """Put a file where a folder would be made: unlike a read-only folder, it stops root as well."""
    path.write_text("in the way")
    return path


def test_the_folder_that_the_user_has_set(place):
    assert place.named(cache=str(place.folder / "cache")) == str(place.folder / "cache" / "fastbp")
    assert place.stored() == {str(place.folder / "cache" / "fastbp")}


def test_a_relative_folder_is_named_in_full(place):
    assert place.named(cache="cache") == str(place.folder / "cache" / "fastbp")
    assert place.stored() == {str(place.folder / "cache" / "fastbp")}


def test_the_folder_of_the_package(place):
    assert place.named() == str(place.package / "__pycache__")
    assert place.stored() == {str(place.package / "__pycache__")}


def test_the_home_where_the_package_is_read_only(place):
    obstacle = block(place.package / "__pycache__")
    users = place.home / ".cache" / "fastbp"
    assert place.named() == str(users)
    assert place.stored() == {str(users)}
    # Code that is there is used, though new code would go elsewhere.
    obstacle.unlink()
    assert place.named() == str(users)
    assert place.stored() == {str(users)}


@pytest.mark.parametrize("cache", [None, "blocked"])
def test_no_folder_where_none_can_be_written(place, cache):
    block(place.package / "__pycache__")
    block(place.home / ".cache")
    block(place.folder / "blocked")
    assert place.named(cache=cache) == ""
    assert place.stored() == set()


def test_no_folder_where_the_disk_is_full(place):
    assert place.named(before=FULL_DISK) == ""
    assert place.stored() == set()
