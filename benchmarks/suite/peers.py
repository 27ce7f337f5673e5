"""Training steps compared with the peers', each in its own process that is stopped while fastbp trains.

`python -m benchmarks.peers` measures more, and more carefully; these few figures show how the ratios change from commit
to commit. They are costs: below 1, fastbp is faster. A peer that is not installed is skipped.
"""

from contextlib import ExitStack

import refbp
from benchmarks.common import seconds
from benchmarks.peers import check, rivals
from benchmarks.peers.process import Peer
from benchmarks.trainings import TRAININGS

from . import THREADS, step
from .common import median_ratio

PEERS = ("sklearn", "torch", "jax")


def setup_cache():
    """Compile, and compare fastbp with refbp; the peers are compared with fastbp when they start."""
    for network in Step.params[1]:
        step.Adam().check(network)


class Step:
    """The time of a fit with Adam over that of as many steps of a peer."""

    params = (PEERS, ("64-100-10", "784-256-256-10"))
    param_names = ("peer", "network")
    unit = "times the peer's time"

    def setup(self, peer, network):
        self.stack = ExitStack()
        # A rival with more threads may be slower: the faster one counts.
        self.rivals = [self.stack.enter_context(Peer(peer, count, "float32")) for count in sorted({1, THREADS})]
        for rival in self.rivals:
            rival.ready()
            if rival.missing:
                self.stack.close()
                raise NotImplementedError(rival.missing)

    def teardown(self, peer, network):
        self.stack.close()

    def track_time_over_peer(self, peer, network):
        workload, steps, epochs = TRAININGS[network]
        ours = step.Adam()
        ours.setup(network)
        for rival in self.rivals:
            self._compare(rival, network)
            rival.ask("load", sizes=workload.sizes, batch=workload.batch, steps=steps)
            rival.ask("train", epochs=1)
        fastest = min(self.rivals, key=lambda rival: rival.ask("train", epochs=epochs)["seconds"])
        return median_ratio(lambda: seconds(ours.fit), lambda: fastest.ask("train", epochs=epochs)["seconds"])

    @staticmethod
    def _compare(rival, network):
        workload = TRAININGS[network].workload
        losses = rival.ask("check", sizes=workload.sizes, batch=workload.batch)["losses"]
        exact = step.reference(network, refbp.Adam(rivals.LEARNING_RATE, epsilon=rivals.EPSILON), check.EPOCHS)
        if not check.agree(losses, exact, workload, "float32"):
            raise AssertionError(f"{rival.name} has the losses {losses}, refbp has {exact}")
