"""The closed-form backward pass against finite differences, in every combination."""

import numpy as np
import pytest

import refbp
from refbp.activations import ACTIVATIONS, HIDDEN_ACTIVATIONS
from refbp.penalties import PENALTIES

SIZES = [(3, 2), (3, 4, 2), (3, 4, 4, 2), (2, 3, 4, 3, 2)]
LOSSES_AND_OUTPUTS = [
    ("squared_error", 2),
    ("poisson", 2),
    ("log_loss", 3),
    ("binary_log_loss", 1),
    ("binary_log_loss", 3),
]


@pytest.mark.parametrize("activation", HIDDEN_ACTIVATIONS)
@pytest.mark.parametrize(("loss", "n_out"), LOSSES_AND_OUTPUTS)
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: f"{len(sizes) - 2}hidden")
@pytest.mark.parametrize("weighted", [False, True])
def test_gradient(activation, loss, n_out, penalty, sizes, weighted, make_problem, check_loss_and_gradient):
    check_loss_and_gradient(make_problem((*sizes[:-1], n_out), activation, loss, penalty, weighted))


@pytest.mark.parametrize("activation", HIDDEN_ACTIVATIONS)
def test_gradient_of_a_larger_network_along_random_directions(activation, make_problem):
    weights, biases, x, y, keywords = make_problem((20, 30, 10, 4), activation, "log_loss")
    _, gradients = refbp.loss_and_gradient(weights, biases, x, y, **keywords)
    refbp.gradcheck_directional(
        lambda: refbp.objective(weights, biases, x, y, **keywords),
        weights + biases,
        gradients.dweights + gradients.dbiases,
        rng=np.random.default_rng(0),
        piece=lambda: refbp.active_units(x, weights, biases, activation),
    )


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("total_weight", [1, 5, 3.5])
def test_penalty_gradient(name, total_weight):
    rng = np.random.default_rng(1)
    weights = [rng.standard_normal((2, 3)), rng.standard_normal((3, 1))]
    penalty = PENALTIES[name]
    refbp.gradcheck(
        lambda: penalty.value(weights, 0.7, total_weight),
        weights,
        [penalty.summed_gradient(w, 0.7, total_weight) / total_weight for w in weights],
    )


def test_the_three_penalties_by_hand():
    weights = [np.array([[1.0, 2.0]]), np.array([[2.0]])]  # sum of squares 9
    assert PENALTIES["d2l"].value(weights, 0.5, 4) == pytest.approx(0.25 * 9)
    assert PENALTIES["deep_learning"].value(weights, 0.5, 4) == pytest.approx(0.5 * 9)
    assert PENALTIES["scikit_learn"].value(weights, 0.5, 4) == pytest.approx(0.5 / 8 * 9)
    gradients = {name: p.summed_gradient(weights[0], 0.5, 4) / 4 for name, p in PENALTIES.items()}
    np.testing.assert_allclose(gradients["d2l"], [[0.5, 1.0]])
    np.testing.assert_allclose(gradients["deep_learning"], [[1.0, 2.0]])
    np.testing.assert_allclose(gradients["scikit_learn"], [[0.125, 0.25]])


def test_unit_weights_are_no_weights(make_problem):
    weights, biases, x, y, keywords = make_problem((3, 4, 2))
    ref_loss, ref = refbp.loss_and_gradient(weights, biases, x, y, **keywords)
    keywords["sample_weight"] = np.ones(len(x))
    comp_loss, comp = refbp.loss_and_gradient(weights, biases, x, y, **keywords)
    assert comp_loss == pytest.approx(ref_loss, rel=1e-14)
    for r, c in zip(ref.dweights + ref.dbiases, comp.dweights + comp.dbiases, strict=True):
        np.testing.assert_allclose(c, r, rtol=1e-13, atol=1e-16)


def test_integer_weights_are_repetitions(make_problem):
    weights, biases, x, y, keywords = make_problem((3, 4, 2))
    counts = np.array([1, 3, 0, 2, 1])
    _, ref = refbp.loss_and_gradient(weights, biases, x.repeat(counts, 0), y.repeat(counts, 0), **keywords)
    keywords["sample_weight"] = counts.astype(float)
    _, comp = refbp.loss_and_gradient(weights, biases, x, y, **keywords)
    for r, c in zip(ref.dweights + ref.dbiases, comp.dweights + comp.dbiases, strict=True):
        np.testing.assert_allclose(c, r, rtol=1e-12)


def test_nothing_given_is_changed(make_problem):
    problem, untouched = (make_problem((3, 4, 2), "relu", "log_loss", weighted=True) for _ in range(2))
    refbp.loss_and_gradient(problem.weights, problem.biases, problem.x, problem.y, **problem.keywords)
    for before, after in zip(
        [*untouched.params, untouched.x, untouched.y], [*problem.params, problem.x, problem.y], strict=True
    ):
        np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("activation", HIDDEN_ACTIVATIONS)
@pytest.mark.parametrize("loss", ["squared_error", "poisson", "log_loss"])
def test_float32_stays_float32_and_near(activation, loss, make_problem):
    weights, biases, x, y, keywords = make_problem((3, 4, 2), activation, loss, weighted=True)
    ref_loss, ref = refbp.loss_and_gradient(weights, biases, x, y, **keywords)
    keywords["sample_weight"] = keywords["sample_weight"].astype(np.float32)
    comp_loss, comp = refbp.loss_and_gradient(
        [w.astype(np.float32) for w in weights],
        [b.astype(np.float32) for b in biases],
        x.astype(np.float32),
        y.astype(np.float32),
        **keywords,
    )
    assert comp_loss == pytest.approx(ref_loss, rel=1e-5)
    for r, c in zip(ref.dweights + ref.dbiases, comp.dweights + comp.dbiases, strict=True):
        assert c.dtype == np.float32
        assert refbp.relative_error(r, c) < 1e-5


def test_active_units_see_both_signs_and_the_kink_itself():
    weights, biases = [np.eye(3), np.ones((3, 1))], [np.zeros(3), np.zeros(1)]
    x = np.array([[-1.0, 0.0, 2.0]])
    np.testing.assert_array_equal(refbp.active_units(x, weights, biases, "relu"), [-1, 0, 1])
    assert refbp.active_units(x, weights, biases, "tanh").size == 0
    assert refbp.active_units(x, weights[1:], biases[1:], "relu").size == 0


@pytest.mark.parametrize(
    "activation", [name for name in HIDDEN_ACTIVATIONS if ACTIVATIONS[name].continuous_derivatives < 1]
)
def test_standing_on_a_kink_is_reported(activation, make_problem, check_loss_and_gradient):
    problem = make_problem((3, 4, 2), activation)
    problem.weights[0][:, 0] = 0
    problem.biases[0][0] = 0
    with pytest.raises(refbp.UndefinedDerivativeError, match="no derivative"):
        check_loss_and_gradient(problem)
