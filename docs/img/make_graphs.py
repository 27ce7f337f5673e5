"""Draw docs/img/graphs/*.svg: the computational graphs of the texts. Run ``python docs/img/make_graphs.py``."""

from pathlib import Path

import numpy as np

from refbp import draw, graph

FOLDER = Path(__file__).parent / "graphs"


def d2l():
    """One hidden layer with a penalty: the forward graph, the exercise's with biases, and one with numbers."""
    net = graph.one_hidden_layer(4, 5, 3, lam=0.1)
    yield "d2l-forward", draw.svg(net.graph, shapes=True, title="Forward propagation: one hidden layer with a penalty")
    net = graph.one_hidden_layer(4, 5, 3, lam=0.1, biases=True)
    yield "d2l-forward-biases", draw.svg(net.graph, title="Exercise: the same with biases")

    net = graph.one_hidden_layer(2, 2, 1, lam=0.5)
    forward = graph.Graph([net.J])
    graph.backprop(net.weights, net.graph, net.J)
    kept = draw.kept_for_backward(net.graph)
    table = graph.backprop(list(forward), net.graph, net.J)
    numbers = net.given(x=[1.0, 2.0], y=[1.0], W1=np.array([[1.0, 1.0], [1.0, -1.0]]), W2=np.array([[0.5, 2.0]]))
    values, gradients = (graph.evaluate(list(vs), numbers).values for vs in (forward, table.values()))
    yield (
        "d2l-numbers",
        draw.svg(
            forward,
            values=dict(zip(forward, values, strict=True)),
            gradients=dict(zip(table, gradients, strict=True)),
            kept=kept,
            title="Forward and back: every value, and the gradient of J by it",
        ),
    )


def figure_6_8():
    """The four small graphs of figure 6.8."""
    x, y = graph.variable("x", ()), graph.variable("y", ())
    yield "figure-6-8a", [(x * y).called("z")]
    x, w, b = graph.variable("x", (3,)), graph.variable("w", (3,)), graph.variable("b", ())
    yield "figure-6-8b", [graph.logistic(((x @ w).called("u1") + b).called("u2")).called("ŷ")]
    X, W, b = graph.variable("X", (4, 3)), graph.variable("W", (3, 2)), graph.variable("b", (2,))
    yield "figure-6-8c", [graph.relu(((X @ W).called("U1") + b).called("U2")).called("H")]
    u2 = graph.reduce_sum((w**2).called("u1")).called("u2")
    yield "figure-6-8d", [(x @ w).called("ŷ"), (graph.variable("lambda", ()) * u2).called("u3")]


def figure_6_10():
    """The chain z = f(f(f(w))) with f = exp, and its gradient written into the graph."""
    x = graph.exp(w := graph.variable("w", ())).called("x")
    z = graph.exp(graph.exp(x).called("y")).called("z")
    chain = graph.Graph([z])
    yield "figure-6-9", draw.svg(chain, manner="deep_learning")
    graph.backprop([w], chain, z)
    yield "figure-6-10", draw.svg(chain, manner="deep_learning")


def figure_6_11():
    """The perceptron of section 6.5.7, and the gradient that "would be tedious to draw or to read"."""
    net = graph.section_6_5_7(n=4, n_in=3, n_h=5, n_out=2, lam=0.1)
    graph.backprop(net.weights, net.graph, net.J)
    kept = draw.kept_for_backward(net.graph)
    forward = graph.Graph([net.J])
    yield "figure-6-11", draw.svg(forward, manner="deep_learning", shapes=True, kept=kept)
    yield "figure-6-11-gradient", draw.svg(net.graph, manner="deep_learning", kept=kept)


def hessian():
    """A Hessian-vector product: back-propagation through back-propagation."""
    w, v = graph.variable("w", (2,)), graph.variable("v", (2,))
    z = graph.reduce_sum(graph.tanh(w).called("h")).called("z")
    whole = graph.Graph([z])
    graph.hessian_vector_product(z, [w], [v], whole)
    yield "hessian-vector", draw.svg(whole, manner="deep_learning", shapes=True)


def pictures():
    """Draw all pictures, by the names of their files."""
    drawn = {name: draw.svg(graph.Graph(outputs), manner="deep_learning") for name, outputs in figure_6_8()}
    for some in (d2l(), figure_6_10(), figure_6_11(), hessian()):
        drawn |= dict(some)
    return {f"{name}.svg": text for name, text in drawn.items()}


def main():
    for name, text in pictures().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
