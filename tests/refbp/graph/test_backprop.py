"""Algorithms 6.5 and 6.6, their graph language, and what they promise: every edge once, a graph in the end."""

import subprocess
import sys

import numpy as np
import pytest

import refbp
from refbp import graph
from refbp.graph import Graph, backprop, evaluate, get_consumers, get_inputs, get_operation, variable


def gradient_at(z, x, value):
    return evaluate([backprop([x], Graph([z]), z)[x]], {x: value}).values[0]


# ---- the language (sections 6.5.1 and 6.5.6) ----


def test_subroutines():
    A, B = variable("A", (2, 3)), variable("B", (3, 2))
    C = (A @ B).called("C")
    D = graph.relu(C).called("D")
    E = (C + D).called("E")
    net = Graph([E])
    assert get_operation(C).symbol == "matmul"
    assert get_operation(C).output is C
    assert get_operation(A) is None
    assert get_inputs(C, net) == [A, B]
    assert get_consumers(C, net) == [D, E]
    assert get_consumers(E, net) == []
    assert [net.names[v] for v in net] == ["A", "B", "C", "D", "E"]
    pruned = net.restricted_to({A, C, E})
    assert list(pruned) == [A, C, E]
    assert get_consumers(C, pruned) == [E]
    assert get_inputs(C, pruned) == [A, B], "a rule needs the other factor too"
    assert get_inputs(D, pruned) == []


def test_a_consumer_is_listed_once_though_it_has_two_edges():
    x = variable("x", ())
    y = x * x
    assert get_consumers(x, Graph([y])) == [y]


def test_names_are_unique():
    x, again = variable("x", ()), variable("x", ())
    y = x * again + (x - again) * variable("u1", ())
    net = Graph([y, again / x, variable("x", ())])
    assert [net.names[v] for v in net] == ["x", "x (2)", "u1", "u2", "u1 (2)", "u3", "u4", "u5", "x (3)"]
    assert y.name is None, "names of a graph's own are not the variable's"


def test_a_node_can_be_in_two_graphs():
    x = variable("x", ())
    y, z = x + 1, x * 2
    Graph([y])
    assert set(Graph([z, y]).names.values()) == {"x", "u1", "u2", "u3", "u4"}


# ---- algorithms 6.5 and 6.6 ----


def test_figure_6_10():
    """The graph of dz/dw for z = f(f(f(w))) depends on w, x and y only; no number was needed to write it."""
    w = variable("w", ())
    x = graph.exp(w).called("x")
    y = graph.exp(x).called("y")
    z = graph.exp(y).called("z")
    net = Graph([z])
    assert [net.names[v] for v in net] == ["w", "x", "y", "z"]
    dz_dw = backprop([w], net, z)[w]
    assert [net.names[v] for v in net] == ["w", "x", "y", "z", "dz/dz", "dz/dy", "dz/dx", "dz/dw"]
    for value in (-1.0, 0.0, 0.3):
        x1 = np.exp(value)
        ref = np.exp(np.exp(x1)) * np.exp(x1) * x1
        assert evaluate([dz_dw], {w: value}).values[0] == pytest.approx(ref, rel=1e-14)


def test_gradients_that_meet_are_summed():
    x = variable("x", ())
    assert gradient_at(x * x * x + 2 * x, x, 3.0) == 29
    assert gradient_at(x - x, x, 3.0) == 0
    assert gradient_at(x / x, x, 3.0) == 0


def test_the_paths_have_names():
    """Section 6.5.7: "two different paths leading backward from J to weights"."""
    net = graph.section_6_5_7(2, 3, 4, 2, lam=0.5)
    gradients = backprop(net.weights, net.graph, net.J)
    names = net.graph.names
    for W, path in zip(net.weights, ["U1", "U2"], strict=True):
        total = gradients[W]
        assert names[total] == f"dJ/d{W.name}"
        assert [names[v] for v in total.inputs] == [
            f"dJ/d{W.name} via {path}",
            f"dJ/d{W.name} via {'u3' if path == 'U1' else 'u5'}",
        ]


def test_any_node_can_be_a_target():
    net = graph.one_hidden_layer(3, 4, 2, phi="tanh")
    forward = list(net.graph)
    gradients = backprop(forward, net.graph, net.J)
    assert list(gradients) == forward
    assert all(gradients[v].shape == v.shape for v in forward)
    assert net.graph.names[gradients[net.v["h"]]] == "dJ/dh"
    assert gradients[net.J].value == 1.0


def test_a_target_that_z_does_not_depend_on():
    x, y, z = variable("x", (2, 3)), variable("y", (4,)), variable("z", ())
    net = Graph([graph.reduce_sum(x) * z])
    gradients = backprop([y, x], net, z)
    for value, v in zip(evaluate(list(gradients.values()), {}).values, [y, x], strict=True):
        assert value.shape == v.shape
        assert not value.any()
    assert gradients.edges == []
    assert y in net


def test_z_as_a_target_of_its_own():
    x = variable("x", ())
    z = x * x
    gradients = backprop([z, x], Graph([z]), z)
    assert [float(v) for v in evaluate(list(gradients.values()), {x: 5.0}).values] == [1.0, 10.0]


def test_only_a_scalar_has_a_gradient():
    x = variable("x", (2,))
    with pytest.raises(ValueError, match="scalar"):
        backprop([x], Graph([x]), x)


def test_what_is_not_on_a_path_is_pruned():
    """No gradient is written for the data, nor for anything that only the data enters."""
    net = graph.section_6_5_7(2, 3, 4, 2, lam=0.5)
    backprop([net.v["W2"]], net.graph, net.J)
    names = set(net.graph.names.values())
    assert "dJ/dU2" in names
    assert not names & {"dJ/dX", "dJ/dy", "dJ/dH", "dJ/dU1", "dJ/dW1", "dJ/du3"}


# ---- each edge once ----


def doublings(n):
    x = y = variable("x", ())
    for _ in range(n):
        y = y + y
    return x, y


def test_exponentially_many_paths(check_edges_once):
    x, z = doublings(64)
    assert check_edges_once([x], z) == 128
    assert gradient_at(z, x, 1.0) == 2.0**64


def test_every_edge_once(check_edges_once):
    net = graph.section_6_5_7(2, 3, 4, 2, lam=0.5)
    # X enters one product, as do y and lambda; these three edges do not participate.
    assert check_edges_once(net.weights, net.J) == sum(len(v.inputs) for v in net.graph) - 3


def test_every_rule_is_called_once_for_each_edge(monkeypatch):
    x, z = doublings(20)
    called = []
    right = graph.OPERATIONS["+"].rule
    monkeypatch.setattr(
        graph.OPERATIONS["+"], "rule", lambda op, k, inputs, G: called.append(k) or right(op, k, inputs, G)
    )
    gradients = backprop([x], Graph([z]), z)
    assert called == [0, 1] * 20
    assert len(gradients.edges) == 40


def test_chains_of_any_length():
    x = y = variable("x", ())
    for i in range(6000):
        y = (-y).called(f"y{i}") if i % 2 else y + 0.0
    net = Graph([y])
    gradients = backprop([x], net, y)
    assert len(gradients.edges) == 6000
    assert evaluate([gradients[x]], {x: 0.3}).values[0] == 1.0
    steps = graph.schedule([gradients[x]])
    assert len(steps) >= 3000


# ---- where there is no derivative ----


def test_undefined_derivative():
    U, y = variable("U", (5, 3)), variable("y", (5,))
    label = graph.argmax(U).called("label")
    error = (label - y).called("error")
    J = graph.squared_norm(error).called("J")
    with pytest.raises(refbp.UndefinedDerivativeError) as caught:
        backprop([U], Graph([J]), J)
    assert str(caught.value) == "no derivative: operation 'argmax' has none (J <- error <- label <- U)"


def test_undefined_derivative_that_is_not_needed():
    U, w = variable("U", (5, 3)), variable("w", (5,))
    J = graph.reduce_sum(graph.argmax(U) * w)
    gradient = backprop([w], Graph([J]), J)[w]
    np.testing.assert_array_equal(evaluate([gradient], {U: np.eye(5, 3)}).values[0], [0, 1, 2, 0, 0])


# ---- second derivatives ----


def test_a_second_call_gives_second_derivatives():
    x = variable("x", ())
    z = x**3
    net = Graph([z])
    first = backprop([x], net, z)[x]
    second = backprop([x], net, first)[x]
    third = backprop([x], net, second)[x]
    assert [float(v) for v in evaluate([z, first, second, third], {x: 2.0}).values] == [8, 12, 12, 6]


def test_hessian_of_a_quadratic_form():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((3, 3)), rng.standard_normal((3, 2))
    x, y = variable("x", (3,)), variable("y", (2,))
    z = x @ graph.constant(a) @ x + x @ graph.constant(b) @ y
    H = graph.hessian(z, [x, y], {x: rng.standard_normal(3), y: rng.standard_normal(2)})
    np.testing.assert_allclose(H, np.block([[a + a.T, b], [b.T, np.zeros((2, 2))]]), rtol=1e-14, atol=1e-15)


def test_cost_of_second_derivatives():
    """A product with the Hessian costs a few gradients, its number of columns does not matter."""
    for width in (8, 32):
        net = graph.mlp((width, width, width), 4, activation="tanh", loss="squared_error")
        nodes = [len(net.graph)]
        gradients = backprop(net.weights, net.graph, net.J)
        nodes.append(len(net.graph))
        vs = [variable(f"v{i}", w.shape) for i, w in enumerate(net.weights)]
        products = graph.hessian_vector_product(net.J, net.weights, vs, net.graph)
        nodes.append(len(net.graph))
        forward, first, second = (
            graph.trace(graph.schedule(targets)).multiply_adds
            for targets in ([net.J], list(gradients.values()), products)
        )
        product = 4 * width * width  # one of the products of a matrix with a minibatch
        assert (forward, first) == (2 * product, 5 * product), "dJ/dx is not needed"
        # Forward 2, dJ/dh 1; then a product for either factor of dJ/dh, of dJ/dw2 and of z2, and for one factor
        # of dJ/dw1 and of z1, because x is given.
        assert second == (2 + 1 + 3 * 2 + 2 * 1) * product
    assert nodes == [21, 48, 124]


# ---- the same every time ----

PROGRAM = """
from refbp import graph
net = graph.mlp((3, 4, 2), 5, activation="logistic", loss="log_loss", weighted=True)
graph.hessian_vector_product(net.J, net.weights, net.weights, net.graph)
print([(net.graph.names[v], [net.graph.names[a] for a in v.inputs]) for v in net.graph])
"""


def test_names_and_order_do_not_depend_on_hashes():
    runs = {
        subprocess.run(
            [sys.executable, "-c", f"junk = [object() for _ in range({7919 * int(seed)})]\n{PROGRAM}"],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(runs) == 1
    assert "dJ/dw1" in runs.pop()
