"""Which nodes belong to the forward part, the gradient, and the gradient of the gradient; what is kept."""

from refbp import draw, graph
from refbp.draw.passes import find_passes


def by_name(net, numbers):
    return {net.names[v]: number for v, number in numbers.items()}


def test_forward_and_gradient():
    net = graph.section_6_5_7(4, 3, 5, 2, 0.1)
    forward = list(net.graph)
    assert set(find_passes(net.graph).number.values()) == {0}
    graph.backprop(net.weights, net.graph, net.J)
    passes = find_passes(net.graph)
    assert [v for v in net.graph if passes.number[v] == 0] == forward
    assert set(passes.number.values()) == {0, 1}
    assert passes.column == passes.number
    primal = {net.graph.names[g]: net.graph.names[v] for g, v in passes.primal.items()}
    assert primal["dJ/dW1"] == "W1"
    assert "dJ/dW1 via U1" not in primal


def test_second_derivatives():
    w, v = graph.variable("w", (2,)), graph.variable("v", (2,))
    net = graph.Graph([z := graph.reduce_sum(graph.tanh(w).called("h")).called("z")])
    graph.hessian_vector_product(z, [w], [v], net)
    passes = find_passes(net)
    number, column = by_name(net, passes.number), by_name(net, passes.column)
    assert [number[name] for name in ("w", "z", "dz/dh", "dz/dw", "v", "dz.v")] == [0, 0, 1, 1, 1, 1]
    # The gradient by what is in column c is in column 3 - c.
    assert {column["ddz.v/ddz.v"], column["ddz.v/ddz/dw"], column["ddz.v/du3"]} == {2}
    assert {column["ddz.v/dh"], column["ddz.v/dw"]} == {3}
    assert number["ddz.v/dw"] == 2


def test_what_is_kept():
    """The input of the nonlinearity (section 6.5.7), and what the products read; not parameters and data."""
    net = graph.section_6_5_7(4, 3, 5, 2, 0.1)
    assert draw.kept_for_backward(net.graph) == []
    graph.backprop(net.weights, net.graph, net.J)
    assert [net.graph.names[v] for v in draw.kept_for_backward(net.graph)] == ["U1", "H", "U2"]


def test_of_a_view_its_owner_is_kept():
    w = graph.variable("w", (2, 3))
    h = graph.tanh(w).called("h")
    net = graph.Graph([z := graph.reduce_sum(h.T.called("view") ** 2).called("z")])
    graph.backprop([w], net, z)
    assert [net.names[v] for v in draw.kept_for_backward(net)] == ["h"]
