"""The layout of a network's buffers and the shares of threads, for any network."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastbp.compiler.target import TARGET
from fastbp.kernels.passes.layout import BIAS_ROW, DZ, FIRST_TILE, N_IN, N_OUT, SLOPES, TILES, W_ROWS, WT, WT_ROWS, H, W
from fastbp.kernels.vectors.types import lanes
from fastbp.network.plan import make_plan, tile_bounds
from support.lattice import DTYPES, panel_width

networks = st.tuples(
    st.lists(st.integers(1, 150), min_size=2, max_size=6).map(tuple),
    st.integers(1, 300),
    st.sampled_from(DTYPES),
)
each_need_of_slopes = pytest.mark.parametrize("slopes", [False, True])
quick = settings(max_examples=100, deadline=None, derandomize=True)


def assert_apart(regions, size):
    """Assert that (first, end) regions do not overlap and lie within a buffer."""
    regions = sorted(regions)
    assert all(first < end for first, end in regions)
    assert all(end <= following for (_, end), (following, _) in pairwise(regions))
    assert regions[0][0] >= 0
    assert regions[-1][1] <= size


def panels(columns, width):
    return -(-columns // width)


@each_need_of_slopes
@quick
@given(network=networks)
def test_regions_do_not_overlap(slopes, network):
    sizes, batch, dtype = network
    plan = make_plan(sizes, batch, np.dtype(dtype), slopes=slopes)
    width, table = plan.panel_width, plan.table
    assert [*table[:, N_IN], table[-1, N_OUT]] == list(sizes)
    assert_apart(
        [(row[W], row[W] + panels(row[N_OUT], width) * row[W_ROWS] * width) for row in table],
        plan.params,
    )
    if len(table) > 1:
        assert_apart(
            [(row[WT], row[WT] + panels(row[N_IN], width) * row[WT_ROWS] * width) for row in table[1:]],
            plan.transposed,
        )
    panel = plan.row_capacity * width
    activations = [(row[H], row[H] + panels(row[N_IN], width) * panel) for row in table]
    deltas = [(row[DZ], row[DZ] + panels(row[N_OUT], width) * panel) for row in table]
    # The output layer has none.
    kept = [(row[SLOPES], row[SLOPES] + panels(row[N_OUT], width) * panel) for row in table[:-1]] if slopes else []
    assert_apart(activations + deltas + kept, plan.workspace)


@quick
@given(networks)
def test_panels_have_room(network):
    sizes, batch, dtype = network
    plan = make_plan(sizes, batch, np.dtype(dtype))
    mr = TARGET.mr
    assert plan.panel_width == panel_width(dtype)
    assert plan.panel_width % mr == 0, "a tile would straddle two panels"
    assert plan.row_capacity >= -(-batch // mr) * mr, "a tile of rows is computed whole"
    assert plan.row_chunk % mr == 0
    assert plan.kc % plan.panel_width == 0
    assert plan.kc > 0
    for row in plan.table:
        assert row[BIAS_ROW] >= row[N_IN]
        assert row[BIAS_ROW] % mr == 0
        assert row[W_ROWS] > row[BIAS_ROW]
        assert row[TILES] == row[BIAS_ROW] // mr + 1
    for row in plan.table[1:]:
        # The transposition writes whole vectors of a row of W.
        assert row[WT_ROWS] >= -(-row[N_OUT] // lanes(dtype)) * lanes(dtype)


@quick
@given(networks)
def test_tiles_are_numbered_without_gaps(network):
    sizes, batch, dtype = network
    plan = make_plan(sizes, batch, np.dtype(dtype))
    ends = [row[FIRST_TILE] + row[TILES] * panels(row[N_OUT], plan.panel_width) for row in plan.table]
    assert [0, *ends] == [*plan.table[:, FIRST_TILE], plan.tiles]


@quick
@given(networks, st.integers(1, 70))
def test_every_tile_has_one_thread(network, n_threads):
    sizes, batch, dtype = network
    plan = make_plan(sizes, batch, np.dtype(dtype))
    bounds = tile_bounds(plan, n_threads)
    assert bounds.dtype == np.int64
    assert bounds.shape == (n_threads + 1,)
    owners = [tile for first, end in pairwise(bounds) for tile in range(first, end)]
    assert owners == list(range(plan.tiles))


@pytest.mark.parametrize("n_threads", [1, 2, 3, 4, 7])
def test_shares_are_of_about_equal_size(n_threads):
    plan = make_plan((784, 480, 240, 48), 128, np.dtype(np.float32))
    shares = np.diff(tile_bounds(plan, n_threads))
    assert shares.max() < 1.2 * shares.mean()
