"""The suite that asv runs on every commit: rules that asv itself does not check, and traps that it has."""

import ast
import json
import re
import shutil
import sys
from pathlib import Path

import pytest
from benchmarks.common import WORKLOADS
from benchmarks.dashboard import measure, tool
from benchmarks.dashboard.__main__ import parse
from benchmarks.trainings import TRAININGS

from support.asv_tree import MACHINE, discover, make_tree, run

asv_config = pytest.importorskip("asv.config")

SUITE = Path(__file__).parents[1] / "benchmarks" / "suite"
SOURCES = sorted(path for path in SUITE.glob("*.py") if path.name != "__init__.py")
BENCHMARK = re.compile(r"(time|timeraw|track|peakmem|mem)_")


def classes(path):
    """Classes of a module, with those that they inherit from in the same module."""
    nodes = {node.name: node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)}
    for node in nodes.values():
        bases = [nodes[base.id] for base in node.bases if isinstance(base, ast.Name) and base.id in nodes]
        yield node, bases


def methods(node):
    return {child.name: child for child in node.body if isinstance(child, ast.FunctionDef)}


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    """What asv finds in the suite."""
    tree = tmp_path_factory.mktemp("tree")
    make_tree(tree, ["Begin"])
    return discover(tree), tree


def test_asv_check(listed):
    out = run(sys.executable, "-m", "asv", "check", "--environment=existing", cwd=listed[1])
    assert "No problems found" in out


def test_the_example_for_newcomers_works(listed, tmp_path):
    text = (SUITE.parent / "dashboard.md").read_text(encoding="utf-8")
    example = re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1)
    assert example.count("\n") < 20
    tree = tmp_path / "tree"
    shutil.copytree(listed[1], tree)
    with (tree / "benchmarks" / "suite" / "kernels.py").open("a") as kernels:
        kernels.write(f"\n\n{example}")
    options = ("--environment=existing", "--quick", "--dry-run", "--machine", MACHINE["machine"], "--bench", "Predict")
    out = run(sys.executable, "-m", "asv", "run", *options, cwd=tree, HOME=str(tree / "home"))
    assert re.search(r"kernels\.Predict\.time_linear +ok", out), out


def test_every_setting_is_one_that_asv_reads():
    """A misspelled one would be ignored without a word."""
    known = vars(asv_config.Config()).keys() | {"version", "build_cache_size"}
    assert not tool.load_config().keys() - known


def test_both_thread_counts_share_an_environment(monkeypatch):
    environment = pytest.importorskip("asv.environment")
    pytest.importorskip("asv.plugin_manager")
    config = asv_config.Config.from_json(tool.load_config())
    entries = list(environment.iter_matrix("virtualenv", config.pythons, config))
    names = []
    for entry in entries:
        python, requirements, variables = environment._parse_matrix_entries(entry)
        requirements = {name: v for name, v in requirements.items() if name != "pip+asv_runner"}
        names.append(environment.get_env_name("virtualenv", python, requirements, variables))
    assert names == tool.environment_names([1, 2])
    monkeypatch.chdir(tool.ROOT)
    assert len({made.dir_name for made in environment.get_environments(config, None)}) == 1
    assert all(len(name) < 128 for name in names), "asv would name results by a hash"


def test_the_modules_are_those_that_the_history_measures(listed):
    assert {name.partition(".")[0] for name in listed[0]} == set(measure.MODULES)


def test_nothing_is_listed_twice(listed):
    """A class that a module imports would be measured again under that module's name."""
    code = [benchmark["code"] + str(benchmark["name"].rpartition(".")[2]) for benchmark in listed[0].values()]
    owners = [name.split(".")[:2] for name in listed[0]]
    defined = {(path.stem, node.name) for path in SOURCES for node, _ in classes(path)}
    assert len(code) == len(listed[0])
    assert {tuple(owner) for owner in owners} <= defined


def test_every_class_is_checked_before_it_is_timed(listed):
    """By a `setup_cache` of its own class or module: asv identifies them by their line number."""
    for name, benchmark in listed[0].items():
        if not name.startswith("control.") and name != "step.Roofline.track_time_over_roofline":
            assert benchmark.get("setup_cache_key"), name
    for path in SOURCES:
        for node, bases in classes(path):
            for base in bases:
                assert "setup_cache" not in methods(base), f"{node.name} shares that of {base.name}"


def test_tracked_values_are_costs_with_a_unit(listed):
    tracked = {name: benchmark for name, benchmark in listed[0].items() if benchmark["type"] == "track"}
    assert len(tracked) >= 4
    for name, benchmark in tracked.items():
        assert re.search(r"_over_\w+$", name), f"{name} does not say what it is divided by"
        assert benchmark["unit"].startswith("times "), name


def test_all_workloads_are_timed(listed):
    assert [training.workload for training in TRAININGS.values()] == list(WORKLOADS)
    assert listed[0]["step.Adam.time_fit"]["params"] == [[repr(name) for name in TRAININGS]]


def test_only_public_names_of_fastbp_are_used():
    """The suite also runs on old commits; only the roofline needs a name that some do not have, and skips them."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fastbp"):
                assert node.module == "fastbp", f"{path.name} imports {node.module}"


def test_trainings_are_as_they_were():
    """Figures are compared across versions."""
    lengths = [(training.steps, training.epochs) for training in TRAININGS.values()]
    assert lengths == [(1000, 8), (100, 6), (100, 4), (10, 4), (10, 2), (8, 2), (4, 2), (4, 1), (2, 2)]
    assert TRAININGS["4-16-3"].samples == 32 * 1000 * 8


def test_thresholds_can_be_read(listed):
    thresholds = tool.load_config()["regressions_thresholds"]
    for pattern, share in thresholds.items():
        assert any(re.match(pattern, name) for name in listed[0]), f"{pattern} matches nothing"
        assert 0.05 <= share < 0.2001


def test_skips_are_for_missing_peers_only(monkeypatch):
    key = measure.Key("peers.Step.track_time_over_peer", ("torch", "64-100-10"), 1)
    monkeypatch.setattr(measure, "find_spec", lambda name: None)
    assert measure._may_be_skipped(key)
    assert not measure._may_be_skipped(key._replace(benchmark="step.Adam.time_fit"))
    monkeypatch.setattr(measure, "find_spec", lambda name: name)
    assert not measure._may_be_skipped(key)


def test_command_line(capsys):
    options = parse(["compare", "main", "HEAD", "--threads", "1", "--bench", "kernels"])
    assert (options.base, options.head, options.threads, options.bench) == ("main", "HEAD", [1], ["kernels"])
    assert parse(["history", "--points", "20"]).points == 20
    with pytest.raises(SystemExit):
        parse(["compare", "main"])
    assert "head" in capsys.readouterr().err


def test_settings_are_changed_for_one_call():
    with tool.changed_config({"results_dir": "elsewhere"}) as path:
        config = json.loads(path.read_text())
        assert config["results_dir"] == str(tool.ROOT / "elsewhere")
        assert Path(config["benchmark_dir"]).is_dir()
        assert (path.parent / "pyproject.toml").read_text() == (tool.ROOT / "pyproject.toml").read_text()
        assert not list(tool.ROOT.glob(".asv-*"))
    assert not path.exists()
