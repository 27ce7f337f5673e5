"""The textbook's network: every derivative against finite differences, columns against rows."""

import numpy as np
import pytest

import refbp
from refbp import one_hidden_layer as textbook
from refbp.activations import ACTIVATIONS, HIDDEN_ACTIVATIONS

LAM = 0.3


@pytest.fixture
def network():
    rng = np.random.default_rng(13)
    x, y = rng.standard_normal(4), np.eye(3)[1]
    w1, w2 = rng.standard_normal((5, 4)), rng.standard_normal((3, 5))
    return x, y, w1, w2


@pytest.mark.parametrize("phi", HIDDEN_ACTIVATIONS)
@pytest.mark.parametrize("loss", textbook.OUTPUT_LOSSES)
def test_every_derivative(phi, loss, network):
    x, y, w1, w2 = network
    f = textbook.forward(x, y, w1, w2, phi=phi, loss=loss, lam=LAM)
    g = textbook.backward(f, y, phi=phi, loss=loss, lam=LAM)
    out, act = textbook.OUTPUT_LOSSES[loss], ACTIVATIONS[phi].forward
    z, h, o = f.z.copy(), f.h.copy(), f.o.copy()

    def penalty():
        return LAM / 2 * (np.linalg.norm(w1) ** 2 + np.linalg.norm(w2) ** 2)

    # J as a function of each variable in turn, whatever computes that variable left out
    j_of = {
        "dJ_do": (lambda: out.value(o, y), o),
        "ds_dw1": (penalty, w1),
        "ds_dw2": (penalty, w2),
        "dJ_dw2": (lambda: out.value(w2 @ h, y) + penalty(), w2),
        "dJ_dh": (lambda: out.value(w2 @ h, y), h),
        "dJ_dz": (lambda: out.value(w2 @ act(z), y), z),
        "dJ_dw1": (lambda: out.value(w2 @ act(w1 @ x), y) + penalty(), w1),
    }
    assert g.dJ_dL == g.dJ_ds == 1
    for name, (function, variable) in j_of.items():
        piece = (lambda: np.sign(w1 @ x)) if name == "dJ_dw1" else lambda: np.sign(z)
        refbp.check_gradient(function, [variable], [getattr(g, name)], piece=piece)


def test_shapes_and_order(network):
    x, y, w1, w2 = network
    f = textbook.forward(x, y, w1, w2, lam=LAM)
    g = textbook.backward(f, y, lam=LAM)
    assert f._fields == ("w1", "w2", "x", "z", "h", "o", "L", "s", "J")
    assert [np.shape(v) for v in f] == [(5, 4), (3, 5), (4,), (5,), (5,), (3,), (), (), ()]
    assert g._fields == (
        *("dJ_dL", "dJ_ds", "dJ_do", "ds_dw1", "ds_dw2"),
        *("dJ_dw2", "dJ_dh", "dJ_dz", "dJ_dw1"),
    )
    assert [np.shape(v) for v in g] == [(), (), (3,), (5, 4), (3, 5), (3, 5), (5,), (5,), (5, 4)]
    assert f.L + f.s == pytest.approx(f.J)


@pytest.mark.parametrize("phi", HIDDEN_ACTIVATIONS)
@pytest.mark.parametrize(("loss", "row_loss"), [("half_squared_error", "squared_error"), ("cross_entropy", "log_loss")])
def test_the_row_convention_is_the_transpose(phi, loss, row_loss, network):
    """A minibatch of one row, transposed weights, no biases, D2L's penalty."""
    x, y, w1, w2 = network
    f = textbook.forward(x, y, w1, w2, phi=phi, loss=loss, lam=LAM)
    g = textbook.backward(f, y, phi=phi, loss=loss, lam=LAM)
    arguments = [w1.T, w2.T], [np.zeros(5), np.zeros(3)], x[np.newaxis], y[np.newaxis]
    keywords = {"activation": phi, "loss": row_loss, "weight_decay": LAM, "penalty": "d2l"}
    _, gradients = refbp.loss_and_gradient(*arguments, **keywords)
    assert refbp.objective(*arguments, **keywords) == pytest.approx(f.J, rel=1e-14)
    np.testing.assert_allclose(gradients.dweights[0].T, g.dJ_dw1, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(gradients.dweights[1].T, g.dJ_dw2, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(gradients.deltas[0][0], g.dJ_dz, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(gradients.deltas[1][0], g.dJ_do, rtol=1e-13, atol=1e-15)


def test_a_minibatch_is_the_mean_of_its_examples():
    """Deep Learning 6.5.7: the design matrix of a minibatch; the penalty counts once."""
    rng = np.random.default_rng(12)
    x, y = rng.standard_normal((6, 4)), np.eye(3)[rng.integers(3, size=6)]
    w1, w2 = rng.standard_normal((4, 5)), rng.standard_normal((5, 3))
    _, gradients = refbp.loss_and_gradient(
        *([w1, w2], [np.zeros(5), np.zeros(3)], x, y),
        activation="relu",
        loss="log_loss",
        weight_decay=LAM,
        penalty="deep_learning",
    )
    examples = [
        textbook.backward(textbook.forward(x_i, y_i, w1.T, w2.T, loss="cross_entropy"), y_i, loss="cross_entropy")
        for x_i, y_i in zip(x, y, strict=True)
    ]
    for dw, w, name in zip(gradients.dweights, (w1, w2), ("dJ_dw1", "dJ_dw2"), strict=True):
        mean = np.mean([getattr(g, name).T for g in examples], axis=0)
        np.testing.assert_allclose(dw, mean + 2 * LAM * w, rtol=1e-12)
