"""Describe this machine, measure its peak speed, and compile all kernels beforehand."""

import platform
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numba
import numpy as np
from numpy.typing import DTypeLike

from fastbp import kernels
from fastbp.compiler.code_cache import cache_folder
from fastbp.compiler.target import TARGET, cpu_name
from fastbp.kernels.functions.optimizers import SGD
from fastbp.kernels.passes.loss import mean_loss
from fastbp.kernels.tiles.peak import flops_per_round, fma_rounds
from fastbp.network.optimizer_state import OptimizerState
from fastbp.network.prediction import predict
from fastbp.network.samples import SamplesLike, SparseRows
from fastbp.network.spec import Network, Precision, Recipe, Samples
from fastbp.threads.cpus import allowed_cpus
from fastbp.training.objective import Objective
from fastbp.training.session import Session

__all__ = ["describe", "fma_peak", "warmup"]


def _model_name() -> str:
    """The processor's marketing name, if the system provides it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def describe() -> dict[str, str | int]:
    """Return a description of this machine, as fastbp sees it.

    Returns
    -------
    dict
        cpu, llvm_cpu, instruction_set, vector_bits, threads, cache_folder (empty if there is none), numpy, numba.
    """
    return {
        "cpu": _model_name(),
        "llvm_cpu": cpu_name(),
        "instruction_set": TARGET.name,
        "vector_bits": 8 * TARGET.vector_bytes,
        "threads": allowed_cpus(),
        "cache_folder": cache_folder(),
        "numpy": np.__version__,
        "numba": numba.__version__,
    }


def fma_peak(dtype: DTypeLike, *, seconds: float = 0.2) -> float:
    """Measure the peak speed of one core: fused multiply-adds without memory accesses.

    Parameters
    ----------
    dtype : {float32, float64}
    seconds : float
        How long to measure; the fastest of many short runs counts.

    Returns
    -------
    float
        GFLOP/s.
    """
    rounds = 20_000
    one = np.full(1, 0.5, dtype=dtype)
    fma_rounds(1, one)
    flops = rounds * flops_per_round(numba.from_dtype(one.dtype))
    best = np.inf
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        start = time.perf_counter()
        fma_rounds(rounds, one)
        best = min(best, time.perf_counter() - start)
    return flops / best / 1e9


def _warm_kernels(dtype: np.dtype) -> None:
    a = np.ones((2, 2), dtype=dtype)
    b = np.ones(2, dtype=dtype)
    kernels.matmul(a, a)
    mean_loss("squared_error", a, a)
    kernels.linear(a, a, b)
    kernels.linear_backward(a, a, a)
    state = kernels.LinearState.zeros(a, b, SGD())
    kernels.linear_backward_update(a.copy(), a.copy(), a, b, state, optimizer=SGD())
    fma_rounds(1, b)


def _warm_network(x: SamplesLike) -> None:
    """Train and predict, with many rows and with few, in the precision of the samples."""
    weights, biases = [np.ones((2, 1), dtype=x.dtype)], [np.ones(1, dtype=x.dtype)]
    network = Network.of(weights, "relu", "squared_error")
    samples = Samples(x, np.ones((len(x), 1), dtype=x.dtype))
    with Session(network, weights, biases, OptimizerState(SGD()), samples, Recipe(len(x))) as session:
        session.epoch(None)
    for writeable in (True, False):  # weights in a memory-mapped file are read-only
        for parameter in (*weights, *biases):
            parameter.flags.writeable = writeable
        for rows in (x, np.ones((1, 2), dtype=x.dtype)):
            predict(weights, biases, rows, activation="relu", output="identity")


def _warm_objective(x: SamplesLike) -> None:
    """Compute a loss over all samples, as lbfgs does: in float64."""
    network = Network((2, 1), "relu", "squared_error", Precision.of(np.dtype(np.float64)))
    with Objective(network, Samples(x, np.ones((len(x), 1))), weight_decay=0.0) as objective:
        objective(np.ones(3))


def warmup(progress: Callable[[str], object] | None = None) -> None:
    """Compile every kernel and store the code in the cache.

    This covers both precisions, dense and sparse samples, and the activations of scikit-learn. The other activations
    have their own kernels, which are compiled when one of them is first used.

    Parameters
    ----------
    progress : callable, optional
        Called with a short text that says what is being compiled.
    """
    rows = 64  # more than the few rows that have their own kernel
    for name in ("float32", "float64"):
        dtype = np.dtype(name)
        dense = np.ones((rows, 2), dtype=dtype)
        sparse = SparseRows(np.ones(rows, dtype=dtype), np.zeros(rows, dtype=np.int32), np.arange(rows + 1), 2)
        work: dict[str, Callable[[], None]] = {
            "kernels": partial(_warm_kernels, dtype),
            "dense samples": partial(_warm_network, dense),
            "sparse samples": partial(_warm_network, sparse),
            "lbfgs, dense samples": partial(_warm_objective, dense),
            "lbfgs, sparse samples": partial(_warm_objective, sparse),
        }
        for what, compile_it in work.items():
            if progress is not None:
                progress(f"{what}, {name}")
            compile_it()
