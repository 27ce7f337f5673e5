"""Training steps: fits of the standard workloads, and the ratio of their time to the roofline's."""

import numpy as np

import fastbp
import refbp
from benchmarks.common import seconds
from benchmarks.peers import check
from benchmarks.trainings import TRAININGS

from . import CHECKED, THREADS
from .common import problem

_ALPHA = 1e-4
_ROUNDS = 3
# Epochs of two steps each; a step of the largest network takes refbp a second.
_CHECKED_EPOCHS = 1


def reference(network, optimizer, epochs):
    """Losses of refbp in float64, before and after each epoch of the small problem of `check`."""
    workload = TRAININGS[network].workload
    little = check.check_problem(workload, "float32")
    x, y = little.x.astype(np.float64), little.y.astype(np.float64)
    weights, biases = ([p.astype(np.float64) for p in params] for params in (little.weights, little.biases))
    losses = [check.loss(little, weights, biases, workload.batch)]
    for _ in range(epochs):
        for rows in np.split(little.order, check.STEPS):
            _, gradients = refbp.loss_and_gradient(
                weights,
                biases,
                x[rows],
                y[rows],
                activation="relu",
                loss="log_loss",
                weight_decay=check.DECAY * workload.batch,
            )
            optimizer.step(weights + biases, gradients.dweights + gradients.dbiases)
        losses.append(check.loss(little, weights, biases, workload.batch))
    return losses


class _Fit:
    params = (tuple(TRAININGS),)
    param_names = ("network",)
    repeat = (3, 10, 0.3)
    warmup_time = 0.05
    rounds = 2
    optimizer = ""

    def setup(self, network):
        workload, _, self.epochs = TRAININGS[network]
        self.data = problem(network)
        self.batch = workload.batch
        self.net = fastbp.MLP(workload.sizes, loss="log_loss", seed=0)

    def fit(self):
        """Train from scratch, including initial weights and shuffling, as in a user's call."""
        optimizer = getattr(fastbp, self.optimizer)()
        self.net.fit(
            self.data.x,
            self.data.y,
            epochs=self.epochs,
            batch_size=self.batch,
            optimizer=optimizer,
            weight_decay=_ALPHA,
        )

    def check_all(self):
        """Compile, and compare all networks with refbp."""
        for network in () if CHECKED else self.params[0]:
            self.check(network)

    def check(self, network):
        """Raise unless the losses of a few steps equal those of refbp."""
        workload = TRAININGS[network].workload
        little = check.check_problem(workload, "float32")
        net = fastbp.MLP(workload.sizes, loss="log_loss", seed=0)
        for mine, given in zip((*net.weights, *net.biases), (*little.weights, *little.biases), strict=True):
            mine[...] = given
        losses = [check.loss(little, net.weights, net.biases, workload.batch)]
        for _ in range(_CHECKED_EPOCHS):
            net.partial_fit(
                little.x[little.order],
                little.y[little.order],
                batch_size=workload.batch,
                optimizer=None if len(losses) > 1 else getattr(fastbp, self.optimizer)(),
                weight_decay=check.DECAY * workload.batch,
                shuffle=False,
            )
            losses.append(check.loss(little, net.weights, net.biases, workload.batch))
        exact = reference(network, getattr(refbp, self.optimizer)(), _CHECKED_EPOCHS)
        if not check.agree(losses, exact, workload, "float32"):
            raise AssertionError(f"{network}: fastbp has the losses {losses}, refbp has {exact}")


class Adam(_Fit):
    """All standard workloads."""

    optimizer = "Adam"

    def setup_cache(self):
        self.check_all()

    def time_fit(self, network):
        self.fit()


class SGD(_Fit):
    """Momentum has one buffer instead of two."""

    params = (("64-100-10", "784-256-256-10"),)
    optimizer = "SGD"

    def setup_cache(self):
        self.check_all()

    def time_fit(self, network):
        self.fit()


class Roofline(_Fit):
    """The fits of `Adam`, already checked there, compared with the machine's current limits."""

    optimizer = "Adam"

    def setup(self, network):
        super().setup(network)
        try:
            from benchmarks.peers import roofline
        except ImportError as error:  # before there was `fastbp.machine.fma_peak`
            raise NotImplementedError(str(error)) from error
        self.roofline = roofline

    def track_time_over_roofline(self, network):
        """Median of the time of a step over the one that arithmetic or memory would take."""
        training = TRAININGS[network]
        first = slice(training.workload.batch)
        self.net.partial_fit(self.data.x[first], self.data.y[first], batch_size=self.batch)
        ratios = []
        for _ in range(_ROUNDS):
            machine = self.roofline.measure("float32", THREADS)
            ideal = self.roofline.step_seconds(training.workload, 4, machine)
            ratios.append(seconds(self.fit) / (training.steps * training.epochs) / ideal)
        return float(np.median(ratios))

    track_time_over_roofline.unit = "times the roofline's time"
