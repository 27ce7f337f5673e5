"""L-BFGS on the fused objective against SciPy's L-BFGS-B on refbp's."""

import contextlib
import copy
import io

import numpy as np
import pytest
import scipy.optimize

import refbp
from fastbp.training import lbfgs, objective
from fastbp.training.progress import watch
from support.bounds import check_reference
from support.lattice import HIDDEN
from support.networks import LOSSES, Problem, assert_close, make_problem, network_of, samples_of

LIMITS = {"max_iter": 12, "max_calls": 1000, "tol": 1e-6}


def run(problem: Problem, **changes):
    """Minimize with fastbp; returns what was reached and the record."""
    weights, biases = copy.deepcopy(problem.weights), copy.deepcopy(problem.biases)
    record = lbfgs.Record()
    lbfgs.minimize(
        weights,
        biases,
        network_of(problem),
        samples_of(problem),
        weight_decay=problem.weight_decay,
        record=record,
        **{**LIMITS, "n_threads": 1, **changes},
    )
    return [*weights, *biases], record


def reference(problem: Problem):
    check_reference(refbp.loss_and_gradient)
    shapes = [p.shape for p in problem.params]
    depth = len(problem.weights)

    def unpack(packed):
        ends = np.cumsum([np.prod(shape, dtype=int) for shape in shapes])[:-1]
        return [part.reshape(shape) for part, shape in zip(np.split(packed, ends), shapes, strict=True)]

    def evaluate(packed):
        params = unpack(packed)
        loss, gradients = refbp.loss_and_gradient(
            params[:depth],
            params[depth:],
            problem.x,
            problem.y,
            activation=problem.activation,
            loss=problem.loss,
            weight_decay=problem.weight_decay,
            sample_weight=problem.sample_weight,
        )
        return loss, np.concatenate([g.ravel() for g in gradients.dweights + gradients.dbiases])

    start = np.concatenate([p.ravel() for p in problem.params])
    options = {"maxiter": LIMITS["max_iter"], "maxfun": LIMITS["max_calls"], "gtol": LIMITS["tol"]}
    result = scipy.optimize.minimize(evaluate, start, method="L-BFGS-B", jac=True, options=options)
    return unpack(result.x), result


@pytest.mark.parametrize("activation", HIDDEN)
@pytest.mark.parametrize("loss", LOSSES)
def test_against_the_reference(activation, loss, rng):
    problem = make_problem(rng, (4, 7, 3), n=40, activation=activation, loss=loss, weighted=True)
    params, outcome = run(problem)
    ref_params, result = reference(problem)
    assert outcome.n_iter == result.nit > 3
    assert (outcome.status, outcome.message) == (result.status, result.message)
    np.testing.assert_allclose(outcome.loss, result.fun, rtol=1e-10)
    for index, (p, ref) in enumerate(zip(params, ref_params, strict=True)):
        # A dozen iterations amplify rounding: measured, at most 5e-12.
        assert_close(p, ref, 1e-9, f"parameters {index}")


def steepest(problem):
    """Return the largest component of the gradient."""
    _, gradients = refbp.loss_and_gradient(
        problem.weights,
        problem.biases,
        problem.x,
        problem.y,
        activation=problem.activation,
        loss=problem.loss,
        weight_decay=problem.weight_decay,
    )
    return max(np.abs(g).max() for g in gradients.dweights + gradients.dbiases)


def test_convergence(rng):
    problem = make_problem(rng, (3, 1), n=50, weight_decay=1.0)
    before = steepest(problem)
    params, outcome = run(problem, max_iter=200, tol=1e-8)
    assert outcome.status == 0
    problem.weights, problem.biases = params[:1], params[1:]
    # The loss is within 2e-9 of its minimum, relatively: SciPy's other criterion.
    assert steepest(problem) < 1e-3 * before


def test_limits(rng):
    problem = make_problem(rng, (4, 7, 3), n=40)
    _, by_iterations = run(problem, max_iter=2)
    assert (by_iterations.n_iter, by_iterations.status) == (2, 1)
    _, by_calls = run(problem, max_calls=3)
    assert by_calls.status == 1
    assert by_calls.n_iter <= 3


def test_single_precision_is_computed_in_double(rng):
    problem = make_problem(rng, (4, 7, 3), n=40).as_type(np.float32)
    params, outcome = run(problem)
    assert all(p.dtype == np.float32 for p in params)
    wide_params, wide_outcome = run(problem.as_type(np.float64))
    np.testing.assert_allclose(outcome.loss, wide_outcome.loss, rtol=1e-13)
    for p, wide in zip(params, wide_params, strict=True):
        np.testing.assert_array_equal(p, wide.astype(np.float32))


def test_threads_do_not_change_results(rng):
    problem = make_problem(rng, (4, 60, 3), n=500)
    params, outcome = run(problem)
    for n_threads in (2, 3):
        others, other = run(problem, n_threads=n_threads)
        assert other == outcome
        for p, q in zip(params, others, strict=True):
            np.testing.assert_array_equal(p, q)


def test_iterations_are_told(rng):
    problem = make_problem(rng, (4, 7, 3), n=40)
    reports = []
    printed = io.StringIO()
    with watch(reports.append), contextlib.redirect_stdout(printed):
        _, outcome = run(problem, verbose=True)
    assert [r.epoch for r in reports] == list(range(1, outcome.n_iter + 1))
    assert all(r.n_samples == 40 and r.max_epochs == LIMITS["max_iter"] for r in reports)
    assert reports[-1].loss == outcome.loss < reports[0].loss
    lines = [f"Iteration {r.epoch}, loss = {r.loss:.8f}" for r in reports]
    assert printed.getvalue().splitlines() == lines


class Stopper:
    def __init__(self, last):
        self.last = last
        self.events = []

    def begin(self, snapshot):
        self.events.append(("begin", snapshot()))

    def end(self, snapshot):
        self.events.append(("end", snapshot()))
        return len(self.events) == 2 * self.last


def test_observers_see_every_iteration_and_may_stop(rng):
    problem = make_problem(rng, (4, 7, 3), n=40)
    whole, _ = run(problem)
    stopper = Stopper(4)
    params, outcome = run(problem, observer=stopper)
    assert [kind for kind, _ in stopper.events] == ["begin", "end"] * 4
    assert (outcome.n_iter, outcome.status) == (4, 99)
    for p, q in zip(params, stopper.events[-1][1], strict=True):
        np.testing.assert_array_equal(p, q)
    for p, q in zip(problem.params, stopper.events[0][1], strict=True):
        np.testing.assert_array_equal(p, q)
    assert any((p != q).any() for p, q in zip(params, whole, strict=True))
    same, _ = run(problem, observer=Stopper(10**6))
    for p, q in zip(whole, same, strict=True):
        np.testing.assert_array_equal(p, q)


@pytest.mark.parametrize("call", [1, 5])
def test_interruption_keeps_the_last_iteration(call, rng, monkeypatch):
    problem = make_problem(rng, (4, 7, 3), n=40)
    calls = []
    evaluate = objective.Objective.__call__

    def interrupted(self, packed):
        calls.append(packed.copy())
        if len(calls) == call:
            raise KeyboardInterrupt
        return evaluate(self, packed)

    iterations = []
    monkeypatch.setattr(objective.Objective, "__call__", interrupted)
    with watch(iterations.append), pytest.warns(UserWarning, match="Training interrupted by user"):
        params, outcome = run(problem)
    assert (outcome.n_iter, outcome.status) == (len(iterations), None)
    assert outcome.loss == (iterations[-1].loss if iterations else None)
    packed = np.concatenate([p.ravel() for p in params])
    assert any((packed == place).all() for place in calls)
    assert (call == 1) == (not iterations)
