"""A barrier for the threads of one training run, without the operating system while it is quick.

A waiting thread spins for some microseconds, then yields its core at every look, and
after some milliseconds sleeps between looks: an oversubscribed machine goes on, and
workers that wait while Python is busy cost next to nothing.
"""

from fastbp.compiler.jit import inner
from fastbp.kernels.vectors.atomics import atomic_add, atomic_load, atomic_store, nap, spin_hint, yield_processor
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
SHUTDOWN = 80  # set once, between two slices: all who wait leave
CONTROL_SIZE = 96

_YIELDS = 2_000


@inner
def _wait_for(control, generation):
    spins = get(control, SPINS)
    looks = 0
    # A shutdown does not need all threads at the barrier: some may never have come into being.
    while atomic_load(control, GENERATION) == generation and atomic_load(control, SHUTDOWN) == 0:
        looks += 1
        if looks < spins:
            spin_hint()
        elif looks < spins + _YIELDS:
            yield_processor()
        else:
            nap()


@inner
def barrier(control, n_threads):
    """Wait until all `n_threads` threads are here; returns whether they are to stop, the same to all of them.

    `control` is a pointer to the control array.
    """
    generation = atomic_load(control, GENERATION)
    if atomic_add(control, ARRIVED, 1) == n_threads - 1:
        # Decided by the last to arrive, before it lets the others go: one that looked for itself might see
        # a request that came in between and leave the others waiting for ever.
        atomic_store(control, STOPPED, atomic_load(control, STOP_REQUEST))
        atomic_store(control, ARRIVED, 0)
        atomic_store(control, GENERATION, generation + 1)
    else:
        _wait_for(control, generation)
    return atomic_load(control, STOPPED) != 0
