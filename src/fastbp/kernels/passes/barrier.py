"""A barrier for the threads of one training run, without system calls while it is fast.

See `pause` for how threads wait: a machine with more threads than cores goes on, and
workers that wait while Python is busy cost next to nothing.
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

# Places in the control array. Those that are written while others wait have a cache line of their own.
ARRIVED = 0
GENERATION = 16
STOP_REQUEST = 32  # set by anyone, at any time
STOPPED = 48  # the request as all threads saw it at the last barrier
FIRST_STEP, END_STEP = 64, 65  # minibatches of this slice
STEP_COUNT = 66  # optimizer steps since the moments were zero
SPINS = 67  # looks before a waiting thread yields its core
SHUTDOWN = 80  # set once, between two slices: all threads that wait leave
CONTROL_SIZE = 96


@inner
def _wait_for(control, generation):
    looks = 0
    # A shutdown does not need all threads at the barrier: some may never have begun.
    while atomic_load(control, GENERATION) == generation and atomic_load(control, SHUTDOWN) == 0:
        pause(looks, get(control, SPINS))
        looks += 1


@inner
def barrier(control, n_threads):
    """Wait until all `n_threads` threads are here; returns whether they are to stop, the same to all of them.

    `control` is a pointer to the control array.
    """
    generation = atomic_load(control, GENERATION)
    if atomic_add(control, ARRIVED, 1) == n_threads - 1:
        # Decided by the last to arrive, before it lets the others go. If each looked for itself, one might see a
        # request that the others have missed, and leave them waiting for ever.
        atomic_store(control, STOPPED, atomic_load(control, STOP_REQUEST))
        atomic_store(control, ARRIVED, 0)
        atomic_store(control, GENERATION, generation + 1)
    else:
        _wait_for(control, generation)
    return atomic_load(control, STOPPED) != 0
