"""The length of the trainings that the suite times. Only add to this file, and do not change what is there.

A call is long enough for the clock (10 ms and more on one core of 2026), and long enough that the fixed costs of `fit`,
mainly the initial weights, are a small part of it.
"""

from typing import NamedTuple

from benchmarks.common import WORKLOADS, Workload


class Training(NamedTuple):
    """A standard workload, minibatches per epoch, and epochs per call."""

    workload: Workload
    steps: int
    epochs: int

    @property
    def samples(self) -> int:
        """Number of samples that a call trains on; a sample counts once per epoch."""
        return self.workload.batch * self.steps * self.epochs


_LENGTHS = ((1000, 8), (100, 6), (100, 4), (10, 4), (10, 2), (8, 2), (4, 2), (4, 1), (2, 2))
TRAININGS = {
    "-".join(map(str, workload.sizes)): Training(workload, *lengths)
    for workload, lengths in zip(WORKLOADS, _LENGTHS, strict=True)
}
