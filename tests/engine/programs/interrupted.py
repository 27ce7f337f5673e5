"""Train until Ctrl-C, then say how soon it was heard and prove that what is left is a whole number of steps.

All times are CPU times of this process, which other programs do not change. Usage: interrupted.py short|long N_THREADS
DELAY. The first line of the output has the seconds from the signal to the exception, and the number of steps.
"""

import copy
import os
import signal
import sys
import threading
import time
from dataclasses import replace

import numpy as np

from fastbp.threads.pool import count_open
from support.networks import Problem, make_optimizer, make_problem, open_session, train

SIZES = {
    # Steps of a microsecond, millions in an epoch.
    "short": {"sizes": (1, 16, 1), "n": 4_000_000, "batch_size": 1, "activation": "relu"},
    # One step of several seconds.
    "long": {"sizes": (400, 1024, 1024, 10), "n": 32768, "batch_size": 32768, "activation": "tanh"},
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


def interrupt(delay: float, sent: list[float]) -> None:
    """Send Ctrl-C after `delay` seconds, and append the time."""
    end = time.process_time() + delay
    while time.process_time() < end:
        time.sleep(0.001)
    sent.append(time.process_time())
    os.kill(os.getpid(), signal.SIGINT)


def main() -> None:
    kind, n_threads, delay = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    # A shell may have started the tests with the signal ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    problem = make_problem(np.random.default_rng(0), dtype=np.float64, weight_decay=0.0, **SIZES[kind])
    weights, biases, optimizer = copy.deepcopy(problem.weights), copy.deepcopy(problem.biases), make_optimizer("Adam")
    sent: list[float] = []
    try:
        with open_session(problem, optimizer, weights, biases, n_threads) as session:
            threading.Thread(target=interrupt, args=(delay, sent)).start()
            while True:
                session.epoch(None)
    except KeyboardInterrupt:
        print(time.process_time() - sent[0], optimizer.t)
    assert count_open() == 0, "a thread still trains"
    for comp, ref in zip([*weights, *biases], first_steps(problem, optimizer.t), strict=True):
        assert np.isfinite(comp).all()
        np.testing.assert_array_equal(comp, ref)
    print("whole steps")


if __name__ == "__main__":
    main()
