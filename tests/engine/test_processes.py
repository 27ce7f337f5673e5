"""Forked children and worker processes train like anybody else."""

import multiprocessing
import os
import warnings

import numpy as np
import pytest

from fastbp.kernels import matmul
from fastbp.threads import choose_threads
from support.networks import assert_identical, make_optimizer, make_problem, train

BIG = 1e12  # operations that are worth all cores


def work(seed):
    """Use the pool and a session's workers; returns what both came to."""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((100, 100))
    problem = make_problem(rng, (10, 30, 3), n=200, batch_size=20, epochs=2)
    return matmul(a, a, n_threads=2), train(problem, make_optimizer("Adam"), 2)


def assert_same_work(one, other):
    np.testing.assert_array_equal(one[0], other[0])
    assert_identical(one[1], other[1])


def in_child(seed, connection):
    connection.send((work(seed), choose_threads(None, BIG, 100)))
    connection.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_fork_after_training(monkeypatch):
    monkeypatch.delenv("FASTBP_NUM_THREADS", raising=False)
    ref = work(3)
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=in_child, args=(3, sender), daemon=True)
    child.start()
    assert receiver.poll(30), "the child hangs"
    result, threads = receiver.recv()
    child.join(10)
    assert child.exitcode == 0
    assert_same_work(result, ref)
    assert threads == 1, "siblings use the other cores"
    assert_same_work(work(3), ref)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_joblib(backend, monkeypatch):
    joblib = pytest.importorskip("joblib")
    monkeypatch.delenv("FASTBP_NUM_THREADS", raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of joblib, about its own processes
        results = joblib.Parallel(n_jobs=2, backend=backend)(joblib.delayed(work)(seed) for seed in range(4))
        if backend == "loky":
            threads = joblib.Parallel(n_jobs=2, backend=backend)([joblib.delayed(choose_threads)(None, BIG, 100)])
            assert threads == [1]
    for seed, result in enumerate(results):
        assert_same_work(result, work(seed))
