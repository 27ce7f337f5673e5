"""Memory used by fits and predictions, each measured in its own process. Linux only.

    python -m benchmarks.memory
    python -m benchmarks.memory fashion_mnist.npz

- Fit: 60000 x 784 float32 (random numbers, or the images of an archive), 784-256-128-10, Adam, minibatches of 128,
  compared with scikit-learn. Each process fits twice: the first fit loads compiled code and lazily loaded libraries,
  the second shows what training itself needs. The first fit is also measured with an empty cache of compiled code.
- Predict: 2 million x 50, one hidden layer of 100, compared with scikit-learn; everything has been loaded before.

A process imports what a user of that package would import. The figures are the peak of resident memory during the call,
less what was resident before it (interpreter, imports, data). Free memory is returned to the system first, because a
call that could reuse it would seem to need none.
"""

import argparse
import ctypes
import gc
import importlib
import tempfile
import warnings
from pathlib import Path

import numpy as np

from benchmarks.common import in_process

MB = 1 << 20
MODULES = {"fastbp": "fastbp", "scikit-learn": "sklearn.neural_network"}
ROWS, FEATURES, CLASSES = 60_000, 784, 10
PREDICT_ROWS, PREDICT_FEATURES = 2_000_000, 50
PREDICT_TARGET = 200 * MB
# Package, number of classes (0 for a regressor), dtype of the training data, dtype of the rows.
PREDICTIONS = (
    ("fastbp", 0, "float32", "float32"),
    ("fastbp", 2, "float32", "float32"),
    ("fastbp", 10, "float32", "float32"),
    ("scikit-learn", 10, "float32", "float32"),
    ("fastbp", 10, "float64", "float64"),
    ("fastbp", 10, "float32", "float64"),
)


def _resident(field: str) -> int:
    """Bytes of resident memory: current (VmRSS) or peak (VmHWM)."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith(field))


def watch_memory() -> int:
    """Return free memory to the system and reset the peak; returns the current resident memory."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return _resident("VmRSS")


def memory_above(start: int) -> int:
    """Return the peak of resident memory since `watch_memory`, in bytes above `start`."""
    return _resident("VmHWM") - start


def _fit_data(archive: str) -> tuple[np.ndarray, np.ndarray]:
    if not archive:
        rng = np.random.default_rng(0)
        return rng.random((ROWS, FEATURES), dtype=np.float32), rng.integers(CLASSES, size=ROWS)
    with np.load(archive) as data:
        images, labels = data["x_train"], data["y_train"]
    x = images[:ROWS].reshape(-1, FEATURES).astype(np.float32)
    x /= 255
    return x, labels[:ROWS].astype(np.int64)


def fit_process(package: str, archive: str) -> dict[str, int]:
    """Fit twice, two epochs each; returns bytes."""
    warnings.simplefilter("ignore")
    model = importlib.import_module(MODULES[package]).MLPClassifier((256, 128), batch_size=128, max_iter=2)
    sizes = {"imports": watch_memory()}
    x, y = _fit_data(archive)
    for name in ("first", "next"):
        start = watch_memory()
        model.fit(x, y)
        sizes[name] = memory_above(start)
    return sizes


def predict_process(package: str, outputs: int, fitted: str, given: str) -> tuple[int, int]:
    """Predict rows of dtype `given` with a network of dtype `fitted`; returns peak bytes and bytes of the result."""
    warnings.simplefilter("ignore")
    module = importlib.import_module(MODULES[package])
    rng = np.random.default_rng(0)
    x = rng.random((PREDICT_ROWS, PREDICT_FEATURES), dtype=given)
    few = x[:1000].astype(fitted)
    kind, target = (module.MLPClassifier, np.arange(1000) % outputs) if outputs else (module.MLPRegressor, few[:, 0])
    model = kind(hidden_layer_sizes=(100,), max_iter=1).fit(few, target)
    model.predict(x[:1000])
    start = watch_memory()
    result = model.predict(x)
    return memory_above(start), result.nbytes


def measure_fit(archive: str) -> None:
    """Print the memory of fits with fastbp and with scikit-learn."""
    print(f"fit, {ROWS} x {FEATURES} float32")
    in_process("memory", "fit_process", "fastbp", archive)  # compiles, unless everything is in the cache
    sizes = {package: in_process("memory", "fit_process", package, archive) for package in MODULES}
    with tempfile.TemporaryDirectory() as empty:
        sizes["fastbp, empty cache"] = in_process("memory", "fit_process", "fastbp", archive, NUMBA_CACHE_DIR=empty)
    for name, row in sizes.items():
        print(
            f"{name:20} first fit {row['first'] / MB:6.1f} MB, next {row['next'] / MB:6.1f} MB, "
            f"both above {row['imports'] / MB:.1f} MB of imports and the data"
        )


def measure_predict() -> None:
    """Print the memory of predictions on millions of rows."""
    print(f"predict, {PREDICT_ROWS} x {PREDICT_FEATURES}")
    for package, outputs, fitted, given in PREDICTIONS:
        above, result = in_process("memory", "predict_process", package, outputs, fitted, given)
        name = f"{outputs} classes" if outputs else "regressor"
        what = f"{package}, {name}, {fitted} network, {given} data"
        misses = f"; MISSES {PREDICT_TARGET / MB:.0f} MB" if package == "fastbp" and above > PREDICT_TARGET else ""
        print(f"{what:57} {above / MB:6.1f} MB, of which {result / MB:.1f} MB are the result{misses}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", nargs="?", default="", help="x_train and y_train of Fashion-MNIST; random without")
    options = parser.parse_args()
    measure_fit(options.archive)
    measure_predict()


if __name__ == "__main__":
    main()
