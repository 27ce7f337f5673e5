"""``fastbp info`` and ``fastbp warmup``: the machine, and the compiled kernels for it."""

import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from fastbp import machine
from fastbp.cli._console import Screen, add_row, duration, new_table, open_console, say
from fastbp.cli._report import columns_as_json
from fastbp.tabular.errors import listing
from fastbp.tabular.files import read_model

LIBRARIES = ("scikit-learn", "pandas", "duckdb", "skops")
DTYPES = (np.float32, np.float64)


def info(screen: Screen) -> None:
    """Show what fastbp found on this machine and how fast one core multiplies and adds."""
    with screen.progress.status("measuring"):
        peaks = {dtype.__name__: machine.fma_peak(dtype) for dtype in DTYPES}
    # Afterwards: by now it is known where compiled code is stored.
    facts: dict[str, Any] = dict(machine.describe())
    table = new_table("what", "value", n_text=2)
    add_row(table, "CPU", facts["cpu"])
    add_row(table, "instruction set", facts["instruction_set"])
    bits = int(facts["vector_bits"])
    lanes = ", ".join(f"{bits // (8 * dtype().itemsize)} {dtype.__name__}" for dtype in DTYPES)
    add_row(table, "vectors", f"{bits} bits: {lanes}")
    add_row(table, "threads", facts["threads"])
    for name, peak in peaks.items():
        facts[f"peak_{name}"] = peak
        add_row(table, f"FMA peak, {name}", f"{peak:.0f} GFLOP/s per core")
    add_row(table, "compiled kernels", facts["cache_folder"] or "not kept: there is no writable folder")
    add_row(table, "Python", platform.python_version())
    add_row(table, "NumPy", facts["numpy"])
    add_row(table, "Numba", facts["numba"])
    for name in LIBRARIES:
        facts[name] = version(name)
        add_row(table, name, version(name))
    screen.result_table(f"fastbp {version('fastbp')}", table)
    screen.finish(fastbp=version("fastbp"), **facts)


def describe_model(screen: Screen, path: Path) -> None:
    """Show what a model file holds."""
    model, notes = read_model(path)
    network = model.pipeline["model"]
    network = getattr(network, "regressor_", network)
    layers = [network.n_features_in_, *(len(biases) for biases in network.intercepts_)]
    table = new_table("what", "value", n_text=2)
    add_row(table, "predicts", f"{model.target.name!r}: {model.target.task}")
    if model.is_classifier:
        add_row(table, "classes", listing([str(label) for label in model.target.classes]))
    else:
        add_row(table, "mean of the target", f"{model.target_mean:.6g}")
    add_row(table, "network", f"{'-'.join(map(str, layers))}, {network.activation}, {network.coefs_[0].dtype}")
    add_row(table, "epochs", network.n_iter_)
    screen.result_table(str(path), table)
    columns = new_table("column", "taken as", "because", n_text=3)
    for column in model.columns:
        add_row(columns, column.name, column.kind, column.detail)
    screen.result_table("Columns", columns)
    screen.note(*notes)
    screen.finish(
        target=model.target.name,
        task=model.target.task,
        classes=list(model.target.classes),
        layers=layers,
        activation=network.activation,
        epochs=network.n_iter_,
        columns=columns_as_json(model.columns),
    )


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
