"""`fastbp.machine`: what it tells, and that warming up leaves nothing to compile."""

import os
import subprocess
import sys

import numpy as np
import pytest

from fastbp import machine
from fastbp.compiler.target import TARGET

# Everything that users call, after a look at what it compiles.
COMPILED_IN_A_PROGRAM = """
import warnings
import numpy as np
import scipy.sparse
from numba.core import event

recorder = event.RecordingListener()
event.register("numba:compile", recorder)

import fastbp
from fastbp import SGD, Adam, kernels, machine

warnings.simplefilter("ignore")
for dtype in ("float32", "float64"):
    x = np.random.RandomState(0).standard_normal((200, 8)).astype(dtype)
    y = np.arange(200) % 3

    for optimizer in (Adam(), SGD()):
        net = fastbp.MLP((8, 5, 3), activation="tanh", loss="log_loss", dtype=dtype)
        net.fit(x, y, epochs=1, optimizer=optimizer, sample_weight=np.ones(200), n_threads=2).partial_fit(x, y)
        net.predict(x[:3]), net.predict(x, n_threads=2)
        net.fit(x, y, epochs=1, validation=(x, y))

    for samples in (x, scipy.sparse.csr_matrix(x), scipy.sparse.csc_array(x)):
        for solver in ("adam", "sgd", "lbfgs"):
            for kind, targets in ((fastbp.MLPClassifier, y), (fastbp.MLPRegressor, x[:, :2])):
                model = kind(hidden_layer_sizes=5, activation="tanh", solver=solver, max_iter=2)
                model.set_params(early_stopping=solver == "adam").fit(samples, targets)
                model.predict(samples[:3]), model.predict(samples), model.score(samples, targets)
                for array in (*model.coefs_, *model.intercepts_):
                    array.flags.writeable = False
                model.predict(x[:3]), model.predict(x.astype("float32")), model.predict(samples)

    w, b, dz = np.ones((8, 5), dtype), np.ones(5, dtype), np.ones((200, 5), dtype)
    large = np.ones((300, 300), dtype)
    kernels.matmul(x, w), kernels.matmul(x, x.T), kernels.matmul(large, large)
    kernels.linear(x, w), kernels.linear(large[:, :8], w, b, activation="tanh")
    kernels.linear_backward(dz, x, w)
    for optimizer in (Adam(), SGD()):
        state = kernels.LinearState.zeros(w, b, optimizer)
        kernels.linear_backward_update(dz, x, w, b, state, optimizer=optimizer)
    machine.fma_peak(dtype, seconds=0.01)

print(*sorted({str(event.data["dispatcher"].py_func.__qualname__) for _, event in recorder.buffer}))
"""


def test_description():
    facts = machine.describe()
    assert facts["instruction_set"] == TARGET.name
    assert facts["vector_bits"] == 8 * TARGET.vector_bytes
    assert facts["threads"] >= 1
    assert facts["numpy"] == np.__version__
    assert facts["cpu"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_peak_is_a_speed(dtype):
    # Slower than 64 FMAs of a vector at 10 GHz; how fast a busy machine is nobody knows.
    assert 0.0 < machine.fma_peak(dtype, seconds=0.02) < 64 * 2 * 16 * 10


def test_nothing_is_compiled_after_a_warmup(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    warm = "from fastbp import machine; names = []; machine.warmup(names.append); assert len(set(names)) == 10"
    subprocess.run([sys.executable, "-c", warm], env=environment, check=True)
    entries = sorted(path.name for path in tmp_path.rglob("*.nbc"))
    assert entries
    result = subprocess.run(
        [sys.executable, "-c", COMPILED_IN_A_PROGRAM], env=environment, check=False, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == []
    assert sorted(path.name for path in tmp_path.rglob("*.nbc")) == entries
