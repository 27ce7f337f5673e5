"""Optimizer objects: settings, schedules, validation. Their arithmetic is tested where it is done."""

import pickle

import pytest
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

from fastbp import SGD, Adam, AdamW
from fastbp.network.optimizer_state import OptimizerState


@pytest.mark.parametrize("power_t", [0, 0.25, 0.5, 2])
def test_invscaling(power_t):
    ref = SGDOptimizer([], 0.3, "invscaling", power_t=power_t)
    comp = OptimizerState(SGD(0.3, schedule="invscaling", power_t=power_t))
    for t in (1, 8, 1000, 10**9):
        ref.iteration_ends(t)
        comp.end_epoch(t)
        assert comp.learning_rate == ref.learning_rate


@pytest.mark.parametrize("optimizer", [SGD(0.3), SGD(0.3, schedule="adaptive"), Adam(0.3), AdamW(0.3)], ids=repr)
def test_schedules_that_do_not_count_epochs(optimizer):
    state = OptimizerState(optimizer)
    state.end_epoch(1000)
    assert state.learning_rate == 0.3


@pytest.mark.parametrize("schedule", ["constant", "invscaling", "adaptive"])
def test_stopping_and_its_messages(schedule, capsys):
    ref, comp = SGDOptimizer([], 1e-3, schedule), OptimizerState(SGD(1e-3, schedule=schedule))
    for _ in range(6):
        expected = ref.trigger_stopping("Stagnation.", True)
        stop, suffix = comp.stagnate()
        assert stop == expected
        assert "Stagnation." + suffix + "\n" == capsys.readouterr().out
        assert comp.learning_rate == ref.learning_rate


def test_adam_stops():
    assert OptimizerState(Adam()).stagnate() == (True, " Stopping.")
    assert AdamOptimizer([]).trigger_stopping("", False)


@pytest.mark.parametrize("optimizer", [SGD(), Adam(), AdamW()], ids=repr)
def test_settings_cannot_be_changed(optimizer):
    with pytest.raises(AttributeError):
        optimizer.learning_rate = 1.0


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: SGD(0), r"learning_rate must be a number in \(0, inf\), got 0"),
        (lambda: SGD(float("inf")), "learning_rate must be"),
        (lambda: SGD(momentum=1.5), r"momentum must be a number in \[0, 1\], got 1.5"),
        (lambda: SGD(momentum=float("nan")), "momentum must be"),
        (lambda: SGD(schedule="cosine"), "schedule must be one of .* got 'cosine'"),
        (lambda: SGD(power_t=-1), r"power_t must be a number in \[0, inf\), got -1"),
        (lambda: Adam(-1e-3), "learning_rate must be"),
        (lambda: Adam(beta_1=1), r"beta_1 must be a number in \[0, 1\), got 1"),
        (lambda: Adam(beta_2=-0.1), "beta_2 must be"),
        (lambda: AdamW(weight_decay=-1), "weight_decay must be"),
        (lambda: Adam(epsilon=0), r"epsilon must be a number in \(0, inf\), got 0"),
    ],
)
def test_settings_are_validated(make, match):
    with pytest.raises(ValueError, match=match):
        make()


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(0.25, momentum=0.5, nesterov=False, schedule="adaptive", power_t=1.0),
        Adam(0.5, beta_1=0.0),
        AdamW(0.5, weight_decay=0.25),
    ],
)
def test_repr_and_pickle(optimizer):
    again = eval(repr(optimizer), {"SGD": SGD, "Adam": Adam, "AdamW": AdamW})
    assert vars(again) == vars(optimizer) == vars(pickle.loads(pickle.dumps(optimizer)))


@pytest.mark.parametrize("optimizer", [SGD(), Adam(), AdamW()], ids=repr)
def test_no_moments_before_the_first_step(optimizer):
    state = OptimizerState(optimizer)
    assert state.moments == {}
    assert state.t == 0
    assert OptimizerState.from_dict(state.as_dict()) == state
