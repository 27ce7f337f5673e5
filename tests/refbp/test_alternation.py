"""Training alternates forward and backward; back-propagation is only the gradient, learning is another algorithm."""

from itertools import pairwise

import numpy as np
import pytest

import refbp
from refbp import one_hidden_layer as textbook

SETTINGS = {"phi": "tanh", "loss": "cross_entropy", "lam": 0.1}


@pytest.fixture
def problem():
    """Examples in columns, and the parameters of a network with biases."""
    rng = np.random.default_rng(8)
    x, y = rng.standard_normal((4, 6)), np.eye(3)[rng.integers(3, size=6)].T
    shapes = {"w1": (5, 4), "w2": (3, 5), "b1": (5,), "b2": (3,)}
    return x, y, {name: rng.standard_normal(shape) for name, shape in shapes.items()}


def gradients(walk):
    return {name: getattr(walk.backward, f"dJ_d{name}") for name in ("w1", "w2", "b1", "b2")}


def check_backward_uses_the_latest_forward(x, y, forward, backward):
    """Check that derivatives are those of J at the parameters that the forward pass holds."""
    params = {name: getattr(forward, name).copy() for name in ("w1", "w2", "b1", "b2")}
    refbp.gradcheck(
        lambda: textbook.forward(x, y, **params, **SETTINGS).J,
        list(params.values()),
        [getattr(backward, f"dJ_d{name}") for name in params],
        names=list(params),
    )


def test_forward_uses_the_parameters_that_the_last_backward_led_to(problem):
    """D2L, "Training Deep Learning Model": also the regularization term is that of the latest weights."""
    x, y, params = problem
    walks = textbook.alternate(x, y, params, refbp.SGD(0.5, momentum=0.0), 4, **SETTINGS)
    assert len(walks) == 5
    for before, after in pairwise(walks):
        for name, gradient in gradients(before).items():
            np.testing.assert_array_equal(getattr(after.forward, name), getattr(before.forward, name) - 0.5 * gradient)
        w1, w2 = after.forward.w1, after.forward.w2
        assert after.forward.s == pytest.approx(0.05 * ((w1**2).sum() + (w2**2).sum()), rel=1e-14)
        assert after.forward.J < before.forward.J


def test_backward_uses_the_variables_that_the_last_forward_stored(problem):
    x, y, params = problem
    walks = textbook.alternate(x, y, params, refbp.SGD(0.5), 3, **SETTINGS)
    for walk in walks:
        check_backward_uses_the_latest_forward(x, y, walk.forward, walk.backward)
    first, last = walks[0].forward, walks[-1].forward
    for name in ("h", "o", "w2"):
        stale = last._replace(**{name: getattr(first, name)})
        with pytest.raises(refbp.GradcheckError, match="gradient check failed"):
            check_backward_uses_the_latest_forward(x, y, last, textbook.backward(stale, y, **SETTINGS))


def test_training_leaves_the_given_parameters_and_the_walks_as_they_were(problem):
    x, y, params = problem
    before = {name: p.copy() for name, p in params.items()}
    walks = textbook.alternate(x, y, params, refbp.SGD(0.5), 2, **SETTINGS)
    for name, p in before.items():
        np.testing.assert_array_equal(params[name], p)
        np.testing.assert_array_equal(getattr(walks[0].forward, name), p)
    assert not np.array_equal(walks[0].forward.w1, walks[1].forward.w1)


# ---- Deep Learning 6.5, introduction: two algorithms, of which back-propagation is one ----


def test_back_propagation_learns_nothing(problem):
    """It computes the gradient, and computes it again; no parameter moves."""
    x, y, params = problem
    before = {name: p.copy() for name, p in params.items()}
    first, second = (textbook.walk(x, y, **params, **SETTINGS) for _ in range(2))
    for name, p in before.items():
        np.testing.assert_array_equal(params[name], p)
        np.testing.assert_array_equal(gradients(first)[name], gradients(second)[name])
    assert first.forward.J == second.forward.J


def test_many_algorithms_learn_from_one_gradient(problem):
    x, y, params = problem
    learners = [refbp.SGD(0.1, momentum=0.0), refbp.SGD(0.5), refbp.Adam(0.1)]
    starts, ends = [], []
    for learner in learners:
        start, end = textbook.alternate(x, y, params, learner, 1, **SETTINGS)
        starts.append(gradients(start)["w1"])
        ends.append(end.forward.w1)
    for other in (1, 2):
        np.testing.assert_array_equal(starts[0], starts[other])
        assert not np.allclose(ends[0], ends[other])


@pytest.mark.parametrize("make_learner", [refbp.SGD, refbp.Adam])
def test_learning_takes_a_gradient_from_anywhere(make_learner, problem):
    """Without any back-propagation: finite differences lead to the same place, up to their error."""
    x, y, params = problem
    (_, *_, end) = textbook.alternate(x, y, params, make_learner(0.1), 3, **SETTINGS)
    learner = make_learner(0.1)
    moving = {name: p.copy() for name, p in params.items()}
    for _ in range(3):
        grads = refbp.numerical_gradient(
            lambda: textbook.forward(x, y, **moving, **SETTINGS).J, list(moving.values()), names=list(moving)
        )
        learner.step(list(moving.values()), grads)
    for name, p in moving.items():
        assert not np.allclose(p, params[name])
        np.testing.assert_allclose(p, getattr(end.forward, name), rtol=1e-7, atol=1e-9)
