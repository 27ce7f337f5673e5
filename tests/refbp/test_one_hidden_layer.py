"""The textbook's network: every derivative a second and a third way, with and without biases, one example and many."""

from collections.abc import Callable

import numpy as np
import pytest

import refbp
from refbp import one_hidden_layer as textbook
from refbp.activations import ACTIVATIONS, HIDDEN_ACTIVATIONS

pytestmark = pytest.mark.smoke

LAM = 0.3
D, H, Q, N = 4, 5, 3, 6


def make_network(*, biases=False, many=False, sizes=(D, H, Q), seed=13):
    """Draw an input, a label and the parameters."""
    d, h, q = sizes
    rng = np.random.default_rng(seed)
    columns = (N,) if many else ()
    params = {"w1": rng.standard_normal((h, d)), "w2": rng.standard_normal((q, h))}
    if biases:
        params |= {"b1": rng.standard_normal(h), "b2": rng.standard_normal(q)}
    x = rng.standard_normal((d, *columns))
    y = np.eye(q)[rng.integers(q, size=N)].T if many else np.eye(q)[1]
    return x, y, params


@pytest.fixture
def network():
    x, y, params = make_network()
    return x, y, params["w1"], params["w2"]


def check_derivatives(
    x: np.ndarray,
    y: np.ndarray,
    params: dict[str, np.ndarray],
    phi: str,
    loss: str,
    faulty: Callable[[textbook.Walk], dict[str, np.ndarray]] = lambda walk: {},
) -> None:
    """Check every derivative against finite differences; ``faulty`` plants some that are wrong."""
    walk = textbook.walk(x, y, **params, phi=phi, loss=loss, lam=LAM)
    f, g = walk.forward, walk.backward._replace(**faulty(walk))
    value, act = textbook.OUTPUT_LOSSES[loss].value, ACTIVATIONS[phi].forward
    z, h, o = f.z.copy(), f.h.copy(), f.o.copy()
    w1, w2 = params["w1"], params["w2"]
    b1, b2 = (
        params.get(name, np.zeros(len(w))).reshape(-1, *[1] * (x.ndim - 1))
        for name, w in zip(("b1", "b2"), (w1, w2), strict=True)
    )

    def penalty():
        return LAM / 2 * (np.linalg.norm(w1) ** 2 + np.linalg.norm(w2) ** 2)

    # J as a function of each variable in turn, whatever computes that variable left out
    j_of = {
        "dJ_do": (lambda: value(o, y), o),
        "ds_dw1": (penalty, w1),
        "ds_dw2": (penalty, w2),
        "dJ_dw2": (lambda: value(w2 @ h + b2, y) + penalty(), w2),
        "dJ_db2": (lambda: value(w2 @ h + b2, y), b2),
        "dJ_dh": (lambda: value(w2 @ h + b2, y), h),
        "dJ_dz": (lambda: value(w2 @ act(z) + b2, y), z),
        "dJ_dw1": (lambda: value(w2 @ act(w1 @ x + b1) + b2, y) + penalty(), w1),
        "dJ_db1": (lambda: value(w2 @ act(w1 @ x + b1) + b2, y), b1),
    }
    assert g.dJ_dL == g.dJ_ds == 1
    for name, (function, variable) in j_of.items():
        comp = getattr(g, name)
        if comp is None:
            assert name[-2:] not in params
            continue
        of_z = name in ("dJ_dw1", "dJ_db1")
        refbp.gradcheck(
            function,
            [variable],
            [comp.reshape(variable.shape) if "b" in name else comp],
            piece=lambda of_z=of_z: np.sign(w1 @ x + b1 if of_z else z),
            names=[name],
        )


each_network = pytest.mark.parametrize("biases", [False, True], ids=["no biases", "biases"])
one_and_many = pytest.mark.parametrize("many", [False, True], ids=["vector", "matrix"])


@pytest.mark.parametrize("phi", HIDDEN_ACTIVATIONS)
@pytest.mark.parametrize("loss", textbook.OUTPUT_LOSSES)
@each_network
@one_and_many
def test_every_derivative(phi, loss, biases, many):
    check_derivatives(*make_network(biases=biases, many=many), phi, loss)


# a square network of as many examples, so that no shape gives a fault away
FAULTS = {
    "w2 not transposed": ("dJ_dh", lambda f, g: f.w2 @ g.dJ_do),
    "outer product swapped": ("dJ_dw2", lambda f, g: f.h @ g.dJ_do.T + LAM * f.w2),
    "decay forgotten": ("dJ_dw1", lambda f, g: g.dJ_dz @ f.x.T),
    "decay doubled": ("ds_dw2", lambda f, g: 2 * LAM * f.w2),
    "phi' forgotten": ("dJ_dz", lambda f, g: g.dJ_dh),
    "gradient by z before the weights": ("dJ_dw1", lambda f, g: g.dJ_dh @ f.x.T + LAM * f.w1),
    "examples summed in the loss": ("dJ_do", lambda f, g: N * g.dJ_do),
    "mean over examples": ("dJ_db1", lambda f, g: g.dJ_dz.mean(axis=1)),
    "decayed biases": ("dJ_db2", lambda f, g: g.dJ_do.sum(axis=1) + LAM * f.b2),
    "sum over units": ("dJ_db2", lambda f, g: g.dJ_do.sum(axis=0)),
}


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_is_caught_in_the_derivative_that_has_it(name):
    place, formula = FAULTS[name]
    square = make_network(biases=True, many=True, sizes=(N, N, N))
    check_derivatives(*square, "tanh", "cross_entropy")
    with pytest.raises(refbp.GradcheckError, match=f"worst at {place}"):
        check_derivatives(*square, "tanh", "cross_entropy", lambda walk: {place: formula(walk.forward, walk.backward)})


def test_shapes_and_order():
    x, y, params = make_network(biases=True)
    f, g, _ = textbook.walk(x, y, **params, lam=LAM)
    assert f._fields == ("w1", "w2", "b1", "b2", "x", "z", "h", "o", "L", "s", "J")
    assert [np.shape(v) for v in f] == [(5, 4), (3, 5), (5,), (3,), (4,), (5,), (5,), (3,), (), (), ()]
    assert g._fields == (
        *("dJ_dL", "dJ_ds", "dJ_do", "ds_dw1", "ds_dw2"),
        *("dJ_dw2", "dJ_db2", "dJ_dh", "dJ_dz", "dJ_dw1", "dJ_db1"),
    )
    assert [np.shape(v) for v in g] == [(), (), (3,), (5, 4), (3, 5), (3, 5), (3,), (5,), (5,), (5, 4), (5,)]
    assert f.L + f.s == f.J


@each_network
@one_and_many
def test_every_gradient_has_the_shape_of_its_variable(biases, many):
    """D2L's exercise: the inputs are matrices."""
    x, y, params = make_network(biases=biases, many=many)
    f, g, _ = textbook.walk(x, y, **params, lam=LAM)
    for name in g._fields:
        variable = getattr(f, name.rpartition("_d")[2])
        assert np.shape(getattr(g, name)) == np.shape(variable), name
        assert (getattr(g, name) is None) == (variable is None)
    # by the input as well, which the texts leave out
    by_x = refbp.gradient(lambda x: textbook.forward(x, y, **params, phi="tanh").J, x)
    assert by_x.shape == x.shape
    g = textbook.walk(x, y, **params, phi="tanh").backward
    np.testing.assert_allclose(by_x, params["w1"].T @ g.dJ_dz, rtol=1e-8, atol=1e-10)


@each_network
@pytest.mark.parametrize("loss", textbook.OUTPUT_LOSSES)
def test_a_matrix_of_examples_is_the_mean_of_its_columns(biases, loss):
    x, y, params = make_network(biases=biases, many=True)
    f, g, _ = textbook.walk(x, y, **params, loss=loss, lam=LAM)
    columns = [textbook.walk(x[:, i], y[:, i], **params, loss=loss, lam=LAM) for i in range(N)]
    np.testing.assert_allclose(f.J, np.mean([column.forward.J for column in columns]), rtol=1e-14)
    for name in ("z", "h", "o"):
        stacked = np.stack([getattr(column.forward, name) for column in columns], axis=1)
        np.testing.assert_allclose(getattr(f, name), stacked, rtol=1e-14)
        stacked = np.stack([getattr(column.backward, f"dJ_d{name}") for column in columns], axis=1)
        np.testing.assert_allclose(getattr(g, f"dJ_d{name}"), stacked / N, rtol=1e-13, atol=1e-16)
    for name in params:
        mean = np.mean([getattr(column.backward, f"dJ_d{name}") for column in columns], axis=0)
        np.testing.assert_allclose(getattr(g, f"dJ_d{name}"), mean, rtol=1e-12, atol=1e-15)


@one_and_many
@pytest.mark.parametrize("phi", ["identity", "relu"])  # they hand a one on as it is
def test_a_bias_is_the_weight_of_an_input_that_is_one(many, phi):
    """Without decay, which spares biases. The output's bias: of a hidden unit that is one."""
    x, y, params = make_network(biases=True, many=many)
    _, g, _ = textbook.walk(x, y, **params, phi=phi)
    # one more input and one more hidden unit, which hands that input on
    x1 = np.concatenate([x, np.ones((1, *x.shape[1:]))])
    w1 = np.block([[params["w1"], params["b1"][:, np.newaxis]], [np.zeros((1, D)), np.ones((1, 1))]])
    w2 = np.hstack([params["w2"], params["b2"][:, np.newaxis]])
    _, ref, _ = textbook.walk(x1, y, w1, w2, phi=phi)
    np.testing.assert_allclose(g.dJ_dw1, ref.dJ_dw1[:H, :D], rtol=1e-12)
    np.testing.assert_allclose(g.dJ_db1, ref.dJ_dw1[:H, D], rtol=1e-12)
    np.testing.assert_allclose(g.dJ_dw2, ref.dJ_dw2[:, :H], rtol=1e-12)
    np.testing.assert_allclose(g.dJ_db2, ref.dJ_dw2[:, H], rtol=1e-12)


def test_each_step_is_a_product_with_an_explicit_jacobian(network):
    """D2L's middle terms: prod(dJ/do, do/dW2) and the others, with Jacobians from function values."""
    x, _, w1, w2 = network
    f, g, _ = textbook.walk(*network, phi="tanh", loss="cross_entropy", lam=LAM)
    jacobians = {
        "do_dw2": refbp.jacobian(lambda w2: w2 @ f.h, w2),
        "do_dh": refbp.jacobian(lambda h: w2 @ h, f.h),
        "dh_dz": refbp.jacobian(np.tanh, f.z),
        "dz_dw1": refbp.jacobian(lambda w1: w1 @ x, w1),
    }
    assert {name: j.shape for name, j in jacobians.items()} == {
        "do_dw2": (Q, Q, H),
        "do_dh": (Q, H),
        "dh_dz": (H, H),
        "dz_dw1": (H, H, D),
    }
    ref = {
        "dJ_dw2": refbp.prod(g.dJ_do, jacobians["do_dw2"]) + refbp.prod(g.dJ_ds, g.ds_dw2),
        "dJ_dh": refbp.prod(g.dJ_do, jacobians["do_dh"]),
        "dJ_dz": refbp.prod(g.dJ_dh, jacobians["dh_dz"]),
        "dJ_dw1": refbp.prod(g.dJ_dz, jacobians["dz_dw1"]) + refbp.prod(g.dJ_ds, g.ds_dw1),
    }
    for name, value in ref.items():
        np.testing.assert_allclose(getattr(g, name), value, rtol=1e-9, atol=1e-11, err_msg=name)


@pytest.mark.parametrize("phi", HIDDEN_ACTIVATIONS)
@pytest.mark.parametrize(("loss", "row_loss"), [("half_squared_error", "squared_error"), ("cross_entropy", "log_loss")])
@each_network
@one_and_many
def test_the_row_convention_is_the_transpose(phi, loss, row_loss, biases, many):
    """Transposed weights, examples in rows, D2L's penalty. The other's deltas are of the loss summed over them."""
    x, y, params = make_network(biases=biases, many=many)
    f, g, _ = textbook.walk(x, y, **params, phi=phi, loss=loss, lam=LAM)
    b1, b2 = (params.get(name, np.zeros(size)) for name, size in (("b1", H), ("b2", Q)))
    arguments = [params["w1"].T, params["w2"].T], [b1, b2], np.atleast_2d(x.T), np.atleast_2d(y.T)
    keywords = {"activation": phi, "loss": row_loss, "weight_decay": LAM, "penalty": "d2l"}
    _, rows = refbp.loss_and_gradient(*arguments, **keywords)
    assert refbp.objective(*arguments, **keywords) == pytest.approx(f.J, rel=1e-14)
    pairs = [
        (g.dJ_dw1, rows.dweights[0].T),
        (g.dJ_dw2, rows.dweights[1].T),
        (g.dJ_dz, rows.deltas[0].T.reshape(g.dJ_dz.shape) / (N if many else 1)),
        (g.dJ_do, rows.deltas[1].T.reshape(g.dJ_do.shape) / (N if many else 1)),
    ]
    if biases:
        pairs += [(g.dJ_db1, rows.dbiases[0]), (g.dJ_db2, rows.dbiases[1])]
    for comp, ref in pairs:
        np.testing.assert_allclose(comp, ref, rtol=1e-12, atol=1e-15)


def test_a_minibatch_with_the_penalty_of_deep_learning():
    """Deep Learning 6.5.7: a design matrix, and a penalty twice that of D2L."""
    x, y, params = make_network(many=True)
    _, g, _ = textbook.walk(x, y, **params, loss="cross_entropy", lam=2 * LAM)
    _, rows = refbp.loss_and_gradient(
        *([params["w1"].T, params["w2"].T], [np.zeros(H), np.zeros(Q)], x.T, y.T),
        activation="relu",
        loss="log_loss",
        weight_decay=LAM,
        penalty="deep_learning",
    )
    np.testing.assert_allclose(g.dJ_dw1, rows.dweights[0].T, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(g.dJ_dw2, rows.dweights[1].T, rtol=1e-12, atol=1e-15)
