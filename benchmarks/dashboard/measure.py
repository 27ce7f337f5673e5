"""Running benchmarks: of one commit, of the history, of two commits alternately, or all of them once."""

import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from benchmarks.dashboard import commits, environments, rules
from benchmarks.dashboard.results import Key, Outcome, load_outcome, result_files, tidy
from benchmarks.dashboard.tool import ROOT, THREADS, environment_names, load_config, register_machine, run_asv
from fastbp.threads.cpus import allowed_cpus

# Startup and memory hardly depend on the threads; the peers' times do not depend on the commit at all.
ONLY_ON_ONE_THREAD = ("startup", "memory")
ONLY_AT_RELEASES = ("peers",)
MODULES = ("control", "estimators", "kernels", "memory", "peers", "startup", "step")
# What a comparison measures: not NumPy's times, and not ratios of times that are measured themselves.
JUDGED = (
    r"^estimators\..*\.time_",
    r"^kernels\..*\.time_(fastbp|fused|unfused)",
    r"^memory\.",
    r"^step\..*\.time_",
)
ROUNDS = 5
# Tells the suite that the results of these commits have just been compared with refbp.
CHECKED = "FASTBP_BENCHMARKS_CHECKED"


def all_threads() -> list[int]:
    """Return the numbers of threads in asv's matrix for which this machine has enough CPUs."""
    return [n for n in map(int, load_config()["matrix"]["env_nobuild"][THREADS]) if n <= allowed_cpus()]


def _run(
    hashes: Sequence[str],
    threads: Sequence[int],
    options: Sequence[str],
    results: Path | None = None,
    **environment: str,
) -> None:
    """Run asv on some commits and tidy its results; `results` names another folder for them."""
    machine = register_machine()
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write("\n".join(hashes) + "\n")
        file.flush()
        chosen = [option for name in environment_names(threads) for option in ("--environment", name)]
        fixed = ["--machine", machine, "--record-samples", "--show-stderr", "--no-pull"]
        changes = {"results_dir": str(results)} if results else {}
        status = run_asv(["run", f"HASHFILE:{file.name}", *fixed, *chosen, *options], changes, **environment)
    tidy((results or ROOT / load_config()["results_dir"]) / machine)
    if status not in (0, 2):  # 2: a benchmark failed, and its result says so
        raise SystemExit(f"asv has ended with status {status}")


def _options(patterns: Sequence[str]) -> list[str]:
    return [option for pattern in patterns for option in ("--bench", pattern)]


def bench(patterns: Sequence[str], threads: Sequence[int], quick: bool) -> None:
    """Measure the last commit and keep the results; `patterns` selects benchmarks, all if empty."""
    if commits.changed_files():
        print("src has changes that are in no commit: they are not measured")
    _run([commits.resolve("HEAD")], threads, [*_options(patterns), *["--quick"] * quick])
    environments.note_change()


def bench_history(points: int, patterns: Sequence[str], threads: Sequence[int], quick: bool) -> None:
    """Measure commits over the whole history, oldest first; existing results are not measured again.

    Unless patterns are given, startup and memory are measured on one thread only, and peers only at releases and at the
    newest commit.
    """
    folder = ROOT / load_config()["results_dir"]
    measured = {path.name.partition("-")[0] for path in folder.glob("*/*-*.json")}
    chosen = commits.choose(commits.measurable(), measured, points)
    always = [module for module in MODULES if module not in ONLY_AT_RELEASES]
    for commit in chosen:
        print(f"== {commit.short} {commit.date} {commit.subject}", flush=True)
        peers = commit.release or commit == chosen[-1]
        for number in threads:
            modules = [m for m in (MODULES if peers else always) if number == 1 or m not in ONLY_ON_ONE_THREAD]
            wanted = patterns or [rf"^{module}\." for module in modules]
            _run([commit.hash], [number], [*_options(wanted), "--skip-existing", *["--quick"] * quick])
    environments.note_change()


def compare(
    base: str, head: str, patterns: Sequence[str], threads: Sequence[int], rounds: int = ROUNDS, quick: bool = False
) -> list[rules.Change]:
    """Measure two commits alternately and return the outcome. The results are not kept.

    To compare a commit with itself, a twin with the same content is created: both are built, installed and measured.
    """
    first, second = commits.resolve(base), commits.resolve(head)
    if first == second:
        second = commits.twin(second)
    chosen = [*(patterns or JUDGED), f"^{rules.CONTROL}"]
    options = [*_options(chosen), "--attribute", "rounds=1", *["--quick"] * quick]
    outcomes = []
    with tempfile.TemporaryDirectory() as name:
        for number in range(rounds):
            order = (second, first) if number % 2 else (first, second)
            folder = Path(name, str(number))
            environment = {CHECKED: "1"} if number else {}
            for count in threads:  # one after the other, so that compared results are close in time
                _run(order, [count], options, folder, **environment)
            outcomes.append([_merged(folder, commit[:8]) for commit in (first, second)])
    broken = {key for before, after in outcomes for key in set(after.failed) - set(before.failed)}
    if broken:
        raise SystemExit(f"fails on {head} alone: {', '.join(map(str, sorted(broken)))}")
    before, after = ([outcome.values for outcome in column] for column in zip(*outcomes, strict=True))
    return rules.changes(before, after, load_config()["regressions_thresholds"])


def _merged(folder: Path, short: str) -> Outcome:
    """All results of a commit, from one file for each number of threads."""
    merged = Outcome({}, [], [])
    for path in folder.glob(f"*/{short}-*.json"):
        outcome = load_outcome(path)
        merged.values.update(outcome.values)
        merged.failed.extend(outcome.failed)
        merged.skipped.extend(outcome.skipped)
    return merged


def _may_be_skipped(key: Key) -> bool:
    """Whether a benchmark is about a peer that is not installed."""
    return key.benchmark.startswith("peers.") and find_spec(key.params[0]) is None


def check() -> Outcome:
    """Let asv check the suite, and run every benchmark once in the current Python; returns the outcome.

    Nothing is kept, no repository is needed, and nothing is written to the user's home folder.
    """
    with tempfile.TemporaryDirectory() as folder:
        home, repository = Path(folder, "home"), Path(folder, "repository")
        home.mkdir()
        commit = _empty_repository(repository)
        changes = {"repo": str(repository), "results_dir": str(Path(folder, "results"))}
        environment = {"HOME": str(home), THREADS: "1"}
        if run_asv(["check", "--environment=existing"], changes, **environment):
            raise SystemExit("asv check has found faults")
        machine = register_machine(home)
        options = ["--quick", "--show-stderr", "--set-commit-hash", commit, "--machine", machine]
        run_asv(["run", "--environment=existing", *options], changes, **environment)
        files = result_files(Path(folder, "results", machine))
        if not files:
            raise SystemExit("asv has left no results")
        outcome = load_outcome(files[0])
    skipped = [key for key in outcome.skipped if not _may_be_skipped(key)]
    return outcome._replace(failed=[*outcome.failed, *skipped])


def _empty_repository(folder: Path) -> str:
    """Make a repository with one commit; returns its hash. asv needs a commit to name results."""
    folder.mkdir()
    name = ("-c", "user.name=check", "-c", "user.email=check")
    commits.git("-C", str(folder), "init", "--quiet", "--initial-branch=main")
    commits.git("-C", str(folder), *name, "commit", "--quiet", "--allow-empty", "-m", "Empty")
    return commits.git("-C", str(folder), "rev-parse", "HEAD")
