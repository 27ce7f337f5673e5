"""Memory that fits, predictions and training sessions take, each measured in a process of its own.

    python -m benchmarks.memory
    python -m benchmarks.memory fashion_mnist.npz

- Fit: 60000 x 784 float32 (random numbers, or the images of an archive), 784-256-128-10, Adam, minibatches of 128,
  beside scikit-learn. Twice in a process: the first fit loads compiled code and whatever libraries put off until they
  are needed, the next one shows what the training itself takes. Once more with an empty cache of compiled code.
- Predict: 2 million x 50, one hidden layer of 100, beside scikit-learn; everything has been loaded before.
- Session: what a training on n rows allocates, for n from a thousand to a million.

A process imports what a user of that one package would. Fits and predictions are given as the peak of resident memory
during the call, less what was resident before it (interpreter, imports, data). The kernel's peak (VmHWM, which unlike
ru_maxrss knows nothing of the parent) is reset before each, and free memory is handed back first: a call that could
use it again would seem to take none. Linux only.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import tracemalloc
import warnings

import numpy as np

from benchmarks.resident import memory_above, watch_memory

MB = 1 << 20
ROWS, FEATURES, CLASSES = 60_000, 784, 10
PREDICT_ROWS, PREDICT_FEATURES = 2_000_000, 50
PREDICT_TARGET = 200 * MB
# Package, classes (0: a regressor), dtype that the network was fitted on, dtype of the rows.
PREDICTIONS = (
    ("fastbp", 0, "float32", "float32"),
    ("fastbp", 2, "float32", "float32"),
    ("fastbp", 10, "float32", "float32"),
    ("scikit-learn", 10, "float32", "float32"),
    ("fastbp", 10, "float64", "float64"),
    ("fastbp", 10, "float32", "float64"),
)
SESSION_ROWS = (1_000, 10_000, 100_000, 1_000_000)
MODULES = {"fastbp": "fastbp", "scikit-learn": "sklearn.neural_network"}


# ---- in the processes that are measured -------------------------------------------------------------------------


def _fit_data(archive: str) -> tuple[np.ndarray, np.ndarray]:
    if not archive:
        rng = np.random.default_rng(0)
        return rng.random((ROWS, FEATURES), dtype=np.float32), rng.integers(CLASSES, size=ROWS)
    with np.load(archive) as data:
        images, labels = data["x_train"], data["y_train"]
    x = images[:ROWS].reshape(-1, FEATURES).astype(np.float32)
    x /= 255
    return x, labels[:ROWS].astype(np.int64)


def fit_process(package: str, archive: str) -> None:
    """Fit twice, two epochs each, and print the bytes."""
    warnings.simplefilter("ignore")
    model = importlib.import_module(MODULES[package]).MLPClassifier((256, 128), batch_size=128, max_iter=2)
    sizes = {"imports": watch_memory()}
    x, y = _fit_data(archive)
    for name in ("first", "next"):
        start = watch_memory()
        model.fit(x, y)
        sizes[name] = memory_above(start)
    print(json.dumps(sizes))


def predict_process(package: str, outputs: int, fitted: str, given: str) -> None:
    """Predict rows of dtype `given` by a network of dtype `fitted`, a regressor for no outputs, and print the bytes."""
    warnings.simplefilter("ignore")
    module = importlib.import_module(MODULES[package])
    rng = np.random.default_rng(0)
    x = rng.random((PREDICT_ROWS, PREDICT_FEATURES), dtype=given)
    few = x[:1000].astype(fitted)
    if outputs:
        model = module.MLPClassifier((100,), max_iter=1).fit(few, np.arange(1000) % outputs)
    else:
        model = module.MLPRegressor(hidden_layer_sizes=(100,), max_iter=1).fit(few, few[:, 0])
    model.predict(x[:1000])
    start = watch_memory()
    result = model.predict(x)
    print(json.dumps({"above": memory_above(start), "result": result.nbytes}))


def session_process() -> None:
    """Train an epoch on ever more rows and print the bytes: of the buffers, and of all allocations at their peak."""
    from benchmarks.common import Workload, make_problem
    from fastbp.kernels.functions.optimizers import Adam
    from fastbp.training.session import Session

    workload = Workload((20, 256, 256, 10), 200)
    sizes = {}
    for rows in (SESSION_ROWS[0], *SESSION_ROWS):  # the first time for what is loaded meanwhile
        problem = make_problem(workload, rows // workload.batch, np.float32)
        keywords = {"activation": "relu", "loss": "log_loss", "weight_decay": 1e-4, "batch_size": workload.batch}
        tracemalloc.start()
        with Session(problem.weights, problem.biases, Adam(), problem.x, problem.y, **keywords) as session:
            session.epoch(problem.order)
            peak = tracemalloc.get_traced_memory()[1]
            buffers = sum(buffer.nbytes for buffer in session._buffers)
        tracemalloc.stop()
        sizes[rows] = {"buffers": buffers, "peak": peak}
    print(json.dumps(sizes))


# ---- in the process that measures -------------------------------------------------------------------------------


def _run(call: str, **environment: str) -> dict:
    code = f"from benchmarks import memory; memory.{call}"
    environment = {**os.environ, **environment}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def measure_fit(archive: str) -> None:
    """Print what fits take beside scikit-learn's."""
    print(f"fit, {ROWS} x {FEATURES} float32")
    _run(f"fit_process('fastbp', {archive!r})")  # compiles, unless the cache has it all
    sizes = {package: _run(f"fit_process({package!r}, {archive!r})") for package in MODULES}
    with tempfile.TemporaryDirectory() as empty:
        sizes["fastbp, empty cache"] = _run(f"fit_process('fastbp', {archive!r})", NUMBA_CACHE_DIR=empty)
    for name, row in sizes.items():
        print(f"{name:20} first fit {row['first'] / MB:6.1f} MB, next {row['next'] / MB:6.1f} MB", end=", ")
        print(f"both above {row['imports'] / MB:.1f} MB of imports and the data")
    ours, theirs = sizes["fastbp"], sizes["scikit-learn"]
    for name in ("first", "next"):
        verdict = "within" if ours[name] <= theirs[name] else "MISSES"
        print(f"fastbp, {name} fit: {verdict} scikit-learn's")


def measure_predict() -> None:
    """Print what predictions on millions of rows take."""
    print(f"predict, {PREDICT_ROWS} x {PREDICT_FEATURES}")
    for package, outputs, fitted, given in PREDICTIONS:
        sizes = _run(f"predict_process({package!r}, {outputs}, {fitted!r}, {given!r})")
        name = f"{outputs} classes" if outputs else "regressor"
        what = f"{package}, {name}, {fitted} network, {given} data"
        line = f"{what:57} {sizes['above'] / MB:6.1f} MB, of which {sizes['result'] / MB:.1f} MB are the result"
        misses = package == "fastbp" and sizes["above"] > PREDICT_TARGET
        print(line + (f"; MISSES {PREDICT_TARGET / MB:.0f} MB" if misses else ""), flush=True)


def measure_session() -> None:
    """Print what sessions on more and more rows take."""
    sizes = _run("session_process()")
    least = sizes[str(SESSION_ROWS[0])]
    for rows in SESSION_ROWS:
        now = sizes[str(rows)]
        line = f"session, {rows:8} rows: buffers {now['buffers']:10} bytes, peak of all allocations {now['peak']:10}"
        if rows > SESSION_ROWS[0]:
            further = (now["peak"] - least["peak"]) / (rows - SESSION_ROWS[0])
            line += f", {further:.1f} bytes for each further row"
        print(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", nargs="?", default="", help="x_train and y_train of Fashion-MNIST; random without")
    options = parser.parse_args()
    measure_fit(options.archive)
    measure_predict()
    measure_session()


if __name__ == "__main__":
    main()
