"""How long the trainings are that the suite times. Must not be changed, only appended to.

A call is long enough for the clock (10 ms and more on one core of 2026), and so long that what `fit` does once, the
initial weights above all, is a small part of it.
"""

from typing import NamedTuple

from benchmarks.common import WORKLOADS, Workload


class Training(NamedTuple):
    """A standard workload, minibatches of an epoch, and epochs of a call."""

    workload: Workload
    steps: int
    epochs: int

    @property
    def samples(self) -> int:
        """Samples that a call trains on, each as often as it has its turn."""
        return self.workload.batch * self.steps * self.epochs


_LENGTHS = ((1000, 8), (100, 6), (100, 4), (10, 4), (10, 2), (8, 2), (4, 2), (4, 1), (2, 2))
TRAININGS = {
    "-".join(map(str, workload.sizes)): Training(workload, *lengths)
    for workload, lengths in zip(WORKLOADS, _LENGTHS, strict=True)
}
