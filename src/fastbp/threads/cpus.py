"""How many CPUs this process may use: the machine, the container and the environment set limits."""

import math
import multiprocessing
import os
import sys
from functools import cache
from pathlib import Path

__all__ = ["allowed_cpus", "cpu_quota", "thread_limit"]

_SETTING = "FASTBP_NUM_THREADS"


def _quota_of(group: Path) -> float:
    """Return the CPUs that one control group allows: processor time per period, divided by the period."""
    try:
        if (group / "cpu.max").exists():  # version 2
            quota, period = (group / "cpu.max").read_text(encoding="ascii").split()
        else:
            quota = (group / "cpu.cfs_quota_us").read_text(encoding="ascii")
            period = (group / "cpu.cfs_period_us").read_text(encoding="ascii")
        return int(quota) / int(period) if int(quota) > 0 else math.inf
    except (OSError, ValueError):  # no such file, or "max"
        return math.inf


def cpu_quota(
    membership: Path = Path("/proc/self/cgroup"),
    mounts: Path = Path("/sys/fs/cgroup"),
) -> float:
    """Return the CPU quota of this process in the control groups of Linux, infinity if there is none.

    In a container, the path of the group is often the host's path, which does not exist there. Then the mounted group
    counts.

    Parameters
    ----------
    membership : Path
        File that lists the groups of the process, one line for each hierarchy.
    mounts : Path
        Folder where the hierarchies are mounted.
    """
    try:
        lines = membership.read_text(encoding="utf-8").splitlines()
    except OSError:  # another system
        return math.inf
    quota = math.inf
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = mounts / controllers
        group = mount / path.lstrip("/")
        for folder in (group, *group.parents):
            quota = min(quota, _quota_of(folder))
            if folder == mount:
                break
    return quota


@cache
def _quota() -> float:
    return cpu_quota()


def allowed_cpus() -> int:
    """Return the number of CPUs that this process may keep busy.

    That is the size of its affinity mask, or the quota of its container if that is less. The quota is rounded up: with
    1.5 CPUs, two threads are faster than one.
    """
    if sys.version_info >= (3, 13):
        cpus = os.process_cpu_count() or 1
    elif hasattr(os, "sched_getaffinity"):
        cpus = len(os.sched_getaffinity(0))
    else:
        cpus = os.cpu_count() or 1
    return max(1, math.ceil(min(cpus, _quota())))


def _number(name: str) -> int | None:
    """Return the positive number in another library's environment variable (the first number if it is a list)."""
    first = os.environ.get(name, "").partition(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) > 0 else None


def thread_limit() -> int:
    """Return how many threads this process may run at a time if the caller does not ask for a number.

    The allowed CPUs, or fewer if ``FASTBP_NUM_THREADS`` says so. Without that variable, ``NUMBA_NUM_THREADS`` and
    ``OMP_NUM_THREADS`` are limits too, and a worker process without the former gets one thread, because its siblings
    use the other CPUs. joblib sets ``NUMBA_NUM_THREADS`` in its workers, to `inner_max_num_threads` or to the CPUs
    divided by the number of workers. Batch systems, Dask and Ray set ``OMP_NUM_THREADS``.

    Raises
    ------
    ValueError
        If ``FASTBP_NUM_THREADS`` is not a positive integer.
    """
    setting = os.environ.get(_SETTING)
    if setting is not None:
        if not setting.isdecimal() or int(setting) < 1:
            raise ValueError(f"{_SETTING} must be a positive integer, got {setting!r}")
        return min(int(setting), allowed_cpus())
    told = _number("NUMBA_NUM_THREADS")
    if told is None and multiprocessing.parent_process() is not None:
        return 1
    return min(number for number in (allowed_cpus(), told, _number("OMP_NUM_THREADS")) if number is not None)
