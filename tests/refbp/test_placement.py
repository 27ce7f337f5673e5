"""Placement: faults in a plan are noticed when it runs; each send and each drop has to be where it is."""

import dataclasses

import numpy as np
import pytest

from refbp import graph
from refbp.accounting.partition import data_parallel, pipeline
from refbp.accounting.placement import Partition, place, run


def build(n):
    return graph.mlp((6, 9, 5, 7, 3), n, activation="relu", loss="log_loss", weight_decay=0.5, penalty="d2l")


def draw(way):
    rng = np.random.default_rng(0)
    return {v: rng.uniform(0.05, 0.25, v.shape) for v in way.home}


def check_costs(way, result):
    """Compare what was counted with what was predicted."""
    assert (result.traffic == way.traffic).all()
    assert result.peak_bytes == [load.parameters + load.data + load.values for load in way.loads]


def without(way, step):
    return dataclasses.replace(way, steps=[s for s in way.steps if s is not step])


@pytest.mark.parametrize("cut", [pipeline, data_parallel])
def test_nothing_is_sent_in_vain_and_devices_see_only_what_they_have(cut):
    way = cut(build, 12, 3)
    values = draw(way)
    sends = [step for step in way.steps if step.source is not None]
    assert sends
    for step in sends:
        with pytest.raises(KeyError):
            run(without(way, step), values)


def test_values_are_dropped_as_soon_as_they_can_be():
    way = pipeline(build, 12, 3)
    steps = [(i, drop) for i, step in enumerate(way.steps) for drop in step.drops]
    for i, drop in steps:
        early = list(way.steps)
        early[i] = early[i]._replace(drops=[d for d in early[i].drops if d != drop])
        early[i - 1] = early[i - 1]._replace(drops=[*early[i - 1].drops, drop])
        with pytest.raises(KeyError):
            run(dataclasses.replace(way, steps=early), draw(way))


def test_costs_of_another_plan_are_not_those_counted():
    way = pipeline(build, 12, 3)
    result = run(way, draw(way))
    late = [step._replace(drops=[]) for step in way.steps]
    for wrong in (dataclasses.replace(way, itemsize=4), dataclasses.replace(way, steps=late), pipeline(build, 13, 3)):
        with pytest.raises(AssertionError):
            check_costs(wrong, result)


def test_a_gradient_that_belongs_elsewhere_is_sent_there():
    x = graph.variable("x", (3,))
    J = graph.reduce_sum(x * x)
    steps, kept = place([J], {x: 1}, {J: [0]})
    assert [(step.device, step.source) for step in steps] == [(1, None), (1, None), (0, 1)]
    assert kept == {J: [0]}
    result = run(Partition([], {x: 1}, steps, kept, 2, 1, "sgd", 8), {x: np.arange(3.0)})
    assert result.values == [{0: 5.0}]
    assert result.traffic.tolist() == [[0, 0], [8, 0]]
    assert result.peak_bytes == [8, 24 + 24 + 8]
