"""Cost of a network: predicted against counted, exactly, and against measured memory, within what is stated."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import refbp
from refbp import graph
from refbp.accounting.cost import MOMENTS, Cost, Memory, memory_table, table
from refbp.accounting.memory import traced_peak

SIZES = [(3, 2), (4, 7, 3), (5, 8, 8, 6, 2), (30, 1, 20)]
OPTIMIZERS = {
    "sgd": lambda: refbp.SGD(nesterov=False),
    "nesterov": lambda: refbp.SGD(nesterov=True),
    "adam": refbp.Adam,
}

each_sizes = pytest.mark.parametrize("sizes", SIZES)
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS)
networks = st.tuples(st.lists(st.integers(1, 9), min_size=2, max_size=6), st.integers(1, 7), st.booleans())


class Counting(np.ndarray):
    """An array that counts the multiply-adds of the products it takes part in."""

    multiply_adds = 0

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **keywords):
        plain = [a.view(np.ndarray) if isinstance(a, Counting) else a for a in inputs]
        if ufunc is np.matmul:
            Counting.multiply_adds += plain[0].size * plain[1].shape[-1]
        if out is not None:
            keywords["out"] = tuple(a.view(np.ndarray) for a in out)
        return as_counting(getattr(ufunc, method)(*plain, **keywords))

    def __array_function__(self, *call):
        return as_counting(super().__array_function__(*call))


def as_counting(result):
    return result.view(Counting) if isinstance(result, np.ndarray) else result


def problem(sizes, n, dtype="float64", seed=0):
    """Draw parameters, rows and targets."""
    rng = np.random.default_rng(seed)
    draws = [rng.standard_normal(shape) / shape[0] for shape in [*pairwise(sizes), *((k,) for k in sizes[1:])]]
    draws = [a.astype(dtype) for a in draws]
    layers = len(sizes) - 1
    return draws[:layers], draws[layers:], *(rng.standard_normal((n, k)).astype(dtype) for k in (sizes[0], sizes[-1]))


def nbytes(arrays):
    return sum(a.nbytes for a in arrays)


# ---- multiply-adds ----


@settings(max_examples=50, deadline=None, derandomize=True)
@given(networks)
def test_multiply_adds_are_those_of_the_graph(network):
    sizes, n, biases = network
    cost = Cost(sizes, n, biases=biases)
    net = graph.mlp(sizes, n, activation="tanh", loss="squared_error", weight_decay=0.1, biases=biases)
    assert cost.parameters == sum(math.prod(v.shape) for v in net.weights + net.biases)
    gradients = graph.backprop(net.weights + net.biases, net.graph, net.J)
    rng = np.random.default_rng(0)
    values = net.given(**{k: rng.standard_normal(v.shape) for k, v in net.v.items() if not v.operation and v.shape})
    forward = graph.evaluate([net.J], values).trace.multiply_adds
    both = graph.evaluate([net.J, *gradients.values()], values).trace.multiply_adds
    assert (cost.forward, cost.forward + cost.backward) == (forward, both)
    by_weights = graph.evaluate([gradients[w] for w in net.weights], values).steps
    products = [v.operation.multiply_adds(*(a.shape for a in v.inputs)) for v, _ in by_weights]
    layers = cost.layers
    ref = [count for layer in layers for count in (layer.forward, layer.backward_dw, layer.backward_dx)]
    assert sorted(c for c in ref if c) == sorted(c for c in products if c), "layer by layer"


@pytest.mark.parametrize("activation", ["relu", "logistic"])
@each_sizes
def test_multiply_adds_are_counted_while_refbp_trains(sizes, activation):
    weights, biases, x, y = problem(sizes, 6)
    Counting.multiply_adds = 0
    arrays = [[a.view(Counting) for a in arrays] for arrays in (weights, biases, [x, y])]
    stored = refbp.forward(arrays[2][0], arrays[0], arrays[1], activation, "identity")
    cost = Cost(sizes, 6)
    assert Counting.multiply_adds == cost.forward
    refbp.backward(stored, arrays[0], arrays[2][1], activation=activation)
    assert Counting.multiply_adds == cost.forward + cost.backward


def test_multiply_adds_of_the_texts_networks():
    net = graph.one_hidden_layer(5, 7, 3)
    gradients = graph.backprop(net.weights, net.graph, net.J)
    cost = Cost((5, 7, 3), 1, biases=False)
    assert graph.trace(graph.schedule([net.J])).multiply_adds == cost.forward == 5 * 7 + 7 * 3
    both = graph.trace(graph.schedule([net.J, *gradients.values()])).multiply_adds
    assert both == cost.forward + cost.backward == 2 * 5 * 7 + 3 * 7 * 3

    net = graph.section_6_5_7(n=4, n_in=5, n_h=7, n_out=3, lam=0.1)
    gradients = graph.backprop(net.weights, net.graph, net.J)
    cost = Cost((5, 7, 3), 4, biases=False)
    both = graph.trace(graph.schedule([net.J, *gradients.values()])).multiply_adds
    assert both == cost.forward + cost.backward


@each_sizes
def test_orders_of_section_6_5_7(sizes):
    """O(w) multiply-adds for a row, and the same again backward for each factor; O(m n_h) memory."""
    one, more = Cost(sizes, 1), Cost(sizes, 1000)
    assert one.forward == one.weights
    assert one.backward == 2 * one.weights - sizes[0] * sizes[1]
    assert (more.forward, more.backward) == (1000 * one.forward, 1000 * one.backward)
    assert more.training.activations == 1000 * sum(sizes[1:]) * 8
    assert more.training.parameters == one.training.parameters == (one.weights + sum(sizes[1:])) * 8


# ---- memory, counted ----


@each_optimizer
@each_dtype
@each_sizes
def test_memory_is_that_of_refbps_arrays(sizes, dtype, optimizer):
    n = 6
    weights, biases, x, y = problem(sizes, n, dtype)
    predicted, layers = Cost(sizes, n, dtype, optimizer).training, Cost(sizes, n, dtype, optimizer).layers
    hs, _ = stored = refbp.forward(x, weights, biases, "relu", "identity")
    gradients = refbp.backward(stored, weights, y, activation="relu", weight_decay=0.1)
    learner = OPTIMIZERS[optimizer]()
    learner.step(weights + biases, gradients.dweights + gradients.dbiases)
    moments = learner.ms + learner.vs if optimizer == "adam" else learner.velocities
    assert predicted == Memory(
        parameters=nbytes(weights + biases),
        gradients=nbytes(gradients.dweights + gradients.dbiases),
        moments=nbytes(moments),
        minibatch=nbytes([x, y]),
        activations=nbytes(hs[1:]),
        deltas=nbytes(gradients.deltas),
    )
    assert len(moments) == MOMENTS[optimizer] * len(weights + biases)
    assert [layer.activations for layer in layers] == [h.nbytes for h in hs[1:]]
    assert [layer.deltas for layer in layers] == [delta.nbytes for delta in gradients.deltas]
    both = [w.nbytes + b.nbytes for w, b in zip(gradients.dweights, gradients.dbiases, strict=True)]
    assert [layer.gradients for layer in layers] == both


@settings(max_examples=50, deadline=None, derandomize=True)
@given(networks)
def test_memory_of_inference_is_that_of_the_graph(network):
    sizes, n, biases = network
    net = graph.mlp(sizes, n, activation="relu", loss="log_loss", biases=biases)
    trace = graph.trace(graph.schedule([graph.softmax(net.v[f"z{len(sizes) - 1}"])]), itemsize=4)
    assert Cost(sizes, n, "float32", biases=biases).inference.activations == trace.peak_bytes


def test_training_takes_more_memory_than_inference():
    """The longer the network and the larger the minibatch, the more (D2L)."""
    sizes = (50, *[50] * 20, 50)
    ratios = [Cost(sizes, n).training.total / Cost(sizes, n).inference.total for n in (1, 1000, 10**6)]
    assert ratios == sorted(ratios)
    assert ratios[0] > 3, "gradients and velocities beside the parameters"
    assert ratios[-1] == pytest.approx((2 * 21 + 2) / (2 + 1), rel=0.01), "activations and deltas against two layers"


def test_inference_is_measured():
    n, sizes = 20_000, (10, 20, 60, 40, 5)
    net = graph.mlp(sizes, n, activation="relu", loss="squared_error")
    weights, biases, x, _ = problem(sizes, n)
    arrays = {"x": x, **{f"w{i}": w for i, w in enumerate(weights, 1)}, **{f"b{i}": b for i, b in enumerate(biases, 1)}}
    values = net.given(**arrays)
    output = net.v["z4"]
    graph.evaluate([output], values)
    measured = traced_peak(lambda: graph.evaluate([output], values))
    assert measured == pytest.approx(Cost(sizes, n).inference.activations, rel=0.01)


# ---- the table ----


def test_table_has_every_number():
    cost = Cost((784, 256, 10), 128, "float32", "adam")
    text = str(cost)
    layers = cost.layers
    for count in (cost.parameters, cost.forward, layers[1].backward_dx, cost.training.total, cost.inference.total):
        assert f"{count:,}" in text
    assert "backward 1.01" in text
    lines = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line}
    assert [lines["784-256"], lines["256-10"]] == [[f"{count:,}" for count in layer[2:]] for layer in layers]
    assert lines["training"][-1] == f"{cost.training.total:,}"
    for block in text.split("\n\n"):
        lines = block.splitlines()
        if len(lines) > 1:
            assert len({len(line) for line in lines}) == 1, "columns are not aligned"


def test_tables_show_what_there_is():
    assert memory_table({"a": Memory(parameters=1000), "b": Memory(scratch=5)}) == [
        "bytes  parameters  scratch  total",
        "a           1,000        0  1,000",
        "b               0        5      5",
    ]
    assert table(["x"], [["y"]]) == ["x", "y"]
