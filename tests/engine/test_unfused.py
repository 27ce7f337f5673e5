"""A gradient that is stored, and then applied on its own, makes the same step as the fused one, to the last bit."""

import numpy as np
import pytest

from fastbp.compiler.target import TARGET
from fastbp.compiler.tuning import MOST_ROWS
from fastbp.kernels.functions.optimizers import RULE_CODES
from fastbp.kernels.passes.step import update_weights
from fastbp.network.packing import pack_parameters, unpack_parameters
from fastbp.network.spec import Recipe
from fastbp.training.engine import Engine
from support.lattice import DTYPES, panel_width
from support.networks import (
    OPTIMIZERS,
    Problem,
    Result,
    assert_identical,
    make_optimizer,
    make_problem,
    network_of,
    samples_of,
    train,
)

each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS)


def train_unfused(problem: Problem, state) -> Result:
    """Train epochs of one minibatch: two passes over the weights, one with the rule "store" and one with the real rule.

    The moments are kept here; the engine's first moment is the gradient.
    """
    rule = state.optimizer.rule
    recipe = Recipe(problem.batch_size, problem.weight_decay, 1)
    results = [np.empty_like(p) for p in problem.params]
    losses = []
    with Engine(network_of(problem), "store", samples_of(problem), recipe) as engine:
        plan, buffers = engine.plan, engine.buffers
        pack_parameters(plan.table, problem.params, buffers.params, plan.panel_width)
        moments = [np.zeros_like(buffers.params) for _ in range(2)]
        for name, moment in zip(state.rule.moments, moments, strict=False):
            if name in state.moments:
                pack_parameters(plan.table, state.moments[name], moment, plan.panel_width)
        own = buffers._replace(gradient=buffers.moment_1, moment_1=moments[0], moment_2=moments[1])
        engine.transpose()
        for _ in problem.orders:
            losses.append(engine.run())
            state.t += 1
            update_weights(engine._network, own, engine._data, RULE_CODES[rule], state.settings(), state.t)
        unpack_parameters(plan.table, buffers.params, results, plan.panel_width)
        for name, moment in zip(state.rule.moments, moments, strict=False):
            state.moments[name] = [np.empty_like(p) for p in problem.params]
            unpack_parameters(plan.table, moment, state.moments[name], plan.panel_width)
    return Result(results, losses, state)


def check(problem: Problem, state) -> None:
    fused = train(problem, state)
    assert any((old != new).any() for old, new in zip(problem.params, fused.params, strict=True))
    assert_identical(train_unfused(problem, state), fused)


@each_optimizer
@each_dtype
def test_unfused_step_is_the_fused_one(dtype, optimizer, rng):
    nr = panel_width(dtype)
    for sizes, activation in [((3, 2), "tanh"), ((nr + 1, 2 * nr + 1, 7, 3), "relu"), ((5, nr, nr, 1), "gelu")]:
        n = 2 * TARGET.mr + 3
        keywords = {"n": n, "batch_size": n, "shuffled": False, "epochs": 3, "weighted": True, "dtype": dtype}
        check(make_problem(rng, sizes, activation=activation, **keywords), make_optimizer(optimizer))


@each_optimizer
def test_gradient_of_several_blocks(optimizer, rng):
    n = MOST_ROWS + 5
    problem = make_problem(rng, (4, 9, 2), n=n, batch_size=n, shuffled=False, epochs=2)
    check(problem, make_optimizer(optimizer))


@each_dtype
def test_moments_that_die_away_do_so_in_both(dtype, rng):
    problem = make_problem(rng, (5, 9, 3), n=8, batch_size=8, shuffled=False, weight_decay=0.0, dtype=dtype)
    state = make_optimizer("momentum")
    smallest = np.finfo(dtype).smallest_normal
    state.moments["velocities"] = [np.full(p.shape, 1.1 * smallest, dtype=dtype) for p in problem.params]
    problem.x[:] = 0
    check(problem, state)


@pytest.mark.parametrize("optimizer", ["Adam", "AdamW"])
def test_a_gradient_may_be_changed_in_between(optimizer, rng):
    """Half the gradient gives half the first moment and a quarter of the second, without rounding."""
    problem = make_problem(rng, (4, 9, 2), n=8, batch_size=8, shuffled=False, weight_decay=0.0)
    state = make_optimizer(optimizer)
    with Engine(network_of(problem), "store", samples_of(problem), Recipe(8, 0.0, 1)) as engine:
        plan, buffers = engine.plan, engine.buffers
        pack_parameters(plan.table, problem.params, buffers.params, plan.panel_width)
        engine.transpose()
        engine.run()
        moments = [np.zeros_like(buffers.params) for _ in range(2)]
        own = buffers._replace(gradient=buffers.moment_1 / 2, moment_1=moments[0], moment_2=moments[1])
        update_weights(engine._network, own, engine._data, RULE_CODES[state.optimizer.rule], state.settings(), 1)
        halves = [[np.empty_like(p) for p in problem.params] for _ in range(2)]
        for moment, half in zip(moments, halves, strict=True):
            unpack_parameters(plan.table, moment, half, plan.panel_width)
    whole = train(problem, state).moments()
    for name, factor, half in zip(state.rule.moments, (2, 4), halves, strict=True):
        for a, b in zip(whole[name], half, strict=True):
            np.testing.assert_array_equal(factor * b, a)
