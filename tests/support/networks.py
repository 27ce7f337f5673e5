"""The same minibatches through `training.session.Session` and through refbp, and checks that compare the two."""

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

import fastbp.training.session
import refbp
from fastbp.kernels.functions.losses import LOSSES as RECORDS
from fastbp.kernels.functions.optimizers import SGD, Adam, AdamW
from fastbp.network.optimizer_state import OptimizerState
from fastbp.network.spec import Network, Recipe, Samples
from refbp.training import run_epoch
from support.bounds import check_reference

LOSSES = tuple(RECORDS)
OPTIMIZERS: dict[str, tuple[type, dict[str, Any]]] = {
    "SGD": (SGD, {"momentum": 0.0, "nesterov": False}),
    "momentum": (SGD, {"momentum": 0.8, "nesterov": False}),
    "Nesterov": (SGD, {"momentum": 0.8, "nesterov": True}),
    "Adam": (Adam, {"beta_1": 0.8, "beta_2": 0.95}),
    "AdamW": (AdamW, {"beta_1": 0.8, "beta_2": 0.95, "weight_decay": 0.5}),
}
MOMENTS = {"SGD": ("velocities",), "Adam": ("ms", "vs"), "AdamW": ("ms", "vs")}


@dataclass
class Problem:
    """A network, the data it is trained on, and how."""

    weights: list[np.ndarray]
    biases: list[np.ndarray]
    x: np.ndarray
    y: np.ndarray
    activation: str
    loss: str
    weight_decay: float
    batch_size: int
    sample_weight: np.ndarray | None
    orders: Sequence[np.ndarray | None]
    """One permutation of the rows for each epoch; None for the natural order."""

    @property
    def params(self) -> list[np.ndarray]:
        return [*self.weights, *self.biases]

    def as_type(self, dtype: Any) -> "Problem":
        """Return a copy of the problem in another precision."""
        return Problem(
            [w.astype(dtype) for w in self.weights],
            [b.astype(dtype) for b in self.biases],
            self.x.astype(dtype),
            self.y.astype(dtype),
            self.activation,
            self.loss,
            self.weight_decay,
            self.batch_size,
            self.sample_weight,
            self.orders,
        )


def targets(rng: np.random.Generator, loss: str, n: int, n_out: int) -> np.ndarray:
    """Draw targets that fit a loss."""
    if loss == "poisson":
        return rng.poisson(1.5, (n, n_out)).astype(float)
    if loss == "log_loss":
        return np.eye(n_out)[rng.integers(n_out, size=n)]
    if loss == "binary_log_loss":
        return rng.integers(2, size=(n, n_out)).astype(float)
    return rng.standard_normal((n, n_out))


def make_problem(
    rng: np.random.Generator,
    sizes: Sequence[int],
    *,
    n: int = 21,
    batch_size: int = 8,
    activation: str = "tanh",
    loss: str = "squared_error",
    weight_decay: float = 0.3,
    weighted: bool = False,
    epochs: int = 1,
    shuffled: bool = True,
    dtype: Any = np.float64,
) -> Problem:
    """Draw a problem whose activations are of order 1 in every layer."""
    problem = Problem(
        weights=[rng.standard_normal(shape) / np.sqrt(shape[0]) for shape in pairwise(sizes)],
        biases=[rng.standard_normal(size) * 0.3 for size in sizes[1:]],
        x=rng.standard_normal((n, sizes[0])),
        y=targets(rng, loss, n, sizes[-1]),
        activation=activation,
        loss=loss,
        weight_decay=weight_decay,
        batch_size=batch_size,
        sample_weight=rng.uniform(0.2, 2.0, n) if weighted else None,
        orders=[rng.permutation(n) if shuffled else None for _ in range(epochs)],
    )
    return problem.as_type(dtype)


@dataclass
class Result:
    """What training came to: parameters, the loss of each epoch, and the state of the optimizer.

    That is an `OptimizerState` of fastbp, or an optimizer of refbp, which has the moments as attributes.
    """

    params: list[np.ndarray]
    losses: list[float]
    optimizer: Any

    def moments(self) -> dict[str, list[np.ndarray]]:
        """Return the moments by name."""
        if isinstance(self.optimizer, OptimizerState):
            return self.optimizer.moments
        return {name: getattr(self.optimizer, name) for name in MOMENTS[type(self.optimizer).__name__]}


def make_optimizer(name: str, learning_rate: float = 0.02) -> OptimizerState:
    """Return the state before the first step of one of OPTIMIZERS, of fastbp."""
    kind, settings = OPTIMIZERS[name]
    return OptimizerState(kind(learning_rate, **settings))


def reference_of(state: OptimizerState) -> Any:
    """Return refbp's optimizer with the settings and the moments of fastbp's."""
    settings = asdict(state.optimizer)
    if isinstance(state.optimizer, Adam):
        ref: Any = getattr(refbp, type(state.optimizer).__name__)(settings.pop("learning_rate"), **settings)
        ref.t = state.t
    else:
        ref = refbp.SGD(settings["learning_rate"], momentum=settings["momentum"], nesterov=settings["nesterov"])
        ref.learning_rate = state.learning_rate
    check_reference(type(ref).step)
    for name in MOMENTS[type(ref).__name__]:
        setattr(ref, name, copy.deepcopy(state.moments.get(name)))
    return ref


def network_of(problem: Problem) -> Network:
    """Return the network of a problem."""
    return Network.of(problem.weights, problem.activation, problem.loss)


def samples_of(problem: Problem) -> Samples:
    """Return the samples of a problem."""
    return Samples(problem.x, problem.y, problem.sample_weight)


def open_session(
    problem: Problem,
    state: OptimizerState,
    weights: list[np.ndarray] | None = None,
    biases: list[np.ndarray] | None = None,
    n_threads: int | None = 1,
) -> fastbp.training.session.Session:
    """Return a session that trains these arrays on a problem, or the problem's own."""
    return fastbp.training.session.Session(
        network_of(problem),
        problem.weights if weights is None else weights,
        problem.biases if biases is None else biases,
        state,
        samples_of(problem),
        Recipe(problem.batch_size, problem.weight_decay, n_threads),
    )


def train(problem: Problem, optimizer: Any, n_threads: int | None = 1) -> Result:
    """Train with fastbp, without changing the problem or the optimizer."""
    weights, biases = copy.deepcopy(problem.weights), copy.deepcopy(problem.biases)
    optimizer = copy.deepcopy(optimizer)
    with open_session(problem, optimizer, weights, biases, n_threads) as session:
        losses = [session.epoch(order) for order in problem.orders]
    return Result([*weights, *biases], losses, optimizer)


def batches(problem: Problem, order: np.ndarray | None) -> list[np.ndarray]:
    """Cut an epoch into minibatches; those whose weights sum to 0 are passed over."""
    rows = np.arange(len(problem.x)) if order is None else order
    cut = [rows[i : i + problem.batch_size] for i in range(0, len(rows), problem.batch_size)]
    weight = problem.sample_weight
    return [batch for batch in cut if weight is None or weight[batch].sum() > 0]


def train_reference(problem: Problem, optimizer: Any) -> Result:
    """Train with refbp: two phases, the whole gradient in memory before any weight moves."""
    check_reference(run_epoch)
    weights, biases = copy.deepcopy(problem.weights), copy.deepcopy(problem.biases)
    ref = reference_of(optimizer)
    losses = [
        run_epoch(
            weights,
            biases,
            ref,
            problem.x,
            problem.y,
            batches(problem, order),
            activation=problem.activation,
            loss=problem.loss,
            weight_decay=problem.weight_decay,
            sample_weight=problem.sample_weight,
        )
        for order in problem.orders
    ]
    return Result([*weights, *biases], losses, ref)


def assert_close(comp: np.ndarray, ref: np.ndarray, rtol: float, what: str) -> None:
    """Assert that the largest error is at most `rtol` of the largest element."""
    assert comp.shape == ref.shape, what
    assert np.isfinite(ref).all(), f"the reference of {what} is not finite"
    scale = np.abs(ref).max()
    error = np.abs(comp - ref).max()
    assert error <= rtol * scale, f"{what}: error {error:.3g}, {error / max(scale, 1e-300):.3g} of the largest element"


def assert_same(comp: Result, ref: Result, rtol: float = 1e-12) -> None:
    """Compare parameters, losses and moments."""
    depth = len(ref.params) // 2
    names = [f"weights {i}" for i in range(depth)] + [f"biases {i}" for i in range(depth)]
    for name, c, r in zip(names, comp.params, ref.params, strict=True):
        assert_close(c, r, rtol, name)
    for kind, ref_moments in ref.moments().items():
        for name, c, r in zip(names, comp.moments()[kind], ref_moments, strict=True):
            assert_close(c, r, 2 * rtol, f"{kind} of {name}")
    if isinstance(ref.optimizer, refbp.Adam):
        assert comp.optimizer.t == ref.optimizer.t
    np.testing.assert_allclose(comp.losses, ref.losses, rtol=rtol, err_msg="losses of the epochs")


def check_training(problem: Problem, optimizer: Any, n_threads: int | None = 1, *, all_move: bool = True) -> Result:
    """Train with both, compare everything, and make sure that there was something to compare; returns fastbp's."""
    ref = train_reference(problem, optimizer)
    moved = [not np.array_equal(old, new) for old, new in zip(problem.params, ref.params, strict=True)]
    assert all(moved) if all_move else any(moved), "parameters of the reference do not move: nothing would be checked"
    comp = train(problem, optimizer, n_threads)
    assert_same(comp, ref)
    return comp


def assert_identical(one: Result, other: Result) -> None:
    """Assert that two results are the same to the last bit."""
    assert one.losses == other.losses
    for a, b in zip(one.params, other.params, strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.moments().keys() == other.moments().keys()
    for kind, arrays in one.moments().items():
        for a, b in zip(arrays, other.moments()[kind], strict=True):
            np.testing.assert_array_equal(a, b)
