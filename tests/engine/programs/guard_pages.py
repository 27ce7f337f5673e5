"""Run kernels on arrays next to guard pages: an access out of bounds, or after the end of an array, is a crash.

Usage: guard_pages.py NAME, with NAME one of PROGRAMS below.
"""

import ctypes
import sys
from collections.abc import Callable
from itertools import product

import numba
import numpy as np

import fastbp.kernels
import fastbp.network.prediction
from fastbp.compiler.target import TARGET
from fastbp.kernels import LinearState, linear, linear_backward, linear_backward_update, matmul
from fastbp.kernels.vectors.simd import load, pointer, store
from fastbp.network.samples import SparseRows
from support.guards import guarded, guarded_allocations, guarded_copy
from support.lattice import DTYPES, HIDDEN, panel_width, random_problem, shapes
from support.networks import LOSSES, OPTIMIZERS, Problem, make_optimizer, make_problem, open_session, train
from support.sparse import sparse_of

MODULES = [
    module for name, module in sys.modules.items() if name.startswith("fastbp.") and hasattr(module, "aligned_zeros")
]
SIDES = (True, False)
THREADS = (1, 3)


def both_layouts(array: np.ndarray, at_end: bool) -> list[np.ndarray]:
    """The array in C order and in Fortran order, and backwards, next to a guard page."""
    fortran = guarded_copy(np.ascontiguousarray(array.T), at_end=at_end).T
    backwards = guarded_copy(np.ascontiguousarray(array[::-1, ::-1]), at_end=at_end)[::-1, ::-1]
    return [guarded_copy(array, at_end=at_end), fortran, backwards]


def some_shapes(dtype: type) -> list[tuple[int, int, int]]:
    return [*shapes(dtype)[::2], (300, 9, 7)]


def run_products(dtype: type, at_end: bool) -> None:
    rng = np.random.default_rng(0)
    for i, (m, k, n) in enumerate(some_shapes(dtype)):
        a, b = random_problem(rng, dtype, m, k, n)
        a_guarded = both_layouts(a, at_end)[i % 3]
        b_guarded = both_layouts(b, at_end)[i // 3 % 3]
        bias = guarded_copy(b[0], at_end=at_end)
        threads = THREADS[i % 2]
        out = guarded((m, n), dtype, at_end=at_end)
        with guarded_allocations(*MODULES, at_end=at_end):
            matmul(a_guarded, b_guarded, out=out, n_threads=threads)
            np.testing.assert_allclose(out, a @ b, rtol=1e-3, atol=1e-3)
            linear(a_guarded, b_guarded, bias, activation="tanh", out=out, n_threads=threads)
            linear(a_guarded, b_guarded, n_threads=threads)
        out[...] = np.nan
        matmul(guarded_copy(a, at_end=at_end), guarded_copy(b, at_end=at_end), out=out)
        np.testing.assert_allclose(out, a @ b, rtol=1e-3, atol=1e-3)


def run_backward(dtype: type, at_end: bool) -> None:
    rng = np.random.default_rng(0)
    for i, (n, n_in, n_out) in enumerate(some_shapes(dtype)):
        x, w = random_problem(rng, dtype, n, n_in, n_out)
        dz = rng.standard_normal((n, n_out)).astype(dtype)
        order = i % 3
        dz, x, any_w = (both_layouts(a, at_end)[order] for a in (dz, x, w))
        w, b = guarded_copy(w, at_end=at_end), guarded_copy(w[0], at_end=at_end)
        threads = THREADS[i % 2]
        optimizer = make_optimizer(list(OPTIMIZERS)[i % len(OPTIMIZERS)]).optimizer
        with guarded_allocations(*MODULES, at_end=at_end):
            dx, dw, db = linear_backward(dz, x, any_w, x_activation="tanh", weight_decay=0.1, n_threads=threads)
            assert np.isfinite(dx).all()
            assert np.isfinite(dw).all()
            np.testing.assert_allclose(db, dz.sum(axis=0), rtol=0.01, atol=1e-4)
            state = LinearState.zeros(w, b, optimizer)
            linear_backward_update(dz, x, w, b, state, optimizer=optimizer, weight_decay=0.1, n_threads=threads)
            assert np.isfinite(w).all()


def guard_problem(problem: Problem, at_end: bool) -> Problem:
    def guard(arrays: list[np.ndarray]) -> list[np.ndarray]:
        return [guarded_copy(a, at_end=at_end) for a in arrays]

    problem.weights, problem.biases = guard(problem.weights), guard(problem.biases)
    problem.x, problem.y = guard([problem.x, problem.y])
    if problem.sample_weight is not None:
        (problem.sample_weight,) = guard([problem.sample_weight])
    return problem


def networks(dtype: type) -> list[tuple[int, ...]]:
    nr, mr = panel_width(dtype), TARGET.mr
    return [
        (1, 1),
        (3, 1, 1),
        (nr, nr, nr),
        (nr - 1, mr + 1, nr - 1),
        (nr + 1, mr - 1, nr + 1, 1),
        (2 * nr + 1, 2 * mr, 7, nr + 5, 2),
    ]


def run_training(dtype: type, at_end: bool) -> None:
    rng = np.random.default_rng(0)
    choices = product(networks(dtype), LOSSES)
    for i, (sizes, loss) in enumerate(choices):
        problem = make_problem(
            rng,
            sizes,
            n=2 * TARGET.mr + 3 + i % 3,
            batch_size=TARGET.mr + i % 2,
            loss=loss,
            activation=HIDDEN[i % len(HIDDEN)],
            weighted=i % 3 > 0,
            epochs=2,
            dtype=dtype,
        )
        guard_problem(problem, at_end)
        with guarded_allocations(*MODULES, at_end=at_end):
            # deepcopy in `train` gives the weights NumPy's own memory: `sync` is tested by `run_write_back`.
            result = train(problem, make_optimizer(list(OPTIMIZERS)[i // 2 % len(OPTIMIZERS)]), THREADS[i % 2])
        assert all(np.isfinite(p).all() for p in result.params)


def run_write_back(dtype: type, at_end: bool) -> None:
    rng = np.random.default_rng(0)
    for sizes in networks(dtype):
        problem = make_problem(rng, sizes, batch_size=TARGET.mr + 1, activation="relu", weight_decay=0.1, dtype=dtype)
        guard_problem(problem, at_end)
        problem.x = problem.x[::-1]
        with (
            guarded_allocations(*MODULES, at_end=at_end),
            open_session(problem, make_optimizer("Adam"), n_threads=2) as session,
        ):
            session.epoch(None)
        assert all(np.isfinite(p).all() for p in problem.params)


def run_predict(dtype: type, at_end: bool) -> None:
    rng = np.random.default_rng(0)
    for i, (sizes, output) in enumerate(product(networks(dtype), ("identity", "exp", "logistic", "softmax"))):
        problem = guard_problem(make_problem(rng, sizes, n=1 + 2 * i, dtype=dtype), at_end)
        with guarded_allocations(*MODULES, at_end=at_end):
            result = fastbp.network.prediction.predict(
                problem.weights,
                problem.biases,
                problem.x[:: 1 - 2 * (i % 2)],
                activation=HIDDEN[i % len(HIDDEN)],
                output=output,
                n_threads=THREADS[i % 2],
            )
            assert np.isfinite(result).all()


def guarded_rows(x: np.ndarray, at_end: bool, index_type: type) -> SparseRows:
    rows = sparse_of(np.where(np.arange(x.size).reshape(x.shape) % 3 == 0, x, 0), index_type)
    for name in ("values", "indices", "starts"):
        # An empty array has no end that could be next to a guard page.
        array = getattr(rows, name)
        object.__setattr__(rows, name, guarded_copy(array, at_end=at_end) if array.size else array)
    return rows


def run_sparse(dtype: type, at_end: bool) -> None:
    rng = np.random.default_rng(0)
    for i, (sizes, loss) in enumerate(product(networks(dtype), LOSSES)):
        n = 2 * TARGET.mr + 3 + i % 3
        keywords = {"batch_size": TARGET.mr + i % 2, "loss": loss, "epochs": 2, "dtype": dtype}
        problem = make_problem(rng, sizes, n=n, activation=HIDDEN[i % len(HIDDEN)], **keywords)
        guard_problem(problem, at_end)
        problem.x = guarded_rows(problem.x, at_end, (np.int32, np.int64)[i % 2])
        with guarded_allocations(*MODULES, at_end=at_end):
            result = train(problem, make_optimizer(list(OPTIMIZERS)[i % len(OPTIMIZERS)]), THREADS[i % 2])
            outputs = fastbp.network.prediction.predict(
                problem.weights,
                problem.biases,
                problem.x,
                activation=problem.activation,
                output="identity",
                n_threads=1,
            )
        assert all(np.isfinite(p).all() for p in result.params)
        assert np.isfinite(outputs).all()


@numba.njit
def _load_at(array: np.ndarray, index: int) -> None:
    store(pointer(array), 0, load(pointer(array), index))


@numba.njit
def _store_at(array: np.ndarray, index: int) -> None:
    store(pointer(array), index, load(pointer(array), 0))


def plant(access: Callable[[np.ndarray, int], None], index: int, at_end: bool) -> Callable[[type, bool], None]:
    def run(dtype: type, side: bool) -> None:
        if side == at_end:
            vector = guarded(TARGET.vector_bytes // np.dtype(dtype).itemsize, dtype, at_end=at_end)
            access(vector, 0)
            print("within bounds", flush=True)
            access(vector, index)

    return run


def read_after_the_end_of_life(dtype: type, side: bool) -> None:
    address = guarded(64, dtype).ctypes.data
    print("within bounds", flush=True)
    ctypes.string_at(address, 1)


PROGRAMS: dict[str, Callable[[type, bool], None]] = {
    "products": run_products,
    "backward": run_backward,
    "training": run_training,
    "write back": run_write_back,
    "predict": run_predict,
    "sparse": run_sparse,
    "planted read behind": plant(_load_at, 1, True),
    "planted read before": plant(_load_at, -1, False),
    "planted write behind": plant(_store_at, 1, True),
    "planted read of what is gone": read_after_the_end_of_life,
}


if __name__ == "__main__":
    for name in sys.argv[1:]:
        for dtype, at_end in product(DTYPES, SIDES):
            PROGRAMS[name](dtype, at_end)
    print("done")
