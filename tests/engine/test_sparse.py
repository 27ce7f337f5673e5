"""Sparse samples against the same samples as a dense matrix in refbp."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from fastbp.compiler.target import TARGET
from fastbp.network.prediction import predict
from fastbp.network.samples import SparseRows, kernel_samples
from fastbp.training import engine
from support.lattice import HIDDEN, PRIME, panel_width
from support.networks import (
    LOSSES,
    OPTIMIZERS,
    Problem,
    assert_identical,
    assert_same,
    make_optimizer,
    make_problem,
    train,
    train_reference,
)
from support.sparse import sparse_of

MR, NR = TARGET.mr, panel_width(np.float64)


def thin(problem: Problem, rng: np.random.Generator, density: float) -> Problem:
    """Return the problem with most elements of x zero, among them all of some rows and columns."""
    x = np.where(rng.random(problem.x.shape) < density, problem.x, 0.0).astype(problem.x.dtype)
    x[0] = x[-1] = 0.0
    x[:, 1] = 0.0
    return replace(problem, x=x)


def check(problem, optimizer, rng, density=0.2, n_threads=1):
    problem = thin(problem, rng, density)
    ref = train_reference(problem, optimizer)
    comp = train(replace(problem, x=sparse_of(problem.x)), optimizer, n_threads)
    assert_same(comp, ref)
    return comp


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("activation", HIDDEN)
@pytest.mark.parametrize("loss", LOSSES)
def test_one_epoch(activation, loss, optimizer, rng):
    for i, (weight_decay, weighted) in enumerate([(0.0, False), (0.4, True)]):
        problem = make_problem(
            rng,
            (PRIME, NR + i, 5, 3),
            n=3 * MR + 5,
            batch_size=MR + i,
            activation=activation,
            loss=loss,
            weight_decay=weight_decay,
            weighted=weighted,
        )
        check(problem, make_optimizer(optimizer), rng)


@pytest.mark.parametrize("n_in", [2, MR - 1, MR, MR + 1, NR, 3 * NR + 1])
@pytest.mark.parametrize("n_out", [1, 7, NR - 1, NR, 2 * NR + 1])
def test_sizes(n_in, n_out, rng):
    for sizes in [(n_in, n_out), (n_in, n_out, 2)]:
        check(make_problem(rng, sizes, n=2 * MR + 3, epochs=2), make_optimizer("Adam"), rng)


@pytest.mark.parametrize("batch_size", [1, MR - 1, MR, MR + 1, PRIME, 1000])
def test_batch_sizes(batch_size, rng):
    check(make_problem(rng, (40, NR + 1, 2), n=PRIME, batch_size=batch_size, epochs=2), make_optimizer("SGD"), rng)


def test_blocks_of_a_wide_minibatch(rng):
    check(make_problem(rng, (30, 5, 2), n=4999, batch_size=4500, epochs=2), make_optimizer("Adam"), rng, density=0.1)


def test_full_and_empty(rng):
    for density in (0.0, 1.0):
        check(make_problem(rng, (12, 9, 2), n=20), make_optimizer("Adam"), rng, density=density)


@pytest.mark.parametrize("n_out", [3, 2 * NR + 1])
def test_threads_do_not_change_results(n_out, rng):
    problem = thin(make_problem(rng, (PRIME, n_out, 4), n=6 * MR, batch_size=4 * MR, epochs=3), rng, 0.3)
    problem = replace(problem, x=sparse_of(problem.x))
    one = train(problem, make_optimizer("Adam"), 1)
    for n_threads in (2, 3, 7):
        assert_identical(train(problem, make_optimizer("Adam"), n_threads), one)


def test_room_for_sorting_need_not_be_empty(rng, monkeypatch):
    problem = thin(make_problem(rng, (PRIME, 9, 4), n=6 * MR, batch_size=2 * MR), rng, 0.3)
    problem = replace(problem, x=sparse_of(problem.x))
    ref = train(problem, make_optimizer("Adam"), 2)
    given = []

    def full_of_rubbish(*arguments):
        samples = kernel_samples(*arguments)
        samples.column_starts[:] = 1 << 60
        samples.column_rows[:] = -1 << 30
        samples.column_values[:] = np.nan
        given.append(samples)
        return samples

    monkeypatch.setattr(engine, "kernel_samples", full_of_rubbish)
    assert_identical(train(problem, make_optimizer("Adam"), 2), ref)
    assert given


def test_forms_of_sparse_rows(rng):
    problem = thin(make_problem(rng, (PRIME, 9, 4), n=30), rng, 0.3)
    ref = train(replace(problem, x=sparse_of(problem.x)), make_optimizer("Adam"))
    assert_identical(train(replace(problem, x=sparse_of(problem.x, np.int64)), make_optimizer("Adam")), ref)
    shuffled = train(replace(problem, x=sparse_of(problem.x, shuffled_by=rng)), make_optimizer("Adam"))
    assert_same(shuffled, train_reference(problem, make_optimizer("Adam")))


def test_elements_at_the_same_place_are_added(rng):
    problem = thin(make_problem(rng, (6, 9, 4), n=10), rng, 0.5)
    x = sparse_of(problem.x)
    twice = SparseRows(np.repeat(x.values / 2, 2), np.repeat(x.indices, 2), 2 * x.starts, 6)
    assert_same(
        train(replace(problem, x=twice), make_optimizer("Adam")), train_reference(problem, make_optimizer("Adam"))
    )


def test_rows_of_a_larger_matrix(rng):
    # The elements need not begin at 0, nor end with the last row.
    problem = thin(make_problem(rng, (6, 9, 4), n=20), rng, 0.5)
    whole = sparse_of(problem.x)
    part = SparseRows(whole.values, whole.indices, whole.starts[5:16], 6)
    problem = replace(problem, x=problem.x[5:15], y=problem.y[5:15], orders=[None])
    ref = train_reference(problem, make_optimizer("Adam"))
    assert_same(train(replace(problem, x=part), make_optimizer("Adam")), ref)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_other_precision_is_converted_on_the_way(dtype, rng):
    problem = thin(make_problem(rng, (PRIME, 9, 4), n=30, dtype=dtype), rng, 0.4)
    other = np.float64 if dtype == np.float32 else np.float32
    ref = train(problem, make_optimizer("Adam"))
    dense = train(replace(problem, x=problem.x.astype(np.float32).astype(other)), make_optimizer("Adam"))
    single = replace(problem, x=problem.x.astype(np.float32).astype(dtype))
    ref = train(single, make_optimizer("Adam"))
    assert_identical(dense, ref)
    sparse = replace(problem, x=sparse_of(problem.x.astype(np.float32).astype(other)))
    assert_identical(
        train(sparse, make_optimizer("Adam")), train(replace(single, x=sparse_of(single.x)), make_optimizer("Adam"))
    )


@pytest.mark.parametrize("n", [1, 2, 31, 33, 700])
@pytest.mark.parametrize("output", ["identity", "softmax"])
@pytest.mark.parametrize("sizes", [(PRIME, 3), (PRIME, NR + 1, 3)])
def test_predict(n, output, sizes, rng):
    problem = make_problem(rng, sizes, n=n)
    x = np.where(rng.random(problem.x.shape) < 0.2, problem.x, 0.0)
    arguments = {"activation": "tanh", "output": output}
    for matrix in (x, np.zeros_like(x)):
        ref = predict(problem.weights, problem.biases, matrix, **arguments)
        for n_threads in (1, 2):
            comp = predict(problem.weights, problem.biases, sparse_of(matrix), n_threads=n_threads, **arguments)
            np.testing.assert_allclose(comp, ref, rtol=1e-13, atol=1e-15)


def test_bad_matrices_are_refused(rng):
    x = sparse_of(np.eye(4))

    def make(**changes):
        parts = {"values": x.values, "indices": x.indices, "starts": x.starts, "n_columns": 4}
        return SparseRows(**{**parts, **changes})

    make()
    for error, changes in [
        (TypeError, {"values": x.values.astype(int)}),
        (TypeError, {"indices": x.indices.astype(float)}),
        (TypeError, {"starts": x.starts.astype(float)}),
        (ValueError, {"values": x.values[None]}),
        (ValueError, {"values": x.values[:-1]}),
        (ValueError, {"starts": x.starts[:0]}),
        (ValueError, {"starts": x.starts + 1}),
        (ValueError, {"starts": x.starts - 1}),
        (ValueError, {"starts": x.starts[::-1]}),
        (ValueError, {"indices": x.indices - 1}),
        (ValueError, {"indices": x.indices + 1}),
        (ValueError, {"n_columns": 3}),
    ]:
        with pytest.raises(error):
            make(**changes)


def indices_of_the_neighbor(samples):
    return samples._replace(indices=np.roll(samples.indices, 1))


def values_of_the_neighbor(samples):
    return samples._replace(values=np.roll(samples.values, 1))


@pytest.mark.parametrize("fault", [indices_of_the_neighbor, values_of_the_neighbor])
def test_planted_faults_are_found(fault, rng, monkeypatch):
    monkeypatch.setattr(engine, "kernel_samples", lambda *arguments: fault(kernel_samples(*arguments)))
    with pytest.raises(AssertionError):
        check(make_problem(rng, (PRIME, 9, 4), n=30), make_optimizer("Adam"), rng)


def test_what_is_planted_is_found(rng):
    # The comparison of this file must notice an element that is missing, one too many, and one elsewhere.
    problem = thin(make_problem(rng, (12, 9, 4), n=20), rng, 0.4)
    ref = train_reference(problem, make_optimizer("Adam"))
    x = sparse_of(problem.x)
    row = int(np.flatnonzero(np.diff(x.starts) > 1)[0])
    for change in ("value", "index"):
        faulty = copy.deepcopy(x)
        place = x.starts[row]
        if change == "value":
            faulty.values[place] *= 1 + 1e-9
        else:
            faulty.indices[place] = (faulty.indices[place] + 1) % 12
        with pytest.raises(AssertionError):
            assert_same(train(replace(problem, x=faulty), make_optimizer("Adam")), ref)
