"""Startup times: the import and the first fit, with a cold and a warm cache of compiled code; ten cold starts at once.

python -m benchmarks.startup
"""

import os
import subprocess
import sys
import tempfile
import time

import numpy as np

ROUNDS = 5
AT_ONCE = 10

FIT = """
import time, warnings
warnings.simplefilter("ignore")
import numpy as np
start = time.perf_counter()
from fastbp import MLPClassifier
imported = time.perf_counter()
x = np.random.RandomState(0).rand(200, 20).astype(np.float32)
model = MLPClassifier((32,), max_iter=2, random_state=0).fit(x, x[:, 0] > 0.5)
print(f"import {imported - start:.2f} s, first fit {time.perf_counter() - imported:.2f} s, loss {model.loss_:.9f}")
"""
IMPORTS = ("import fastbp", "from fastbp import MLPClassifier", "import sklearn.neural_network")


def start(program: str, folder: str) -> subprocess.Popen[str]:
    """Start a process that stores its compiled code in `folder`."""
    settings = {**os.environ, "NUMBA_CACHE_DIR": folder}
    return subprocess.Popen([sys.executable, "-c", program], env=settings, stdout=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen) -> str:
    """Wait for a process and return its output; raises if it failed."""
    output, _ = process.communicate()
    if process.returncode:
        sys.exit(f"a process ended with code {process.returncode}")
    return output.strip()


def seconds_of(program: str, folder: str) -> float:
    """Return the duration of a process."""
    begin = time.perf_counter()
    finish(start(program, folder))
    return time.perf_counter() - begin


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("cold cache", "warm cache", "warm cache"):
            print(f"{name}: {finish(start(FIT, folder))}", flush=True)
        times = {program: [] for program in ("pass", *IMPORTS)}
        for _ in range(ROUNDS):
            for program, measured in times.items():
                measured.append(seconds_of(program, folder))
    medians = {program: np.median(measured) for program, measured in times.items()}
    for program in IMPORTS:
        own = medians[program] - medians["pass"]
        theirs = medians[IMPORTS[-1]] - medians["pass"]
        print(f"{program}: {own:.2f} s, {own / theirs:.2f} times scikit-learn's")
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        outputs = [finish(process) for process in [start(FIT, folder) for _ in range(AT_ONCE)]]
        losses = {output.rsplit(" ", 1)[-1] for output in outputs}
        print(f"{AT_ONCE} cold starts at once: {time.perf_counter() - begin:.1f} s, all succeed, losses {losses}")


if __name__ == "__main__":
    main()
