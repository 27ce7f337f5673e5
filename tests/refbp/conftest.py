"""Checks shared by the tests of refbp.

They are fixtures that return functions, so that `test_oracle_rejects_faults.py` can put faulty code through
the very checks that the right code passes.
"""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest

import refbp
import refbp.training
from refbp.activations import Activation


class Problem(NamedTuple):
    """A network, a minibatch and, in `keywords`, what else `loss_and_gradient` and `objective` need."""

    weights: list[np.ndarray]
    biases: list[np.ndarray]
    x: np.ndarray
    y: np.ndarray
    keywords: dict[str, Any]

    @property
    def params(self) -> list[np.ndarray]:
        return self.weights + self.biases


def targets(loss: str, n: int, n_out: int, rng: np.random.Generator) -> np.ndarray:
    """Draw targets that fit a loss, (n, n_out)."""
    if loss == "poisson":
        return rng.poisson(1.5, (n, n_out)).astype(float)
    if loss == "log_loss":
        return np.eye(n_out)[rng.integers(n_out, size=n)]
    if loss == "binary_log_loss":
        return rng.integers(2, size=(n, n_out)).astype(float)
    return rng.standard_normal((n, n_out))


@pytest.fixture
def make_problem() -> Callable[..., Problem]:
    """Make a random problem from a seed."""

    def make(
        sizes: tuple[int, ...],
        activation: str = "tanh",
        loss: str = "squared_error",
        penalty: str = "scikit_learn",
        weighted: bool = False,
        weight_decay: float = 0.3,
        seed: int = 0,
    ) -> Problem:
        rng = np.random.default_rng(seed)
        n = 5
        weights = [rng.standard_normal(shape) * 0.6 for shape in pairwise(sizes)]
        biases = [rng.standard_normal(size) * 0.6 for size in sizes[1:]]
        sample_weight = rng.uniform(0.1, 2.0, n) if weighted else None
        keywords = {
            "activation": activation,
            "loss": loss,
            "penalty": penalty,
            "weight_decay": weight_decay,
            "sample_weight": sample_weight,
        }
        return Problem(
            weights,
            biases,
            x=rng.standard_normal((n, sizes[0])),
            y=targets(loss, n, sizes[-1], rng),
            keywords=keywords,
        )

    return make


FORMULAS: dict[str, Callable[[list[float]], list[float]]] = {
    "identity": lambda z: z,
    "relu": lambda z: [v if v > 0 else 0.0 for v in z],
    "logistic": lambda z: [0.5 * (1 + math.tanh(v / 2)) for v in z],
    "tanh": lambda z: [math.tanh(v) for v in z],
    "leaky_relu": lambda z: [max(v, v / 100) for v in z],
    "elu": lambda z: [v if v > 0 else math.expm1(v) for v in z],
    "selu": lambda z: [1.0507009873554805 * (v if v > 0 else 1.6732632423543772 * math.expm1(v)) for v in z],
    "softplus": lambda z: [math.log1p(math.exp(v)) for v in z],
    "gelu": lambda z: [v / 2 * (1 + math.erf(v / math.sqrt(2))) for v in z],
    "silu": lambda z: [v / (1 + math.exp(-v)) for v in z],
    "mish": lambda z: [v * (1 - 2 / (1 + (1 + math.exp(v)) ** 2)) for v in z],
    "exp": lambda z: [math.e**v for v in z],
    "softmax": lambda z: [1 / sum(math.exp(u - v) for u in z) for v in z],
}
"""Every activation once more, in scalars and by another formula."""


@pytest.fixture
def check_activation() -> Callable[[str, Activation], None]:
    """Check an activation function and its rule: values, finite differences, the kink, extreme arguments."""

    def check(name: str, activation: Activation) -> None:
        rng = np.random.default_rng(5)
        z = rng.standard_normal((4, 3)) * 2
        h = activation.forward(z)
        piecewise = activation.continuous_derivatives < math.inf
        ref = np.array([FORMULAS[name](row) for row in z.tolist()])
        np.testing.assert_allclose(h, ref, rtol=1e-14, atol=1e-16)

        dh = rng.standard_normal(z.shape)
        refbp.gradcheck(
            lambda: float((dh * activation.forward(z)).sum()),
            [z],
            [activation.backward(dh, activation.kept(z, h))],
            piece=(lambda: np.sign(z)) if piecewise else None,
        )
        if name == "relu":
            zero = np.zeros((1, 2))
            assert not activation.backward(np.ones((1, 2)), activation.forward(zero)).any(), "relu'(0) is not 0"
        if name != "exp":
            with np.errstate(over="ignore", invalid="ignore"):
                extreme = np.array([[-1e4, 0.0, 1e4]])
                h = activation.forward(extreme)
                dz = activation.backward(np.ones_like(h), activation.kept(extreme, h))
            assert np.isfinite([h, dz]).all(), f"{name} of an extreme argument is {h}, its derivative {dz}"

    return check


@pytest.fixture
def check_loss_and_gradient() -> Callable[..., None]:
    """Check a `loss_and_gradient` against finite differences of `refbp.objective`, entry by entry."""

    def check(problem: Problem, loss_and_gradient: Callable[..., Any] = refbp.loss_and_gradient) -> None:
        weights, biases, x, y, keywords = problem
        _, gradients = loss_and_gradient(weights, biases, x, y, **keywords)
        refbp.gradcheck(
            lambda: refbp.objective(weights, biases, x, y, **keywords),
            problem.params,
            gradients.dweights + gradients.dbiases,
            piece=lambda: refbp.active_units(x, weights, biases, keywords["activation"]),
        )

    return check


@pytest.fixture
def check_descent_step(make_problem: Callable[..., Problem]) -> Callable[..., None]:
    """Check that a step of gradient descent goes along the gradient at the *old* weights of every layer.

    ``step(problem, learning_rate)`` changes the problem's parameters in place.
    """

    def check(step: Callable[[Problem, float], None]) -> None:
        old, new = make_problem((3, 4, 4, 2), "tanh"), make_problem((3, 4, 4, 2), "tanh")
        step(new, 0.25)
        moved = [(p - q) / 0.25 for p, q in zip(old.params, new.params, strict=True)]
        refbp.gradcheck(
            lambda: refbp.objective(old.weights, old.biases, old.x, old.y, **old.keywords), old.params, moved
        )

    return check


@pytest.fixture
def check_optimizer() -> Callable[[Any, Any], None]:
    """Check that an optimizer moves random parameters exactly as scikit-learn's does, five steps long.

    ``comp`` is the optimizer in question, ``make_ref(params)`` makes scikit-learn's.
    """

    def check(comp: Any, make_ref: Callable[[list[np.ndarray]], Any]) -> None:
        rng = np.random.default_rng(3)
        shapes = [(2, 3), (3, 1), (3,), (1,)]
        comp_params = [rng.standard_normal(shape) for shape in shapes]
        ref_params = [p.copy() for p in comp_params]
        ref = make_ref(ref_params)
        for _ in range(5):
            grads = [rng.standard_normal(shape) for shape in shapes]
            comp.step(comp_params, grads)
            ref.update_params(ref_params, grads)
            assert comp.learning_rate == ref.learning_rate
            for r, c in zip(ref_params, comp_params, strict=True):
                np.testing.assert_array_equal(c, r)

    return check


@pytest.fixture
def check_adamw_by_hand() -> Callable[..., None]:
    """Check two steps of AdamW: betas 1/2 and 15/16, rate 1/2, epsilon 1, decay 1/2, gradients 2 then 0."""

    def check(make: Callable[..., Any]) -> None:
        weight, bias = np.ones((1, 1)), np.ones(1)
        adamw = make(0.5, beta_1=0.5, beta_2=15 / 16, epsilon=1.0, weight_decay=0.5)
        adamw.step([weight, bias], [np.full((1, 1), 2.0), np.full(1, 2.0)])
        # m = 1, v = 1/4; corrected, divided by 1/2 and 1/16, they are 2 and 4. The step is 1/2 * 2 / (2 + 1) = 1/3.
        np.testing.assert_allclose([weight[0, 0], bias[0]], [3 / 4 - 1 / 3, 1 - 1 / 3], rtol=1e-15)
        adamw.step([weight, bias], [np.zeros((1, 1)), np.zeros(1)])
        # m = 1/2, v = 15/64; corrected, divided by 3/4 and 31/256, they are 2/3 and 60/31
        step = 0.5 * (2 / 3) / (math.sqrt(60 / 31) + 1)
        np.testing.assert_allclose(weight, [[0.75 * (3 / 4 - 1 / 3) - step]], rtol=1e-15)
        np.testing.assert_allclose(bias, [1 - 1 / 3 - step], rtol=1e-15)

    return check


def one_hot(y: np.ndarray) -> np.ndarray:
    """Encode labels as scikit-learn's MLPClassifier does: bool, one column for two classes."""
    if y.ndim == 2:
        return y.astype(bool)
    classes = np.unique(y)
    columns = classes[1:] if len(classes) == 2 else classes
    return y[:, np.newaxis] == columns


class Run(NamedTuple):
    """What `fit_with_refbp` came to."""

    weights: list[np.ndarray]
    biases: list[np.ndarray]
    history: refbp.History
    optimizer: refbp.SGD | refbp.Adam
    rng: np.random.RandomState


def make_optimizer(parameters: dict[str, Any]) -> refbp.SGD | refbp.Adam:
    """Make the optimizer that an estimator with these parameters would use."""
    if parameters["solver"] == "adam":
        return refbp.Adam(
            parameters["learning_rate_init"],
            beta_1=parameters["beta_1"],
            beta_2=parameters["beta_2"],
            epsilon=parameters["epsilon"],
        )
    return refbp.SGD(
        parameters["learning_rate_init"],
        momentum=parameters["momentum"],
        nesterov=parameters["nesterovs_momentum"],
        schedule=parameters["learning_rate"],
        power_t=parameters["power_t"],
    )


@pytest.fixture
def fit_with_refbp() -> Callable[..., Run]:
    """Do with refbp what ``estimator.fit`` does; going on from ``before``, a warm start or a partial fit."""
    model_selection = pytest.importorskip("sklearn.model_selection")
    base = pytest.importorskip("sklearn.base")

    def fit(
        estimator: Any,
        x: np.ndarray,
        y: np.ndarray,
        sample_weight: np.ndarray | None = None,
        *,
        before: Run | None = None,
        partial: bool = False,
    ) -> Run:
        parameters = estimator.get_params()
        classify = base.is_classifier(estimator)
        y2 = one_hot(y) if classify else y.reshape(len(y), -1)
        loss = parameters.get("loss", "binary_log_loss" if y.ndim == 2 or y2.shape[1] == 1 else "log_loss")
        activation = parameters["activation"]
        rng = np.random.RandomState(parameters["random_state"])

        if before is None:
            sizes = [x.shape[1], *parameters["hidden_layer_sizes"], y2.shape[1]]
            weights, biases = refbp.initialize(sizes, activation, rng, x.dtype)
            history = refbp.History()
        else:
            weights, biases, history = before.weights, before.biases, before.history
        optimizer = before.optimizer if before is not None and partial else make_optimizer(parameters)

        evaluate = None
        if parameters["early_stopping"]:
            arrays = [x, y2] if sample_weight is None else [x, y2, sample_weight]
            parts = model_selection.train_test_split(
                *arrays,
                random_state=rng,
                test_size=parameters["validation_fraction"],
                stratify=y2 if classify and y2.shape[1] == 1 else None,
            )
            (x, y2), held_out = (parts[0], parts[2]), (parts[1], parts[3])
            held_out_weight = None
            if sample_weight is not None:
                sample_weight, held_out_weight = parts[4], parts[5]
            evaluate = refbp.scorer(*held_out, activation=activation, loss=loss, sample_weight=held_out_weight)

        batch_size = parameters["batch_size"]
        refbp.train(
            weights,
            biases,
            optimizer,
            x,
            y2,
            activation=activation,
            loss=loss,
            weight_decay=parameters["alpha"],
            batch_size=200 if batch_size == "auto" else batch_size,
            max_epochs=1 if partial else parameters["max_iter"],
            rng=rng if parameters["shuffle"] else None,
            history=history,
            stopping=refbp.Stopping(parameters["tol"], parameters["n_iter_no_change"]),
            sample_weight=sample_weight,
            evaluate=evaluate,
        )
        return Run(weights, biases, history, optimizer, rng)

    return fit


def assert_same_run(estimator: Any, run: Run, rtol: float = 1e-12) -> None:
    """Compare a fitted estimator with a run of refbp, to the random numbers used."""
    for ref, comp in zip(estimator.coefs_ + estimator.intercepts_, run.weights + run.biases, strict=True):
        assert ref.dtype == comp.dtype
        np.testing.assert_allclose(comp, ref, rtol=rtol, atol=rtol * np.abs(ref).max())
    history = run.history
    assert history.n_iter == estimator.n_iter_
    assert history.t == estimator.t_
    assert history.no_improvement_count == estimator._no_improvement_count
    np.testing.assert_allclose(history.loss_curve, estimator.loss_curve_, rtol=rtol)
    assert history.loss == history.loss_curve[-1]
    if estimator.validation_scores_ is None:
        assert history.validation_scores is None
        np.testing.assert_allclose(history.best_loss, estimator.best_loss_, rtol=rtol)
    else:
        np.testing.assert_allclose(history.validation_scores, estimator.validation_scores_, rtol=rtol)
        np.testing.assert_allclose(history.best_validation_score, estimator.best_validation_score_, rtol=rtol)
    assert run.optimizer.learning_rate == estimator._optimizer.learning_rate
    for ref, comp in zip(estimator._random_state.get_state(), run.rng.get_state(), strict=True):
        np.testing.assert_array_equal(comp, ref)


@pytest.fixture
def check_run(fit_with_refbp: Callable[..., Run]) -> Callable[..., None]:
    """Check a complete run of refbp against scikit-learn's."""

    def check(estimator: Any, x: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> None:
        run = fit_with_refbp(estimator, x, y, sample_weight)
        estimator.fit(x, y, sample_weight=sample_weight)
        assert_same_run(estimator, run)

    return check


@pytest.fixture
def same_run() -> Callable[..., None]:
    """Give `assert_same_run`."""
    return assert_same_run
