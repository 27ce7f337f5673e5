"""Are slow-downs found, and blamed on whom they are due to? A drill on a throw-away copy of the tree.

    python -m benchmarks.dashboard.drill

Commits are made of the copy: one takes a fifth longer for every product, one for the control alone. The history is
measured and published, neighbours are compared by turns, and a commit with itself. Then the page must name the first of
the two and nothing else, and so must the comparisons. It needs what asv needs, and some minutes.

The copy measures processor time instead of wall time, on one thread: a drill shall end well on a busy machine too.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.dashboard.tool import ROOT

_TREE = ("src", "benchmarks", "asv.conf.json", "pyproject.toml", "README.md", "LICENSE")
_SLOWER = """

def _slower(function):
    import functools
    import time

    @functools.wraps(function)
    def slower(*args, **kwargs):
        start = time.process_time()
        result = function(*args, **kwargs)
        end = time.process_time()
        while time.process_time() < end + 0.2 * (end - start):
            pass
        return result

    return slower
"""
_SLOW_PRODUCT = f"{_SLOWER}\n\nmatmul = _slower(matmul)\n"
_PROCESSOR_TIME = """

import time

{name}.timer = time.process_time
"""
# The control runs no line of fastbp, so it is told apart by a file of the commit that is installed.
_SLOW_CONTROL = f"""{_SLOWER}

import importlib.util

if importlib.util.find_spec("fastbp.slow_control"):
    for _name in ("time_blas", "time_memory", "time_interpreter"):
        setattr(Machine, _name, _slower(getattr(Machine, _name)))
"""
_BENCHMARKS = "^(control\\.|kernels\\.Gemm\\.)"
_PRODUCT, _CONTROL = "Take a fifth longer for products", "Take a fifth longer for the control"


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=drill", "-c", "user.email=drill", "-c", "commit.gpgsign=false", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def _append(path: Path, text: str) -> None:
    path.write_text((path.read_text(encoding="utf-8") if path.exists() else "") + text, encoding="utf-8")


def make_copy(folder: Path) -> dict[str, str]:
    """Copy the tree and make commits of it; returns their hashes by their first lines, oldest first."""
    for name in _TREE:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("results", "__pycache__", "*.nbi", "*.nbc")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder)
    suite = folder / "benchmarks" / "suite"
    _append(suite / "control.py", _SLOW_CONTROL + _PROCESSOR_TIME.format(name="Machine"))
    _append(suite / "kernels.py", _PROCESSOR_TIME.format(name="_Kernel"))
    package = folder / "src" / "fastbp"
    _git(folder, "init", "--quiet", "--initial-branch=main")
    hashes = {}
    for subject, path, text in (
        ("Begin", package / "__init__.py", "# 1\n"),
        ("Change a comment", package / "__init__.py", "# 2\n"),
        (_PRODUCT, package / "kernels" / "__init__.py", _SLOW_PRODUCT),
        ("Change another comment", package / "__init__.py", "# 3\n"),
        (_CONTROL, package / "slow_control.py", '"""The control is slow while this file is here."""\n'),
        ("Change a third comment", package / "__init__.py", "# 4\n"),
    ):
        _append(path, text)
        _git(folder, "add", "--all")
        _git(folder, "commit", "--quiet", "-m", subject)
        hashes[subject] = _git(folder, "rev-parse", "HEAD")
    return hashes


def _dashboard(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.dashboard", *arguments]
    done = subprocess.run(command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stdout)
    return done


def blamed(page: str) -> set[str]:
    """Return the short hashes of the commits that a front page blames."""
    section = page.partition('<h2 id="regressions">')[2].partition("<h2")[0].partition("<details>")[0]
    return set(re.findall(r'<tr class="commit"><td colspan="4"><code>(\w+)</code>', section))


def _expect(what: str, found: object, wanted: object, output: str = "") -> bool:
    print(f"{'ok' if found == wanted else 'WRONG'}: {what}: {found}", flush=True)
    if found != wanted:
        print(f"wanted: {wanted}\n{output}", flush=True)
    return found == wanted


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        hashes = make_copy(folder)
        begin, slow, after, control = (
            hashes[subject] for subject in ("Change a comment", _PRODUCT, "Change another comment", _CONTROL)
        )
        one = ("--threads", "1", "--bench", _BENCHMARKS)
        measured = _dashboard(folder, "history", "--points", str(len(hashes)), *one)
        if measured.returncode:
            raise SystemExit(measured.stdout)
        published = _dashboard(folder, "publish")
        page = folder / ".asv" / "dashboard" / "index.html"
        good = [
            _expect(
                "the page blames",
                blamed(page.read_text(encoding="utf-8")),
                {slow[:8]},
                measured.stdout + published.stdout,
            )
        ]
        for what, base, head, wanted in (
            ("slower product: status", begin, slow, 1),
            ("slower control: status", after, control, 0),
            ("a commit with itself: status", begin, begin, 0),
        ):
            done = _dashboard(folder, "compare", base, head, *one)
            good.append(_expect(what, done.returncode, wanted, done.stdout))
            slower = set(re.findall(r"^slower: ([\w.]+)", done.stdout, re.MULTILINE))
            good.append(_expect("slower are", slower, {"kernels.Gemm.time_fastbp"} if wanted else set(), done.stdout))
    if not all(good):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
