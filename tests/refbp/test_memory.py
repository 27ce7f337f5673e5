"""What two programs hold in memory, predicted and measured: refbp by tracemalloc, fastbp by its buffers."""

from itertools import pairwise

import numpy as np
import pytest
from benchmarks.common import Workload, make_problem
from hypothesis import given, settings
from hypothesis import strategies as st

from fastbp.network.plan import make_plan
from refbp.accounting.cost import MOMENTS, Cost, Memory
from refbp.accounting.memory import Tile, fused_memory, reference_memory, traced_peak
from support.accounting import (
    OPTIMIZERS,
    buffer_bytes,
    cost_of,
    counted_multiply_adds,
    open_session,
    reference_peak,
    tile_of,
)

SMALL = [
    Workload((3, 2), 1),
    Workload((4, 16, 3), 32),
    Workload((30, 100, 2), 200),
    Workload((5, 49, 1, 47, 48, 12), 7),
]
LARGE = [
    Workload((784, 1024, 1024, 10), 256),
    Workload((100, 512, 512, 512, 2), 1024),
    Workload((480, 480, 480), 480),
    Workload((1440, 480, 1440), 2000),
]

each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS)
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def test_all_optimizers_are_measured():
    assert OPTIMIZERS.keys() == MOMENTS.keys()


# ---- refbp ----


def in_passing(workload):
    """The stated bound: four arrays of eight-byte numbers as large as the largest matrix; and 10 kB for objects."""
    sizes, n = workload
    return 4 * 8 * max(*(a * b for a, b in pairwise(sizes)), n * max(sizes)) + 10_000


@each_optimizer
@each_dtype
@pytest.mark.parametrize(
    "workload",
    [Workload((64,) * 12, 500), Workload((300,) * 9, 20), Workload((128,) * 12, 128), Workload((400, 500, 10), 100)],
    ids=["many rows", "many parameters", "as many of both", "few layers"],
)
def test_memory_of_refbp_is_measured(workload, dtype, optimizer):
    predicted = reference_memory(cost_of(workload, dtype, optimizer)).total
    assert predicted <= reference_peak(workload, dtype, optimizer) <= predicted + in_passing(workload)


@pytest.mark.parametrize(
    ("workload", "names"),
    [(Workload((64,) * 12, 500), ["activations", "deltas"]), (Workload((300,) * 9, 20), ["gradients", "moments"])],
)
def test_measurement_tells_wrong_predictions(workload, names):
    """The bound is narrow enough to see one kind of array missing, wherever the peak is."""
    right = reference_memory(cost_of(workload, "float64"))
    measured = reference_peak(workload, "float64")
    for name in names:
        wrong = right._replace(**{name: getattr(right, name) // 2}).total
        assert measured > wrong + in_passing(workload) / 4, f"half of the {name} would do"
    assert cost_of(workload, "float64").training.total < measured


def test_traced_peak_sees_what_was_dropped_again():
    def program():
        np.ones(100_000)
        return np.ones(1000)

    assert 800_000 <= traced_peak(program) < 801_000
    with pytest.raises(ZeroDivisionError):
        traced_peak(lambda: 1 / 0)
    assert traced_peak(program) < 801_000, "tracing has ended, and begins anew"


# ---- the fused design ----


def test_fused_by_hand():
    cost = Cost((5, 6, 3), 7, "float32", "adam")
    comp = fused_memory(cost, Tile(2, 4, 3), threads=3)
    weights = 4 * ((6 + 1) * 8 + (6 + 1) * 4)  # 5 -> 6 rows and the biases'; 6 -> 8 columns, 3 -> 4
    assert comp == Memory(
        parameters=weights,
        transposed=4 * 3 * 8,  # 3 rows, 6 -> 8 columns
        moments=2 * weights,
        minibatch=4 * 9 * 8,  # 7 -> 8 rows and one more
        activations=4 * 9 * 8,
        deltas=4 * 9 * (8 + 4),
        scratch=4 * 3 * ((1 + 2) * 16 + 2 * 4) + 8 * (7 + (4 * 2 + 4 * 1) + 1),
    )


@pytest.mark.parametrize("sizes", [(3, 2), (4, 7, 3), (5, 8, 8, 6, 2), (30, 1, 20)])
def test_fused_has_no_gradients(sizes):
    """The design keeps less than the two passes: no gradients, no outputs in addition to their deltas, no y."""
    cost = Cost(sizes, 10, "float64", "adam")
    fused, kept = fused_memory(cost), cost.training
    assert fused == kept._replace(
        gradients=0,
        transposed=8 * sum(a * b for a, b in list(pairwise(sizes))[1:]),
        minibatch=kept.minibatch - 8 * 10 * sizes[-1],
        activations=kept.activations - 8 * 10 * sizes[-1],
    )


@each_dtype
@pytest.mark.parametrize("workload", LARGE, ids=str)
def test_fastbp_holds_what_the_design_says(workload, dtype):
    """Within 10 %, where padding and scratch do not count. It is less than refbp takes."""
    cost = cost_of(workload, dtype)
    design, measured = fused_memory(cost).total, buffer_bytes(workload, dtype).total
    assert design < measured < 1.1 * design
    assert measured < reference_memory(cost).total


@each_optimizer
@each_dtype
@pytest.mark.parametrize("workload", SMALL, ids=str)
def test_fastbp_holds_what_is_said_with_tiles(workload, dtype, optimizer):
    """To the byte, however small."""
    predicted = fused_memory(cost_of(workload, dtype, optimizer), tile_of(dtype))
    rows = predicted.minibatch + predicted.activations + predicted.deltas
    assert predicted._replace(minibatch=0, activations=rows, deltas=0) == buffer_bytes(workload, dtype, optimizer)


def test_each_thread_has_its_scratch():
    workload = Workload((64, 100, 10), 200)
    cost, tile = cost_of(workload, "float32"), tile_of("float32")
    with open_session(workload, make_problem(workload, 1, np.float32), threads=3) as session:
        more = session.engine.buffers.scratch.nbytes * 2 // 3
    assert fused_memory(cost, tile, threads=3).scratch == fused_memory(cost, tile).scratch + more


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.lists(st.integers(1, 200), min_size=2, max_size=6), st.integers(1, 5000), st.sampled_from(["float32", "float64"])
)
def test_layout_is_that_of_fastbps_plan(sizes, batch, dtype):
    """Also of minibatches so large that they are carried through in blocks."""
    plan = make_plan(tuple(sizes), batch, np.dtype(dtype))
    memory = fused_memory(Cost(sizes, batch, dtype, "sgd"), tile_of(dtype)._replace(block=plan.block))
    itemsize = np.dtype(dtype).itemsize
    assert memory.parameters == memory.moments == plan.params * itemsize
    assert memory.gradients == plan.gradient * itemsize
    assert memory.transposed == plan.transposed * itemsize
    assert memory.minibatch + memory.activations + memory.deltas == plan.workspace * itemsize
    assert memory.scratch == plan.scratch * itemsize + 8 * (plan.block + plan.tiles + 1)


@pytest.mark.parametrize("workload", [Workload((30, 100, 2), 200), Workload((5, 4, 3, 2), 9)], ids=str)
def test_multiply_adds_are_those_of_the_graph(workload):
    cost = cost_of(workload, "float32")
    assert (cost.forward, cost.backward) == counted_multiply_adds(workload)
