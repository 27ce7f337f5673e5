"""What the compiler may assume about this machine: vector width and register count.

The answer depends only on the CPU that Numba compiles for (the host's, or that of
``NUMBA_CPU_NAME`` / ``NUMBA_CPU_FEATURES``). The code cache has the same CPU in its keys, so
code compiled for one vector width is never loaded on a machine with another.
"""

import platform
from typing import Any, NamedTuple

import llvmlite.binding as llvm
import numba

__all__ = ["IS_X86", "TARGET", "Target", "config", "cpu_name", "processor_key"]

config: Any = numba.config  # its attributes are created at run time, from the environment


class Target(NamedTuple):
    """Vector properties of an instruction set.

    Attributes
    ----------
    name : str
        ``"avx512"``, ``"avx2"``, ``"neon"`` or ``"generic"``.
    vector_bytes : int
        Width of a vector register in bytes.
    has_fma : bool
        Whether a fused multiply-add is one instruction. Where it is not, a multiply and an
        add are emitted: `llvm.fma` would become a call of libm for every lane.
    mr : int
        Rows of the register tile of the gemm microkernel.
    nv : int
        Vectors in a row of that tile.
    parts : int
        Number of parts in which the last vector of a row is computed: 2 if half a vector takes half the time, else 1.
    """

    name: str
    vector_bytes: int
    has_fma: bool
    mr: int
    nv: int
    parts: int = 1


# MR x NV accumulators, NV vectors of B and one broadcast of A must fit the register file: 32 registers for AVX-512
# and NEON, 16 elsewhere. MR is a power of two (the transposition zips rows) and divides the panel width NV * lanes of
# both element types, so that a tile is never split between two panels.
_AVX512 = Target("avx512", 64, True, 8, 3)
# Zen 4 computes a 512-bit vector in two halves, in 256-bit units. Others have 512-bit units.
_IN_HALVES = {"znver4"}
_AVX2 = Target("avx2", 32, True, 4, 3)
_NEON = Target("neon", 16, True, 4, 4)
_GENERIC = Target("generic", 16, False, 4, 2)


IS_X86 = platform.machine().lower() in ("x86_64", "amd64")


def _features() -> str:
    """Return the processor features as Numba passes them to LLVM, such as "+avx2,-avx512f"."""
    if config.CPU_FEATURES is not None:
        return config.CPU_FEATURES
    try:
        features = llvm.get_host_cpu_features()
    except RuntimeError:  # unknown to LLVM
        return ""
    for name in features:
        features[name] &= bool(config.ENABLE_AVX) or not name.startswith("avx")
    return features.flatten()


def cpu_name() -> str:
    """Return the name of the CPU model that Numba compiles for, in LLVM's terms."""
    return config.CPU_NAME if config.CPU_NAME is not None else llvm.get_host_cpu_name()


def processor_key() -> tuple[str, str, str]:
    """Return what compiled code depends on: the operating system, the CPU model and its features."""
    return llvm.get_process_triple(), cpu_name(), _features()


def detect() -> Target:
    """Return the target that Numba compiles for in this process."""
    if platform.machine().lower() in ("arm64", "aarch64"):
        return _NEON
    features = {flag[1:] for flag in _features().split(",") if flag.startswith("+")}
    if {"avx512f", "avx512dq", "avx512bw", "avx512vl"} <= features:
        return _AVX512._replace(parts=2) if cpu_name() in _IN_HALVES else _AVX512
    if {"avx2", "fma"} <= features:
        return _AVX2
    return _GENERIC


TARGET = detect()
