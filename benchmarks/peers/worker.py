"""One peer in its own process, which handles the driver's requests.

Requests are lines of JSON, `{"call": name, ...}`, and so are answers. The first line of output is the peer's version,
or the reason why it is missing.
"""

import ctypes
import importlib
import json
import math
import os
import signal
import sys
import time

import numpy as np

from benchmarks.common import Workload, make_problem
from benchmarks.peers import check
from benchmarks.peers.rivals import Missing, Trainer

ALPHA = 1e-4
_PR_SET_PDEATHSIG = 1  # of <sys/prctl.h>


class Worker:
    """The methods that the driver may call; `rival` is a module of `benchmarks.peers.rivals`."""

    def __init__(self, rival, dtype: str) -> None:
        self._rival, self._dtype = rival, dtype
        self._trainer: Trainer | None = None

    def check(self, sizes: list[int], batch: int) -> dict:
        """Train the small problem; returns the losses before and after each epoch, and the first epoch's seconds."""
        workload = Workload(tuple(sizes), batch)
        problem = check.check_problem(workload, self._dtype)
        start = time.perf_counter()
        trainer = self._rival.Trainer(problem, batch, check.DECAY * batch)
        losses, first_call = [check.loss(problem, problem.weights, problem.biases, batch)], 0.0
        for _ in range(check.EPOCHS):
            trainer.train()
            first_call = first_call or time.perf_counter() - start
            losses.append(check.loss(problem, *trainer.parameters(), batch))
        trainer.close()
        return {"losses": losses, "first_call_s": first_call}

    def load(self, sizes: list[int], batch: int, steps: int) -> dict:
        """Create the problem to be timed, of `steps` minibatches, replacing the last one."""
        if self._trainer is not None:
            self._trainer.close()
        problem = make_problem(Workload(tuple(sizes), batch), steps, np.dtype(self._dtype).type)
        self._trainer = self._rival.Trainer(problem, batch, ALPHA)
        return {}

    def train(self, epochs: int) -> dict:
        """Train some epochs; returns the seconds they took."""
        total = 0.0
        for _ in range(epochs):
            elapsed, loss = self._trainer.timed_epoch()
            total += elapsed
            if not math.isfinite(loss):
                raise RuntimeError(f"the loss is {loss}")
        return {"seconds": total}


def die_with_the_driver() -> None:
    """Have the system kill this process when the driver ends for any reason, even while this process is stopped."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    name, threads, dtype = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    die_with_the_driver()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # output of libraries goes to the terminal, not to the driver
    try:
        rival = importlib.import_module(f"benchmarks.peers.rivals.{name}")
        version = rival.start(threads, dtype)
    except (ImportError, Missing) as error:
        print(json.dumps({"missing": str(error)}), file=answers)
        return
    worker = Worker(rival, dtype)
    calls = {"check": worker.check, "load": worker.load, "train": worker.train}
    print(json.dumps({"version": version}), file=answers)
    for line in sys.stdin:
        request = json.loads(line)
        answer = calls[request.pop("call")](**request)
        print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    main()
