"""First calls: seconds over the import, with a cold and with a warm cache of compiled code.

python -m benchmarks.startup
"""

import os
import subprocess
import sys
import tempfile

FIT = """
import time, warnings
warnings.simplefilter("ignore")
import numpy as np
start = time.perf_counter()
from fastbp import MLPClassifier
imported = time.perf_counter()
x = np.random.RandomState(0).rand(200, 20).astype(np.float32)
MLPClassifier((32,), max_iter=2, random_state=0).fit(x, x[:, 0] > 0.5)
print(f"import {imported - start:.2f} s, first fit {time.perf_counter() - imported:.2f} s")
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("cold cache", "warm cache", "warm cache"):
            print(f"{name}: ", end="", flush=True)
            subprocess.run([sys.executable, "-c", FIT], env={**os.environ, "NUMBA_CACHE_DIR": folder}, check=True)


if __name__ == "__main__":
    main()
