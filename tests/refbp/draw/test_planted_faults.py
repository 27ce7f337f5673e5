"""The checks of drawings can fail: each fault that is planted here is caught."""

import xml.etree.ElementTree as ET

import pytest

from refbp import draw, graph
from refbp.draw import fold, paint, place
from refbp.draw.layers import levels
from refbp.draw.passes import find_passes
from refbp.draw.text import Line


@pytest.fixture
def net():
    return graph.one_hidden_layer(4, 5, 3, lam=0.1).graph


@pytest.fixture
def with_gradient():
    net = graph.section_6_5_7(4, 3, 5, 2, 0.1)
    graph.backprop(net.weights, net.graph, net.J)
    return net.graph


def test_without_room_for_nodes(net, monkeypatch, read, check_nothing_overlaps):
    solve = place.solve
    monkeypatch.setattr(place, "solve", lambda n, gaps, pulls: solve(n, [(a, b, 0) for a, b, _ in gaps], pulls))
    with pytest.raises(AssertionError, match="overlap"):
        check_nothing_overlaps(read(draw.svg(net)))


def test_without_room_for_notes(net, monkeypatch, read, check_nothing_overlaps):
    monkeypatch.setattr(Line, "height", 0.0)
    with pytest.raises(AssertionError, match="overlap"):
        check_nothing_overlaps(read(draw.svg(net, shapes=True)))


def test_names_without_room(net, monkeypatch, read, check_nothing_overlaps):
    monkeypatch.setattr(Line, "width", 0.0)
    long = graph.Graph([graph.variable("much too long for a square", ())])
    with pytest.raises(AssertionError, match="too long"):
        check_nothing_overlaps(read(draw.svg(long)))


def test_without_a_margin(net, monkeypatch, read, check_nothing_is_clipped):
    monkeypatch.setattr(paint, "MARGIN", -10)
    with pytest.raises(AssertionError):
        check_nothing_is_clipped(read(draw.svg(net)))


def test_arrows_that_may_run_downward(net, monkeypatch, read, check_directions):
    places = place.places_in_layers
    monkeypatch.setattr(place, "places_in_layers", lambda layers, rooms, monotone: places(layers, rooms, False))
    with pytest.raises(AssertionError, match="downward"):
        check_directions(read(draw.svg(net)), net, "d2l")


def test_a_gradient_that_runs_upward(with_gradient, monkeypatch, read, check_directions):
    monkeypatch.setattr("refbp.draw.diagram.find_passes", lambda net: find_passes(net)._replace(column=nowhere(net)))
    drawing = read(draw.svg(with_gradient, manner="deep_learning"))
    with pytest.raises(AssertionError):
        check_directions(drawing, with_gradient, "deep_learning")


def nowhere(net):
    return dict.fromkeys(net, 0)


def test_straight_edges(with_gradient, monkeypatch, read, check_edges_are_clear):
    curve = place.Route.curve

    def straight(self, path):
        points = curve(self, path)
        return [points[0], points[0], points[-1], points[-1]]

    monkeypatch.setattr(place.Route, "curve", straight)
    with pytest.raises(AssertionError, match="runs through"):
        check_edges_are_clear(read(draw.svg(with_gradient, manner="deep_learning")))


def test_edges_that_end_in_the_middle(net, monkeypatch, read, check_edges_are_clear):
    monkeypatch.setattr(place.Route, "reach", lambda self, i, angle: 0.0)
    with pytest.raises(AssertionError):
        check_edges_are_clear(read(draw.svg(net)))


def test_a_fold_that_loses_edges(net, monkeypatch, read, check_everything_once):
    monkeypatch.setattr(fold, "WIDTH", 400)
    check_everything_once(read(draw.svg(net)), net, "d2l")

    def cut(diagram, part):
        inner = [(a, b) for a, b in diagram.edges if part[a] == part[b]]
        return whole_cut(fold.replace(diagram, edges=inner), part)

    whole_cut = fold.cut
    monkeypatch.setattr(fold, "cut", cut)
    with pytest.raises(AssertionError):
        check_everything_once(read(draw.svg(net)), net, "d2l")


def test_names_that_are_not_escaped(monkeypatch):
    odd = graph.Graph([graph.variable("a<b", ())])
    ET.fromstring(draw.svg(odd))
    monkeypatch.setattr(paint, "escape", lambda text: text)
    with pytest.raises(ET.ParseError):
        ET.fromstring(draw.svg(odd))


def test_layers_that_are_not_in_order(net, monkeypatch, read, check_directions):
    monkeypatch.setattr("refbp.draw.layers.levels", lambda diagram: levels(diagram)[::-1])
    with pytest.raises(ValueError, match="circle"):
        check_directions(read(draw.svg(net)), net, "d2l")
