"""The log of what measurements were made with: a step in all graphs at once is explained there."""

import datetime
import platform
from importlib.metadata import version
from pathlib import Path

from benchmarks.dashboard.tool import ROOT, ask_environment, load_config, this_machine

_PEERS = ("jax", "torch")
_HEAD = """# Environments

What results were measured with. A line is added when something differs from the machine's last line; what else is to
be known is written behind it by hand.

| date | machine | system | Python and packages | remarks |
|---|---|---|---|---|
"""


def log_file() -> Path:
    """Return where the log is."""
    return ROOT / load_config()["results_dir"] / "ENVIRONMENTS.md"


# Runs in asv's environment: versions of those of the packages named that are there.
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


def _packages() -> str:
    """Versions in asv's environment: of what is pinned, and of the peers that somebody has added."""
    names = [name.removeprefix("pip+") for name in load_config()["matrix"]["req"]]
    return f"{ask_environment('-c', _VERSIONS, *names, *_PEERS).strip()}, asv {version('asv')}"


def describe() -> tuple[str, str, str]:
    """Return machine, system and packages as they are now."""
    kernel = platform.release().partition("-")[0]  # what follows is a distributor's own
    return this_machine()["machine"], f"{platform.system()} {kernel}", _packages()


def parse(log: str) -> list[list[str]]:
    """Return the cells of the lines of a log."""
    lines = [line for line in log.splitlines() if line[:3] == "| 2"]
    return [[cell.strip() for cell in line[1:].removesuffix("|").split("|")] for line in lines]


def rows() -> list[list[str]]:
    """Return the lines of the log; none if nothing has been measured."""
    return parse(log_file().read_text(encoding="utf-8")) if log_file().exists() else []


def changed(log: str, now: tuple[str, str, str]) -> bool:
    """Tell whether the last line of this machine says something else, or there is none."""
    same = [row for row in parse(log) if row[1] == now[0]]
    return not same or tuple(same[-1][1:4]) != now


def note_change() -> None:
    """Add a line to the log, if there is something to say."""
    path, now = log_file(), describe()
    log = path.read_text(encoding="utf-8") if path.exists() else _HEAD
    if changed(log, now):
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{log}| {today} | {' | '.join(now)} | |\n", encoding="utf-8")
