"""Training steps against JAX: one jitted `lax.scan` over all minibatches of an epoch, the strongest rival there is.

    python -m benchmarks.steps --threads 2

Both train alternately on the same data from the same weights; the losses of the first epoch are compared before
anything is timed. Needs the extra `bench`.
"""

import argparse
import os

import numpy as np

from benchmarks.common import WORKLOADS, Problem, Workload, cpus, make_problem, seconds
from fastbp.machine import fma_peak
from fastbp.optimizers import Adam
from fastbp.session import Session

ALPHA = 1e-4


def jax_epoch(problem: Problem, batch: int):
    """Return a function that trains one epoch with JAX and returns its mean loss."""
    import jax
    import jax.numpy as jnp

    def loss(params, x, y):
        h = x
        for w, b in params[:-1]:
            h = jax.nn.relu(h @ w + b)
        w, b = params[-1]
        entropy = -jnp.mean(jnp.sum(jax.nn.log_softmax(h @ w + b) * y, axis=1))
        return entropy + 0.5 * ALPHA / x.shape[0] * sum(jnp.sum(w * w) for w, _ in params)

    def step(carry, rows):
        params, m, v, t, x, y = carry
        value, g = jax.value_and_grad(loss)(params, x[rows], y[rows])
        t = t + 1
        rate = 1e-3 * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        params = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-8), params, m, v)
        return (params, m, v, t, x, y), value

    @jax.jit
    def epoch(state, x, y, order):
        (params, m, v, t, _, _), losses = jax.lax.scan(step, (*state, x, y), order)
        return (params, m, v, t), losses.mean()

    params = [(jnp.array(w), jnp.array(b)) for w, b in zip(problem.weights, problem.biases, strict=True)]
    zeros = jax.tree.map(jnp.zeros_like, params)
    state = (params, zeros, zeros, jnp.float32(0))
    x, y, order = jnp.array(problem.x), jnp.array(problem.y), jnp.array(problem.order.reshape(-1, batch))

    def run() -> float:
        nonlocal state
        state, value = epoch(state, x, y, order)
        return float(value)

    return run


def compare(workload: Workload, threads: int, rounds: int) -> float:
    """Print the figures of one workload; returns the median ratio."""
    steps = int(np.clip(4e9 / workload.flops, 2, 1500))
    problem = make_problem(workload, steps, np.float32)
    rival = jax_epoch(problem, workload.batch)
    weights, biases = [w.copy() for w in problem.weights], [b.copy() for b in problem.biases]
    session = Session(
        weights,
        biases,
        Adam(),
        problem.x,
        problem.y,
        activation="relu",
        loss="log_loss",
        weight_decay=ALPHA,
        batch_size=workload.batch,
        n_threads=None if threads > 1 else 1,
    )
    with session:
        np.testing.assert_allclose(session.epoch(problem.order), rival(), rtol=1e-3)
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(seconds(lambda: session.epoch(problem.order)) / steps)
            theirs.append(seconds(rival) / steps)
    ratios = np.array(theirs) / np.array(ours)
    speed = workload.flops / np.median(ours) / 1e9
    print(
        f"{workload!s:38} fastbp {1e6 * np.median(ours):10.1f} us   JAX {1e6 * np.median(theirs):10.1f} us   "
        f"ratio {np.median(ratios):5.2f} (worst {ratios.min():5.2f})   {speed:6.0f} GFLOP/s, "
        f"{speed / threads / fma_peak(np.float32):4.0%} of peak",
        flush=True,
    )
    return float(np.median(ratios))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--first", type=int, default=len(WORKLOADS), help="only the first so many workloads")
    options = parser.parse_args()
    eigen = str(options.threads > 1).lower()
    os.environ["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={eigen} intra_op_parallelism_threads={options.threads}"
    with cpus(options.threads):
        ratios = [compare(workload, options.threads, options.rounds) for workload in WORKLOADS[: options.first]]
    print(f"geometric mean {np.exp(np.mean(np.log(ratios))):.2f}, lowest {min(ratios):.2f}")


if __name__ == "__main__":
    main()
