"""Networks and conventions against JAX; skipped where it is not installed."""

import itertools

import numpy as np
import pytest

from refbp import graph
from refbp.activations import HIDDEN_ACTIVATIONS
from refbp.graph import variable
from refbp.losses import LOSSES

pytest.importorskip("jax")


@pytest.mark.parametrize(
    ("activation", "loss"),
    [*zip(HIDDEN_ACTIVATIONS, itertools.cycle(LOSSES)), ("relu", "log_loss"), ("tanh", "poisson")],
)
def test_network(activation, loss, make_problem, check_against_jax):
    weights, biases, x, y, keywords = make_problem((3, 4, 2), activation, loss, weighted=True)
    net = graph.mlp((3, 4, 2), 5, activation=activation, loss=loss, weight_decay=0.3, weighted=True)
    params = net.weights + net.biases
    values = net.given(x=x, y=y, c=keywords["sample_weight"]) | dict(zip(params, weights + biases, strict=True))
    check_against_jax(net.J, params, values)


def test_the_same_conventions_at_kinks_and_ties(check_against_jax):
    x = variable("x", (2, 3))
    values = {x: np.array([[1.0, 1.0, 0.0], [-1.0, 2.0, 2.0]])}
    check_against_jax(graph.squared_norm(graph.reduce_max(x, axis=1)), [x], values)
    check_against_jax(graph.squared_norm(graph.relu(x) + x), [x], values)


def test_rules_that_few_networks_need(check_against_jax, numbers):
    z, y, v = variable("z", (4, 3)), variable("y", (4, 3)), variable("v", (3,))
    values = numbers(z) | numbers(y, v, low=0.2, high=1.2, seed=1)
    total = graph.squared_norm(graph.log_softmax(z) @ v) / (graph.softmax(v) @ v)
    for loss in (graph.cross_entropy, graph.squared_error, graph.binary_cross_entropy, graph.poisson):
        total = total + graph.squared_norm(loss(z, y))
    check_against_jax(total, [z, y, v], values)
