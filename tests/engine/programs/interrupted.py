"""Train until Ctrl-C, then say when it was heard and prove that what is left is a whole number of steps.

Usage: interrupted.py short|long N_THREADS.
"""

import copy
import sys
import time
from dataclasses import replace

import numpy as np

from fastbp.threads.pool import count_open
from support.networks import Problem, make_optimizer, make_problem, open_session, train

SIZES = {
    # Steps of microseconds, tens of thousands in an epoch.
    "short": {"sizes": (4, 16, 3), "n": 1_000_000, "batch_size": 32, "activation": "relu"},
    # One step of a second or more.
    "long": {"sizes": (400, 1024, 1024, 10), "n": 8192, "batch_size": 8192, "activation": "tanh"},
}


def first_steps(problem: Problem, steps: int) -> list[np.ndarray]:
    """Parameters after a number of steps that nothing interrupts."""
    per_epoch = -(-len(problem.x) // problem.batch_size)
    epochs, rest = divmod(steps, per_epoch)
    result = train(replace(problem, orders=[None] * epochs), make_optimizer("Adam"), 1)
    depth = len(problem.weights)
    n = rest * problem.batch_size
    if n == 0:
        return result.params
    rest_of_it = replace(
        problem,
        weights=result.params[:depth],
        biases=result.params[depth:],
        x=problem.x[:n],
        y=problem.y[:n],
        orders=[None],
    )
    return train(rest_of_it, result.optimizer, 1).params


def main() -> None:
    kind, n_threads = sys.argv[1], int(sys.argv[2])
    problem = make_problem(np.random.default_rng(0), dtype=np.float64, weight_decay=0.0, **SIZES[kind])
    weights, biases, optimizer = copy.deepcopy(problem.weights), copy.deepcopy(problem.biases), make_optimizer("Adam")
    try:
        with open_session(problem, optimizer, weights, biases, n_threads) as session:
            print("ready", flush=True)
            while True:
                session.epoch(None)
    except KeyboardInterrupt:
        print(time.monotonic(), optimizer.t, flush=True)
    assert count_open() == 0, "a thread still trains"
    for comp, ref in zip([*weights, *biases], first_steps(problem, optimizer.t), strict=True):
        assert np.isfinite(comp).all()
        np.testing.assert_array_equal(comp, ref)
    print("whole steps", flush=True)


if __name__ == "__main__":
    main()
