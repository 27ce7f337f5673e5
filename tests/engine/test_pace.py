"""How long slices get, and whether all threads train or one: by made-up times."""

import pytest

from fastbp.compiler.tuning import SLICE_SECONDS
from fastbp.training.pace import Pace


def run(pace, cost, seconds):
    """Train so long; ``cost(alone)`` are a minibatch's seconds. Returns the seconds alone and together."""
    spent = {True: 0.0, False: 0.0}
    while sum(spent.values()) < seconds:
        alone, steps = pace.alone, pace.steps
        taken = steps * cost(alone)
        spent[alone] += taken
        pace.learn(steps, taken, 2)
    return spent[True], spent[False]


@pytest.mark.parametrize("cost", [1e-7, 3e-5, 1e-3, 0.03])
@pytest.mark.parametrize("may_change", [True, False])
def test_slices_grow_until_they_are_long_enough(cost, may_change):
    pace = Pace(may_change=may_change)
    run(pace, lambda alone: cost, 1.0)
    assert pace.steps * cost <= SLICE_SECONDS
    assert (pace.steps + 1) * cost > SLICE_SECONDS or pace.steps == 1


def test_a_minibatch_longer_than_a_slice():
    pace = Pace(may_change=False)
    run(pace, lambda alone: 0.5, 5.0)
    assert pace.steps == 1


def test_without_a_choice_nothing_changes():
    alone, _ = run(Pace(may_change=False), lambda alone: 1e-5 if alone else 1e-3, 20.0)
    assert alone == 0.0


@pytest.mark.parametrize("step", [2e-6, 1e-4, 2e-3])
@pytest.mark.parametrize("alone_is_faster", [True, False])
def test_the_faster_way_is_taken_for_good(alone_is_faster, step):
    pace = Pace(may_change=True)
    alone, together = run(pace, lambda alone: step if alone == alone_is_faster else 2 * step, 10.0)
    assert 0.0 < (together if alone_is_faster else alone) < 3 * SLICE_SECONDS
    assert pace.alone == pace.stays_alone == alone_is_faster
    before = pace.alone
    run(pace, lambda alone: step if alone != alone_is_faster else 2 * step, 10.0)
    assert pace.alone == before


def test_a_single_slow_slice_decides_nothing():
    pace = Pace(may_change=True)
    run(pace, lambda alone: 1e-4 if alone else 0.5e-4, 0.01)
    # Another program has the CPU for a moment.
    pace.learn(pace.steps, 10 * SLICE_SECONDS, 2)
    run(pace, lambda alone: 1e-4 if alone else 0.5e-4, 1.0)
    assert not pace.alone


def test_a_short_run_has_no_trial():
    alone, _ = run(Pace(may_change=True), lambda alone: 1e-4, 0.005)
    assert alone == 0.0
