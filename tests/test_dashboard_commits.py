"""Which commits are measured, and how results are kept."""

import json
import math
from itertools import pairwise

import pytest
from benchmarks.dashboard import commits, environments, measure
from benchmarks.dashboard.commits import Commit, choose
from benchmarks.dashboard.results import Key, load_outcome, load_series, machines, tidy
from benchmarks.documents import slug

from support.asv_tree import make_tree, run


def line(length, releases=()):
    return [
        Commit(f"{n:040x}"[::-1], f"Release 0.{n}.0" if n in releases else f"Change {n}", "2026-01-01")
        for n in range(length)
    ]


def places(chosen, candidates):
    return [candidates.index(commit) for commit in chosen]


def test_releases_and_ends_are_always_chosen():
    candidates = line(40, releases=(11, 12, 30))
    assert places(choose(candidates, set(), 2), candidates) == [0, 11, 12, 30, 39]


def test_the_widest_gaps_are_halved():
    candidates = line(41)
    assert places(choose(candidates, set(), 5), candidates) == [0, 10, 20, 30, 40]
    chosen = places(choose(candidates, set(), 12), candidates)
    gaps = [right - left for left, right in pairwise(chosen)]
    assert len(chosen) == 12
    assert max(gaps) <= 2 * min(gaps) + 1


def test_what_has_results_is_counted():
    """A project that goes on keeps its points, and gets new ones where there are none."""
    first = line(30)
    measured = {commit.short for commit in choose(first, set(), 10)}
    longer = line(60)
    chosen = choose(longer, measured, 20)
    assert measured <= {commit.short for commit in chosen}
    assert len(chosen) == 20
    assert sum(place >= 30 for place in places(chosen, longer)) >= 8


def test_not_more_commits_than_there_are():
    candidates = line(5)
    assert choose(candidates, set(), 100) == candidates
    assert choose(line(1), set(), 5) == line(1)


def test_release_is_the_whole_first_line():
    assert Commit("", "Release 1.2.3", "").release == "1.2.3"
    assert not Commit("", "Release 1.2.3 of something", "").release
    assert not Commit("", "Prepare Release 1.2.3", "").release


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository in which some commits change the package."""
    make_tree(tmp_path, ["Nothing yet"])
    monkeypatch.setattr(commits, "ROOT", tmp_path)
    commits.history.cache_clear()
    identity = ("-c", "user.name=test", "-c", "user.email=test", "-c", "commit.gpgsign=false")

    def commit(subject, *paths):
        for path in paths:
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(subject)
            run("git", "add", path, cwd=tmp_path)
        run("git", *identity, "commit", "--quiet", "--allow-empty", "-m", subject, cwd=tmp_path)

    yield commit
    commits.history.cache_clear()


def test_measurable_commits_have_a_network_and_change_the_package(repository):
    repository("Too early", "src/refbp/mlp.py")
    repository("First", "src/fastbp/mlp.py")
    repository("Words", "README.md")
    repository("Second", "src/fastbp/training/fit.py")
    repository("Release 0.1.0", "CHANGELOG.md")
    repository("Newest", "README.md")
    assert [commit.subject for commit in commits.measurable()] == ["First", "Second", "Release 0.1.0", "Newest"]


def test_peers_are_measured_at_releases_and_at_the_newest_commit(monkeypatch):
    candidates, asked = line(5, releases=(2,)), {}
    monkeypatch.setattr(measure.commits, "measurable", lambda: candidates)
    monkeypatch.setattr(measure.environments, "note_change", lambda: None)
    monkeypatch.setattr(measure, "_run", lambda hashes, threads, options: asked.setdefault(hashes[0], options))
    measure.bench_history(5, [], [1], quick=False)
    assert [commit for commit in asked if r"^peers\." in asked[commit]] == [candidates[2].hash, candidates[4].hash]


def test_a_twin_has_the_same_content_and_belongs_to_no_branch(repository):
    repository("First", "src/fastbp/mlp.py")
    head = commits.resolve("HEAD")
    twin = commits.twin(head)
    assert twin != head
    assert commits.git("rev-parse", f"{twin}^{{tree}}") == commits.git("rev-parse", f"{head}^{{tree}}")
    assert not commits.git("branch", "--all", "--contains", twin)


COLUMNS = ["result", "params", "version", "started_at", "duration", "samples"]


@pytest.fixture
def results(tmp_path):
    """asv's results of one machine, as asv writes them."""
    folder = tmp_path / "some-machine"
    folder.mkdir()
    (folder / "machine.json").write_text('{"machine": "some-machine", "cpu": "A CPU", "version": 1}')
    data = {
        "commit_hash": "0123456789abcdef",
        "env_vars": {"FASTBP_NUM_THREADS": "2"},
        "result_columns": COLUMNS,
        "results": {
            "step.Adam.time_fit": [
                [0.123456789, None, math.nan],
                [["'4-16-3'", "'30-100-2'", "'64-100-10'"]],
                "v",
                1700000000000,
                1.5,
                [[0.1234567891, 0.123456788, 0.5], None, None],
            ],
            "memory.Process.peakmem_fit": [[200000000], [], "v", 1700000000001],
            "kernels.Gemm.time_fastbp": [None, [["'a'", "'b'"]], "v", 1700000000000],
        },
        "version": 2,
    }
    (folder / "01234567-env.json").write_text(json.dumps(data))
    return tmp_path


def test_values_failures_and_skips(results):
    outcome = load_outcome(results / "some-machine" / "01234567-env.json")
    fit = Key("step.Adam.time_fit", ("4-16-3",), 2)
    assert set(outcome.values) == {fit, Key("memory.Process.peakmem_fit", (), 2)}
    assert outcome.values[fit].samples == (0.1234567891, 0.123456788, 0.5)
    assert outcome.failed == [
        Key("step.Adam.time_fit", ("30-100-2",), 2),
        Key("kernels.Gemm.time_fastbp", ("a",), 2),
        Key("kernels.Gemm.time_fastbp", ("b",), 2),
    ]
    assert outcome.skipped == [Key("step.Adam.time_fit", ("64-100-10",), 2)]


def test_series_are_by_commit_and_know_no_old_versions(results):
    series = load_series(results / "some-machine", {"memory.Process.peakmem_fit": "v", "step.Adam.time_fit": "w"})
    assert list(series) == [Key("memory.Process.peakmem_fit", (), 2)]
    assert series[Key("memory.Process.peakmem_fit", (), 2)]["01234567"].median == 200000000
    assert [machine["machine"] for machine in machines(results)] == ["some-machine"]


def test_tidy_rounds_and_asv_can_still_read_it(results):
    asv_results = pytest.importorskip("asv.results")
    path = results / "some-machine" / "01234567-env.json"
    data = json.loads(path.read_text())
    missing = {
        "env_name": "env",
        "date": 0,
        "params": {"machine": "some-machine"},
        "python": "3.11",
        "requirements": {},
    }
    path.write_text(json.dumps(missing | data | {"durations": {}}))
    tidy(results / "some-machine")
    once = path.read_text()
    assert "0.12346" in once
    assert "0.1234567" not in once
    assert max(map(len, once.splitlines())) < 400
    tidy(results / "some-machine")
    assert path.read_text() == once
    loaded = asv_results.Results.load(str(path), "some-machine")
    assert loaded.get_result_value("memory.Process.peakmem_fit", []) == [200000000]


def test_a_machines_name_says_what_it_is_and_not_whose():
    name = slug("Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz icelake-server")
    assert name == "intel-xeon-gold-6338-cpu-2-00ghz-icelake-server"


def test_environments_are_logged_when_they_change():
    now = ("some-cpu-2-cpus", "Linux 6.1", "Python 3.11.7")
    log = "| date | machine |\n|---|---|\n| 2026-01-01 | some-cpu-2-cpus | Linux 6.1 | Python 3.11.7 | a remark |\n"
    assert environments.changed("", now)
    assert not environments.changed(log, now)
    assert environments.changed(log, ("some-cpu-2-cpus", "Linux 6.2", now[2]))
    assert environments.changed(log, ("other-cpu", *now[1:]))
    later = "| 2026-01-02 | some-cpu-2-cpus | Linux 6.2 | Python 3.11.7 | |\n"
    assert environments.changed(log + later, now)
