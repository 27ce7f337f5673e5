"""The log of machine, system and packages. It explains steps that appear in all charts at once."""

import datetime
import platform
from importlib.metadata import version
from pathlib import Path

from benchmarks.dashboard.tool import ROOT, ask_environment, load_config, this_machine

_HEAD = """# Environments

What results were measured with. A line is added when something differs from the machine's last line; remarks are
written by hand.

| date | machine | system | Python and packages | remarks |
|---|---|---|---|---|
"""
# Runs in asv's environment: prints the versions of the named packages that are installed.
_VERSIONS = """
import importlib.metadata, platform, sys
found = ["Python " + platform.python_version()]
for name in sys.argv[1:]:
    try:
        found.append(name + " " + importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        pass
print(", ".join(found))
"""


def log_file() -> Path:
    """Return the path of the log."""
    return ROOT / load_config()["results_dir"] / "ENVIRONMENTS.md"


def describe() -> tuple[str, str, str]:
    """Return the current machine, system and packages (the required ones and the peers)."""
    kernel = platform.release().partition("-")[0]  # the rest is specific to the distribution
    names = [name.removeprefix("pip+") for name in load_config()["matrix"]["req"]]
    packages = f"{ask_environment('-c', _VERSIONS, *names, 'jax', 'torch').strip()}, asv {version('asv')}"
    return this_machine()["machine"], f"{platform.system()} {kernel}", packages


def parse(log: str) -> list[list[str]]:
    """Return the table cells of the lines of a log."""
    lines = [line for line in log.splitlines() if line[:3] == "| 2"]
    return [[cell.strip() for cell in line[1:].removesuffix("|").split("|")] for line in lines]


def read_log() -> str:
    """Return the text of the log."""
    return log_file().read_text(encoding="utf-8") if log_file().exists() else _HEAD


def changed(log: str, now: tuple[str, str, str]) -> bool:
    """Return whether the last line of this machine differs, or there is none."""
    same = [row for row in parse(log) if row[1] == now[0]]
    return not same or tuple(same[-1][1:4]) != now


def note_change() -> None:
    """Add a line to the log, if anything has changed."""
    log, now = read_log(), describe()
    if changed(log, now):
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        log_file().write_text(f"{log}| {today} | {' | '.join(now)} | |\n", encoding="utf-8")
