"""Evaluation: what is stored when, what is recomputed, and what both cost."""

import tracemalloc

import numpy as np
import pytest

from refbp import graph
from refbp.graph import backprop, evaluate, fit_to_memory, schedule, trace, variable
from refbp.graph.evaluation import owner


def symbols(steps):
    return [v.operation.symbol for v, _ in steps]


def chain(length, shape=()):
    """Apply exp again and again; the names are those of (6.50), w -> x -> y -> z, for a length of three."""
    w = variable("w", shape)
    nodes = [w]
    for i in range(length):
        nodes.append(graph.exp(0.1 * nodes[-1] if shape else nodes[-1]).called(f"x{i}"))
    return nodes


def training(n=6, **keywords):
    net = graph.mlp((3, 8, 8, 2), n, activation="tanh", loss="log_loss", weight_decay=0.1, **keywords)
    gradients = backprop(net.weights + net.biases, net.graph, net.J)
    rng = np.random.default_rng(0)
    arrays = {name: rng.standard_normal(v.shape) for name, v in net.v.items() if not v.operation and v.value is None}
    return net, [net.J, *gradients.values()], net.given(**arrays)


# ---- store or recompute (6.50 - 6.53) ----


def test_store_or_recompute():
    w, x, y, z = chain(3)
    dz_dw = backprop([w], graph.Graph([z]), z)[w]
    stored = evaluate([dz_dw], {w: 0.2})
    recomputed = evaluate([dz_dw], {w: 0.2}, recompute=[x, y])
    assert symbols(stored.steps).count("exp") == 3, "(6.52): f'(y) f'(x) f'(w)"
    # exp(exp(exp(w))), exp(exp(w)), exp(w): the derivative of f is f itself
    assert symbols(recomputed.steps).count("exp") == 3 + 2 + 1, "(6.53): f'(f(f(w))) f'(f(w)) f'(w)"
    assert recomputed.values == stored.values


def test_recomputed_values_are_the_same_and_take_less_memory():
    net, targets, values = training(n=64)
    ref = evaluate(targets, values)
    hidden = [v for v in net.v.values() if v.operation and v.shape == (64, 8)]
    comp = evaluate(targets, values, recompute=hidden)
    for r, c in zip(ref.values, comp.values, strict=True):
        np.testing.assert_array_equal(c, r)
    assert comp.trace.peak_bytes < ref.trace.peak_bytes
    assert comp.trace.multiply_adds > ref.trace.multiply_adds
    assert comp.trace.operations > ref.trace.operations


@pytest.mark.parametrize("seed", range(8))
def test_any_set_may_be_recomputed(seed):
    """No value is missing and none is kept unnecessarily, whichever are recomputed; targets may be among them."""
    net, targets, values = training()
    ref = evaluate(targets, values)
    rng = np.random.default_rng(seed)
    nodes = list(net.graph)
    chosen = [v for v in nodes if rng.random() < 0.4]
    comp = evaluate(targets, values, recompute=chosen)
    for r, c in zip(ref.values, comp.values, strict=True):
        np.testing.assert_array_equal(c, r)
    kept_for_good = {v for v, _ in comp.steps} - {a for _, drops in comp.steps for a in drops}
    assert kept_for_good == {v for v in targets if v.operation}


def test_recomputed_values_wait_for_nobody():
    """A value that is not stored is gone before the next stored one is begun."""
    net, targets, _ = training()
    chosen = {net.v[name] for name in ("z1", "h1", "z2")}
    live = set()
    for v, drops in schedule(targets, chosen):
        live.add(v)
        live.difference_update(drops)
        if v not in chosen and not v.operation.view:
            assert not live & chosen


@pytest.mark.parametrize("share", [0.9, 0.7])
def test_memory_budget(share):
    _, targets, values = training(n=64)
    ref = evaluate(targets, values)
    budget = int(share * ref.trace.peak_bytes)
    comp = evaluate(targets, values, recompute=fit_to_memory(targets, budget))
    assert comp.trace.peak_bytes <= budget
    for r, c in zip(ref.values, comp.values, strict=True):
        np.testing.assert_array_equal(c, r)


def test_enough_memory_recomputes_nothing():
    _, targets, _ = training()
    assert fit_to_memory(targets, trace(schedule(targets)).peak_bytes) == []


def test_too_little_memory():
    _, targets, _ = training()
    with pytest.raises(ValueError, match="does not fit into 100 bytes"):
        fit_to_memory(targets, 100)


# ---- what it costs ----


def test_cost_of_section_6_5_7():
    """O(w) multiply-adds forward and backward; the gradient by X is not needed."""
    n, n_in, n_h, n_out = 5, 3, 7, 2
    net = graph.section_6_5_7(n, n_in, n_h, n_out, lam=0.1)
    gradients = backprop(net.weights, net.graph, net.J)
    forward = trace(schedule([net.J])).multiply_adds
    both = trace(schedule([net.J, *gradients.values()])).multiply_adds
    assert forward == n * (n_in * n_h + n_h * n_out)
    assert both - forward == n * (n_in * n_h + 2 * n_h * n_out)


def test_memory_of_section_6_5_7():
    """O(m n_h): U1 and H wait for the backward pass, so each hidden unit costs two numbers for each example."""
    peaks = {}
    for n, n_h in [(1000, 10), (2000, 10), (1000, 20)]:
        net = graph.section_6_5_7(n, 3, n_h, 2, lam=0.1)
        gradients = backprop(net.weights, net.graph, net.J)
        peaks[n, n_h] = trace(schedule([net.J, *gradients.values()])).peak_bytes
    extra = peaks[1000, 20] - peaks[1000, 10]
    assert 2 * 8 * 1000 * 10 <= extra <= 4 * 8 * 1000 * 10
    assert peaks[2000, 10] == pytest.approx(2 * peaks[1000, 10], rel=0.01)


def test_inference_takes_less_memory_than_training():
    net, targets, _ = training(n=100)
    forward, both = trace(schedule([net.v["z3"]])), trace(schedule(targets))
    assert forward.peak_bytes == 2 * 100 * 8 * 8, "a layer and the one before"
    assert both.peak_bytes > 2 * forward.peak_bytes


def test_peak_by_hand():
    w = variable("w", (10,))
    a = graph.exp(w)  # 80 bytes, waits until the end
    b = graph.exp(a)  # 160
    c = graph.exp(b)  # 240
    z = graph.reduce_sum(c * a)  # c * a while c and a are there: 240; then 88
    comp = trace(schedule([z]))
    assert comp.bytes == [80, 160, 240, 240, 88]
    assert comp.peak_bytes == 240
    assert (comp.operations, comp.multiply_adds) == (5, 0)
    assert trace(schedule([z]), itemsize=4).peak_bytes == 120


def test_views_have_no_memory_of_their_own():
    a = variable("a", (10, 20))
    e = graph.exp(a)
    z = graph.reduce_sum(graph.exp(e.T))
    comp = trace(schedule([z]))
    assert comp.bytes == [1600, 1600, 3200, 1608]
    assert comp.operations == 3
    assert owner(e.T.T) is e
    assert trace(schedule([a.T])).peak_bytes == 0, "a view of what is given"


@pytest.mark.parametrize("recompute", [False, True])
def test_predicted_memory_is_measured(recompute):
    """What a trace predicts is what NumPy allocates, but for the operations' own temporaries, of which exp has none."""
    nodes = chain(12, (100_000,))
    z = graph.reduce_sum(nodes[-1])
    gradient = backprop([nodes[0]], graph.Graph([z]), z)[nodes[0]]
    values = {nodes[0]: np.linspace(0, 1, 100_000)}
    chosen = nodes[1:-1:2] if recompute else []
    evaluate([gradient], values, chosen)  # once before, for what NumPy allocates once and for all
    tracemalloc.start()
    result = evaluate([gradient], values, chosen)
    _, measured = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert measured == pytest.approx(result.trace.peak_bytes, rel=0.02)


# ---- arguments ----


def test_values_missing_or_of_another_shape():
    x = variable("x", (2,))
    with pytest.raises(ValueError, match=r"value of <x \(2,\)> is missing"):
        evaluate([x + 1], {})
    with pytest.raises(ValueError, match=r"of shape \(3,\)"):
        evaluate([x + 1], {x: np.ones(3)})


def test_only_what_the_targets_depend_on_is_needed():
    x, y = variable("x", (2,)), variable("y", ())
    graph.Graph([x * y])
    np.testing.assert_array_equal(evaluate([x + 1, x], {x: [1.0, 2.0]}).values, [[2, 3], [1, 2]])


def test_nothing_given_is_changed():
    _, targets, values = training()
    before = {v: a.copy() for v, a in values.items()}
    evaluate(targets, values)
    for v, a in values.items():
        np.testing.assert_array_equal(a, before[v])
