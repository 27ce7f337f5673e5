"""A temporary repository with the dashboard's programs and made-up results.

Every benchmark of the suite has a time of its own that is the same at all commits, but for a little noise and for what
a test makes slower.
"""

import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
MACHINE = {"machine": "some-cpu-2-cpus", "os": "Linux", "arch": "x86_64", "cpu": "Some CPU", "num_cpu": "2", "ram": ""}
_COLUMNS = ["result", "params", "version", "started_at", "duration", "samples"]
_SAMPLES = 12
# (commit's place, benchmark with its parameters, threads) -> how many times as long it takes.
Slowness = Callable[[int, str, int], float]


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a command, which must end well; returns what it prints."""
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make_tree(folder: Path, subjects: list[str]) -> list[str]:
    """Copy the programs, and make a commit of each subject; returns their hashes, oldest first."""
    for name in ("asv.conf.json", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    ignored = shutil.ignore_patterns("results", "ladder", "__pycache__")
    shutil.copytree(ROOT / "benchmarks", folder / "benchmarks", ignore=ignored)
    (folder / "docs" / "img").mkdir(parents=True)
    shutil.copy(ROOT / "docs" / "img" / "make_history.py", folder / "docs" / "img")
    run("git", "init", "--quiet", "--initial-branch=main", cwd=folder)
    identity = ("-c", "user.name=test", "-c", "user.email=test", "-c", "commit.gpgsign=false")
    for number, subject in enumerate(subjects):
        date = f"2026-01-{number + 1:02} 12:00 +0000"
        commit = ("commit", "--quiet", "--allow-empty", "-m", subject)
        run("git", *identity, *commit, cwd=folder, GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE=date)
    return run("git", "rev-list", "--reverse", "HEAD", cwd=folder).split()


def discover(tree: Path) -> dict:
    """Have asv list the suite; returns what it knows of the benchmarks."""
    home = tree / "home"
    home.mkdir()
    (home / ".asv-machine.json").write_text(json.dumps({MACHINE["machine"]: MACHINE, "version": 1}))
    options = ("--environment=existing", "--bench", "just-discover", "--machine", MACHINE["machine"])
    run(sys.executable, "-m", "asv", "run", *options, cwd=tree, HOME=str(home))
    listed = json.loads((tree / "benchmarks" / "results" / "asv" / "benchmarks.json").read_text())
    return {name: value for name, value in listed.items() if name != "version"}


def _unit_time(name: str) -> float:
    """A value that a benchmark always has: memory, a cost ratio, or seconds."""
    share = zlib.crc32(name.encode()) / 2**32
    if ".peakmem_" in name:
        return int(2e8 * (1 + share))
    return (0.3 if ".track_" in name else 0.01) * (1 + share)


def _row(name: str, benchmark: dict, place: int, threads: int, slowness: Slowness, noise: float) -> list:
    """What asv keeps of a benchmark."""
    values, samples = [], []
    for params in itertools.product(*benchmark["params"]):
        full = f"{name}({', '.join(p.strip(chr(39)) for p in params)})" if params else name
        rng = random.Random(f"{full} {place} {threads}")
        level = _unit_time(full) / threads**0.8 * slowness(place, full, threads) * rng.gauss(1, noise)
        taken = [level * rng.gauss(1, noise) for _ in range(_SAMPLES)] if benchmark["type"] == "time" else None
        values.append(sorted(taken)[_SAMPLES // 2] if taken else level)
        samples.append(taken)
    return [values, benchmark["params"], benchmark["version"], 1.7e12 + place, 1.0, samples if any(samples) else None]


def write_results(tree: Path, benchmarks: dict, hashes: list[str], slowness: Slowness, *, noise: float = 0.01) -> None:
    """Write results of every commit, on one thread and on two."""
    folder = tree / "benchmarks" / "results" / "asv" / MACHINE["machine"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "machine.json").write_text(json.dumps(MACHINE | {"version": 1}))
    for (place, commit), threads in itertools.product(enumerate(hashes), (1, 2)):
        data = {
            "commit_hash": commit,
            "env_name": f"env-{threads}",
            "date": 1767268800000 + 86400000 * place,
            "params": MACHINE | {"python": "3.11", "numpy": "2.4.6"},
            "python": "3.11",
            "requirements": {"numpy": "2.4.6"},
            "env_vars": {"FASTBP_NUM_THREADS": str(threads)},
            "result_columns": _COLUMNS,
            "results": {
                name: _row(name, benchmark, place, threads, slowness, noise) for name, benchmark in benchmarks.items()
            },
            "durations": {},
            "version": 2,
        }
        (folder / f"{commit[:8]}-env-{threads}.json").write_text(json.dumps(data))


def publish(tree: Path) -> Path:
    """Publish the results; returns the page."""
    folder = tree / ".asv" / "dashboard"
    run(sys.executable, "-m", "benchmarks.dashboard", "publish", "--out", folder, cwd=tree)
    run(sys.executable, "-m", "docs.img.make_history", cwd=tree)
    return folder / "index.html"
