"""The graphs of the texts' networks against the closed forms, and both against differences."""

import numpy as np
import pytest

import refbp
from refbp import graph, one_hidden_layer
from refbp.activations import HIDDEN_ACTIVATIONS
from refbp.graph import backprop, evaluate
from refbp.losses import LOSSES
from refbp.penalties import PENALTIES

RTOL = 1e-13


def evaluate_network(net, values):
    gradients = backprop(net.weights + net.biases, net.graph, net.J)
    return evaluate([net.J, *gradients.values()], values).values


def given(net, weights, biases, **arrays):
    """Give numbers to a network's parameters, in order, and to its data by name."""
    return net.given(**arrays) | dict(zip(net.weights + net.biases, [*weights, *biases], strict=True))


def same(refs, comps):
    for ref, comp in zip(refs, comps, strict=True):
        assert np.shape(ref) == np.shape(comp)
        assert refbp.relative_error(np.asarray(ref), np.asarray(comp)) < RTOL


@pytest.mark.parametrize("biases", [True, False], ids=["biases", "no biases"])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", HIDDEN_ACTIVATIONS)
def test_closed_form_is_graph_is_differences(activation, loss, penalty, biases, make_problem, check_derivatives):
    problem = make_problem((3, 4, 3, 2), activation, loss, penalty)
    weights, bs, x, y, keywords = problem
    if not biases:
        bs = [0 * b for b in bs]
    net = graph.mlp((3, 4, 3, 2), 5, activation=activation, loss=loss, weight_decay=0.3, penalty=penalty, biases=biases)
    values = given(net, weights, bs if biases else [], x=x, y=y)
    comps = evaluate_network(net, values)
    J = refbp.objective(weights, bs, x, y, **keywords)
    gradients = refbp.loss_and_gradient(weights, bs, x, y, **keywords)[1]
    same([J, *gradients.dweights, *(gradients.dbiases if biases else [])], comps)
    check_derivatives(net.J, net.weights + net.biases, values)


@pytest.mark.parametrize("sizes", [(3, 2), (3, 4, 2), (2, 3, 4, 3, 2)], ids=len)
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("loss", LOSSES)
def test_any_depth_with_weights(sizes, penalty, loss, make_problem):
    weights, biases, x, y, keywords = make_problem(sizes, "tanh", loss, penalty, weighted=True)
    net = graph.mlp(sizes, 5, activation="tanh", loss=loss, weight_decay=0.3, penalty=penalty, weighted=True)
    values = given(net, weights, biases, x=x, y=y, c=keywords["sample_weight"])
    comps = evaluate_network(net, values)
    J = refbp.objective(weights, biases, x, y, **keywords)
    gradients = refbp.loss_and_gradient(weights, biases, x, y, **keywords)[1]
    same([J, *gradients.dweights, *gradients.dbiases], comps)


def test_section_6_5_7(make_problem, check_derivatives):
    weights, biases, x, y, keywords = make_problem((3, 4, 2), "relu", "log_loss", "deep_learning")
    no_biases = [0 * b for b in biases]
    net = graph.section_6_5_7(5, 3, 4, 2, lam=0.3)
    values = given(net, weights, [], X=x, y=y)
    comps = evaluate_network(net, values)
    J = refbp.objective(weights, no_biases, x, y, **keywords)
    same([J, *refbp.loss_and_gradient(weights, no_biases, x, y, **keywords)[1].dweights], comps)
    check_derivatives(net.J, net.weights, values)


def test_the_two_paths_of_section_6_5_7(make_problem):
    """The decay "will always contribute 2 lambda W"; the other path is H^T G and X^T G', as the text walks it."""
    (W1, W2), _, X, y, _ = make_problem((3, 4, 2), "relu", "log_loss")
    net = graph.section_6_5_7(5, 3, 4, 2, lam=0.3)
    backprop(net.weights, net.graph, net.J)
    node = {name: v for v, name in net.graph.names.items()}
    names = ["dJ/dU2", "dJ/dW2 via U2", "dJ/dW2 via u5", "dJ/dH", "dJ/dU1", "dJ/dW1 via U1", "dJ/dW1 via u3"]
    values = given(net, [W1, W2], [], X=X, y=y)
    G, along_2, decay_2, dH, G1, along_1, decay_1 = evaluate([node[name] for name in names], values).values
    H = np.maximum(X @ W1, 0)
    probabilities = np.exp(H @ W2) / np.exp(H @ W2).sum(axis=1, keepdims=True)
    refs = [(probabilities - y) / 5, H.T @ G, 0.6 * W2, G @ W2.T, np.where(H > 0, dH, 0), X.T @ G1, 0.6 * W1]
    same(refs, [G, along_2, decay_2, dH, G1, along_1, decay_1])


@pytest.mark.parametrize("loss", ["squared_error", "log_loss"])
@pytest.mark.parametrize("phi", HIDDEN_ACTIVATIONS)
def test_one_column_vector(phi, loss, make_problem):
    """D2L's derivatives, every one by name."""
    (w1, w2), _, x, y, _ = make_problem((3, 4, 2), loss=loss)
    x, y, w1, w2 = x[0], y[0], w1.T, w2.T
    net = graph.one_hidden_layer(3, 4, 2, phi=phi, loss=loss, lam=0.2)
    closed = {"phi": phi, "loss": {"squared_error": "half_squared_error", "log_loss": "cross_entropy"}[loss]}
    f = one_hidden_layer.forward(x, y, w1, w2, lam=0.2, **closed)
    b = one_hidden_layer.backward(f, y, lam=0.2, **closed)
    names = ["z", "o", "L", "s", "J"] + ["h"] * (phi != "identity")
    targets = [net.v[name] for name in names]
    gradients = backprop([*targets, *net.weights], net.graph, net.J)
    values = given(net, [w1, w2], [], x=x, y=y)
    same([getattr(f, name) for name in names], evaluate(targets, values).values)
    refs = [1.0 if name == "J" else getattr(b, f"dJ_d{name}") for name in names]
    same([*refs, b.dJ_dw1, b.dJ_dw2], evaluate(list(gradients.values()), values).values)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("phi", HIDDEN_ACTIVATIONS)
def test_one_column_vector_with_biases(phi, loss, make_problem, check_derivatives):
    """D2L's exercise; a column vector is a minibatch of one row with all matrices transposed."""
    weights, biases, x, y, keywords = make_problem((3, 4, 2), phi, loss, "d2l")
    net = graph.one_hidden_layer(3, 4, 2, phi=phi, loss=loss, lam=0.3, biases=True)
    values = given(net, [w.T for w in weights], biases, x=x[0], y=y[0])
    comps = evaluate_network(net, values)
    J = refbp.objective(weights, biases, x[:1], y[:1], **keywords)
    ref = refbp.loss_and_gradient(weights, biases, x[:1], y[:1], **keywords)[1]
    same([J, *(dw.T for dw in ref.dweights), *ref.dbiases], comps)
    check_derivatives(net.J, net.weights + net.biases, values)


def test_figure_6_11():
    net = graph.section_6_5_7(5, 3, 4, 2, lam=0.3)
    edges = {
        net.graph.names[v]: (v.operation.symbol, [net.graph.names[a] for a in v.inputs])
        for v in net.graph
        if v.operation
    }
    assert edges == {
        "U1": ("matmul", ["X", "W1"]),
        "H": ("relu", ["U1"]),
        "U2": ("matmul", ["H", "W2"]),
        "L": ("cross_entropy", ["U2", "y"]),
        "J_MLE": ("mean", ["L"]),
        "u3": ("sqr", ["W1"]),
        "u4": ("sum", ["u3"]),
        "u5": ("sqr", ["W2"]),
        "u6": ("sum", ["u5"]),
        "u7": ("+", ["u4", "u6"]),
        "u8": ("*", ["lambda", "u7"]),
        "J": ("+", ["J_MLE", "u8"]),
    }


def test_hessian_of_a_network(make_problem):
    """Exact and whole, against differences of the closed form's gradient; symmetric."""
    weights, biases, x, y, keywords = make_problem((2, 3, 2), "tanh", "log_loss")
    net = graph.mlp((2, 3, 2), 5, activation="tanh", loss="log_loss", weight_decay=0.3)
    values = given(net, weights, biases, x=x, y=y)
    H = graph.hessian(net.J, net.weights + net.biases, values)
    np.testing.assert_allclose(H, H.T, rtol=1e-12, atol=1e-15)
    params = weights + biases
    index = 0
    for i, p in enumerate(params):
        for entry in np.ndindex(p.shape):

            def along(t, i=i, entry=entry):
                moved = [q.copy() for q in params]
                moved[i][entry] += t
                g = refbp.loss_and_gradient(moved[:2], moved[2:], x, y, **keywords)[1]
                return np.concatenate([d.ravel() for d in g.dweights + g.dbiases])

            coarse, fine = ((along(h) - along(-h)) / (2 * h) for h in (2e-3, 1e-3))
            np.testing.assert_allclose(H[:, index], (4 * fine - coarse) / 3, rtol=0, atol=1e-9)
            index += 1
    assert index == len(H)
