"""What fusing the optimizer into the weight gradient is worth: training steps without fusion over steps with it.

    python -m benchmarks.fusion
    python -m benchmarks.fusion --batch 16

The unfused step stores the whole gradient in memory, as clipping by its norm would need it; a second pass goes through
gradient, weights and moments, applies the same update and writes the transposed weights. It returns to Python in
between. One thread, Adam, ReLU, log-loss, weight decay. Weights of both must be equal bit for bit before anything is
timed and at the end. A ratio of 1 means that fusion gains nothing there.
"""

import argparse
import math

import numpy as np

from benchmarks.common import WORKLOADS, Problem, Workload, alternately, cpus, make_problem, ratios_text
from benchmarks.session import copied, open_session, parameters
from fastbp import Adam
from fastbp.kernels.functions.optimizers import RULE_CODES
from fastbp.kernels.passes.step import update_weights
from fastbp.network.spec import Network, Recipe, Samples
from fastbp.training.engine import Engine
from fastbp.training.session import Session

EPOCH_FLOPS = 2e9  # long enough for the clock, short enough to go round often


class Unfused:
    """A session whose steps are made in two passes."""

    def __init__(self, problem: Problem, batch: int) -> None:
        self.session: Session = open_session(problem, batch, 1)
        network = Network.of(problem.weights, "relu", "log_loss")
        self.store = Engine(network, "store", Samples(problem.x, problem.y), Recipe(batch, 1e-4, 1))
        shared = self.session.engine.buffers
        assert not shared.gradient.size, "of so many rows the gradient goes through memory in any case"
        self.store.buffers = self.store.buffers._replace(params=shared.params, transposed=shared.transposed)
        self.buffers = shared._replace(gradient=self.store.buffers.moment_1)
        self.settings = self.session._state.settings()
        self.steps = math.ceil(len(problem.x) / batch)

    def epoch(self, order: np.ndarray) -> None:
        """Train one epoch."""
        np.copyto(self.store.order, order)
        for step in range(self.steps):
            self.store._run_slice(step, step + 1)
            adam = (RULE_CODES["adam"], self.settings, self.store.step_count)
            update_weights(self.store._network, self.buffers, self.store._data, *adam)


def compare(workload: Workload, dtype: type, rounds: int) -> float:
    """Print the figures of one workload; returns the median ratio."""
    steps = int(np.clip(EPOCH_FLOPS / workload.flops, 2, 20_000))
    problem = make_problem(workload, steps, dtype)
    fused, unfused = open_session(copied(problem), workload.batch, 1, Adam()), Unfused(copied(problem), workload.batch)

    def check() -> None:
        for one, other in zip(parameters(fused), parameters(unfused.session), strict=True):
            np.testing.assert_array_equal(one, other)

    with fused, unfused.session:
        fused.epoch(problem.order)
        unfused.epoch(problem.order)
        check()
        times = alternately(lambda: fused.epoch(problem.order), lambda: unfused.epoch(problem.order), rounds) / steps
        check()
    ours, theirs = 1e6 * np.median(times, axis=0)
    gradient = sum(p.nbytes for p in (*problem.weights, *problem.biases)) / 1e6
    figures = f"gradient {gradient:6.2f} MB   fused {ours:9.1f} us   unfused {theirs:9.1f} us"
    print(f"{workload!s:36} {figures}   {ratios_text(times)}", flush=True)
    return float(np.median(times[:, 1] / times[:, 0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--dtype", choices=("float32", "float64"), default="float32")
    add("--rounds", type=int, default=15)
    add("--batch", type=int, help="rows of every minibatch, instead of the workload's own")
    options = parser.parse_args()
    batch = {"batch": options.batch} if options.batch else {}
    with cpus(1):
        ratios = [compare(w._replace(**batch), np.dtype(options.dtype).type, options.rounds) for w in WORKLOADS]
    print(f"geometric mean {np.exp(np.mean(np.log(ratios))):.3f}, lowest {min(ratios):.3f}")


if __name__ == "__main__":
    main()
