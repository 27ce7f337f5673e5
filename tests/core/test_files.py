"""`fastbp.storage.files`: every file is written completely or not at all."""

import errno
import io
import os
import stat
import threading

import numpy as np
import pytest

from fastbp import MLP
from fastbp.storage.files import check_writable, open_atomically


def save_bytes(path, seed):
    with open_atomically(path) as file:
        file.write(bytes([seed]) * 1000)


def save_network(path, seed):
    MLP((3, 2), seed=seed).save(path)


def save_estimator(path, seed):
    pytest.importorskip("safetensors")
    from fastbp import MLPRegressor

    MLPRegressor(hidden_layer_sizes=2, random_state=seed).partial_fit(np.ones((9, 2)), np.arange(9)).save(path)


@pytest.fixture(params=[save_bytes, save_network, save_estimator])
def save(request):
    """Everything that writes a file, as a function of the path and a seed."""
    return request.param


def test_a_new_file_has_the_mode_that_every_new_file_has(save, tmp_path):
    save(tmp_path / "file", 0)
    (tmp_path / "other").touch()
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_replaced_file_keeps_its_mode(save, tmp_path):
    path = tmp_path / "file"
    save(path, 0)
    before = path.read_bytes()
    path.chmod(0o620)
    save(path, 1)
    assert path.read_bytes() != before
    assert stat.S_IMODE(path.stat().st_mode) == 0o620


@pytest.mark.parametrize("exists", [False, True])
def test_links_are_followed(save, tmp_path, exists):
    (tmp_path / "folder").mkdir()
    target = tmp_path / "folder" / "target"
    if exists:
        target.touch()
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "link to the link").symlink_to("link")
    save(tmp_path / "link to the link", 0)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "link to the link").is_symlink()
    assert target.stat().st_size > 0
    assert os.listdir(tmp_path / "folder") == ["target"]


def make_pipe(path):
    os.mkfifo(path)


def make_folder(path):
    path.mkdir()


def make_link_to_device(path):
    path.symlink_to(os.devnull)


@pytest.mark.parametrize("make", [make_pipe, make_folder, make_link_to_device])
def test_only_regular_files_are_replaced(save, tmp_path, make):
    path = tmp_path / "special"
    make(path)
    before = path.lstat()
    with pytest.raises(OSError, match=r"exists and is not a regular file: .*special"):
        save(path, 0)
    with pytest.raises(OSError, match=r"exists and is not a regular file: .*special"):
        check_writable(path)
    after = path.lstat()
    assert (after.st_mode, after.st_ino) == (before.st_mode, before.st_ino)
    assert os.listdir(tmp_path) == ["special"]


def test_a_link_to_itself_is_an_error(save, tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="loop") as caught:
        save(tmp_path / "loop", 0)
    assert caught.value.errno == errno.ELOOP
    assert os.listdir(tmp_path) == ["loop"]


def test_a_folder_that_is_not_there_is_named(save, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder '.*nowhere'"):
        save(tmp_path / "nowhere" / "file", 0)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_read_only_file_stays(save, tmp_path):
    path = tmp_path / "file"
    save(path, 0)
    before = path.read_bytes()
    path.chmod(0o400)
    with pytest.raises(PermissionError, match="read-only"):
        save(path, 1)
    assert path.read_bytes() == before


class FullDisk(io.FileIO):
    """A file on a disk that is full after some bytes."""

    left = 100

    def write(self, data):
        if len(data) > self.left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.left -= len(data)
        return super().write(data)


@pytest.mark.parametrize("exists", [False, True])
def test_a_full_disk_leaves_what_was_there(save, tmp_path, monkeypatch, exists):
    path = tmp_path / "file"
    if exists:
        save(path, 0)
    before = {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()}
    monkeypatch.setattr("fastbp.storage.files.open", FullDisk, raising=False)
    with pytest.raises(OSError, match=r"No space left on device: .*file") as caught:
        save(path, 1)
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(path)
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == before


def test_an_interrupted_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "file"
    save_bytes(path, 0)

    def interrupted():
        with open_atomically(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == bytes(1000)
    assert os.listdir(tmp_path) == ["file"]


def test_threads_that_write_the_same_file(tmp_path):
    path = tmp_path / "file"
    threads = [threading.Thread(target=save_bytes, args=(path, seed)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in [bytes([seed]) * 1000 for seed in range(8)]
    assert os.listdir(tmp_path) == ["file"]


def test_a_check_leaves_nothing_behind(tmp_path):
    check_writable(tmp_path / "file")
    assert os.listdir(tmp_path) == []
