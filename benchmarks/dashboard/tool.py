"""Running asv as a program, with its settings and the name of this machine."""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path

from benchmarks.documents import slug
from fastbp.machine import describe
from fastbp.threads.cpus import allowed_cpus

ROOT = Path(__file__).parents[2]
CONFIG = "asv.conf.json"
THREADS = "FASTBP_NUM_THREADS"
_PATHS = ("repo", "benchmark_dir", "env_dir", "results_dir", "html_dir")


def load_config() -> dict:
    """Return the settings that `asv` itself reads."""
    return json.loads((ROOT / CONFIG).read_text(encoding="utf-8"))


@contextmanager
def changed_config(changes: dict) -> Iterator[Path]:
    """Yield a settings file with some changes, in a temporary folder.

    asv changes to the folder of its settings file, so paths are made absolute. It also looks there for pyproject.toml,
    to find out how wheels are built.
    """
    config = load_config() | changes
    for key in _PATHS:
        config[key] = str(ROOT / config[key])
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "pyproject.toml").symlink_to(ROOT / "pyproject.toml")
        path = Path(folder, CONFIG)
        path.write_text(json.dumps(config), encoding="utf-8")
        yield path


def run_asv(arguments: Sequence[str], changes: dict | None = None, **environment: str) -> int:
    """Run asv with some changed settings and environment variables; returns its exit status."""
    with changed_config(changes or {}) as config:
        command = [sys.executable, "-m", "asv", arguments[0], "--config", str(config), *arguments[1:]]
        return subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=False).returncode


def this_machine() -> dict[str, str]:
    """Return what asv stores about a machine. What may change from day to day is in the log of environments instead.

    asv would draw a separate graph for every memory size and every kernel version that it sees.
    """
    found, cpus = describe(), allowed_cpus()
    name = slug(f"{found['cpu']} {found['llvm_cpu']}")
    return {
        "machine": f"{name}-{cpus}-cpus",
        "os": platform.system(),
        "arch": platform.machine(),
        "cpu": f"{found['cpu']} ({found['llvm_cpu']})",
        "num_cpu": str(cpus),
        "ram": "",
    }


def register_machine(home: Path | None = None) -> str:
    """Add this machine to asv's file of machines in the user's home folder; returns its name.

    `asv machine` would omit what it detects by itself.
    """
    from asv.machine import MachineCollection

    machine = this_machine()
    MachineCollection.save(machine["machine"], machine, str((home or Path.home()) / ".asv-machine.json"))
    return machine["machine"]


def _environment() -> str:
    """asv's name of the environment, which is shared by all numbers of threads."""
    config = load_config()
    requirements = config["matrix"]["req"]
    pinned = "-".join(f"{name}{requirements[name][0]}" for name in sorted(requirements) if name != "pip+asv_runner")
    return f"{config['environment_type']}-py{config['pythons'][0]}-{pinned}"


def environment_names(threads: Sequence[int]) -> list[str]:
    """Return asv's names of the environments of the matrix with these numbers of threads."""
    return [f"{_environment()}-{THREADS}{number}" for number in threads]


def ask_environment(*arguments: str) -> str:
    """Run the interpreter of asv's environment, which must exist, with these arguments; returns its output."""
    from asv.config import Config
    from asv.environment import get_environments

    with changed_config({}) as path, chdir(path.parent):
        return next(iter(get_environments(Config.load(str(path)), None))).run(list(arguments))
