"""What the dashboard calls slower, and on whom it blames it; and the little statistics behind it."""

import math
import random

import pytest
from benchmarks.dashboard import rules
from benchmarks.dashboard.results import Key, Value, interval
from benchmarks.dashboard.rules import spread
from scipy.stats import binom

FIT = Key("step.Adam.time_fit", ("784-256-256-10",), 1)
RATIO = Key("peers.Step.track_time_over_peer", ("jax", "64-100-10"), 1)
CONTROLS = [Key(f"control.Machine.time_{name}", (), 1) for name in ("blas", "memory", "interpreter")]
THRESHOLDS = {".*": 0.1, r".*\.track_.*": 0.15}
COMMITS = [f"commit{number:02}" for number in range(12)]


def value(level, rng, noise, samples=20):
    taken = sorted(level * rng.gauss(1, noise) for _ in range(samples))
    return Value(taken[samples // 2], tuple(taken))


def history(factors, control=None, *, noise=0.01, seed=0):
    """Series of a fit, and of the control, with a factor for every commit."""
    rng = random.Random(seed)
    control = control or [1.0] * len(factors)
    series = {FIT: {c: value(0.02 * f, rng, noise) for c, f in zip(COMMITS, factors, strict=False)}}
    for key in CONTROLS:
        series[key] = {c: value(0.001 * f, rng, noise) for c, f in zip(COMMITS, control, strict=False)}
    return series


def found(series):
    return [(step.first, step.by_code) for step in rules.regressions(series, COMMITS, THRESHOLDS)]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("place", [1, 5, 10])
def test_a_fifth_more_is_blamed_on_the_commit_that_costs_it(place, seed):
    factors = [1.0] * place + [1.2] * (12 - place)
    assert found(history(factors, seed=seed)) == [(COMMITS[place], True)]


@pytest.mark.parametrize("seed", range(50))
def test_noise_is_no_step(seed):
    assert not found(history([1.0] * 12, seed=seed))


def test_a_slow_machine_is_not_the_codes_fault():
    factors = [1.0] * 6 + [1.25] * 6
    assert found(history(factors, factors)) == [(COMMITS[6], False)]


def test_a_control_that_is_slow_alone_blames_nobody():
    assert not found(history([1.0] * 12, [1.0] * 6 + [1.2] * 6))


def test_code_that_is_slower_than_the_slow_machine_is_blamed():
    steps = rules.regressions(history([1.0] * 6 + [1.5] * 6, [1.0] * 6 + [1.2] * 6), COMMITS, THRESHOLDS)
    assert [(step.first, step.by_code) for step in steps] == [(COMMITS[6], True)]
    assert steps[0].blamed == pytest.approx(1.25, rel=0.03)


def test_one_control_of_three_excuses_nothing():
    series = history([1.0] * 6 + [1.2] * 6)
    series[CONTROLS[1]] = history([1.0], [1.0] * 6 + [1.3] * 6)[CONTROLS[1]]
    assert found(series) == [(COMMITS[6], True)]


def test_a_single_slow_commit_is_no_step():
    assert not found(history([1.0] * 6 + [1.5] + [1.0] * 5))


def test_the_newest_commit_is_named_but_not_confirmed():
    steps = rules.regressions(history([1.0] * 11 + [1.3]), COMMITS, THRESHOLDS)
    assert [(step.first, step.confirmed) for step in steps] == [(COMMITS[11], False)]


def test_what_is_lost_again_right_after_it_was_won():
    assert found(history([1.0] * 6 + [0.8] + [1.0] * 5)) == [(COMMITS[7], True)]


def test_every_step_of_several():
    factors = [1.0] * 3 + [1.3] * 3 + [0.9] * 3 + [1.2] * 3
    assert found(history(factors)) == [(COMMITS[3], True), (COMMITS[9], True)]


def test_noise_of_the_control_raises_the_threshold():
    quiet, loud = history([1.0] * 6 + [1.2] * 6), history([1.0] * 6 + [1.2] * 6)
    for key in CONTROLS:
        loud[key] = {c: v._replace(median=v.median * (0.9, 1.1)[n % 2]) for n, (c, v) in enumerate(loud[key].items())}
    assert found(quiet)
    assert not found(loud)


def test_a_benchmark_that_scatters_by_itself_needs_a_larger_step():
    rng = random.Random(5)
    factors = [rng.choice((1.0, 1.3)) for _ in range(12)]
    assert not found(history(factors))
    assert found(history([1.0] * 6 + [1.3] * 6))


def test_the_machine_does_not_excuse_ratios():
    """They are taken in pairs, on one machine at one time."""
    series = {RATIO: {c: Value(0.5 * (1 + (n > 5))) for n, c in enumerate(COMMITS)}} | history([1.0] * 12, [2.0] * 12)
    for key in CONTROLS:
        series[key] = {c: v._replace(median=v.median * (1 + (n > 5))) for n, (c, v) in enumerate(series[key].items())}
    assert found(series) == [(COMMITS[6], True)]


def test_thresholds_are_asvs():
    limits = {".*": 0.1, r"startup\..*": 0.2, r"step\.Adam\.time_fit\(784.*": 0.3}
    assert rules.threshold(FIT, limits, 0.0) == 0.3
    assert rules.threshold(FIT, {".*": 0.1}, 0.02) == 0.1
    assert rules.threshold(FIT, {".*": 0.1}, 0.05) == pytest.approx(0.15)


ROUNDS = 5


def changed(factor, control=1.0, *, noise=0.02, seed=0, rounds=ROUNDS, process=0.0):
    """Compare two commits; `process` is by how much half of all processes are slower, for no reason."""
    rng = random.Random(seed)

    def measured(slower):
        slow = rng.random() < 0.5
        return {
            FIT: value(0.01 * slower[0] * (1 + process * slow), rng, noise),
            **{key: value(0.01 * slower[1], rng, noise) for key in CONTROLS},
        }

    before, after = ([measured(slower) for _ in range(rounds)] for slower in ((1.0, 1.0), (factor, control)))
    (change,) = rules.changes(before, after, THRESHOLDS)
    return change


@pytest.mark.parametrize("seed", range(20))
def test_two_commits(seed):
    assert changed(1.2, seed=seed).worse
    assert changed(1 / 1.2, seed=seed).better
    assert not changed(1.2, seed=seed).better
    for change in (changed(1.0, seed=seed), changed(1.0, 1.2, seed=seed), changed(1.2, 1.2, seed=seed)):
        assert not change.worse
        assert not change.better


@pytest.mark.parametrize("noise", [{"noise": 0.3}, {"process": 0.25}])
def test_chance_is_seldom_taken_for_a_change(noise):
    """All samples of a process may be slow: it is rounds that count."""
    changes = [changed(1.0, seed=seed, **noise) for seed in range(300)]
    assert sum(change.worse or change.better for change in changes) <= 3


def test_one_round_without_it_is_enough_to_doubt():
    times = [(1.0, 1.3, 1.0), (1.5, 1.95, 1.5), (1.0, 1.3, 1.0), (2.0, 2.6, 2.0)]

    def change(last):
        rounds = [*times, (1.0, last, 1.0)]
        before = [{FIT: Value(old), **dict.fromkeys(CONTROLS, Value(control))} for old, _, control in rounds]
        after = [{FIT: Value(new), **dict.fromkeys(CONTROLS, Value(control))} for _, new, control in rounds]
        (change,) = rules.changes(before, after, THRESHOLDS)
        return change

    assert change(1.3).ratio == pytest.approx(1.3)
    assert change(1.3).worse
    assert not change(1.04).worse


def test_rounds_that_agree_by_chance_are_as_noisy_as_their_like():
    noisy = [(1.3, 0.8, 1.2, 0.9, 1.0), (0.7, 1.2, 1.0, 1.3, 0.9), (1.1, 0.8, 1.4, 0.9, 1.2)]
    ratios = {Key("step.Adam.time_fit", (str(n),), 1): values for n, values in enumerate(noisy)}
    ratios |= {FIT: (1.22, 1.15, 1.25, 1.13, 1.22), Key("memory.Process.peakmem_fit", (), 1): (1.12,) * ROUNDS}

    def worse(ratios):
        before = [{**dict.fromkeys(ratios, Value(1.0)), **dict.fromkeys(CONTROLS, Value(1.0))}] * ROUNDS
        after = [
            {**{key: Value(values[n]) for key, values in ratios.items()}, **dict.fromkeys(CONTROLS, Value(1.0))}
            for n in range(ROUNDS)
        ]
        return {change.key for change in rules.changes(before, after, THRESHOLDS) if change.worse}

    assert worse({FIT: ratios[FIT]}) == {FIT}
    assert worse(ratios) == {Key("memory.Process.peakmem_fit", (), 1)}, "bytes do not scatter as seconds do"


def test_a_machine_that_is_slow_in_both_turns_of_a_round_hides_nothing():
    rng = random.Random(7)
    before, after = [], []
    for _ in range(ROUNDS):
        slow = rng.choice((1.0, 1.6))
        for commit, factor in ((before, 1.0), (after, 1.2)):
            commit.append({FIT: value(slow * factor, rng, 0.02), **{key: value(slow, rng, 0.02) for key in CONTROLS}})
    (change,) = rules.changes(before, after, THRESHOLDS)
    assert change.worse


def test_noise_of_rounds_is_that_of_the_median():
    rng = random.Random(3)
    medians, estimates = [], []
    for _ in range(4000):
        ratios = [math.exp(rng.gauss(0, 0.05)) for _ in range(ROUNDS)]
        medians.append(math.log(sorted(ratios)[ROUNDS // 2]))
        estimates.append(rules.rounds_noise(ratios))
    actual = math.sqrt(sum(m * m for m in medians) / len(medians))
    assert sum(estimates) / len(estimates) == pytest.approx(actual, rel=0.1)
    assert rules.rounds_noise([1.0]) == 0.0
    assert rules.rounds_noise([1.0, 1.0, 1.0, 1.0, 1.9]) == 0.0


def test_numpys_side_and_the_control_are_not_judged():
    keys = [Key("kernels.Gemm.time_numpy", ("m",), 1), Key("memory.Process.peakmem_reference", (), 1), *CONTROLS]
    assert not any(map(rules.is_judged, keys))
    assert rules.is_judged(FIT)
    assert not rules.changes([{k: Value(1.0) for k in keys}], [{k: Value(2.0) for k in keys}], THRESHOLDS)


@pytest.mark.parametrize("n", [6, 7, 10, 20, 30, 41])
def test_the_interval_holds_the_median_often_enough_and_no_wider(n):
    low, high = interval(range(n))
    k = low + 1
    assert high == n - k
    assert 2 * binom.cdf(k - 1, n, 0.5) <= 0.05 < 2 * binom.cdf(k, n, 0.5)


def test_of_few_samples_the_interval_is_all_they_span():
    assert interval([3.0, 1.0, 2.0]) == (1.0, 3.0)
    assert interval([2.0]) == (2.0, 2.0)


def test_spread_takes_no_drift_for_noise():
    rng = random.Random(2)
    values = [math.exp(0.1 * n / 400 + rng.gauss(0, 0.02)) for n in range(400)]
    assert spread(values) == pytest.approx(0.02, rel=0.15)
    assert spread([1.0]) == 0.0
