"""benchmarks.scaling: numbers worked out by hand, divisions against the plan, the page against saved costs."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from benchmarks.common import WORKLOADS, Workload
from benchmarks.documents import load_result, put_between
from benchmarks.scaling import __main__ as command
from benchmarks.scaling import model, replay, report
from benchmarks.scaling.model import CORES, Division, Machine, Shares, Terms

from fastbp.compiler.target import TARGET
from fastbp.network.plan import make_plan, tile_bounds
from fastbp.threads.jobs import choose_threads

ROOT = Path(__file__).parents[1]
F4 = np.dtype(np.float32)

# A machine on which nothing but the work takes time.
FREE = Machine(
    l2_bytes=1000,
    l3_bytes=10_000,
    barrier_alone=0.0,
    barrier_pair=0.0,
    slice=0.0,
    bandwidth_core=math.inf,
    bandwidth=math.inf,
    l3_core=math.inf,
    l3_pair=math.inf,
    near_read=0.0,
    near_written=0.0,
    far_read=0.0,
    far_written=0.0,
)
# A block of rows takes a second, so does a column.
SHARES = Shares({0: 0.0, 64: 64.0}, {0: 0.0, 640: 640.0}, 0.0)


def division(cores, **changes):
    """64 blocks and 640 columns, which up to 64 cores share evenly."""
    even = Division(
        cores=cores,
        blocks=64,
        longest_blocks=math.ceil(64 / cores),
        columns=640,
        longest_columns=math.ceil(640 / cores),
        read=0.0,
        written=0.0,
        working_set=0,
        streamed=0,
    )
    return even._replace(**changes)


def speedups(machine, shares, cores=CORES, **changes):
    return model.curve(machine, shares, [division(count, **changes) for count in cores])


class TestModel:
    def test_work_that_divides_and_costs_nothing_besides_scales_perfectly(self):
        assert speedups(FREE, SHARES) == pytest.approx(CORES, rel=1e-14)
        assert model.saturation(list(CORES), speedups(FREE, SHARES)) is None

    def test_barriers_that_grow_with_the_cores_end_it(self):
        # 16 / N of work and two barriers of N - 1: 16, 8 + 2, 4 + 6, 2 + 14.
        shares = Shares({0: 0.0, 64: 6.0}, {0: 0.0, 640: 10.0}, 0.0)
        # A step outlasts a slice, so that each has two barriers more.
        machine = FREE._replace(barrier_pair=0.5)
        assert speedups(machine, shares, (1, 2, 4, 8)) == pytest.approx([1, 16 / 10, 16 / 10, 16 / 16], rel=1e-14)
        now, then = (model.predict(machine, shares, division(count)) for count in (2, 4))
        assert model.saturation([1, 2, 4, 8], [1, 1.6, 1.6, 1]) == 2
        assert model.cause(now._replace(slices=0.0), then._replace(slices=0.0)) == "barriers"

    def test_barriers_of_one_core_are_counted(self):
        terms = model.predict(FREE._replace(barrier_alone=3.0, barrier_pair=5.0), SHARES, division(4))
        assert terms.barriers == pytest.approx(2 * (3 + 2 * 3))

    def test_ten_tiles_keep_ten_of_sixteen_cores_busy(self):
        shares = Shares({0: 0.0, 64: 0.0}, {0: 0.0, 480: 480.0}, 0.0)
        whole = division(1, columns=480, longest_columns=480)
        ten_tiles = division(16, columns=480, longest_columns=48)
        assert model.curve(FREE, shares, [whole, ten_tiles]) == pytest.approx([1, 10], rel=1e-14)
        terms = model.predict(FREE, shares, ten_tiles)
        assert terms.work == pytest.approx(30)
        assert terms.tiles == pytest.approx(18)

    def test_rows_come_in_blocks(self):
        shares = Shares({0: 0.0, 64: 64.0}, {0: 0.0, 640: 0.0}, 0.0)
        terms = model.predict(FREE, shares, division(3, longest_blocks=22, longest_columns=214))
        assert terms.rows == pytest.approx(22 - 64 / 3)
        assert sum(terms) == pytest.approx(22)

    def test_what_short_shares_cost_beyond_their_parts(self):
        # Every row phase reads all weights, which takes 5 seconds however few its rows are; small tiles are quicker.
        shares = Shares({16: 16 + 5.0, 64: 64 + 5.0}, {160: 150.0, 640: 640.0}, 0.0)
        terms = model.predict(FREE, shares, division(4))
        assert terms.short == pytest.approx((21 - 69 / 4) + (150 - 160))
        assert sum(terms) == pytest.approx(21 + 150)

    def test_the_serial_part_is_amdahls_law(self):
        shares = Shares({0: 0.0, 64: 40.0}, {0: 0.0, 640: 50.0}, 10.0)
        expected = [1 / (0.1 + 0.9 / cores) for cores in CORES]
        assert speedups(FREE, shares) == pytest.approx(expected, rel=1e-14)
        now, then = (model.predict(FREE, shares, division(count)) for count in (32, 64))
        assert model.cause(now, then) == "serial"

    def test_traffic_is_dear_where_it_would_have_been_in_l2(self):
        machine = FREE._replace(near_read=1.0, near_written=10.0, far_read=0.25, far_written=2.0)
        assert model.traffic(machine, division(2, read=1000.0, written=3.0)) == pytest.approx(1030)
        assert model.traffic(machine, division(2, read=1004.0, written=3.0)) == pytest.approx(257)

    def test_a_step_waits_for_memory_unless_the_caches_hold_it(self):
        machine = FREE._replace(bandwidth_core=2.0, bandwidth=5.0)
        streamed = {"working_set": 13_000, "streamed": 1000}
        assert [model.memory(machine, division(n, **streamed)) for n in (1, 2, 3, 4)] == [500, 250, 0, 0]
        terms = model.predict(machine, SHARES, division(2, **streamed | {"streamed": 2000}))
        assert terms.memory == pytest.approx(2000 / 4 - 704 / 2)
        assert sum(terms) == pytest.approx(500)
        assert model.predict(machine, SHARES, division(2, **streamed)).memory == 0

    def test_all_cores_share_the_memory(self):
        machine = FREE._replace(bandwidth_core=2.0, bandwidth=5.0, l2_bytes=0)
        assert model.memory(machine, division(64, working_set=13_000, streamed=1000)) == 200

    def test_slices_are_shared_by_their_steps(self):
        shares = Shares({0: 0.0, 64: 0.005}, {0: 0.0, 640: 0.005}, 0.0)
        terms = model.predict(FREE._replace(slice=0.02), shares, division(1))
        assert terms.slices == pytest.approx(0.02 / 4)

    def test_terms_go_the_way_they_must(self):
        machine = Machine(1 << 20, 1 << 25, 1e-8, 1e-7, 4e-6, 2e10, 3e10, 9e10, 6e10, 3e-11, 4e-10, 3e-11, 2e-10)
        for workload in WORKLOADS:
            divisions = [model.divide(workload, cores, F4) for cores in CORES]
            terms = [model.predict(machine, SHARES, each) for each in divisions]
            for now, then in itertools.pairwise(terms):
                assert then.work < now.work
                assert then.barriers > now.barriers
                assert then.serial >= now.serial
            for now, then in itertools.pairwise(divisions):
                assert then.longest_blocks <= now.longest_blocks
                assert then.longest_columns <= now.longest_columns
                assert then.written < now.written or now.cores == 1
            assert all(getattr(each, name) >= 0 for each in terms for name in Terms._fields if name != "short")

    def test_the_cause_is_what_misses_most_of_a_doubling(self):
        none = Terms(*[0.0] * len(Terms._fields))
        now = none._replace(work=20.0, traffic=10.0)
        # Traffic should have come down to 5 and barriers be none.
        assert model.cause(now, none._replace(work=10.0, traffic=8.0, barriers=2.0)) == "traffic"
        assert model.cause(now, none._replace(work=10.0, traffic=8.0, barriers=4.0)) == "barriers"

    def test_the_last_doubling_that_is_worth_it(self):
        assert model.saturation([1, 2, 4, 8], [1, 2, 2.39, 2.5]) == 2
        # Two cores may be held up by traffic that more of them share.
        assert model.saturation([1, 2, 4, 8], [1, 1.1, 1.9, 2.0]) == 4
        assert model.saturation([1, 2, 4], [1, 1.2, 1.44]) is None
        assert model.saturation([1, 2, 4], [1, 0.5, 0.4]) == 1

    def test_sizes_between_those_that_were_measured(self):
        assert model.interpolate({4: 10.0, 8: 30.0}, 8) == 30
        assert model.interpolate({8: 30.0, 4: 10.0}, 5) == 15
        assert model.interpolate({4: 10.0, 8: 30.0}, 1) == 10


class TestDivision:
    @pytest.mark.parametrize("cores", [1, 2, 3, 16, 64])
    @pytest.mark.parametrize("workload", WORKLOADS[:6], ids=str)
    def test_the_longest_shares_are_those_of_the_plan(self, workload, cores):
        plan = make_plan(workload.sizes, workload.batch, F4)
        found = model.divide(workload, cores, F4)
        columns, bounds = model.tile_columns(plan), tile_bounds(plan, cores)
        assert len(columns) == plan.tiles
        owner = np.repeat(np.arange(cores), np.diff(bounds))
        assert found.longest_columns == max(np.bincount(owner, weights=columns, minlength=cores))
        assert found.columns == columns.sum()
        # As `kernels.step` divides rows.
        blocks = math.ceil(workload.batch / TARGET.mr)
        shares = [blocks * (thread + 1) // cores - blocks * thread // cores for thread in range(cores)]
        assert (found.blocks, found.longest_blocks) == (sum(shares), max(shares))

    def test_more_cores_than_tiles(self):
        tiles = model.tile_columns(make_plan((4, 16, 3), 32, F4))
        found = model.divide(Workload((4, 16, 3), 32), 16, F4)
        assert len(tiles) < 16
        assert found.longest_columns == tiles.max()
        assert sum(model.predict(FREE, SHARES, division(16, columns=found.columns, longest_columns=tiles.max()))) > 16

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_bytes_of_the_smallest_network(self, dtype):
        mr, itemsize = TARGET.mr, np.dtype(dtype).itemsize
        lane = TARGET.vector_bytes // itemsize
        # A tile of the weight and one of the bias, a block of rows, a vector of samples and one of deltas in each row.
        weights, samples, deltas = mr * lane + lane, mr * lane, mr * lane
        found = model.divide(Workload((1, 1), 1), 2, dtype)
        assert found.written == itemsize * (weights + samples + deltas) / 2
        assert found.read == itemsize * (weights + deltas + mr * mr) / 2
        alone = model.divide(Workload((1, 1), 1), 1, dtype)
        assert (alone.read, alone.written) == (0, 0)

    def test_transposed_weights_of_all_layers_but_the_first(self):
        mr, lane = TARGET.mr, TARGET.vector_bytes // 4
        plan = make_plan((1, 1, 1), 1, F4)
        assert model.weight_elements(plan) == 2 * (mr * lane + lane) + mr * lane
        # Samples, activations and deltas of the hidden layer, deltas of the output.
        assert model.activation_elements(plan) == mr * 4 * lane

    def test_tiles_of_one_panel_read_its_deltas_once(self):
        width = make_plan((1, 1), 1, F4).panel_width
        plan = make_plan((3 * TARGET.mr, 2 * width), TARGET.mr, F4)
        deltas, inputs = TARGET.mr * width, TARGET.mr * TARGET.mr
        assert model.tile_read_elements(plan, 0, 1) == deltas + inputs
        assert model.tile_read_elements(plan, 1, 3) == deltas + 2 * inputs
        assert model.tile_read_elements(plan, 3, 4) == deltas  # the biases
        assert model.tile_read_elements(plan, 2, 5) == 2 * deltas + 2 * inputs
        assert model.tile_read_elements(plan, 0, 8) == 2 * deltas + 3 * inputs
        assert model.tile_read_elements(plan, 4, 4) == 0

    @pytest.mark.parametrize("workload", [*WORKLOADS, Workload((1000, 1000), 2 * TARGET.mr)], ids=str)
    def test_threads_that_fastbp_takes(self, workload, monkeypatch):
        monkeypatch.setenv("FASTBP_NUM_THREADS", "16")
        most = math.ceil(workload.batch / TARGET.mr)
        assert model.default_threads(workload, 16) == choose_threads(None, workload.flops, most)


class TestReplay:
    def test_all_shares_make_a_step_and_a_missing_tile_is_seen(self, monkeypatch):
        workload = Workload((20, 60, 3), 40)
        replay.check(workload, np.float32)

        def without_the_last(plan, cores):
            return np.minimum(tile_bounds(plan, cores), plan.tiles - 1)

        monkeypatch.setattr(replay, "tile_bounds", without_the_last)
        with pytest.raises(replay.Disagreement, match="20-60-3"):
            replay.check(workload, np.float32)

    def test_every_longest_share_is_measured(self):
        workload = Workload((20, 60, 3), 40)
        shares = replay.measure_shares(workload, np.float32, replay.QUICK)
        divisions = [model.divide(workload, cores, np.float32) for cores in CORES]
        assert set(shares.rows) == {each.longest_blocks for each in divisions}
        assert set(shares.tiles) == {each.longest_columns for each in divisions}


def a_result():
    costs = report.Costs(WORKLOADS[1], Shares({1: 1e-6, 25: 2e-5}, {48: 1e-6, 784: 2.5e-5}, 1e-7), {1: 5e-5, 2: 4e-5})
    machine = Machine(1 << 20, 1 << 25, 1e-8, 1e-7, 4e-6, 2e10, 3e10, 9e10, 6e10, 3e-11, 4e-10, 3e-11, 2e-10)
    return report.as_saved(2, "float32", 1.96, [machine], [costs])


class TestReport:
    def test_saved_and_loaded(self, tmp_path):
        path = tmp_path / "new" / "scaling.json"
        report.save(a_result(), path)
        assert load_result(path, report.SCHEMA) == a_result()
        assert report.section(load_result(path, report.SCHEMA)) == report.section(a_result())
        path.write_text(json.dumps({"schema": report.SCHEMA + 1}), encoding="utf-8")
        with pytest.raises(ValueError, match="schema"):
            load_result(path, report.SCHEMA)

    def test_the_machine_is_what_was_measured_in_the_middle(self):
        machines = [FREE._replace(near_written=seconds) for seconds in (3.0, 1.0, 9.0)]
        saved = report.as_saved(2, "float32", 2.0, machines, [])
        assert saved["machine"]["near_written"] == 3
        assert saved["written"] == [1, 9]
        assert saved["machine"]["l2_bytes"] == 1000

    def test_costs_come_back(self):
        costs = report.costs_of(json.loads(json.dumps(a_result()))["workloads"][0])
        assert costs.workload == WORKLOADS[1]
        assert costs.shares.rows == {1: 1e-6, 25: 2e-5}
        assert costs.speedup == pytest.approx(1.25)

    def test_the_check_has_both_and_their_difference(self):
        row = report.check_table(a_result()).splitlines()[2].split(" | ")
        step = 2e-5 + 2.5e-5 + 1e-7 + 2e-8 + (4e-6 + 2e-8) / 886
        assert row[2] == f"{1e6 * step:.1f}"
        assert row[3:5] == ["50.0", f"{100 * (step / 5e-5 - 1):+.0f} %"]
        assert row[6] == "1.25"
        assert float(row[7].strip(" |")) == pytest.approx(float(row[5]) - 1.25, abs=0.011)

    def test_parts_sum_up(self):
        row = report.term_table(a_result()).splitlines()[2].strip("| ").split(" | ")
        parts = [int(cell.removesuffix(" %")) for cell in row[4:]]
        assert len(parts) == len(Terms._fields)
        # Each is rounded to the next whole number.
        assert abs(sum(parts) - 100) <= len(parts) / 2

    def test_what_is_not_held_up_by_memory_is_not_said_to_be(self):
        assert report.memory_text(a_result()) == ""
        slow = a_result()
        slow["machine"] |= {"l2_bytes": 0, "l3_bytes": 0, "bandwidth": 1e6}
        assert "30-100-2" in report.memory_text(slow)

    def test_only_what_is_between_the_marks_changes(self):
        text = f"a\n{report.BEGIN}\nold\n{report.END}\nb\n"
        assert put_between(text, report.BEGIN, report.END, "new\\1") == f"a\n{report.BEGIN}\nnew\\1\n{report.END}\nb\n"
        with pytest.raises(ValueError, match="no marks"):
            put_between("a", report.BEGIN, report.END, "new")

    def test_the_page_has_what_was_saved(self):
        text = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
        body = text.partition(report.BEGIN)[2].partition(report.END)[0].strip()
        saved = sorted((ROOT / "benchmarks" / "results").glob("scaling-*.json"))
        assert body in [report.section(load_result(path, report.SCHEMA)) for path in saved]


class TestCommand:
    @pytest.mark.parametrize("arguments", [["--quick"], ["--first", "2"], ["--bandwidth", "100"]])
    def test_only_a_complete_run_is_written_into_the_docs(self, arguments, capsys):
        assert not command.parse(arguments).write
        with pytest.raises(SystemExit):
            command.parse([*arguments, "--write"])
        assert "complete run" in capsys.readouterr().err

    def test_saved_costs_are_enough(self, tmp_path, monkeypatch, capsys):
        path = tmp_path / "costs.json"
        report.save(a_result(), path)
        monkeypatch.setattr("sys.argv", ["scaling", "--costs", str(path)])
        command.main()
        assert report.section(a_result()) in capsys.readouterr().out

    def test_another_bandwidth(self, tmp_path, monkeypatch, capsys):
        path = tmp_path / "costs.json"
        report.save(a_result(), path)
        monkeypatch.setattr("sys.argv", ["scaling", "--costs", str(path), "--bandwidth", "250"])
        command.main()
        assert "250 to all" in capsys.readouterr().out


class TestPicture:
    def test_the_same_costs_give_the_same_picture(self, tmp_path):
        plot = pytest.importorskip("benchmarks.scaling.plot", exc_type=ImportError)
        for name in ("a.svg", "b.svg"):
            plot.draw(a_result(), tmp_path / name)
        text = (tmp_path / "a.svg").read_text(encoding="utf-8")
        assert text == (tmp_path / "b.svg").read_text(encoding="utf-8")
        assert "<metadata>" not in text
