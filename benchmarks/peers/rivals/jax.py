"""JAX: one jitted `lax.scan` over all minibatches of an epoch."""

import math
import os

import numpy as np

from benchmarks.common import Problem
from benchmarks.peers import rivals


def start(threads: int, dtype: str) -> str:
    """Set the number of threads (XLA reads it only once) and the precision; returns the version."""
    eigen = str(threads > 1).lower()
    os.environ["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={eigen} intra_op_parallelism_threads={threads}"
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax

    jax.config.update("jax_enable_x64", dtype == "float64")
    return jax.__version__


def _jitted_epoch():
    """Return a function (state, decay, x, y, order) -> (state, mean loss) that trains one epoch."""
    import jax
    import jax.numpy as jnp

    def loss(params, x, y):
        h = x
        for w, b in params[:-1]:
            h = jax.nn.relu(h @ w + b)
        w, b = params[-1]
        return -jnp.mean(jnp.sum(jax.nn.log_softmax(h @ w + b) * y, axis=1))

    def step(state, decay, x, y):
        params, m, v, t = state
        value, grads = jax.value_and_grad(loss)(params, x, y)
        grads = [(dw + decay * w, db) for (w, _), (dw, db) in zip(params, grads, strict=True)]
        t = t + 1
        rate = jnp.sqrt(-jnp.expm1(t * math.log(rivals.BETA_2))) / -jnp.expm1(t * math.log(rivals.BETA_1))
        rate = rivals.LEARNING_RATE * rate
        m = jax.tree.map(lambda m, g: rivals.BETA_1 * m + (1 - rivals.BETA_1) * g, m, grads)
        v = jax.tree.map(lambda v, g: rivals.BETA_2 * v + (1 - rivals.BETA_2) * g * g, v, grads)
        params = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + rivals.EPSILON), params, m, v)
        return (params, m, v, t), value

    def epoch(state, decay, x, y, order):
        state, losses = jax.lax.scan(lambda state, rows: step(state, decay, x[rows], y[rows]), state, order)
        return state, losses.mean()

    return jax.jit(epoch, donate_argnums=0)


class Trainer(rivals.Trainer):
    """Parameters and moments on the device, passed from epoch to epoch."""

    def __init__(self, problem: Problem, batch: int, alpha: float) -> None:
        import jax.numpy as jnp

        def pairs(scale):
            arrays = zip(problem.weights, problem.biases, strict=True)
            return [(jnp.array(scale * w), jnp.array(scale * b)) for w, b in arrays]

        dtype = problem.x.dtype
        self._state = (pairs(1), pairs(0), pairs(0), jnp.zeros((), dtype))
        self._decay = jnp.array(alpha / batch, dtype)
        self._data = jnp.array(problem.x), jnp.array(problem.y), jnp.array(problem.order.reshape(-1, batch))
        self._epoch = _jitted_epoch()

    def train(self) -> float:
        self._state, loss = self._epoch(self._state, self._decay, *self._data)
        return float(loss)

    def parameters(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        params = self._state[0]
        return [np.asarray(w) for w, _ in params], [np.asarray(b) for _, b in params]
