"""Drawings as their readers see them: nothing overlaps, nothing is clipped, arrows run where they should."""

import numpy as np
import pytest

from refbp import draw, graph
from refbp.draw.diagram import MANNERS
from refbp.draw.fold import WIDTH

PAGE = 830  # pixels that a picture in a text gets


def forward():
    return graph.one_hidden_layer(4, 5, 3, lam=0.1).graph


def with_biases():
    return graph.one_hidden_layer(4, 5, 3, lam=0.1, biases=True).graph


def figure_6_11():
    net = graph.section_6_5_7(4, 3, 5, 2, 0.1)
    graph.backprop(net.weights, net.graph, net.J)
    return net.graph


def deep():
    net = graph.mlp([4, 5, 5, 3], 6, activation="tanh", loss="log_loss", weight_decay=0.1, weighted=True)
    graph.backprop([*net.weights, *net.biases], net.graph, net.J)
    return net.graph


def hessian():
    w, v = graph.variable("w", (2,)), graph.variable("v", (2,))
    net = graph.Graph([z := graph.reduce_sum(graph.tanh(w * w)).called("z")])
    graph.hessian_vector_product(z, [w], [v], net)
    return net


def alone():
    return graph.Graph([graph.variable("x", (3,)), graph.constant(2.0), graph.variable("a_very_long_name", ())])


GRAPHS = {make.__name__: make for make in (forward, with_biases, figure_6_11, deep, hessian, alone)}


@pytest.fixture(scope="module")
def check_all(
    read,
    check_nothing_overlaps,
    check_nothing_is_clipped,
    check_edges_are_clear,
    check_everything_once,
    check_directions,
):
    def check(net, manner, **keywords):
        drawing = read(draw.svg(net, manner=manner, **keywords))
        check_everything_once(drawing, net, manner)
        check_nothing_overlaps(drawing)
        check_nothing_is_clipped(drawing)
        check_edges_are_clear(drawing)
        check_directions(drawing, net, manner)
        assert min(drawing.sizes, default=10) * min(1, PAGE / drawing.page.right) >= 9
        return drawing

    return check


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("name", GRAPHS)
def test_pictures(name, manner, check_all):
    net = GRAPHS[name]()
    check_all(net, manner, kept=draw.kept_for_backward(net), title="A title")


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("name", ["forward", "hessian"])
def test_with_texts_at_every_node(name, manner, check_all):
    net = GRAPHS[name]()
    rng = np.random.default_rng(0)
    arrays = {v: rng.standard_normal(tuple(min(n, 3) for n in v.shape)) * 1e-7 for v in net}
    check_all(net, manner, shapes=True, values=arrays, gradients=arrays, kept=list(net))


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_random_graphs(seed, gradient, manner, random_graph, check_all):
    check_all(random_graph(seed, n=8 if gradient else 14, gradient=gradient), manner, shapes=True)


@pytest.mark.parametrize("manner", MANNERS)
def test_the_page_is_white(manner):
    """Dark pages show what is behind; the ground covers all of the view box."""
    page, ground = draw.svg(forward(), manner=manner).splitlines()[:2]
    width, height = page.split('viewBox="0 0 ')[1].split('"')[0].split()
    assert ground == f'<rect width="{width}" height="{height}" rx="6" fill="#ffffff"/>'


def test_input_lower_left_output_upper_right(read):
    """Figure 3.6 of D2L."""
    boxes = {form.name: form.box for form in read(draw.svg(forward())).forms}
    corner = boxes["J"]
    assert all(corner.right >= box.right and corner.top <= box.top + 20 for box in boxes.values())
    assert boxes["x"].left == min(box.left for box in boxes.values())
    assert max(boxes["x"].bottom, boxes["W1"].bottom) == max(box.bottom for box in boxes.values())


def test_a_gradient_is_at_the_right_of_what_it_reads(read):
    """Figure 6.10 of Deep Learning."""
    w = graph.variable("w", ())
    x = graph.exp(w).called("x")
    net = graph.Graph([z := graph.exp(x).called("z")])
    graph.backprop([w], net, z)
    left = {form.name: form.box.left for form in read(draw.svg(net, manner="deep_learning")).forms}
    assert max(left[name] for name in "wxz") < min(left[name] for name in ("dz/dz", "dz/dx", "dz/dw"))


@pytest.mark.parametrize("manner", MANNERS)
def test_wide_graphs_are_folded(manner, read):
    drawing = read(draw.svg(deep(), manner=manner))
    assert any(form.again for form in drawing.forms)
    assert drawing.page.right <= WIDTH + 32
