"""Every operation: number, shape, first and second derivative against differences."""

from statistics import NormalDist

import numpy as np
import pytest

import refbp
from refbp import graph
from refbp.graph import OPERATIONS, constant, variable
from refbp.graph.arithmetic import outer

A, B, C = variable("A", (2, 3)), variable("B", (3, 2)), variable("C", (2, 3))
ROW, COLUMN, SCALAR = variable("row", (3,)), variable("column", (2, 1)), variable("scalar", ())
V2, V3 = variable("v2", (2,)), variable("v3", (3,))

CASES = {
    "transpose": [(A.T, [A])],
    "reshape": [(graph.reshape(A, to=(3, 2)), [A]), (graph.reshape(A.T, to=(6,)), [A])],
    "broadcast": [(graph.broadcast_to(v, to=(4, 2, 3)), [v]) for v in (A, ROW, COLUMN, SCALAR)],
    "sum": [
        (graph.reduce_sum(A, axis=axis, keepdims=keepdims), [A])
        for axis in (None, 0, 1, -1, (0, 1))
        for keepdims in (False, True)
    ],
    "mean": [
        (graph.mean(A, axis=axis, keepdims=keepdims), [A])
        for axis in (None, 0, 1, -1, (0, 1))
        for keepdims in (False, True)
    ],
    "squared_norm": [(graph.squared_norm(v), [v]) for v in (A, ROW, SCALAR)],
    **{
        symbol: [(operate(a, b), [a, b]) for a in (A, ROW, COLUMN, SCALAR) for b in (C, ROW, COLUMN, SCALAR)]
        for symbol, operate in {
            "+": lambda a, b: a + b,
            "-": lambda a, b: a - b,
            "*": lambda a, b: a * b,
            "/": lambda a, b: a / b,
        }.items()
    },
    "negate": [(-A, [A])],
    "power": [(A**p, [A]) for p in (0, 1, 2, 3, -1, 0.5, 2.5)],
    "matmul": [(A @ B, [A, B]), (A @ V3, [A, V3]), (V2 @ A, [V2, A]), (ROW @ V3, [ROW, V3]), (A @ A.T, [A])],
    "outer": [(outer(V2, V3), [V2, V3]), (outer(SCALAR, V3), [SCALAR, V3])],
    **{
        f.__self__.symbol: [(f(A), [A]), (f(ROW), [ROW])]
        for f in (
            graph.exp,
            graph.log,
            graph.logistic,
            graph.tanh,
            graph.softplus,
            graph.normal_cdf,
            graph.softmax,
            graph.log_softmax,
        )
    },
    "relu": [(graph.relu(A - 1.0), [A])],
    "step": [(graph.step(A - 1.0) * A, [A])],
    "max": [
        (graph.reduce_max(A, axis=axis, keepdims=keepdims), [A])
        for axis in (None, 0, 1, -1)
        for keepdims in (False, True)
    ],
    "winners": [(OPERATIONS["winners"].apply(A, axis=1) * A, [A])],
    **{
        f.__self__.symbol: [(f(A, C), [A, C]), (f(ROW, V3), [ROW, V3])]
        for f in (graph.cross_entropy, graph.squared_error, graph.binary_cross_entropy, graph.poisson)
    },
}


@pytest.fixture
def values(numbers):
    """Positive, so that logarithms and roots have derivatives; no two are equal."""
    return numbers(A, B, C, ROW, COLUMN, SCALAR, V2, V3, low=0.3, high=1.8)


def test_every_operation_is_here():
    assert set(CASES) == set(OPERATIONS) - {"argmax"}


@pytest.mark.parametrize("symbol", CASES)
def test_rule(symbol, values, check_derivatives):
    for v, inputs in CASES[symbol]:
        params = list(dict.fromkeys(inputs))  # v + v has one parameter, by two edges
        assert symbol in {u.operation.symbol for u in graph.Graph([v]) if u.operation} | {"power", "outer"}
        assert graph.evaluate([v], values).values[0].shape == v.shape
        weights = constant(np.random.default_rng(1).standard_normal(v.shape))
        # The tanh makes the gradient G that arrives depend on the parameters, so that every term of the second
        # derivative is there.
        check_derivatives(graph.reduce_sum(graph.tanh(weights * v)), params, values)


@pytest.mark.parametrize(
    ("v", "f"),
    [
        (graph.exp(A), np.exp),
        (graph.log(A), np.log),
        (graph.logistic(A), lambda a: 1 / (1 + np.exp(-a))),
        (graph.tanh(A), np.tanh),
        (graph.softplus(A), lambda a: np.log(1 + np.exp(a))),
        (graph.normal_cdf(A), np.vectorize(NormalDist().cdf)),
        (graph.relu(A - 1.0), lambda a: np.where(a > 1, a - 1, 0)),
        (graph.step(A - 1.0), lambda a: np.where(a > 1, 1.0, 0.0)),
        (graph.softmax(A), lambda a: np.exp(a) / np.exp(a).sum(axis=1, keepdims=True)),
        (graph.log_softmax(A), lambda a: a - np.log(np.exp(a).sum(axis=1, keepdims=True))),
        (graph.argmax(A), lambda a: a.argmax(axis=1)),
        (graph.mean(A, axis=0), lambda a: a.mean(axis=0)),
        (graph.reduce_max(A, axis=1), lambda a: a.max(axis=1)),
        (graph.squared_norm(A), lambda a: np.linalg.norm(a) ** 2),
        (2 / A - 1 + A / 3, lambda a: 2 / a - 1 + a / 3),
        (np.array([1.0, 2.0, 3.0]) * A + np.float64(2) * A - 5, lambda a: a * [3, 4, 5] - 5),
        (3 - A, lambda a: 3 - a),
        (1.5 + (-A) ** 3, lambda a: 1.5 - a**3),
    ],
)
def test_number(v, f, values):
    np.testing.assert_allclose(graph.evaluate([v], values).values[0], f(values[A]), rtol=1e-14, atol=1e-15)


def test_the_two_rules_of_a_matrix_product():
    """Section 6.5.6: G B^T and A^T G, with the shapes of A and B."""
    G = variable("G", (2, 2))
    product = A @ B
    by_A, by_B = (product.operation.bprop(product.inputs, X, G) for X in (A, B))
    rng = np.random.default_rng(0)
    a, b, g = (rng.standard_normal(v.shape) for v in (A, B, G))
    comp_A, comp_B = graph.evaluate([by_A, by_B], {A: a, B: b, G: g}).values
    np.testing.assert_array_equal(comp_A, g @ b.T)
    np.testing.assert_array_equal(comp_B, a.T @ g)


def test_bprop_is_the_sum_over_the_jacobian():
    """(6.54), with the Jacobian of softmax written out."""
    G, x = variable("G", (3,)), variable("x", (3,))
    h = graph.softmax(x)
    g, at = np.array([1.0, -2.0, 0.5]), np.array([0.1, 0.7, -0.3])
    comp, p = graph.evaluate([h.operation.bprop(h.inputs, x, G), h], {x: at, G: g}).values
    jacobian = np.diag(p) - np.outer(p, p)
    np.testing.assert_allclose(comp, jacobian.T @ g, rtol=1e-14)


def test_ties_share_the_gradient_of_the_maximum():
    x = variable("x", (4,))
    z = graph.reduce_max(x)
    gradient = graph.backprop([x], graph.Graph([z]), z)[x]
    np.testing.assert_array_equal(graph.evaluate([gradient], {x: [1.0, 3.0, 3.0, 2.0]}).values[0], [0.0, 0.5, 0.5, 0.0])


def test_relu_is_flat_at_its_kink(check_derivatives, kink):
    x = variable("x", (3,))
    z = graph.reduce_sum(graph.relu(x))
    values = {x: np.array([-1.0, 0.0, 2.0])}
    gradient = graph.backprop([x], graph.Graph([z]), z)[x]
    np.testing.assert_array_equal(graph.evaluate([gradient], values).values[0], [0.0, 0.0, 1.0])
    with pytest.raises(kink):
        check_derivatives(z, [x], values)


def test_power_at_zero():
    x = variable("x", (3,))
    for p, slope, curvature in [(0, 0, 0), (1, 1, 0), (2, 0, 2), (3, 0, 0)]:
        comp = graph.hessian(graph.reduce_sum(x**p), [x], {x: np.zeros(3)})
        np.testing.assert_array_equal(comp, curvature * np.eye(3))
        z = graph.reduce_sum(x**p)
        gradient = graph.backprop([x], graph.Graph([z]), z)[x]
        np.testing.assert_array_equal(graph.evaluate([gradient], {x: np.zeros(3)}).values[0], [slope] * 3)


def test_extreme_arguments():
    x = variable("x", (1, 3))
    y = constant(np.array([[0.0, 0.0, 1.0]]))
    values = {x: [[-1e4, 0.0, 1e4]]}
    for v in (graph.logistic(x), graph.softmax(x), graph.log_softmax(x), graph.cross_entropy(x, y)):
        z = graph.reduce_sum(v)
        gradient = graph.backprop([x], graph.Graph([z]), z)[x]
        assert all(np.isfinite(a).all() for a in graph.evaluate([z, gradient], values).values)


def test_cross_entropy_of_weighted_targets(check_derivatives, numbers):
    """The rule does not take for granted that targets sum to one."""
    z, y = variable("z", (4, 3)), variable("y", (4, 3))
    values = numbers(z) | numbers(y, low=0.0, high=3.0, seed=1)
    check_derivatives(graph.mean(graph.cross_entropy(z, y)), [z, y], values)


def test_float32_stays_float32():
    x, y = variable("x", (2, 3)), variable("y", (2, 3))
    z = graph.mean(graph.cross_entropy(2 * x + 1, y)) + 0.3 * graph.squared_norm(x)
    net = graph.Graph([z])
    gradient = graph.backprop([x], net, z)[x]
    product = graph.hessian_vector_product(z, [x], [constant(np.ones((2, 3)))], net)[0]
    values = {x: np.ones((2, 3), np.float32), y: np.eye(3, dtype=bool)[:2]}
    for value in graph.evaluate([z, gradient, product], values).values:
        assert value.dtype == np.float32


@pytest.mark.parametrize(
    "build",
    [
        lambda: A @ C,
        lambda: A @ SCALAR,
        lambda: A + B,
        lambda: graph.reshape(A, to=(4,)),
        lambda: graph.broadcast_to(A, to=(3, 2)),
        lambda: graph.cross_entropy(A, V2),
    ],
)
def test_shapes_that_do_not_fit(build):
    with pytest.raises(ValueError, match=r"shape|elements"):
        build()


def test_an_operation_without_a_rule():
    hits = graph.argmax(A)
    with pytest.raises(refbp.UndefinedDerivativeError, match="no derivative: operation 'argmax' has none"):
        hits.operation.bprop(hits.inputs, A, variable("G", (2,)))
