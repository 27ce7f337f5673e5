"""Forked children and worker processes train like anybody else."""

import multiprocessing
import os
import warnings

import numpy as np
import pytest

from fastbp.kernels import matmul
from fastbp.threads.budget import choose_threads
from fastbp.threads.cpus import allowed_cpus
from support.limits import HANG_SECONDS
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
    assert receiver.poll(HANG_SECONDS), "the child hangs"
    result, threads = receiver.recv()
    child.join(HANG_SECONDS)
    assert child.exitcode == 0
    assert_same_work(result, ref)
    assert threads == 1, "siblings use the other cores"
    assert_same_work(work(3), ref)


@pytest.fixture
def no_settings(monkeypatch):
    for name in ("FASTBP_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_joblib(backend, no_settings):
    joblib = pytest.importorskip("joblib")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of joblib, about its own processes
        results = joblib.Parallel(n_jobs=2, backend=backend)(joblib.delayed(work)(seed) for seed in range(4))
    for seed, result in enumerate(results):
        assert_same_work(result, work(seed))


@pytest.mark.parametrize(
    ("n_jobs", "inner", "settings"),
    [
        (2, None, {}),
        (4, None, {}),
        (2, 2, {}),
        (2, 1, {}),
        # joblib passes on environment variables that the user has set.
        (2, None, {"NUMBA_NUM_THREADS": "1"}),
        (2, 2, {"OMP_NUM_THREADS": "1"}),
        (2, 1, {"FASTBP_NUM_THREADS": "5"}),
    ],
)
def test_workers_of_joblib_take_what_joblib_gives_them(n_jobs, inner, settings, no_settings, monkeypatch):
    joblib = pytest.importorskip("joblib")
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    given = inner or int(settings.get("NUMBA_NUM_THREADS", max(1, joblib.cpu_count() // n_jobs)))
    expected = min(int(settings.get("FASTBP_NUM_THREADS", given)), allowed_cpus())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with joblib.parallel_config(backend="loky", n_jobs=n_jobs, inner_max_num_threads=inner):
            threads = joblib.Parallel()(joblib.delayed(choose_threads)(None, BIG, 100) for _ in range(n_jobs))
    assert threads == n_jobs * [expected]
