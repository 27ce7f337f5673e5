"""Planted faults: every check of refbp must reject what it is there to reject.

Each fault is a small change of the right code, put through the check that the right code passes elsewhere.
"""

import math

import numpy as np
import pytest

import refbp
import refbp.mlp
import refbp.training
from refbp.activations import ACTIVATIONS, logistic, normal_cdf, softplus
from refbp.activations.rectifiers import elu, elu_derivative
from refbp.losses import LOSSES
from refbp.penalties import Penalty

# ---- activations ----


def test_derivative_of_relu_at_zero(check_activation):
    """One at zero and right everywhere else; a negative zero marks the units that are off."""
    faulty = ACTIVATIONS["relu"]._replace(
        forward=lambda z: np.where(z < 0, -0.0, z), backward=lambda dh, h: np.where(np.signbit(h), 0, dh)
    )
    with pytest.raises(AssertionError, match="is not 0"):
        check_activation("relu", faulty)


def test_derivative_of_relu_with_the_comparison_turned(check_activation):
    with pytest.raises(AssertionError, match="gradient check failed"):
        check_activation("relu", ACTIVATIONS["relu"]._replace(backward=lambda dh, h: np.where(h >= 0, dh, 0)))


def test_softmax_without_its_largest_subtracted(check_activation):
    def faulty(z):
        e = np.exp(z)
        return e / e.sum(axis=-1, keepdims=True)

    with pytest.raises(AssertionError, match="extreme argument"):
        check_activation("softmax", ACTIVATIONS["softmax"]._replace(forward=faulty))


@pytest.mark.parametrize(
    ("name", "backward"),
    [
        ("tanh", lambda dh, h: dh * (1 - h)),
        ("logistic", lambda dh, h: dh * h),
        ("softmax", lambda dh, h: dh * h * (1 - h)),
        ("exp", lambda dh, h: dh),
        ("leaky_relu", lambda dh, z: np.where(z > 0, dh, 0)),
        ("elu", lambda dh, z: dh * elu(z)),
        ("selu", lambda dh, z: dh * elu_derivative(z)),
        ("softplus", lambda dh, z: dh * np.tanh(z)),
        ("gelu", lambda dh, z: dh * normal_cdf(z)),
        ("silu", lambda dh, z: dh * logistic(z)),
        ("silu", lambda dh, z: dh * logistic(z) * (1 + z * logistic(z))),
        ("mish", lambda dh, z: dh * np.tanh(softplus(z))),
        ("mish", lambda dh, z: dh * (np.tanh(softplus(z)) + z * (1 - np.tanh(softplus(z)) ** 2))),
    ],
)
def test_wrong_derivative(name, backward, check_activation):
    with pytest.raises(AssertionError, match="gradient check failed"):
        check_activation(name, ACTIVATIONS[name]._replace(backward=backward))


@pytest.mark.parametrize("name", [name for name, act in ACTIVATIONS.items() if act.keeps == "input"])
def test_derivative_at_the_output_instead_of_the_input(name, check_activation):
    """Rules that give the same on both sides of zero are those of leaky_relu alone: its output has the sign of z."""
    faulty = ACTIVATIONS[name]._replace(keeps="output")
    if name == "leaky_relu":
        check_activation(name, faulty)
        return
    with pytest.raises(AssertionError, match="gradient check failed"):
        check_activation(name, faulty)


@pytest.mark.parametrize(
    ("name", "forward"),
    [
        ("gelu", lambda z: z / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))),
        ("gelu", lambda z: z * logistic(1.702 * z)),
        ("mish", lambda z: z * np.tanh(np.log(2 + np.exp(z)))),
        ("softplus", lambda z: np.log2(1 + np.exp(z))),
        ("leaky_relu", lambda z: np.where(z > 0, z, 0.1 * z)),
        ("elu", ACTIVATIONS["selu"].forward),
        ("selu", lambda z: 1.0507 * np.where(z > 0, z, 1.67326 * np.expm1(np.minimum(z, 0)))),
    ],
)
def test_wrong_function(name, forward, check_activation):
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check_activation(name, ACTIVATIONS[name]._replace(forward=forward))


@pytest.mark.parametrize(
    ("name", "forward"),
    [
        ("softplus", lambda z: np.log(1 + np.exp(z))),
        ("silu", lambda z: z * np.exp(z) / (1 + np.exp(z))),
    ],
)
def test_overflow(name, forward, check_activation):
    with pytest.raises((AssertionError, RuntimeWarning), match=r"extreme argument|overflow"):
        check_activation(name, ACTIVATIONS[name]._replace(forward=forward))


# ---- the backward pass ----


@pytest.mark.parametrize("penalty", refbp.PENALTIES)
@pytest.mark.parametrize("factor", [0.0, 0.5, 2.0], ids=["dropped", "halved", "doubled"])
def test_decay(penalty, factor, make_problem, check_loss_and_gradient, monkeypatch):
    right = refbp.PENALTIES[penalty]
    faulty = Penalty(right.value, lambda *args: factor * right.summed_gradient(*args))
    monkeypatch.setitem(refbp.PENALTIES, penalty, faulty)
    with pytest.raises(AssertionError, match="gradient check failed"):
        check_loss_and_gradient(make_problem((3, 4, 2), penalty=penalty))


def test_decayed_biases(make_problem, check_loss_and_gradient):
    def faulty(weights, biases, x, y, **keywords):
        value, g = refbp.loss_and_gradient(weights, biases, x, y, **keywords)
        return value, g._replace(
            dbiases=[db + keywords["weight_decay"] * b / len(x) for db, b in zip(g.dbiases, biases, strict=True)]
        )

    with pytest.raises(AssertionError, match="array 2"):
        check_loss_and_gradient(make_problem((3, 4, 2)), faulty)


def test_transposed_weights(make_problem, check_loss_and_gradient):
    """A square layer, so that no shape gives the fault away."""

    def faulty(weights, biases, x, y, **keywords):
        stored = refbp.forward(x, weights, biases, keywords["activation"], "identity")
        del keywords["loss"]
        return 0.0, refbp.backward(stored, [weights[0], weights[1].T, weights[2]], y, **keywords)

    with pytest.raises(AssertionError, match="array 0"):
        check_loss_and_gradient(make_problem((3, 4, 4, 2), weight_decay=0.0), faulty)


def test_gradient_of_pre_activation_forgotten(make_problem, check_loss_and_gradient, monkeypatch):
    monkeypatch.setitem(ACTIVATIONS, "tanh", ACTIVATIONS["tanh"]._replace(backward=lambda dh, h: dh))
    with pytest.raises(AssertionError, match=r"array [02]\["):
        check_loss_and_gradient(make_problem((3, 4, 2), "tanh"))


@pytest.mark.parametrize("loss", LOSSES)
def test_wrong_sign_of_the_residual(loss, make_problem, check_loss_and_gradient, monkeypatch):
    monkeypatch.setattr(refbp.mlp, "residual", lambda y, o: y - o)
    with pytest.raises(AssertionError, match="gradient check failed"):
        check_loss_and_gradient(make_problem((3, 4, 2), loss=loss))


def test_sum_of_weights_taken_for_their_number(make_problem, check_loss_and_gradient):
    def faulty(weights, biases, x, y, **keywords):
        value, g = refbp.loss_and_gradient(weights, biases, x, y, **keywords)
        scale = keywords["sample_weight"].mean()
        return value, refbp.Gradients(*([scale * d for d in part] for part in g))

    with pytest.raises(AssertionError, match="gradient check failed"):
        check_loss_and_gradient(make_problem((3, 4, 2), weighted=True), faulty)


def test_sample_weight_forgotten(make_problem, check_loss_and_gradient):
    def faulty(weights, biases, x, y, **keywords):
        return refbp.loss_and_gradient(weights, biases, x, y, **{**keywords, "sample_weight": None})

    with pytest.raises(AssertionError, match="gradient check failed"):
        check_loss_and_gradient(make_problem((3, 4, 2), weighted=True), faulty)


def test_gradient_of_the_reported_instead_of_the_summed_squared_error(make_problem, check_loss_and_gradient):
    def faulty(weights, biases, x, y, **keywords):
        value, g = refbp.loss_and_gradient(weights, biases, x, y, **keywords)
        return value, refbp.Gradients(*([d / y.shape[1] for d in part] for part in g))

    with pytest.raises(AssertionError, match="gradient check failed"):
        check_loss_and_gradient(make_problem((3, 4, 2), weight_decay=0.0), faulty)


def test_everything_zero(make_problem, check_loss_and_gradient):
    def faulty(weights, biases, x, y, **keywords):
        value, g = refbp.loss_and_gradient(weights, biases, x, y, **keywords)
        return value, refbp.Gradients(*([0 * d for d in part] for part in g))

    with pytest.raises(AssertionError, match="zero everywhere"):
        check_loss_and_gradient(make_problem((3, 4, 2)), faulty)


# ---- backward pass and update together ----


def descend(problem, learning_rate):
    """Make a step of gradient descent."""
    weights, biases, x, y, keywords = problem
    _, g = refbp.loss_and_gradient(weights, biases, x, y, **keywords)
    for p, grad in zip(problem.params, g.dweights + g.dbiases, strict=True):
        p -= learning_rate * grad


def descend_layer_by_layer(problem, learning_rate):
    """Update each layer as soon as its gradient is known: the next delta reads weights already changed."""
    weights, biases, x, y, keywords = problem
    hs, kept = refbp.forward(x, weights, biases, keywords["activation"], "identity")
    delta = hs[-1] - y
    for i in reversed(range(len(weights))):
        weights[i] -= learning_rate * (hs[i].T @ delta + keywords["weight_decay"] * weights[i]) / len(x)
        biases[i] -= learning_rate * delta.sum(axis=0) / len(x)
        if i > 0:
            delta = ACTIVATIONS[keywords["activation"]].backward(delta @ weights[i].T, kept[i])


def test_reading_updated_weights(check_descent_step):
    check_descent_step(descend)
    with pytest.raises(AssertionError, match="array 0"):
        check_descent_step(descend_layer_by_layer)


# ---- optimizers ----


class NesterovWithTheOldVelocity(refbp.SGD):
    """Swaps the order: looks ahead along the velocity of the step before."""

    def step(self, params, grads):
        old = self.velocities or [np.zeros_like(p) for p in params]
        self.velocities = [self.momentum * v - self.learning_rate * g for v, g in zip(old, grads, strict=True)]
        for p, v, g in zip(params, old, grads, strict=True):
            p += self.momentum * v - self.learning_rate * g


class ClassicalMomentum(refbp.SGD):
    """Does not look ahead at all."""

    def __init__(self, *args):
        super().__init__(*args, nesterov=False)


class AdamCountingFromZero(refbp.Adam):
    """Corrects the bias of every step by the count of the next one."""

    def __init__(self, *args):
        super().__init__(*args)
        self.t = 1


class AdamCorrectingFirst(refbp.Adam):
    """Adds epsilon to the corrected root, as the paper's algorithm 1 and other libraries do."""

    def step(self, params, grads):
        before = [p.copy() for p in params]
        super().step(params, grads)
        root = np.sqrt(1 - self.beta_2**self.t)
        for p, p0, m, v in zip(params, before, self.ms, self.vs, strict=True):
            p[...] = p0 - self.learning_rate * m / (np.sqrt(v) + self.epsilon * root)


@pytest.mark.parametrize("faulty", [AdamCountingFromZero, AdamCorrectingFirst])
def test_adam(faulty, check_optimizer):
    sklearn_optimizers = pytest.importorskip("sklearn.neural_network._stochastic_optimizers")
    with pytest.raises(AssertionError):
        check_optimizer(faulty(0.01), lambda params: sklearn_optimizers.AdamOptimizer(params, 0.01))


@pytest.mark.parametrize("faulty", [NesterovWithTheOldVelocity, ClassicalMomentum])
def test_nesterov(faulty, check_optimizer):
    sklearn_optimizers = pytest.importorskip("sklearn.neural_network._stochastic_optimizers")
    with pytest.raises(AssertionError):
        check_optimizer(faulty(0.1), lambda params: sklearn_optimizers.SGDOptimizer(params, 0.1))


class CoupledDecay(refbp.AdamW):
    """Decays by way of the gradient: Adam with an L2 penalty."""

    def step(self, params, grads):
        coupled = [g + self.weight_decay * p if p.ndim == 2 else g for p, g in zip(params, grads, strict=True)]
        refbp.Adam.step(self, params, coupled)


class DecayedBiases(refbp.AdamW):
    """Decays every parameter."""

    def step(self, params, grads):
        for p in params:
            p *= 1 - self.learning_rate_init * self.weight_decay * (p.ndim == 1)
        super().step(params, grads)


class DecayByTheCorrectedRate(refbp.AdamW):
    """Takes the learning rate with the bias correction in it for the decay."""

    def step(self, params, grads):
        corrected = self.learning_rate
        for p in params:
            if p.ndim == 2:
                p *= 1 - corrected * self.weight_decay
        refbp.Adam.step(self, params, grads)


class UncorrectedRoot(refbp.AdamW):
    """Adds epsilon to the uncorrected root, as Adam does."""

    def step_epsilon(self):
        return self.epsilon


class UncorrectedMoments(refbp.AdamW):
    """Leaves out the bias correction."""

    def step(self, params, grads):
        self.t = 10**9
        super().step(params, grads)


@pytest.mark.parametrize(
    "faulty", [CoupledDecay, DecayedBiases, DecayByTheCorrectedRate, UncorrectedRoot, UncorrectedMoments]
)
def test_adamw(faulty, check_adamw_by_hand):
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check_adamw_by_hand(faulty)


# ---- complete runs ----


def permutation_from_another_stream(n, rng):
    return np.random.default_rng(rng.randint(100)).permutation(n)


def slices_without_the_last(n, batch_size):
    return [slice(start, start + batch_size) for start in range(0, n - batch_size + 1, batch_size)]


def small_biases(layer_sizes, activation, rng, dtype):
    weights, biases = initialize(layer_sizes, activation, rng, dtype)
    return weights, [0 * b for b in biases]


def patience_in_vain(history, tol):
    history.no_improvement_count += history.loss >= history.best_loss - tol
    history.best_loss = min(history.best_loss, history.loss)


initialize = refbp.initialize

FAULTY_PARTS = {
    "shuffle": (refbp.training, "permutation", permutation_from_another_stream),
    "last minibatch dropped": (refbp.training, "slices", slices_without_the_last),
    "biases start at zero": (refbp, "initialize", small_biases),
    "count never goes back to zero": (refbp.training, "note_loss", patience_in_vain),
    "no bias correction": (refbp, "Adam", lambda *args, **kwargs: NoCorrection(*args, **kwargs)),
}


class NoCorrection(refbp.Adam):
    """Adam with uncorrected moments."""

    def step(self, params, grads):
        self.t = 10**9
        super().step(params, grads)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer. Maximum iterations")
@pytest.mark.parametrize("name", [None, *FAULTY_PARTS])
def test_run(name, check_run, monkeypatch):
    neural_network = pytest.importorskip("sklearn.neural_network")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 4))
    y = (x[:, 0] > 0).astype(int)
    estimator = neural_network.MLPClassifier(
        (5,),
        batch_size=16,
        max_iter=30,
        n_iter_no_change=3,
        tol=0.001,
        learning_rate_init=0.4,
        random_state=0,
    )
    if name is None:
        check_run(estimator, x, y)
        assert 5 < estimator.n_iter_ < 30, "the run is to use both stopping and patience"
        return
    monkeypatch.setattr(*FAULTY_PARTS[name])
    with pytest.raises(AssertionError):
        check_run(estimator, x, y)
