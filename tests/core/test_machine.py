"""`fastbp.machine`: what it tells, and that warming up leaves nothing to compile."""

import os
import subprocess
import sys

import numpy as np
import pytest

from fastbp import machine
from fastbp.compiler.target import TARGET

COMPILED_IN_A_FIT = """
import numpy as np
from numba.core import event

class Count(event.Listener):
    compiled = []
    def on_start(self, event): self.compiled.append(str(event.data["dispatcher"]))
    def on_end(self, event): pass

import fastbp
event.register("numba:compile", Count())
for dtype in ("float32", "float64"):
    x = np.ones((9, 4), dtype)
    fastbp.MLP((4, 3, 2), activation="tanh", loss="log_loss", dtype=dtype).fit(x, np.zeros(9, int), epochs=1).predict(x)
    fastbp.kernels.matmul(x, x.T)
print(len(Count.compiled), *Count.compiled)
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
    # Faster than one element at a time at 0.1 GHz, slower than 64 FMAs of a vector at 10 GHz.
    assert 0.1 < machine.fma_peak(dtype, seconds=0.02) < 64 * 2 * 16 * 10


def test_nothing_is_compiled_after_a_warmup(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    warm = "from fastbp import machine; names = []; machine.warmup(names.append); assert len(names) == 4"
    subprocess.run([sys.executable, "-c", warm], env=environment, check=True)
    entries = sorted(path.name for path in tmp_path.rglob("*.nbc"))
    assert entries
    result = subprocess.run(
        [sys.executable, "-c", COMPILED_IN_A_FIT], env=environment, check=True, capture_output=True, text=True
    )
    assert result.stdout.split() == ["0"]
    assert sorted(path.name for path in tmp_path.rglob("*.nbc")) == entries
