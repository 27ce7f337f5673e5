"""D2L's prod against sums over explicit Jacobians, for tensors of any shape."""

from itertools import pairwise

import numpy as np
import pytest

from refbp import gradient, jacobian
from refbp.chain_rule import Factored, prod


def tensors(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for shape in shapes]


@pytest.mark.parametrize(
    ("x_shape", "y_shape"), [((), ()), ((3,), ()), ((), (2,)), ((3,), (2,)), ((2, 3), (4,)), ((2, 1, 2), (3, 2))]
)
def test_gradient_of_a_composition(x_shape, y_shape):
    """Equations 6.44 to 6.47: the gradient by X is the gradient by Y times the Jacobian of Y by X."""
    x, c = tensors(x_shape, y_shape)
    (a,) = tensors(y_shape + x_shape, seed=1)

    def g(x):
        return np.tanh(np.tensordot(a, x, axes=x.ndim))

    def f(y):
        return np.sum(c * y**3)

    comp = prod(gradient(f, g(x)), jacobian(g, x))
    assert comp.shape == x_shape
    np.testing.assert_allclose(comp, gradient(lambda x: f(g(x)), x), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("shapes", [((2,), (3,), (4,)), ((2, 2), (3,), (1, 4)), ((), (2, 3), (2, 3))])
def test_jacobian_of_a_composition(shapes):
    """Z may have axes too: they come first and stay."""
    x_shape, y_shape, z_shape = shapes
    (x,) = tensors(x_shape)
    a, b = tensors(y_shape + x_shape, z_shape + y_shape, seed=1)

    def g(x):
        return np.sin(np.tensordot(a, x, axes=len(x_shape)))

    def f(y):
        return np.exp(np.tensordot(b, y, axes=len(y_shape)))

    comp = prod(jacobian(f, g(x)), jacobian(g, x), z_ndim=len(z_shape))
    assert comp.shape == z_shape + x_shape
    np.testing.assert_allclose(comp, jacobian(lambda x: f(g(x)), x), rtol=1e-8, atol=1e-10)


def phi_prime(z):
    return 1 - np.tanh(z) ** 2


W, X, Z = tensors((2, 3), (3,), (4,), seed=2)
MANY_X, MANY_Z = tensors((3, 5), (4, 5), seed=3)
COLUMN = np.ones(5)

# every operation of the network: the operation, the variable, the factored Jacobian
OPERATIONS = {
    "w @ x by x": (lambda x: W @ x, X, Factored(W, "i,ik->k")),
    "w @ x by w": (lambda w: w @ X, W, Factored(X, "i,k->ik")),
    "phi(z)": (np.tanh, Z, Factored(phi_prime(Z), "i,i->i")),
    "z + b by b": (lambda b: Z + b, Z, Factored(np.ones(()), "i,->i")),
    "many: w @ x by x": (lambda x: W @ x, MANY_X, Factored(W, "in,ik->kn")),
    "many: w @ x by w": (lambda w: w @ MANY_X, W, Factored(MANY_X, "in,kn->ik")),
    "many: phi(z)": (np.tanh, MANY_Z, Factored(phi_prime(MANY_Z), "in,in->in")),
    "many: z + b by b": (lambda b: MANY_Z + b[:, np.newaxis], Z, Factored(COLUMN, "in,n->i")),
}


def check_factored(f, variable, factored):
    """Compare with the Jacobian that has all its zeros, for a number z and for a vector z."""
    explicit = jacobian(f, variable)
    y_shape = np.shape(f(variable))
    assert explicit.shape == y_shape + variable.shape
    for z_shape in ((), (2,)):
        (dz_dy,) = tensors(z_shape + y_shape, seed=4)
        ref = np.tensordot(dz_dy, explicit, axes=len(y_shape))
        np.testing.assert_allclose(prod(dz_dy, factored), ref, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(prod(dz_dy, explicit, z_ndim=len(z_shape)), ref, rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_factored_jacobian_is_the_explicit_one_without_its_zeros(name):
    check_factored(*OPERATIONS[name])


SQUARE, SIDE, OTHER = tensors((3, 3), (3,), (3, 3), seed=5)

# where all sides are equal, no shape gives a fault away
FAULTS = {
    "w for its transpose": (lambda x: SQUARE @ x, SIDE, Factored(SQUARE, "i,ki->k")),
    "operands of the outer product swapped": (lambda w: w @ SIDE, SQUARE, Factored(SIDE, "i,k->ki")),
    "elementwise for a matrix product": (lambda x: SQUARE @ x, OTHER, Factored(SQUARE, "in,in->in")),
    "matrix product for elementwise": (np.tanh, OTHER, Factored(phi_prime(OTHER), "in,ik->kn")),
    "examples not summed": (lambda w: w @ OTHER, SQUARE, Factored(OTHER, "in,kn->in")),
}


@pytest.mark.parametrize("name", FAULTS)
def test_wrong_transposition_is_caught(name):
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check_factored(*FAULTS[name])


def test_a_chain_of_many_factors_in_either_order():
    """A product of Jacobians is the same from either end; back-propagation starts at the end that is a number."""
    sizes = [4, 3, 5, 1]
    factors = tensors(*[(n_out, n_in) for n_in, n_out in pairwise(sizes)], seed=6)
    from_the_output = np.ones(1)
    for factor in reversed(factors):
        from_the_output = prod(from_the_output, factor)
    from_the_input = factors[0]
    for factor in factors[1:]:
        from_the_input = prod(factor, from_the_input, z_ndim=1)
    np.testing.assert_allclose(from_the_output, from_the_input[0], rtol=1e-13)
