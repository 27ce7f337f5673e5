"""How many CPUs a process may keep busy: affinity, control groups, environment."""

import math
import os

import pytest

from fastbp.threads import cpus
from fastbp.threads.cpus import allowed_cpus, cpu_quota, thread_limit

SETTINGS = ("FASTBP_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS")


@pytest.fixture
def eight(monkeypatch):
    """Pretend to have eight CPUs and no settings."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(cpus, "allowed_cpus", lambda: 8)


@pytest.mark.parametrize(
    ("settings", "threads"),
    [
        ({}, 8),
        ({"OMP_NUM_THREADS": "3"}, 3),
        ({"NUMBA_NUM_THREADS": "5"}, 5),
        ({"NUMBA_NUM_THREADS": "5", "OMP_NUM_THREADS": "2,4"}, 2),
        ({"OMP_NUM_THREADS": "64"}, 8),
        # What others read is not ours to complain about.
        ({"OMP_NUM_THREADS": "0", "NUMBA_NUM_THREADS": "many"}, 8),
        ({"OMP_NUM_THREADS": ""}, 8),
        ({"FASTBP_NUM_THREADS": "6", "OMP_NUM_THREADS": "2", "NUMBA_NUM_THREADS": "1"}, 6),
        ({"FASTBP_NUM_THREADS": "64"}, 8),
    ],
)
def test_settings(settings, threads, eight, monkeypatch):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert thread_limit() == threads


@pytest.mark.parametrize(
    ("settings", "threads"),
    [
        ({}, 1),
        ({"OMP_NUM_THREADS": "4"}, 1),
        ({"NUMBA_NUM_THREADS": "4"}, 4),
        ({"NUMBA_NUM_THREADS": "4", "OMP_NUM_THREADS": "2"}, 2),
        ({"FASTBP_NUM_THREADS": "6"}, 6),
    ],
)
def test_settings_of_a_worker_process(settings, threads, eight, monkeypatch):
    monkeypatch.setattr("multiprocessing.parent_process", object)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert thread_limit() == threads


@pytest.fixture
def groups(tmp_path):
    """Return a function that writes a process's groups and their files, and returns the quota that is read."""

    def read(membership, files):
        (tmp_path / "cgroup").write_text(membership)
        for name, text in files.items():
            path = tmp_path / "mounts" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return cpu_quota(tmp_path / "cgroup", tmp_path / "mounts")

    return read


@pytest.mark.parametrize(
    ("membership", "files", "quota"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, math.inf),
        # The path is the container's name outside of it.
        ("0::/docker/4f\n", {"cpu.max": "50000 100000\n"}, 0.5),
        # The smallest one on the way up counts.
        ("0::/a/b\n", {"a/cpu.max": "200000 100000\n", "a/b/cpu.max": "max 100000\n"}, 2.0),
        ("0::/a/b\n", {"a/cpu.max": "200000 100000\n", "a/b/cpu.max": "300000 100000\n"}, 2.0),
        # A group without the controller has no such file.
        ("0::/a/b\n", {"a/cpu.max": "200000 100000\n", "a/b/cgroup.procs": ""}, 2.0),
        # Version 1.
        (
            "4:cpu,cpuacct:/a\n3:cpuset:/a\n0::/\n",
            {"cpu,cpuacct/a/cpu.cfs_quota_us": "250000\n", "cpu,cpuacct/a/cpu.cfs_period_us": "100000\n"},
            2.5,
        ),
        ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, math.inf),
        ("3:cpuset:/a\n", {"cpuset/a/cpu.max": "100000 100000\n"}, math.inf),
    ],
)
def test_quota_of_control_groups(membership, files, quota, groups):
    assert groups(membership, files) == quota


def test_systems_without_control_groups(tmp_path):
    assert cpu_quota(tmp_path / "none", tmp_path) == math.inf


@pytest.mark.parametrize(("quota", "threads"), [(0.2, 1), (1.0, 1), (1.01, 2), (1.5, 2), (math.inf, None)])
def test_a_quota_is_rounded_up(quota, threads, monkeypatch):
    monkeypatch.setattr(cpus, "_quota", lambda: math.inf)
    free = allowed_cpus()
    monkeypatch.setattr(cpus, "_quota", lambda: quota)
    assert allowed_cpus() == min(free, threads or free)


def test_affinity_is_respected():
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("no affinity on this system")
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert allowed_cpus() == 1
    finally:
        os.sched_setaffinity(0, before)
