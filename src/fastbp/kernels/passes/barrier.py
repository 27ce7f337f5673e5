"""A barrier for the threads of one training run; it makes no system calls while waits are short.

See `pause` for how threads wait: it works with more threads than cores, and workers that
wait while Python is busy cost almost nothing.
"""

from fastbp.compiler.jit import inner
from fastbp.kernels.vectors.atomics import atomic_add, atomic_load, atomic_store, pause
from fastbp.kernels.vectors.simd import get

__all__ = [
    "CONTROL_SIZE",
    "END_STEP",
    "FIRST_STEP",
    "SHUTDOWN",
    "SPINS",
    "STEP_COUNT",
    "STOPPED",
    "STOP_REQUEST",
    "barrier",
]

# Indices into the control array. Those that are written while other threads wait are on cache lines of their own.
ARRIVED = 0
GENERATION = 16
STOP_REQUEST = 32  # any thread may set it at any time
STOPPED = 48  # the request, as decided for all threads at the last barrier
FIRST_STEP, END_STEP = 64, 65  # minibatches of this slice
STEP_COUNT = 66  # optimizer steps since the moments were zero
SPINS = 67  # polls before a waiting thread yields its core
SHUTDOWN = 80  # set once, between two slices: all waiting threads leave
CONTROL_SIZE = 96


@inner
def _wait_for(control, generation):
    looks = 0
    # A shutdown must not require all threads to be at the barrier: some may never have started.
    while atomic_load(control, GENERATION) == generation and atomic_load(control, SHUTDOWN) == 0:
        pause(looks, get(control, SPINS))
        looks += 1


@inner
def barrier(control, n_threads):
    """Wait until all `n_threads` threads have arrived; returns whether to stop, the same answer in every thread.

    `control` is a pointer to the control array.
    """
    generation = atomic_load(control, GENERATION)
    if atomic_add(control, ARRIVED, 1) == n_threads - 1:
        # The last thread to arrive decides, before it releases the others. If each thread read the request itself,
        # one could see a request that the others missed, and leave them waiting forever.
        atomic_store(control, STOPPED, atomic_load(control, STOP_REQUEST))
        atomic_store(control, ARRIVED, 0)
        atomic_store(control, GENERATION, generation + 1)
    else:
        _wait_for(control, generation)
    return atomic_load(control, STOPPED) != 0
