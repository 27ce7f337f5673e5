"""Checks shared by the tests of refbp.graph.

They are fixtures that return functions, so that `test_planted_faults.py` can put faulty rules through the very
checks that the right ones pass. They last for the session, since Hypothesis calls a test many times.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from refbp import graph
from refbp.graph.variables import Variable

STEP = 2.0**-8
RTOL = 1e-8
SIGNS, ORDERS = ("relu", "step"), ("max", "winners")
"""Operations with kinks: where an element changes its sign, and where two change places."""


class Kink(Exception):
    """Somewhere between the points of the differences a function changes its smooth piece."""


def extrapolated(f: Callable[[np.longdouble], np.ndarray]) -> np.ndarray:
    """Differentiate at zero by central differences, extrapolated to an error of the eighth order in the step.

    The graphs evaluate in the type of their arguments, so that rounding is that of long doubles.
    """
    steps = [np.longdouble(STEP) / 2**k for k in range(4)]
    level = [(f(h) - f(-h)) / (2 * h) for h in steps]
    for k in (1, 2, 3):
        level = [(4**k * fine - coarse) / (4**k - 1) for coarse, fine in pairwise(level)]
    return level[0]


def pieces(net: graph.Graph) -> list[Variable]:
    """List what decides on which smooth piece the variables of a graph are: no sign among them changes on it."""
    found = []
    for v in net:
        if v.operation is not None and v.operation.symbol in SIGNS:
            found.append(v.inputs[0])
        elif v.operation is not None and v.operation.symbol in ORDERS:
            column = graph.reshape(v.inputs[0], to=(math.prod(v.inputs[0].shape), 1))
            found.append(column - column.T)
    return found


def at(
    targets: Sequence[Variable], params: Sequence[Variable], vs: Sequence[np.ndarray], values: Mapping[Variable, Any]
) -> Callable[[np.longdouble], np.ndarray]:
    """Make the function of t that evaluates the targets, end to end, at params + t * vs."""
    kinks = pieces(graph.Graph(targets))

    def points(t: np.longdouble) -> tuple[np.ndarray, list[np.ndarray]]:
        moved = {x: np.asarray(values[x], np.longdouble) + t * v for x, v in zip(params, vs, strict=True)}
        found = graph.evaluate([*targets, *kinks], {**values, **moved}).values
        return np.concatenate([np.ravel(a) for a in found[: len(targets)]]), [np.sign(a) for a in found[len(targets) :]]

    here = points(np.longdouble(0))[1]

    def f(t: np.longdouble) -> np.ndarray:
        found, there = points(t)
        if not all(np.array_equal(a, b) for a, b in zip(here, there, strict=True)):
            raise Kink
        return found

    return f


def agree(what: str, ref: np.ndarray, comp: np.ndarray, scale: float) -> None:
    """Compare two vectors relative to a scale; 1e-13 is left for gradients that cancel to zero."""
    error = float(np.linalg.norm(ref - comp))
    assert error <= RTOL * scale + 1e-13, f"{what}: error {error:.1e} at a scale of {scale:.1e}"


def same_arrays(refs: Sequence[Any], comps: Sequence[np.ndarray]) -> None:
    """Compare derivatives by several arrays, relative to all of them together."""
    scale = float(np.sqrt(sum(np.sum(np.square(ref)) for ref in refs)))
    for ref, comp in zip(refs, comps, strict=True):
        assert comp.shape == ref.shape
        assert np.linalg.norm(np.asarray(ref) - comp) <= 1e-11 * scale + 1e-13


@pytest.fixture(scope="session")
def check_derivatives() -> Callable[..., None]:
    """Check the gradient and the Hessian's products against differences along random directions."""

    def check(
        z: Variable,
        params: Sequence[Variable],
        values: Mapping[Variable, Any],
        *,
        second: bool = True,
        seed: int = 0,
    ) -> None:
        rng = np.random.default_rng(seed)
        net = graph.Graph([z])
        gradients = graph.backprop(params, net, z)
        g = graph.evaluate([gradients[x] for x in params], values).values
        assert [a.shape for a in g] == [x.shape for x in params]
        assert all(a.dtype == np.float64 for a in g)
        scale = float(np.sqrt(sum((a**2).sum() for a in g)))
        for _ in range(3):
            vs = [rng.standard_normal(x.shape) for x in params]
            vs = [v / np.sqrt(sum((u**2).sum() for u in vs)) for v in vs]
            ref = extrapolated(at([z], params, vs, values))
            agree("first derivative", ref, np.array([sum((a * v).sum() for a, v in zip(g, vs, strict=True))]), scale)
        if second:
            directions = [graph.constant(v) for v in vs]
            products = graph.evaluate(graph.hessian_vector_product(z, params, directions, net), values).values
            assert [a.shape for a in products] == [x.shape for x in params]
            comp = np.concatenate([np.ravel(a) for a in products])
            ref = extrapolated(at([gradients[x] for x in params], params, vs, values))
            agree("second derivative", ref, comp, float(np.linalg.norm(ref)))

    return check


@pytest.fixture(scope="session")
def kink() -> type[Kink]:
    """Give the exception that `check_derivatives` raises where there is no derivative."""
    return Kink


@pytest.fixture(scope="session")
def check_edges_once() -> Callable[..., int]:
    """Check that back-propagation visits every edge between the targets and z exactly once; count them."""

    def check(targets: Sequence[Variable], z: Variable) -> int:
        net = graph.Graph([z])
        below = set(targets)
        for v in net:
            if below & set(v.inputs):
                below.add(v)
        above = graph.Graph([z])
        ref = [(a, c) for c in above for a in c.inputs if a in below]
        comp = graph.backprop(targets, net, z).edges
        names = net.names
        assert sorted((names[a], names[c]) for a, c in comp) == sorted((names[a], names[c]) for a, c in ref)
        return len(comp)

    return check


@pytest.fixture(scope="session")
def numbers() -> Callable[..., dict[Variable, np.ndarray]]:
    """Draw values for given variables, around zero or between two bounds."""

    def draw(*given: Variable, seed: int = 0, low: float = -1.5, high: float = 1.5) -> dict[Variable, np.ndarray]:
        rng = np.random.default_rng(seed)
        return {v: rng.uniform(low, high, v.shape) for v in given}

    return draw


@pytest.fixture(scope="session")
def check_against_jax() -> Callable[..., None]:
    """Check number, gradient and Hessian product of a graph against JAX, which differentiates its own operations."""
    jax = pytest.importorskip("jax")
    jnp = jax.numpy

    def losses(z: Any, y: Any) -> dict[str, Any]:
        return {
            "cross_entropy": lambda: -(y * jax.nn.log_softmax(z)).sum(-1),
            "squared_error": lambda: ((z - y) ** 2).sum(-1) / 2,
            "binary_cross_entropy": lambda: -(y * jax.nn.log_sigmoid(z) + (1 - y) * jax.nn.log_sigmoid(-z)).sum(-1),
            "poisson": lambda: (jax.scipy.special.xlogy(y, y) - y * z - y + jnp.exp(z)).sum(-1),
        }

    functions = {
        "transpose": lambda op, a: a.T,
        "reshape": lambda op, a: jnp.reshape(a, op.to),
        "broadcast": lambda op, a: jnp.broadcast_to(a, op.to),
        "sum": lambda op, a: jnp.sum(a, axis=op.axis, keepdims=op.keepdims),
        "mean": lambda op, a: jnp.mean(a, axis=op.axis, keepdims=op.keepdims),
        "max": lambda op, a: jnp.max(a, axis=op.axis, keepdims=op.keepdims),
        "squared_norm": lambda op, a: jnp.vdot(a, a),
        "+": lambda op, a, b: jnp.add(a, b),
        "-": lambda op, a, b: jnp.subtract(a, b),
        "*": lambda op, a, b: jnp.multiply(a, b),
        "/": lambda op, a, b: jnp.divide(a, b),
        "negate": lambda op, a: jnp.negative(a),
        "matmul": lambda op, a, b: jnp.matmul(a, b),
        "exp": lambda op, a: jnp.exp(a),
        "log": lambda op, a: jnp.log(a),
        "logistic": lambda op, a: jax.nn.sigmoid(a),
        "tanh": lambda op, a: jnp.tanh(a),
        "softplus": lambda op, a: jax.nn.softplus(a),
        "normal_cdf": lambda op, a: jax.scipy.stats.norm.cdf(a),
        "relu": lambda op, a: jax.nn.relu(a),
        "softmax": lambda op, a: jax.nn.softmax(a),
        "log_softmax": lambda op, a: jax.nn.log_softmax(a),
    }

    def run(op: graph.Operation, arrays: Sequence[Any]) -> Any:
        if type(op).__name__ == "Power":
            return jnp.power(arrays[0], op.exponent)
        if op.symbol in functions:
            return functions[op.symbol](op, *arrays)
        return losses(*arrays)[op.symbol]()

    def check(z: Variable, params: Sequence[Variable], values: Mapping[Variable, Any]) -> None:
        nodes = list(graph.Graph([z]))

        def f(arrays: list[Any]) -> Any:
            found = {v: values.get(v, v.value) for v in nodes if v.operation is None}
            found.update(zip(params, arrays, strict=True))
            for v in nodes:
                if v.operation is not None:
                    found[v] = run(v.operation, [jnp.asarray(found[a], float) for a in v.inputs])
            return found[z]

        rng = np.random.default_rng(0)
        vs = [rng.standard_normal(x.shape) for x in params]
        with jax.enable_x64(True):
            at = [jnp.asarray(values[x], float) for x in params]
            ref_z = jax.jit(f)(at)
            ref_g, ref_product = jax.jit(lambda at, vs: jax.jvp(jax.grad(f), (at,), (vs,)))(
                at, list(map(jnp.asarray, vs))
            )
        net = graph.Graph([z])
        gradients = list(graph.backprop(params, net, z).values())
        products = graph.hessian_vector_product(z, params, [graph.constant(v) for v in vs], net)
        comp_z, *comps = graph.evaluate([z, *gradients, *products], values).values
        assert comp_z == pytest.approx(float(ref_z), rel=1e-12, abs=1e-14)
        same_arrays(ref_g, comps[: len(params)])
        same_arrays(ref_product, comps[len(params) :])

    return check
