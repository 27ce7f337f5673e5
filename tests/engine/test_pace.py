"""How long slices get, and when the number of threads changes: by made-up times."""

import pytest

from fastbp.training.pace import SLICE_SECONDS, Pace


def run(pace, cost, seconds):
    """Train so long; ``cost(alone)`` are a minibatch's seconds. Returns the seconds alone and together."""
    spent = {True: 0.0, False: 0.0}
    while sum(spent.values()) < seconds:
        alone, steps = pace.alone, pace.steps
        taken = steps * cost(alone)
        spent[alone] += taken
        pace.learn(steps, taken)
    return spent[True], spent[False]


@pytest.mark.parametrize("cost", [1e-7, 3e-5, 1e-3, 0.03])
def test_slices_grow_until_they_are_long_enough(cost):
    pace = Pace(may_change=False)
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
@pytest.mark.parametrize("alone_is_quicker", [True, False])
def test_the_quicker_way_is_taken(alone_is_quicker, step):
    alone, together = run(Pace(may_change=True), lambda alone: step if alone == alone_is_quicker else 2 * step, 60.0)
    wasted = together if alone_is_quicker else alone
    assert wasted < 2.0, "trials take a few hundredths of the time"
    assert wasted > 0.0


@pytest.mark.parametrize("step", [2e-6, 1e-4, 7e-4])
def test_a_trial_that_loses_ends_soon(step):
    alone, _ = run(Pace(may_change=True), lambda alone: 2 * step if alone else step, 0.1)
    assert 0.0 < alone < 4.5e-3, "a slice to settle and two that are looked at"


def test_a_gain_within_the_noise_is_none():
    alone, _ = run(Pace(may_change=True), lambda alone: 0.97e-4 if alone else 1e-4, 60.0)
    assert alone < 2.0


def test_a_change_of_the_machine_is_noticed():
    pace = Pace(may_change=True)
    run(pace, lambda alone: 1e-4 if alone else 0.5e-4, 10.0)
    alone, together = run(pace, lambda alone: 1e-4 if alone else 2e-4, 3.0)
    assert together < 0.3, "a slice as long as before, at a quarter of the speed, another one, and a trial"
    assert alone > 2.7
    run(pace, lambda alone: 1e-4 if alone else 0.5e-4, 5.0)
    assert not pace.alone


def test_a_single_slow_slice_is_no_reason():
    pace = Pace(may_change=True)
    run(pace, lambda alone: 1e-4 if alone else 0.5e-4, 0.2)
    pace.learn(pace.steps, 10 * SLICE_SECONDS)
    assert not pace.alone
    alone, _ = run(pace, lambda alone: 1e-4 if alone else 0.5e-4, 1.0)
    assert alone == 0.0
