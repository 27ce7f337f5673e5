"""Peaks of resident memory, as the kernel counts them. Linux only."""

import ctypes
import gc
from pathlib import Path

MB = 1 << 20
MODULES = {"fastbp": "fastbp", "scikit-learn": "sklearn.neural_network"}


def _resident(field: str) -> int:
    """Bytes of resident memory: now (VmRSS), or at most so far (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def watch_memory() -> int:
    """Hand free memory back and forget the peak so far; returns what is resident now."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return _resident("VmRSS")


def memory_above(start: int) -> int:
    """Return by how many bytes resident memory has been above `start` since `watch_memory`, at its peak."""
    return _resident("VmHWM") - start
