"""Random graphs with shared subexpressions and broadcasting: derivatives against differences."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from refbp import graph
from refbp.graph import Graph, arithmetic, backpropagation, constant, evaluate, variable
from refbp.graph.variables import add_up

MOST_NODES = 30
# Where no complex step is valid: operations with kinks, and those that are computed by way of an absolute value.
NOT_ANALYTIC = {"relu", "max", "logistic", "binary_cross_entropy"}
RTOL = 1e-10  # rounding, which two passes through some twenty operations amplify; relative to numbers of order one
TINY = 2.0**-332  # its square is negligible relative to any number
SHAPES = [(), (3,), (2, 3), (2, 1), (1, 3), (2, 2), (3, 2)]

UNARY = [
    lambda a: -a,
    lambda a: graph.exp(0.5 * a),
    lambda a: graph.log(1.5 + a * a),
    lambda a: 1 / (2 + a**2),
    lambda a: (1 + a**2) ** 0.5,
    lambda a: a**3,
    graph.logistic,
    graph.tanh,
    graph.relu,
    graph.squared_norm,
    lambda a: a.T,
    lambda a: graph.reshape(a, to=(int(np.prod(a.shape, dtype=int)),)),
    lambda a: graph.broadcast_to(a, to=(2, *a.shape)) if len(a.shape) < 2 else a * a,
    graph.mean,
]
OF_ROWS = [
    graph.softmax,
    graph.log_softmax,
    lambda a: graph.reduce_max(a, axis=-1),
    lambda a: graph.reduce_sum(a, axis=0, keepdims=True),
    lambda a: graph.mean(a, axis=-1),
]
BINARY = [lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: a / (2 + b * b)]
OF_THE_SAME_SHAPE = [graph.cross_entropy, graph.squared_error, graph.binary_cross_entropy]


def fits(operate, *operands):
    try:
        return operate(*operands)
    except ValueError:
        return None


@st.composite
def problems(draw):
    """Draw a scalar z, its parameters and their values; every node is kept within the reach of a few units."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    params = [variable(f"x{i}", draw(st.sampled_from(SHAPES))) for i in range(draw(st.integers(1, 4)))]
    values = {x: rng.uniform(-1.5, 1.5, x.shape) for x in params}
    nodes = list(params)
    size = draw(st.integers(5, MOST_NODES - 6) | st.just(MOST_NODES - 6))
    while len(net := Graph(nodes)) < size:
        # One operand is new, so that the graph grows deep; the other is any, so that subexpressions are shared.
        a = draw(st.sampled_from([v for v in nodes if not net.consumers[v]]))
        b = draw(st.sampled_from(nodes))
        moves = [*UNARY, *(OF_ROWS if a.shape else [])]
        made = [
            lambda a=a, moves=moves: draw(st.sampled_from(moves))(a),
            lambda a=a, b=b: fits(draw(st.sampled_from(BINARY)), a, b),
            lambda a=a, b=b: fits(lambda a, b: a @ b, a, b),
            lambda a=a, b=b: draw(st.sampled_from(OF_THE_SAME_SHAPE))(a, b) if a.shape == b.shape != () else None,
        ]
        v = draw(st.sampled_from(made))()
        if v is not None:
            nodes.append(v if np.abs(evaluate([v], values).values[0]).max() < 3 else graph.tanh(0.3 * v))
    net = Graph(nodes)
    sinks = [v for v in net if not net.consumers[v]]
    while len(sinks) > 3:  # so that the sum of the sinks does not outgrow the limit
        sinks.pop(draw(st.integers(0, len(sinks) - 1)))
    z = graph.reduce_sum(constant(rng.standard_normal(sinks[0].shape)) * sinks[0])
    for v in sinks[1:]:
        z = z + graph.squared_norm(v)
    assume(len(Graph([z])) <= MOST_NODES)
    return z, params, values


def broadcasts(v):
    shapes = [a.shape for a in v.inputs]
    return v.operation.symbol == "broadcast" or (v.operation.symbol in "+-*/" and shapes[0] != shapes[1])


def test_first_and_second_derivatives(check_derivatives, check_edges_once, kink):
    seen = []

    @settings(deadline=None, max_examples=250, derandomize=True)
    @given(problem=problems())
    def check(problem):
        z, params, values = problem
        try:
            check_derivatives(z, params, values)
        except kink:
            assume(False)
        check_edges_once(params, z)
        # Recomputing everything gives the same bits.
        gradients = graph.backprop(params, Graph([z]), z)
        targets = [gradients[x] for x in params]
        ref = evaluate(targets, values).values
        comp = evaluate(targets, values, recompute=graph.Graph(targets).consumers).values
        for r, c in zip(ref, comp, strict=True):
            np.testing.assert_array_equal(c, r)
        seen.append(Graph([z]))

    check()
    # The graphs are what they are meant to be: large, with variables that are used again and with broadcasting.
    computed = [[v for v in net if v.operation] for net in seen]
    assert max(map(len, seen)) == MOST_NODES
    both = [
        len(net)
        for net, vs in zip(seen, computed, strict=True)
        if any(len(net.consumers[v]) > 1 for v in vs) and any(broadcasts(v) for v in vs)
    ]
    assert len(both) > 50
    assert sum(n >= 20 for n in both) > 20
    times = Counter(v.operation.symbol for vs in computed for v in vs)
    assert min(times.values()) >= 3, times


@settings(deadline=None, max_examples=60, derandomize=True)
@given(problem=problems())
def test_complex_step(problem):
    """A step along the imaginary axis cancels nothing: here derivatives agree to rounding."""
    z, params, values = problem
    net = Graph([z])
    assume(not any(v.operation and v.operation.symbol in NOT_ANALYTIC for v in net))
    rng = np.random.default_rng(0)
    vs = [rng.standard_normal(x.shape) for x in params]
    gradients = list(graph.backprop(params, net, z).values())
    products = graph.hessian_vector_product(z, params, [constant(v) for v in vs], net)
    moved = {x: values[x] + 1j * TINY * v for x, v in zip(params, vs, strict=True)}
    along, *ref = (np.imag(a) / TINY for a in evaluate([z, *gradients], moved).values)
    g = evaluate(gradients, values).values
    scale = np.sqrt(sum((a**2).sum() for a in g))
    assert abs(along - sum((a * v).sum() for a, v in zip(g, vs, strict=True))) <= RTOL * (scale + 1)
    scale = max(scale, np.sqrt(sum((a**2).sum() for a in ref)))
    for r, c in zip(ref, evaluate(products, values).values, strict=True):
        assert np.linalg.norm(r - c) <= RTOL * (scale + 1)


@settings(deadline=None, max_examples=10, derandomize=True)
@given(problem=problems())
def test_jax_agrees(problem, check_against_jax):
    check_against_jax(*problem)


FAULTS = {
    "one path only where several meet": (backpropagation, "add_up", lambda parts, shape: add_up(parts[:1], shape)),
    "mean for a sum where an operand was repeated": (
        arithmetic,
        "unbroadcast",
        lambda G, shape: RIGHT_UNBROADCAST(G, shape) / (math.prod(G.shape) / math.prod(shape)),
    ),
    "wrong rule": (graph.OPERATIONS["tanh"], "rule", lambda op, k, inputs, G: G * (1 - op.output)),
}
RIGHT_UNBROADCAST = arithmetic.unbroadcast


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(name, monkeypatch, check_derivatives, kink):
    monkeypatch.setattr(*FAULTS[name])

    # The first graph that shows the fault will do; making it smaller would take longer than all the rest.
    @settings(deadline=None, max_examples=60, derandomize=True, phases=[Phase.generate])
    @given(problem=problems())
    def search(problem):
        try:
            check_derivatives(*problem)
        except kink:
            assume(False)

    with pytest.raises(AssertionError, match="derivative: error"):
        search()
