"""Buffers that are not promised to be zero may hold anything: NaN in them changes no bit of a result."""

import threading

import numpy as np
import pytest

import fastbp.kernels.memory
from fastbp.compiler.target import TARGET
from fastbp.kernels import LinearState, linear, linear_backward, linear_backward_update, matmul
from fastbp.kernels.vectors.types import lanes
from fastbp.training.engine import Engine
from support.lattice import DTYPES, random_problem, shapes
from support.networks import OPTIMIZERS, assert_identical, make_optimizer, make_problem, train

each_dtype = pytest.mark.parametrize("dtype", DTYPES)


@pytest.fixture
def poison(monkeypatch):
    """Give NaN to the kernels of dense layers as their workspace; tells how often it did."""
    given = []

    def nans(size, dtype):
        given.append(size)
        return np.full(size, np.nan, dtype=dtype)

    def apply():
        monkeypatch.setattr(fastbp.kernels.memory, "aligned_zeros", nans)
        monkeypatch.setattr(fastbp.kernels.memory, "_local", threading.local())
        return given

    return apply


@pytest.mark.smoke
@each_dtype
def test_products(dtype, rng, poison):
    problems = [random_problem(rng, dtype, *shape) for shape in shapes(dtype)]
    refs = [(matmul(a, b), linear(a, b, b[0], activation="logistic")) for a, b in problems]
    given = poison()
    for (a, b), (product, layer) in zip(problems, refs, strict=True):
        np.testing.assert_array_equal(matmul(a, b), product)
        np.testing.assert_array_equal(linear(a, b, b[0], activation="logistic"), layer)
    assert given


@each_dtype
def test_a_product_after_another_of_nan(dtype, rng):
    a, b = random_problem(rng, dtype, 9, 11, 13)
    ref = matmul(a, b)
    assert np.isnan(matmul(np.full((300, 400), np.nan, dtype), np.full((400, 200), np.nan, dtype), n_threads=1)).all()
    np.testing.assert_array_equal(matmul(a, b), ref)


def backward(problem, optimizer):
    x, w, dz = (a.copy() for a in problem)
    b = w[0].copy()
    results = list(linear_backward(dz, x, w, x_activation="tanh", weight_decay=0.2))
    settings = make_optimizer(optimizer).optimizer
    state = LinearState.zeros(w, b, settings)
    results.append(
        linear_backward_update(dz, x, w, b, state, optimizer=settings, x_activation="tanh", weight_decay=0.2)
    )
    return [*results, w, b, *state.arrays().values()]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@each_dtype
def test_backward(dtype, optimizer, rng, poison):
    problems = []
    for n, n_in, n_out in shapes(dtype)[::4]:
        problems.append([*random_problem(rng, dtype, n, n_in, n_out), rng.standard_normal((n, n_out)).astype(dtype)])
    refs = [backward(problem, optimizer) for problem in problems]
    given = poison()
    for problem, ref in zip(problems, refs, strict=True):
        for r, c in zip(ref, backward(problem, optimizer), strict=True):
            assert np.isfinite(r).all()
            np.testing.assert_array_equal(c, r)
    assert given


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("activation", ["tanh", "gelu", "softplus"])
@each_dtype
def test_training(dtype, activation, optimizer, rng, monkeypatch):
    make_buffers = Engine._make_buffers
    poisoned = []

    def make_poisoned_buffers(self, dtype, moments):
        buffers = make_buffers(self, dtype, moments)
        for name in ("scratch", "losses", "penalties", "totals"):
            getattr(buffers, name)[:] = np.nan
        if lanes(dtype) >= TARGET.mr:
            # With narrower vectors a tile reads columns beyond the last vector: there the zeros are needed.
            buffers.workspace[:] = np.nan
        poisoned.append(buffers)
        return buffers

    for sizes in [(5, 4), (7, 33, 2), (49, 17, 97, 3), (3, 1, 1)]:
        keywords = {"n": 29, "batch_size": 13, "epochs": 2, "weighted": True, "dtype": dtype}
        problem = make_problem(rng, sizes, activation=activation, **keywords)
        monkeypatch.setattr(Engine, "_make_buffers", make_buffers)
        ref = train(problem, make_optimizer(optimizer))
        monkeypatch.setattr(Engine, "_make_buffers", make_poisoned_buffers)
        comp = train(problem, make_optimizer(optimizer))
        assert poisoned
        assert np.isfinite(comp.losses).all()
        assert_identical(comp, ref)
