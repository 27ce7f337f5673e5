"""Algorithms 6.1 and 6.2 against hand calculation, and against algorithms 6.5 and 6.6."""

import math

import pytest

from refbp import graph
from refbp.graph import Node, forward, simplified_backprop, variable


def add(i, j):
    return Node(lambda a, b: a + b, lambda a, b: (1.0, 1.0), (i, j))


def multiply(i, j):
    return Node(lambda a, b: a * b, lambda a, b: (b, a), (i, j))


def tanh(i):
    return Node(math.tanh, lambda a: (1 - math.tanh(a) ** 2,), (i,))


def test_by_hand():
    """u = tanh(x y) + x: two paths lead to x."""
    nodes = [multiply(0, 1), tanh(2), add(3, 0)]
    u = forward([0.5, 2.0], nodes)
    assert u == [0.5, 2.0, 1.0, math.tanh(1.0), math.tanh(1.0) + 0.5]
    slope = 1 - math.tanh(1.0) ** 2
    gradient, edges = simplified_backprop([0.5, 2.0], nodes)
    assert gradient == [2.0 * slope + 1, 0.5 * slope]
    assert edges == 5


def test_chain_of_three():
    """(6.50 - 6.52): dz/dw = f'(y) f'(x) f'(w)."""
    w, x, y, _ = forward([0.7], [tanh(0), tanh(1), tanh(2)])
    gradient, edges = simplified_backprop([0.7], [tanh(0), tanh(1), tanh(2)])
    assert gradient[0] == pytest.approx(math.prod(1 - math.tanh(v) ** 2 for v in (w, x, y)), rel=1e-15)
    assert edges == 3


def test_exponentially_many_paths():
    gradient, edges = simplified_backprop([1.0], [add(i, i) for i in range(64)])
    assert gradient == [2.0**64]
    assert edges == 128


def test_input_that_the_output_does_not_depend_on():
    assert simplified_backprop([3.0, 4.0], [multiply(0, 0)]) == ([6.0, 0.0], 2)


def test_output_that_is_an_input():
    assert simplified_backprop([3.0, 4.0], []) == ([0.0, 1.0], 0)


def test_long_chain():
    gradient, edges = simplified_backprop([0.5], [add(i, i) for i in range(1000)] + [tanh(1000)])
    assert edges == 2001
    assert gradient == [0.0]
    gradient, edges = simplified_backprop([0.01], [tanh(i) for i in range(5000)])
    assert edges == 5000
    assert 0 < gradient[0] < 1


def test_the_general_algorithm_agrees():
    nodes = [multiply(0, 1), tanh(2), multiply(3, 0), add(4, 2), multiply(5, 5)]
    ref, edges = simplified_backprop([0.6, -1.3], nodes)
    x, y = variable("x", ()), variable("y", ())
    u = x * y
    v = graph.tanh(u) * x + u
    z = v * v
    gradients = graph.backprop([x, y], graph.Graph([z]), z)
    comp = graph.evaluate(list(gradients.values()), {x: 0.6, y: -1.3}).values
    assert [float(c) for c in comp] == pytest.approx(ref, rel=1e-14)
    assert len(gradients.edges) == edges
