"""What this machine is, what its arithmetic can do, and getting it ready."""

import platform
import time
from collections.abc import Callable
from pathlib import Path

import numba
import numpy as np

from fastbp import kernels
from fastbp.compiler.code_cache import cache_folder
from fastbp.compiler.target import TARGET, cpu_name
from fastbp.kernels.functions.losses import LOSSES
from fastbp.kernels.functions.optimizers import SGD
from fastbp.kernels.tiles.peak import flops_per_round, fma_rounds
from fastbp.mlp import MLP
from fastbp.threads.jobs import allowed_cpus

__all__ = ["describe", "fma_peak", "warmup"]


def _model_name() -> str:
    """Name of the processor as its maker has it, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def describe() -> dict[str, str | int]:
    """Return what fastbp finds on this machine.

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


def fma_peak(dtype: object, *, seconds: float = 0.2) -> float:
    """Measure how fast one core multiplies and adds when memory does not matter.

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
    one = np.full(1, 0.5, dtype=dtype)  # type: ignore[call-overload]
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
    kernels.linear(a, a, b)
    kernels.linear_backward(a, a, a)
    state = kernels.LinearState.zeros(a, b, SGD())
    kernels.linear_backward_update(a.copy(), a.copy(), a, b, state, optimizer=SGD())
    fma_rounds(1, b)


def _warm_training(dtype: np.dtype) -> None:
    x = np.ones((4, 2), dtype=dtype)
    for loss in LOSSES:
        MLP((2, 2, 1), loss=loss, dtype=dtype, seed=0).fit(x, x[:, :1], epochs=1).predict(x)


def warmup(progress: Callable[[str], object] | None = None) -> None:
    """Compile every kernel for both precisions, and store the code in the cache.

    Parameters
    ----------
    progress : callable, optional
        Is told what is being compiled, as a short text.
    """
    for name in ("float32", "float64"):
        dtype = np.dtype(name)
        for what, work in (("training", _warm_training), ("kernels", _warm_kernels)):
            if progress is not None:
                progress(f"{what}, {name}")
            work(dtype)
