"""Partitions: the same numbers as the whole graph; traffic and memory predicted, and counted while they run."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import refbp
from refbp import graph
from refbp.accounting.cost import Cost
from refbp.accounting.partition import compare, data_parallel, largest_minibatch, parameters, pipeline
from refbp.accounting.partition import given as wanting_values
from refbp.accounting.placement import run
from refbp.activations import HIDDEN_ACTIVATIONS

SIZES = (6, 9, 5, 7, 3)
LOSSES = ["squared_error", "poisson", "log_loss"]


def mlp(sizes=SIZES, activation="relu", loss="squared_error", weight_decay=0.5, penalty="d2l", **keywords):
    """Return a function that builds the network for a number of rows."""

    def build(n):
        return graph.mlp(
            sizes, n, activation=activation, loss=loss, weight_decay=weight_decay, penalty=penalty, **keywords
        )

    return build


BUILDS = {
    **{
        f"{activation}, {loss}": mlp(activation=activation, loss=loss)
        for activation in HIDDEN_ACTIVATIONS
        for loss in LOSSES
    },
    "scikit-learn": mlp(penalty="scikit_learn"),
    "weighted": mlp(weighted=True),
    "no biases": mlp(biases=False),
    "deep learning": lambda n: graph.section_6_5_7(n, 6, 9, 3, lam=0.5),
    "d2l": lambda n: graph.one_hidden_layer(6, 9, 3, lam=0.5, biases=True),
}
each_build = pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS)


def draw(net, dtype="float64", seed=0):
    """Draw positive values, small enough for any loss."""
    rng = np.random.default_rng(seed)
    return {v: rng.uniform(0.05, 0.25, v.shape).astype(dtype) for v in wanting_values(net)}


def whole_numbers(net, seed=0):
    """Draw small whole numbers: with relu, squared error and a power of two of rows, no sum is rounded."""
    rng = np.random.default_rng(seed)
    return {v: rng.integers(-2, 3, v.shape).astype(float) for v in wanting_values(net)}


def check_costs(way, result):
    """Compare what was counted with what was predicted."""
    assert (result.traffic == way.traffic).all()
    assert [load.sent for load in way.loads] == list(result.traffic.sum(axis=1))
    assert [load.received for load in way.loads] == list(result.traffic.sum(axis=0))
    assert result.peak_bytes == [load.parameters + load.data + load.values for load in way.loads]


# ---- pipeline ----


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@each_build
def test_pipeline_computes_the_same_bits(build, dtype):
    for devices in range(1, len(build(8).weights) + 1):
        way = pipeline(build, 8, devices, itemsize=np.dtype(dtype).itemsize)
        (net,) = way.networks
        values = draw(net, dtype)
        result = run(way, values)
        ref = graph.evaluate(list(way.kept), values).values
        for comp, expected in zip(result.values, ref, strict=True):
            assert len(comp) == 1
            (a,) = comp.values()
            assert a.dtype == dtype
            np.testing.assert_array_equal(a, expected)
        check_costs(way, result)


def test_gradients_are_those_of_refbp_and_lie_where_their_parameters_are():
    way = pipeline(mlp(penalty="scikit_learn"), 8, 3)
    (net,) = way.networks
    values = whole_numbers(net)
    x, y, *arrays = (values[v] for v in (net.v["x"], net.v["y"], *net.weights, *net.biases))
    settings = {"activation": "relu", "loss": "squared_error", "weight_decay": 0.5}
    ref = refbp.loss_and_gradient(arrays[:4], arrays[4:], x, y, **settings)[1]
    expected = dict(zip(net.weights + net.biases, ref.dweights + ref.dbiases, strict=True))
    result = run(way, values)
    for p, comp in zip(parameters(net), result.values[1:], strict=True):
        assert list(comp) == [way.home[p]]
        np.testing.assert_array_equal(comp[way.home[p]], expected[p])


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=7), st.integers(1, 40), st.data())
def test_pipeline_costs_what_its_layers_cost(sizes, n, data):
    devices = data.draw(st.integers(1, len(sizes) - 1))
    way = pipeline(mlp(sizes, loss="squared_error"), n, devices, optimizer="adam")
    (net,) = way.networks
    layers = Cost(sizes, n, optimizer="adam").layers
    stages = [way.home[w] for w in net.weights]
    assert stages == sorted(stages)
    assert set(stages) == set(range(devices)), "every device has layers"
    for device, load in enumerate(way.loads):
        own = [layer for layer, stage in zip(layers, stages, strict=True) if stage == device]
        assert load.multiply_adds == sum(layer.forward + layer.backward_dw + layer.backward_dx for layer in own)
        assert load.parameters == 8 * sum(layer.parameters for layer in own)
        assert load.moments == sum(layer.moments for layer in own)
    assert sum(load.data for load in way.loads) == 8 * n * (sizes[0] + sizes[-1])


@pytest.mark.parametrize("activation", [name for name in HIDDEN_ACTIVATIONS if name != "identity"])
@pytest.mark.parametrize("devices", [2, 3, 4])
def test_pipeline_sends_the_rows_of_the_cuts(devices, activation):
    """Activations to the next stage, their gradients back; else only single numbers of the penalty and of J."""
    n = 50
    way = pipeline(mlp(activation=activation), n, devices)
    stages = [way.home[w] for w in way.networks[0].weights]
    cuts = [SIZES[i + 1] for i, (stage, after) in enumerate(pairwise(stages)) if stage != after]
    expected = np.zeros((devices, devices), dtype=int)
    for stage, width in enumerate(cuts):
        expected[stage, stage + 1] = expected[stage + 1, stage] = 8 * n * width
    single = way.traffic - expected
    assert (single >= 0).all()
    assert single.sum() <= 8 * (2 * len(stages) + 1)


def test_pipeline_takes_the_best_cut():
    way = pipeline(mlp((10, 10, 10, 200, 10, 10)), 1, 2)
    assert [way.home[w] for w in way.networks[0].weights] == [0, 0, 0, 1, 1]


def test_a_single_device_is_the_graph_that_is_not_cut():
    """As in `graph.trace`, except for values computed from constants alone, which take no room here."""
    way = pipeline(mlp(loss="log_loss"), 30, 1)
    ref = graph.trace(graph.schedule(list(way.kept)))
    (load,) = way.loads
    assert load.multiply_adds == ref.multiply_adds == way.span
    assert ref.peak_bytes - 10 * 8 <= load.values <= ref.peak_bytes
    assert not way.traffic.any()


# ---- data parallel ----


def deal(way, net, values):
    """Deal out the rows of the minibatch of a whole network, and the same parameters to all."""
    dealt, first = {}, 0
    for replica in way.networks:
        n = replica.v["x"].shape[0]
        for v in wanting_values(replica):
            a = values[net.v[replica.graph.names[v]]]
            dealt[v] = a[first : first + n] if replica.graph.names[v] in ("x", "y") else a
        first += n
    assert first == net.v["x"].shape[0]
    return dealt


def whole_gradient(net, values):
    """Evaluate J and its gradients by `parameters`, in one piece."""
    gradients = graph.backprop(parameters(net), net.graph, net.J)
    return graph.evaluate([net.J, *gradients.values()], values).values


@pytest.mark.parametrize("devices", [1, 2, 4, 8])
def test_data_parallel_sums_to_the_gradient_of_the_whole_minibatch(devices):
    """Exactly, where nothing is rounded."""
    way, net = data_parallel(mlp(), 16, devices), mlp()(16)
    values = whole_numbers(net)
    result = run(way, deal(way, net, values))
    (J, *gradients), (ref_J, *ref) = result.values, whole_gradient(net, values)
    assert list(J.values()) == [ref_J]
    for comp, expected in zip(gradients, ref, strict=True):
        assert list(comp) == list(range(devices)), "every device has the sum"
        assert np.abs(expected).max() > 1
        np.testing.assert_array_equal(list(comp.values()), [expected] * devices)
    check_costs(way, result)


def test_shares_that_differ_count_by_their_rows():
    way, net = (
        data_parallel(mlp(loss="log_loss", activation="tanh"), 11, 3),
        mlp(loss="log_loss", activation="tanh")(11),
    )
    assert [replica.v["x"].shape[0] for replica in way.networks] == [4, 4, 3]
    values = draw(net)
    result = run(way, deal(way, net, values))
    for comp, expected in zip(result.values, whole_gradient(net, values), strict=True):
        # sums of 11 rows in another order, of terms that are no larger than 1, after four layers
        np.testing.assert_allclose(comp[0], expected, rtol=0, atol=11 * 4 * 10 * np.finfo(float).eps)
    check_costs(way, result)


@pytest.mark.parametrize("n", [12, 120])
def test_data_parallel_sends_gradients_whatever_the_rows(n):
    cost, devices = Cost(SIZES, n, optimizer="adam"), 4
    way = data_parallel(mlp(), n, devices, optimizer="adam")
    everything = 8 * cost.parameters
    assert (way.traffic[0, 1:] == everything).all(), "sums"
    assert (way.traffic[1:, 0] == everything + 8).all(), "gradients, and J"
    assert not way.traffic[1:, 1:].any()
    for load in way.loads:
        assert (load.parameters, load.moments) == (everything, 2 * everything)
        assert load.multiply_adds == (cost.forward + cost.backward) // devices
    assert way.span == (cost.forward + cost.backward) // devices, "all work at the same time"


def test_pipeline_works_on_one_device_after_the_other():
    cost = Cost(SIZES, 12)
    assert pipeline(mlp(), 12, 4).span == cost.forward + cost.backward


# ---- the limit ----


def test_what_fits_where_the_whole_does_not():
    build, n = mlp((32,) * 6, weight_decay=0.0), 300
    limit = pipeline(build, n, 1).memory - 1
    with pytest.raises(ValueError, match=f"a device holds {limit + 1:,} bytes, the limit is {limit:,}"):
        pipeline(build, n, 1, limit)
    limit //= 2
    for cut in (pipeline, data_parallel):
        with pytest.raises(ValueError, match="the limit is"):
            cut(build, n, 2, limit // 2)
        way = cut(build, n, 3, limit)
        assert max(load.memory for load in way.loads) == way.memory <= limit
    fewer = largest_minibatch(build, n, limit)
    assert pipeline(build, fewer, 1).memory <= limit < pipeline(build, fewer + 1, 1).memory
    assert largest_minibatch(build, 10, limit) == 10


def test_limit_is_that_of_the_fullest_device():
    build = mlp((2, 3, 100, 100))
    first, last = pipeline(build, 5, 2).loads
    assert first.memory < last.memory
    assert pipeline(build, 5, 2, last.memory).loads[1] == last
    with pytest.raises(ValueError, match=f"a device holds {last.memory:,} bytes"):
        pipeline(build, 5, 2, last.memory - 1)


def test_too_many_parameters_leave_the_pipeline_alone():
    build = mlp((64,) * 5)
    limit = Cost((64,) * 5, 1).training.parameters * 3 // 2  # with moments, they are twice as much
    with pytest.raises(ValueError, match="for one row alone"):
        largest_minibatch(build, 100, limit)
    with pytest.raises(ValueError, match="the limit is"):
        data_parallel(build, 20, 20, limit)
    assert pipeline(build, 1, 4, limit).memory <= limit


def test_more_devices_than_layers():
    with pytest.raises(ValueError, match="4 layers cannot be cut over 5 devices"):
        pipeline(mlp(), 5, 5)


# ---- the comparison ----


def test_table_of_the_comparison():
    build = mlp((8,) * 5)
    ways = {"whole": pipeline(build, 40, 1), "half": pipeline(build, 20, 1), "both": data_parallel(build, 40, 2)}
    _, *lines = (line.split() for line in compare(ways).splitlines())
    cost = Cost((8,) * 5, 40)
    work = f"{cost.forward + cost.backward:,}"
    sent = f"{8 * (2 * cost.parameters + 1):,}"
    assert [line[:4] for line in lines] == [
        ["whole", "1", "40", "1.00"],
        ["half", "1", "20", "2.00"],
        ["both", "2", "40", "1.00"],
    ]
    assert [line[4] for line in lines] == [f"{way.memory:,}" for way in ways.values()]
    assert [line[5:7] for line in lines] == [["0", work], ["0", work], [sent, work]]
    assert [line[7] for line in lines] == [work, work, f"{(cost.forward + cost.backward) // 2:,}"]
    assert [line[8] for line in lines] == ["1.00", "1.41", "1.00"]


def test_noise_of_a_gradient_shrinks_with_the_root_of_the_rows():
    """All minibatches of two rows out of five, drawn independently: half the variance of single rows."""
    net = mlp((3, 4, 2), activation="tanh")(5)
    values = draw(net)
    x, y, *arrays = (values[v] for v in (net.v["x"], net.v["y"], *net.weights, *net.biases))

    def variance(rows):
        settings = {"activation": "tanh", "loss": "squared_error"}
        batches = [list(batch) for batch in product(range(5), repeat=rows)]
        gradients = [
            refbp.loss_and_gradient(arrays[:2], arrays[2:], x[batch], y[batch], **settings)[1].dweights[0]
            for batch in batches
        ]
        return np.var(gradients, axis=0).sum()

    assert variance(2) == pytest.approx(variance(1) / 2, rel=1e-12)
