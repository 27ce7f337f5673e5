"""Planted faults: the checks of refbp.graph must reject what they are there to reject."""

import numpy as np
import pytest

from refbp import graph
from refbp.graph import OPERATIONS, backprop, backpropagation, evaluate, evaluation, schedule, variable
from refbp.graph.variables import add_up, zeros


@pytest.fixture
def check_network(make_problem, check_derivatives):
    """Check a network in which every operation of section 6.5.7 takes part; square, so that no shape gives a hint."""

    def check(activation="tanh", loss="log_loss"):
        weights, biases, x, y, _ = make_problem((3, 3, 3), activation, loss)
        x, y = x[:3], y[:3]
        net = graph.mlp((3, 3, 3), 3, activation=activation, loss=loss, weight_decay=0.5)
        params = net.weights + net.biases
        check_derivatives(net.J, params, net.given(x=x, y=y) | dict(zip(params, weights + biases, strict=True)))

    return check


def test_the_right_rules(check_network):
    check_network()


FAULTY_RULES = {
    "tanh": lambda op, k, inputs, G: G * (1 - op.output),
    "squared_norm": lambda op, k, inputs, G: zeros(inputs[0].shape),
    "matmul": lambda op, k, inputs, G: G @ inputs[1] if k == 0 else inputs[0].T @ G,
    "matmul ": lambda op, k, inputs, G: G @ inputs[1].T if k == 0 else inputs[0] @ G,
    "cross_entropy": lambda op, k, inputs, G: graph.reshape(G, to=(3, 1)) * graph.softmax(inputs[0]),
    "mean": lambda op, k, inputs, G: op.spread(G, inputs[0].shape),
    "+": lambda op, k, inputs, G: G if G.shape == inputs[k].shape else graph.mean(G, axis=0),
}


@pytest.mark.parametrize("symbol", FAULTY_RULES)
def test_wrong_rule(symbol, check_network, monkeypatch):
    monkeypatch.setattr(OPERATIONS[symbol.strip()], "rule", FAULTY_RULES[symbol])
    with pytest.raises(AssertionError, match="first derivative"):
        check_network()


@pytest.mark.parametrize(
    ("symbol", "activation", "rule"),
    [
        ("normal_cdf", "gelu", lambda op, k, inputs, G: G * graph.exp(-(inputs[0] ** 2) / 2)),
        ("softplus", "softplus", lambda op, k, inputs, G: G * op.output),
        ("logistic", "silu", lambda op, k, inputs, G: G * op.output),
        ("softplus", "mish", lambda op, k, inputs, G: G * graph.tanh(op.output)),
        ("relu", "leaky_relu", lambda op, k, inputs, G: G),
        ("exp", "elu", lambda op, k, inputs, G: G),
        ("exp", "selu", lambda op, k, inputs, G: G),
    ],
)
def test_wrong_rule_inside_of_an_activation(symbol, activation, rule, check_network, monkeypatch):
    check_network(activation)
    monkeypatch.setattr(OPERATIONS[symbol], "rule", rule)
    with pytest.raises(AssertionError, match="first derivative"):
        check_network(activation)


def test_relu_turned(check_network, monkeypatch):
    monkeypatch.setattr(OPERATIONS["relu"], "rule", lambda op, k, inputs, G: G * graph.step(-inputs[0]))
    with pytest.raises(AssertionError, match="first derivative"):
        check_network("relu")


def test_wrong_second_derivative_alone(check_network, monkeypatch):
    """The first derivative of softmax is not needed for the gradient of a cross-entropy, only for its second."""
    monkeypatch.setattr(OPERATIONS["softmax"], "rule", lambda op, k, inputs, G: G * op.output * (1 - op.output))
    with pytest.raises(AssertionError, match="second derivative"):
        check_network()


@pytest.mark.parametrize("kept", [0, -1])
def test_gradients_not_summed_where_paths_meet(kept, check_network, monkeypatch):
    monkeypatch.setattr(backpropagation, "add_up", lambda parts, shape: parts[kept] if parts else add_up(parts, shape))
    with pytest.raises(AssertionError, match="first derivative"):
        check_network()


def test_gradients_not_summed_where_an_input_comes_twice(monkeypatch, check_derivatives):
    x = variable("x", (2,))
    z = graph.reduce_sum(x * x)
    check_derivatives(z, [x], {x: np.array([1.0, 2.0])})
    monkeypatch.setattr(graph.Operation, "bprop", lambda op, inputs, X, G: op.rule(list(inputs).index(X), inputs, G))
    with pytest.raises(AssertionError, match="first derivative"):
        check_derivatives(z, [x], {x: np.array([1.0, 2.0])})


def test_grad_table_not_looked_up(monkeypatch, check_edges_once):
    x = y = variable("x", ())
    for _ in range(6):
        y = y + y
    assert check_edges_once([x], y) == 12
    monkeypatch.setattr(graph.GradTable, "__contains__", lambda table, v: v is table.z)
    with pytest.raises(AssertionError):
        check_edges_once([x], y)


def test_pruned_graph_without_one_of_the_paths(monkeypatch, check_network):
    """The path through the weight decay is forgotten."""
    right = graph.Graph.restricted_to

    def faulty(net, keep):
        return right(net, {v for v in keep if not (v.operation and v.operation.symbol == "squared_norm")})

    monkeypatch.setattr(graph.Graph, "restricted_to", faulty)
    with pytest.raises(AssertionError, match="first derivative"):
        check_network()


def test_value_dropped_too_early(monkeypatch):
    w = variable("w", (10,))
    a = graph.exp(w)
    z = graph.reduce_sum(graph.exp(a) * a)
    steps = schedule([z])
    early = [steps[0]._replace(drops=(a,)), *[step._replace(drops=()) for step in steps[1:]]]
    monkeypatch.setattr(evaluation, "schedule", lambda targets, recompute: early)
    with pytest.raises(KeyError):
        evaluate([z], {w: np.ones(10)})


def test_recomputing_that_stores_nevertheless(monkeypatch):
    """Memory is as high as without; what a trace says would tell."""
    nodes = [variable("w", (1000,))]
    for _ in range(8):
        nodes.append(graph.tanh(nodes[-1]))
    z = graph.reduce_sum(nodes[-1])
    targets = list(backprop([nodes[0]], graph.Graph([z]), z).values())
    ref = graph.trace(schedule(targets)).peak_bytes
    assert graph.trace(schedule(targets, nodes[1:-1])).peak_bytes < ref / 2
    right = evaluation.Step
    monkeypatch.setattr(evaluation, "Step", lambda v, drops: right(v, tuple(a for a in drops if a not in nodes)))
    assert graph.trace(schedule(targets, nodes[1:-1])).peak_bytes > ref
