"""``fastbp info`` and ``fastbp warmup``: the machine, and the compiled kernels for it."""

import platform
import time
from importlib.metadata import version

import numpy as np

from fastbp import machine
from fastbp.cli._console import add_row, duration, new_table, open_console, say, show_table

LIBRARIES = ("scikit-learn", "pandas", "skops")
DTYPES = (np.float32, np.float64)


def info() -> None:
    """Print what fastbp found on this machine and how fast one core multiplies and adds."""
    console = open_console()
    facts = machine.describe()
    table = new_table("what", "value", n_text=2)
    add_row(table, "CPU", facts["cpu"])
    add_row(table, "instruction set", facts["instruction_set"])
    bits = int(facts["vector_bits"])
    lanes = ", ".join(f"{bits // (8 * dtype().itemsize)} {dtype.__name__}" for dtype in DTYPES)
    add_row(table, "vectors", f"{bits} bits: {lanes}")
    add_row(table, "threads", facts["threads"])
    with console.status("measuring"):
        for dtype in DTYPES:
            add_row(table, f"FMA peak, {dtype.__name__}", f"{machine.fma_peak(dtype):.0f} GFLOP/s per core")
    add_row(table, "compiled kernels", facts["cache_folder"] or "not kept: there is no writable folder")
    add_row(table, "Python", platform.python_version())
    add_row(table, "NumPy", facts["numpy"])
    add_row(table, "Numba", facts["numba"])
    for name in LIBRARIES:
        add_row(table, name, version(name))
    show_table(console, f"fastbp {version('fastbp')}", table)


def warmup() -> None:
    """Compile every kernel that is not in the cache yet."""
    console = open_console()
    start = time.perf_counter()
    with console.status("compiling") as status:
        machine.warmup(progress=lambda name: status.update(f"compiling {name}"))
    seconds = time.perf_counter() - start
    folder = machine.describe()["cache_folder"]
    where = f"in {folder}" if folder else "but not kept: there is no writable folder (see NUMBA_CACHE_DIR)"
    say(console, f"kernels ready after {duration(seconds)} {where}")
