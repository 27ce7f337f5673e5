"""The project's history: which commits are measured, and their names."""

import re
import subprocess
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from benchmarks.dashboard.tool import ROOT

# Commits without `MLP` and the reference cannot be measured by the suite.
_FIRST_FILES = ("src/fastbp/mlp.py", "src/refbp/mlp.py")
_RELEASE = re.compile(r"Release (\d+\.\d+\.\d+)")


class Commit(NamedTuple):
    """A commit: its full hash, subject and date."""

    hash: str
    subject: str
    date: str

    @property
    def short(self) -> str:
        """Eight digits of the hash, as in asv."""
        return self.hash[:8]

    @property
    def release(self) -> str:
        """Version that this commit released, or an empty string."""
        found = _RELEASE.fullmatch(self.subject)
        return found.group(1) if found else ""


def git(*arguments: str) -> str:
    """Run git; returns its output."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


@cache
def history(tip: str = "HEAD") -> list[Commit]:
    """Return all commits up to `tip`, oldest first."""
    lines = git("log", "--first-parent", "--reverse", "--format=%H%x09%cs%x09%s", tip).splitlines()
    return [Commit(fields[0], fields[2], fields[1]) for fields in (line.split("\t", 2) for line in lines)]


def resolve(name: str) -> str:
    """Return the full hash of a commit."""
    return git("rev-parse", "--verify", f"{name}^{{commit}}")


def twin(commit: str) -> str:
    """Return a new commit with the same content, on no branch, so that asv measures it once more."""
    settings = ("-c", "user.name=twin", "-c", "user.email=twin")
    return git(*settings, "commit-tree", f"{commit}^{{tree}}", "-p", commit, "-m", f"The same as {commit[:8]}")


def changed_files() -> list[str]:
    """Return the files of the package that differ from the last commit."""
    return git("status", "--porcelain", "--", "src").splitlines()


def measurable() -> list[Commit]:
    """Return the commits that the suite can measure and that change the package, and the newest; oldest first."""
    firsts = {git("log", "--diff-filter=A", "--format=%H", "--", path).splitlines()[-1] for path in _FIRST_FILES}
    commits = history()
    start = max(place for place, commit in enumerate(commits) if commit.hash in firsts)
    touching = set(git("log", "--first-parent", "--format=%H", "--", "src").splitlines())
    last = commits[-1]
    return [c for c in commits[start:] if c.hash in touching or c.release or c == last]


def choose(candidates: list[Commit], measured: set[str], points: int) -> list[Commit]:
    """Choose commits: the first and last, releases, those with results, and the middles of the widest gaps.

    `candidates` are oldest first, `measured` are short hashes. `points` is the number to choose; more may be required.
    """
    ends = {0, len(candidates) - 1}
    chosen = ends | {place for place, commit in enumerate(candidates) if commit.release or commit.short in measured}
    while len(chosen) < min(points, len(candidates)):
        places = sorted(chosen)
        width, left = max((right - left, -left) for left, right in pairwise(places))
        chosen.add(-left + width // 2)
    return [candidates[place] for place in sorted(chosen)]
