"""benchmarks.peers: the check can fail, pairs are pairs, a frozen peer rests, and the tables are the saved ones."""

import copy
import importlib
import importlib.util
import itertools
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
from benchmarks.common import WORKLOADS, Workload
from benchmarks.documents import load_result, put_between
from benchmarks.peers import __main__ as command
from benchmarks.peers import check, driver, report, roofline, worker
from benchmarks.peers.process import Died, Peer

from support.threads import wait_for

ROOT = Path(__file__).parents[1]
SMALL = Workload((6, 20, 2), 16)


def losses_of(trainer, dtype):
    return worker.Worker(SimpleNamespace(Trainer=trainer), dtype).check(SMALL.sizes, SMALL.batch)["losses"]


@pytest.fixture
def fastbp():
    return importlib.import_module("benchmarks.peers.rivals.fastbp").Trainer


class TestCheck:
    def test_loss_of_weights_that_are_zero(self):
        problem = check.check_problem(SMALL, "float64")
        zeros = [np.zeros_like(w) for w in problem.weights]
        assert check.loss(problem, zeros, problem.biases, SMALL.batch) == pytest.approx(math.log(2), rel=1e-15)
        ones = [np.ones_like(w) for w in problem.weights]
        penalty = 0.5 * check.DECAY * (6 * 20 + 20 * 2)
        # All outputs are equal again, by symmetry.
        assert check.loss(problem, ones, problem.biases, SMALL.batch) == pytest.approx(math.log(2) + penalty, rel=1e-14)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_scikit_learn_comes_along_the_same_losses(self, fastbp, dtype):
        rival = importlib.import_module("benchmarks.peers.rivals.sklearn").Trainer
        ours = losses_of(fastbp, dtype)
        assert len(ours) == 1 + check.EPOCHS
        assert len(set(ours)) == len(ours)
        assert check.agree(losses_of(rival, dtype), ours, SMALL, dtype)

    @pytest.mark.parametrize("name", ["torch", "jax"])
    def test_the_others_do_as_well(self, fastbp, name):
        with Peer(name, 1, "float64") as peer:
            peer.ready()
            if peer.missing:
                pytest.skip(f"{name}: {peer.missing}")
            losses = peer.ask("check", sizes=SMALL.sizes, batch=SMALL.batch)["losses"]
        assert check.agree(losses, losses_of(fastbp, "float64"), SMALL, "float64")

    def faulty(self, fastbp, fault):
        def trainer(problem, batch, alpha):
            if fault == "no decay":
                return fastbp(problem, batch, 0.0)
            if fault == "decay not divided by the batch":
                return fastbp(problem, batch, alpha * batch)
            if fault == "no shuffling":
                return fastbp(problem._replace(order=np.arange(len(problem.x))), batch, alpha)
            if fault == "no bias":
                return fastbp(problem._replace(biases=[b + 0.01 for b in problem.biases]), batch, alpha)
            return fastbp(problem, 2 * batch, 2 * alpha)

        return trainer

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize(
        "fault", ["no decay", "decay not divided by the batch", "no shuffling", "no bias", "twice the batch"]
    )
    def test_another_training_is_seen(self, fastbp, fault, dtype):
        assert not check.agree(losses_of(self.faulty(fastbp, fault), dtype), losses_of(fastbp, dtype), SMALL, dtype)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("factor", [0.98, 1.02])
    def test_another_learning_rate_is_seen(self, fastbp, monkeypatch, factor, dtype):
        ours = losses_of(fastbp, dtype)
        monkeypatch.setattr("benchmarks.peers.rivals.LEARNING_RATE", 0.001 * factor)
        assert not check.agree(losses_of(fastbp, dtype), ours, SMALL, dtype)

    def test_losses_that_are_not_numbers_are_seen(self):
        assert not check.agree([1.0, math.nan], [1.0, 0.9], SMALL, "float32")

    def test_the_driver_names_who_disagrees(self):
        def peer(name, losses):
            return SimpleNamespace(name=name, ask=lambda *_, **__: {"losses": losses, "first_call_s": 0.1})

        figures = driver.check_losses([peer("fastbp", [1.0, 0.5]), peer("jax", [1.0, 0.5001])], SMALL, "float32")
        assert [of_peer["deviation"] for of_peer in figures] == [0, pytest.approx(2e-4)]
        with pytest.raises(driver.Disagreement, match="JAX"):
            driver.check_losses([peer("fastbp", [1.0, 0.5]), peer("jax", [1.0, 0.51])], SMALL, "float32")
        with pytest.raises(driver.Disagreement, match="JAX"):
            driver.check_losses([peer("fastbp", [1.0, 0.5]), peer("jax", [1.0, 0.5001])], SMALL, "float64")


class TestRoofline:
    def test_traffic_of_a_step(self):
        weights = 2 * (4 * 10 * 3 + 4 * 3 * 2)  # w, m, v and the transposed, read and written
        first = 2 * 10 * 3  # which has no transposed
        rows = 7 * (10 + 3 + 2 + 2)
        assert roofline.step_bytes(Workload((10, 3, 2), 7), 4) == 4 * (weights - first + rows)

    def test_the_slower_of_the_two_counts(self):
        step = Workload((10, 3, 2), 7)
        bound_by_memory = roofline.step_seconds(step, 4, roofline.Machine(1e9, 1e-9))
        assert bound_by_memory == pytest.approx(roofline.step_bytes(step, 4))
        assert roofline.step_seconds(step, 4, roofline.Machine(1e-9, 1e9)) == pytest.approx(step.flops)

    def test_the_machine_can_do_something(self):
        machine = roofline.measure("float32", 1)
        assert machine.gflops > 0
        assert machine.gbytes > 0


class Named(NamedTuple):
    """Stands for a `Peer`."""

    name: str
    threads: int


class TestDriver:
    def test_of_a_peers_processes_the_fastest_is_timed(self):
        peers = [Named("fastbp", 2), Named("torch", 1), Named("torch", 2), Named("jax", 1), Named("jax", 2)]
        chosen = driver.fastest(peers, [0.1, 0.4, 0.5, 0.3, 0.2])
        assert list(chosen.items()) == [(peers[0], 0.1), (peers[1], 0.4), (peers[4], 0.2)]

    def test_short_epochs_are_repeated_and_long_ones_are_few(self):
        effort = driver.Effort(turn_seconds=0.01, seconds=8, least_rounds=5, most_rounds=15)
        assert driver.plan({"fastbp": 0.003, "jax": 0.006}, effort) == (4, 15)
        assert driver.plan({"fastbp": 0.1, "jax": 0.3, "torch": 0.3}, effort) == (1, 10)
        assert driver.plan({"fastbp": 1.0, "jax": 3.0}, effort) == (1, 5)
        assert driver.plan({"fastbp": 0.003, "jax": 0.006}, driver.QUICK) == (1, 2)

    def test_ratios_are_taken_pair_by_pair(self):
        # The machine gets slower by and by: medians of times would say 4 / 2 in any order of theirs.
        pairs = {"jax": [(1e-6, 3e-6), (2e-6, 4e-6), (4e-6, 20e-6)], "torch": [(2e-6, 2e-6)] * 3}
        machines = [roofline.Machine(1.0, 100.0), roofline.Machine(2.0, 100.0), roofline.Machine(3.0, 100.0)]
        peers = [Named("fastbp", 2), Named("torch", 1), Named("jax", 2)]
        figures = driver.summarize(SMALL, "float32", driver.Times(peers, 100, pairs, machines))
        assert [figures["peers"][peer.name]["threads"] for peer in peers] == [2, 1, 2]
        assert (figures["rounds"], figures["steps"]) == (3, 100)
        jax = figures["peers"]["jax"]
        assert (jax["ratio"], jax["ratio_worst"]) == (pytest.approx(3), pytest.approx(2))
        assert jax["ratios"] == pytest.approx([3, 2, 5])
        assert figures["peers"]["torch"]["ratio"] == pytest.approx(1)
        ours = figures["peers"]["fastbp"]
        assert (ours["us"], ours["us_least"]) == (pytest.approx(2), pytest.approx(1))
        assert ours["gflops"] == pytest.approx(SMALL.flops / 2e-6 / 1e9)
        assert ours["of_roofline"] == pytest.approx(SMALL.flops / 2e9 / 2e-6)
        assert figures["roofline_us"] == pytest.approx(SMALL.flops / 2e9 * 1e6)

    @pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
    def test_peers_run_in_their_turns_only_and_one_that_is_missing_is_named(self):
        threads = min(2, len(os.sched_getaffinity(0)))
        with driver.started(["fastbp", "sklearn", "nobody"], threads, "float64") as (peers, missing):
            assert list(missing) == ["nobody"]
            assert "nobody" in missing["nobody"]
            processes = [("fastbp", threads), *(("sklearn", count) for count in range(1, threads + 1))]
            assert [(peer.name, peer.threads) for peer in peers] == processes
            assert all(len(os.sched_getaffinity(peer.pid)) == peer.threads for peer in peers)
            figures = driver.compare(peers, SMALL, "float64", threads, driver.QUICK)
            assert figures["peers"]["fastbp"]["deviation"] == 0
            assert len(figures["peers"]["sklearn"]["ratios"]) == 2
            before = [self.state(peer.pid) for peer in peers]
            assert {state for state, _ in before} == {"T"}
            time.sleep(0.05)
            assert [self.state(peer.pid) for peer in peers] == before

    def test_somebody_must_be_there(self):
        with pytest.raises(driver.NothingToCompare, match="nobody"), driver.started(["fastbp", "nobody"], 1, "float64"):
            pass

    def test_a_peer_that_fails_is_named(self, capfd):
        with Peer("fastbp", 1, "float64") as peer:
            peer.ready()
            with pytest.raises(Died, match="fastbp has died with exit status 1"):
                peer.ask("train", epochs=1)  # there is nothing to train on
        assert "Traceback" in capfd.readouterr().err

    def test_a_peer_that_is_killed_in_its_sleep_is_named(self):
        with Peer("fastbp", 1, "float64") as peer:
            peer.ready()
            os.kill(peer.pid, signal.SIGKILL)
            with pytest.raises(Died, match="fastbp has died by SIGKILL"):
                peer.ask("load", sizes=[4, 3], batch=2, steps=2)

    @pytest.mark.skipif(sys.platform != "linux", reason="asks Linux to end the peers")
    @pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
    def test_no_peer_outlives_its_driver(self, how):
        program = """
import time
from benchmarks.peers.process import Peer

with Peer("fastbp", 1, "float32") as peer:
    peer.ready()
    print(peer.pid, flush=True)
    time.sleep(3600)
"""
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        with process:
            pid = int(process.stdout.readline())
            assert self.state(pid)[0] == "T"
            if how == signal.SIGINT:
                os.killpg(process.pid, how)  # as a terminal does
            else:
                process.send_signal(how)
        wait_for(lambda: self.state(pid)[0] == "Z")

    def state(self, pid):
        """State of a process according to the system ("Z" if there is no process), and its CPU time in ticks."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return "Z", 0
        return fields[0], int(fields[11]) + int(fields[12])


def a_result(threads=1):
    ours = {"threads": 1, "us": 1.234567, "gflops": 123.4, "of_roofline": 0.256}
    theirs = {"threads": 1, "us": 4.9, "gflops": 31.0, "of_roofline": 0.06}
    peers = {"fastbp": ours, "jax": theirs | {"ratio": 4.0, "ratio_worst": 0.9871, "ratios": [4.0, 4]}}
    machine = {"peak_gflops": 118.0, "bandwidth_gbytes": 20.0, "roofline_us": 0.3}
    workload = machine | {"sizes": [4, 16, 3], "batch": 32, "rounds": 2, "steps": 1000}
    versions = {"fastbp": "0.1", "jax": "0.10"}
    return {
        "schema": report.SCHEMA,
        "date": "2026-01-31",
        "cpu": "Intel(R) Xeon(R) 8488C @ 2.40GHz",
        "llvm_cpu": "sapphirerapids",
        "threads": threads,
        "dtype": "float32",
        "versions": versions,
        "missing": {"torch_compile": "no compiler"},
        "workloads": [workload | {"peers": peers}],
    }


class TestReport:
    @pytest.mark.parametrize(
        ("value", "text"), [(0.01234, "0.0123"), (1.0, "1.00"), (9.996, "10.00"), (45.67, "45.7"), (12345.6, "12,346")]
    )
    def test_digits(self, value, text):
        assert report.digits(value) == text

    def test_table(self):
        assert report.table(a_result()).splitlines() == [
            "| network | batch | µs a step | GFLOP/s | of roofline | JAX |",
            "| --- | --: | --: | --: | --: | --: |",
            "| 4-16-3 | 32 | 1.23 | 123 | 26 % | 4.00 (0.987) |",
            "| geometric mean |  |  |  |  | **4.00** |",
            "| lowest |  |  |  |  | **4.00** |",
        ]

    def test_over_all_workloads(self):
        result = a_result(2)
        result["workloads"].append(copy.deepcopy(result["workloads"][0]))
        result["workloads"][1]["peers"]["jax"]["ratio"] = 1.0
        assert report.summary(result) == "2 threads, JAX: geometric mean 2.00, lowest 1.00"
        assert report.table(result).splitlines()[-2:] == [
            "| geometric mean |  |  |  |  | **2.00** |",
            "| lowest |  |  |  |  | **1.00** |",
        ]

    def test_lines_for_a_terminal(self):
        first, ours, theirs = report.lines(a_result()["workloads"][0]).splitlines()
        assert first == ("4-16-3, batch 32: roofline 0.300 us a step (118 GFLOP/s, 20 Gbyte/s); 2 rounds of 1000 steps")
        assert ours.split() == ["fastbp", "1", "thread", "1.23", "us", "123", "GFLOP/s", "25.6%", "of", "roofline"]
        assert theirs.endswith("fastbp is 4.00 times as fast, at worst 0.987")

    def test_a_missing_peer_is_named(self):
        assert "Without torch.compile: no compiler." in report.caption(a_result())
        assert "1 thread," in report.caption(a_result(1))
        assert "2 threads," in report.caption(a_result(2))

    def test_four_digits_are_kept(self):
        assert report.rounded({"a": [1.234567, 123456.7], "b": 1234567}) == {"a": [1.235, 123500.0], "b": 1234567}

    def test_geometric_mean(self):
        assert report.geometric_mean([1.0, 4.0, 16.0]) == pytest.approx(4)

    def test_only_what_is_between_the_marks_changes(self):
        text = f"a\n{report.BEGIN}\nold\n{report.END}\nb\n"
        assert put_between(text, report.BEGIN, report.END, "new") == f"a\n{report.BEGIN}\nnew\n{report.END}\nb\n"
        with pytest.raises(ValueError, match="no marks"):
            put_between("a", report.BEGIN, report.END, "new")

    def test_saved_and_loaded(self, tmp_path):
        path = report.save(a_result(), tmp_path / "new")
        assert path.name == "peers-intel-xeon-8488c-2-40ghz-sapphirerapids-1-threads-float32.json"
        loaded = load_result(path, report.SCHEMA)
        assert loaded == a_result()
        path.write_text(json.dumps({"schema": report.SCHEMA + 1}), encoding="utf-8")
        with pytest.raises(ValueError, match="schema"):
            load_result(path, report.SCHEMA)

    def test_the_page_has_what_was_saved(self):
        text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
        body = text.partition(report.BEGIN)[2].partition(report.END)[0].strip()
        results = [load_result(path, report.SCHEMA) for path in sorted(command.RESULTS.glob("peers-*.json"))]
        by_machine = itertools.groupby(results, lambda result: (result["cpu"], result["llvm_cpu"]))
        groups = [[r for r in group if r["dtype"] == "float32"] for _, group in by_machine]
        assert body in ([report.section(group) for group in groups] or [""])


class TestCommand:
    @pytest.mark.parametrize(("cpus", "threads"), [(1, [1]), (4, [1, 4])])
    def test_a_complete_run_is_saved_with_the_others(self, monkeypatch, cpus, threads):
        monkeypatch.setattr(command, "allowed_cpus", lambda: cpus)
        options = command.parse([])
        assert options.complete
        assert options.workloads == WORKLOADS
        assert options.threads == threads

    @pytest.mark.parametrize("arguments", [["--quick"], ["--first", "2"], ["--peers", "jax"]])
    def test_any_other_is_not(self, arguments):
        assert not command.parse(arguments).complete
        with pytest.raises(SystemExit):
            command.parse([*arguments, "--write"])

    def test_a_picture_that_cannot_be_drawn_is_known_before_anything_is_timed(self, monkeypatch, capsys):
        monkeypatch.setattr(command, "find_spec", lambda name: None)
        with pytest.raises(SystemExit):
            command.parse(["--write"])
        assert "matplotlib" in capsys.readouterr().err

    @pytest.mark.parametrize("arguments", ["--threads 0", "--threads 100000", "--peers fastbp"])
    def test_nonsense_is_refused(self, arguments, capsys):
        with pytest.raises(SystemExit):
            command.parse(arguments.split())
        assert "error" in capsys.readouterr().err


class TestPicture:
    @pytest.fixture
    def plot(self):
        pytest.importorskip("matplotlib")
        spec = importlib.util.spec_from_file_location("make_peers", ROOT / "docs" / "img" / "make_peers.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def test_ratios_by_width(self, plot):
        result = a_result()
        result["workloads"].append(result["workloads"][0] | {"sizes": [4, 8, 3]})
        assert plot.ratios_by_width(result, "jax") == {8: [4.0], 16: [4.0]}

    def test_the_same_results_give_the_same_picture(self, plot, tmp_path):
        for name in ("a.svg", "b.svg"):
            plot.draw([a_result(1), a_result(2)], tmp_path / name)
        text = (tmp_path / "a.svg").read_text(encoding="utf-8")
        assert text == (tmp_path / "b.svg").read_text(encoding="utf-8")
        assert "<metadata>" not in text
