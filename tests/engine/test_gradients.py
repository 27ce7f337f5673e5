"""The gradient itself, stored instead of applied, against refbp's: the partner of the fused step."""

import copy

import numpy as np
import pytest

import refbp
from fastbp.compiler.target import TARGET
from fastbp.network.packing import pack_parameters, unpack_parameters
from fastbp.network.spec import Recipe
from fastbp.training.engine import Engine
from support.bounds import assert_within, check_reference, wide
from support.error_analysis import gradient_errors
from support.lattice import DTYPES, HIDDEN, panel_width
from support.networks import LOSSES, assert_close, make_optimizer, make_problem, network_of, samples_of, train

MR = TARGET.mr

each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def gradients(problem, n_threads=1):
    """The gradients of a problem's only minibatch: of all weights, then of all biases."""
    recipe = Recipe(problem.batch_size, problem.weight_decay, n_threads)
    results = copy.deepcopy(problem.params)
    with Engine(network_of(problem), "store", samples_of(problem), recipe) as engine:
        plan, buffers = engine.plan, engine.buffers
        pack_parameters(plan.table, problem.params, buffers.params, plan.panel_width)
        engine.transpose()
        params, transposed = buffers.params.copy(), buffers.transposed.copy()
        engine.run()
        np.testing.assert_array_equal(buffers.params, params)
        np.testing.assert_array_equal(buffers.transposed, transposed)
        unpack_parameters(plan.table, buffers.moment_1, results, plan.panel_width)
    return results


def reference(problem):
    check_reference(refbp.loss_and_gradient)
    _, gradients = refbp.loss_and_gradient(
        problem.weights,
        problem.biases,
        problem.x,
        problem.y,
        activation=problem.activation,
        loss=problem.loss,
        weight_decay=problem.weight_decay,
        sample_weight=problem.sample_weight,
    )
    return gradients.dweights + gradients.dbiases


@pytest.mark.smoke
@pytest.mark.parametrize("activation", HIDDEN)
@pytest.mark.parametrize("loss", LOSSES)
@each_dtype
def test_gradients(dtype, activation, loss, rng):
    nr = panel_width(dtype)
    for i, sizes in enumerate([(nr + 1, 7, nr, 3), (4, 2 * nr + 1, MR - 1, 5, 2)]):
        n = (MR - 1, 3 * MR + 1)[i]
        problem = make_problem(
            rng, sizes, n=n, batch_size=n, activation=activation, loss=loss, weighted=i > 0, dtype=dtype
        )
        refs = reference(problem.as_type(wide(problem.x).dtype))
        assert activation == "relu" or all(ref.any() for ref in refs)
        for comp, ref, bound in zip(gradients(problem), refs, gradient_errors(problem), strict=True):
            assert_within(comp, ref, bound, f"gradient, {activation}, {loss}")


def test_gradients_are_the_slope_of_the_objective(rng):
    # Finite differences know nothing of either derivation.
    problem = make_problem(rng, (4, 7, 5, 3), n=9, batch_size=9, loss="log_loss", weighted=True)
    comp = gradients(problem)
    point = copy.deepcopy(problem)

    def objective():
        return refbp.objective(
            point.weights,
            point.biases,
            point.x,
            point.y,
            activation=point.activation,
            loss=point.loss,
            weight_decay=point.weight_decay,
            sample_weight=point.sample_weight,
        )

    refbp.gradcheck(objective, point.params, comp)


def test_gradients_and_the_fused_step_agree(rng):
    problem = make_problem(rng, (6, 20, 9, 4), n=30, batch_size=30, loss="poisson")
    steps = gradients(problem, n_threads=2)
    fused = train(problem, make_optimizer("SGD", learning_rate=0.5))
    for new, old, gradient in zip(fused.params, problem.params, steps, strict=True):
        assert_close(new, old - 0.5 * gradient, 1e-14, "parameter")
