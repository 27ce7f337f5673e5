"""How many CPUs this process may keep busy: the machine, the container and the environment each have a say."""

import math
import multiprocessing
import os
import sys
from functools import cache
from pathlib import Path

__all__ = ["allowed_cpus", "cpu_quota", "thread_limit"]

_SETTING = "FASTBP_NUM_THREADS"


def _quota_of(group: Path) -> float:
    """CPUs that one control group allows: the time in a period, divided by the period."""
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
    """Return how many CPUs' time Linux' control groups let this process have, infinity for no limit.

    Inside of a container the path of the group is often that outside of it, which is not there; then the group that is
    mounted counts.

    Parameters
    ----------
    membership : Path
        Names the groups of the process, a line for each hierarchy.
    mounts : Path
        Where the hierarchies are mounted.
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

    That is what its affinity leaves of the machine, or the quota of its container if that is less. A quota is rounded
    up: with one of a CPU and a half, two threads get through more than one, though they are held up now and then.
    """
    if sys.version_info >= (3, 13):
        cpus = os.process_cpu_count() or 1
    elif hasattr(os, "sched_getaffinity"):
        cpus = len(os.sched_getaffinity(0))
    else:
        cpus = os.cpu_count() or 1
    return max(1, math.ceil(min(cpus, _quota())))


def _number(name: str) -> int | None:
    """The positive number in an environment variable that others read too; of a list, the first."""
    first = os.environ.get(name, "").partition(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) > 0 else None


def thread_limit() -> int:
    """Return how many threads this process may run at a time, unless its user asks for a number.

    ``FASTBP_NUM_THREADS`` if that is set. Otherwise the allowed CPUs, or fewer if ``NUMBA_NUM_THREADS`` or
    ``OMP_NUM_THREADS`` say so. A worker process whose parent has not said so gets one thread, for its siblings use the
    other CPUs: joblib tells its workers, in ``NUMBA_NUM_THREADS`` among others, either its `inner_max_num_threads` or
    the CPUs divided by the number of workers. Batch systems, Dask and Ray use ``OMP_NUM_THREADS``.

    Raises
    ------
    ValueError
        If ``FASTBP_NUM_THREADS`` is not a positive integer.
    """
    setting = os.environ.get(_SETTING)
    if setting is not None:
        if not setting.isdecimal() or int(setting) < 1:
            raise ValueError(f"{_SETTING} must be a positive integer, got {setting!r}")
        return int(setting)
    told = _number("NUMBA_NUM_THREADS")
    if told is None and multiprocessing.parent_process() is not None:
        return 1
    return min(number for number in (allowed_cpus(), told, _number("OMP_NUM_THREADS")) if number is not None)
