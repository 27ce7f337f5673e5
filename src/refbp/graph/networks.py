r"""The multi-layer perceptrons of the texts as graphs.

`section_6_5_7` is figure 6.11 of Deep Learning, `one_hidden_layer` is D2L's example, `mlp` is what
`refbp.mlp.objective` computes, any depth. Each returns the graph; its variables are found by name with
`Network.v`.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from refbp.activations import ACTIVATIONS, HIDDEN_ACTIVATIONS
from refbp.graph import functions
from refbp.graph.arithmetic import mean, reduce_sum, squared_norm
from refbp.graph.functions import (
    binary_cross_entropy,
    cross_entropy,
    poisson,
    relu,
    squared_error,
)
from refbp.graph.variables import Graph, Variable, add_up, constant, variable

LOSSES = {
    "squared_error": squared_error,
    "poisson": poisson,
    "log_loss": cross_entropy,
    "binary_log_loss": binary_cross_entropy,
}
"""Operations of the losses, from the last pre-activation, by their names in `refbp.losses`."""


class Network(NamedTuple):
    """A network, its loss and penalty as a graph.

    Attributes
    ----------
    graph : Graph
    J : Variable
        The objective.
    weights, biases : lists of Variable
        In order of the layers.
    v : dict of str to Variable
        The variables of the forward graph by name.
    """

    graph: Graph
    J: Variable
    weights: list[Variable]
    biases: list[Variable]
    v: dict[str, Variable]

    def given(self, **arrays: Any) -> dict[Variable, Any]:
        """Make the ``values`` of `refbp.graph.evaluate` from ``arrays`` by the names of their variables."""
        return {self.v[name]: array for name, array in arrays.items()}


def network(J: Variable, weights: Sequence[Variable], biases: Sequence[Variable]) -> Network:
    """Make the graph of J and everything it is computed from."""
    graph = Graph([J])
    return Network(graph, J, list(weights), list(biases), {name: v for v, name in graph.names.items()})


def activate(z: Variable, activation: str, name: str) -> Variable:
    """Apply a hidden activation, composed of operations; the identity leaves z as it is."""
    formula = ACTIVATIONS[activation].formula
    if formula is None:
        raise ValueError(f"{activation!r} is no hidden activation; those are {', '.join(HIDDEN_ACTIVATIONS)}")
    h = formula(functions, z)
    return h if h is z else h.called(name)


def section_6_5_7(n: int, n_in: int, n_h: int, n_out: int, lam: float) -> Network:
    r"""Build figure 6.11: minibatch, relu, cross-entropy on unnormalized log probabilities, weight decay.

    .. math::
        J = J_{MLE} + \lambda \Big( \sum_{i,j} \big(W^{(1)}_{i,j}\big)^2 + \sum_{i,j} \big(W^{(2)}_{i,j}\big)^2
        \Big) \tag{6.56}

    Names are the figure's; the mean over the minibatch, which the figure has inside of ``cross_entropy``, is an
    operation of its own.

    Parameters
    ----------
    n, n_in, n_h, n_out : int
        Examples, inputs, hidden units, classes: X (n, n_in), W1 (n_in, n_h), W2 (n_h, n_out), y (n, n_out).
    lam : float
        :math:`\lambda`.
    """
    X, y = variable("X", (n, n_in)), variable("y", (n, n_out))
    W1, W2 = variable("W1", (n_in, n_h)), variable("W2", (n_h, n_out))
    U1 = (X @ W1).called("U1")
    H = relu(U1).called("H")
    U2 = (H @ W2).called("U2")
    J_MLE = mean(cross_entropy(U2, y).called("L")).called("J_MLE")
    u3 = (W1**2).called("u3")
    u4 = reduce_sum(u3).called("u4")
    u5 = (W2**2).called("u5")
    u6 = reduce_sum(u5).called("u6")
    u7 = (u4 + u6).called("u7")
    u8 = (constant(lam, "lambda") * u7).called("u8")
    return network((J_MLE + u8).called("J"), [W1, W2], [])


def one_hidden_layer(
    d: int, h: int, q: int, *, phi: str = "relu", loss: str = "squared_error", lam: float = 0.0, biases: bool = False
) -> Network:
    r"""Build D2L's example: one column vector ``x``, and with ``biases`` the network of its exercise.

    .. math::
        z = W^{(1)} x \; (+ b^{(1)}), \quad h = \phi(z), \quad o = W^{(2)} h \; (+ b^{(2)}), \quad
        L = \ell(o, y), \quad s = \frac\lambda2 \big(\|W^{(1)}\|_F^2 + \|W^{(2)}\|_F^2\big), \quad J = L + s

    Parameters
    ----------
    d, h, q : int
        x (d,), W1 (h, d), z and h (h,), W2 (q, h), o and y (q,).
    phi, loss : str
        See `refbp.activations.HIDDEN_ACTIVATIONS` and `LOSSES`.
    lam : float
        :math:`\lambda`; biases are not penalized.
    biases : bool
    """
    x, y = variable("x", (d,)), variable("y", (q,))
    W1, W2 = variable("W1", (h, d)), variable("W2", (q, h))
    b1, b2 = variable("b1", (h,)), variable("b2", (q,))
    z = (W1 @ x + b1 if biases else W1 @ x).called("z")
    hidden = activate(z, phi, "h")
    o = (W2 @ hidden + b2 if biases else W2 @ hidden).called("o")
    L = LOSSES[loss](o, y).called("L")
    s = (constant(lam / 2, "lambda/2") * (squared_norm(W1) + squared_norm(W2))).called("s")
    return network((L + s).called("J"), [W1, W2], [b1, b2] if biases else [])


def mlp(
    sizes: Sequence[int],
    n: int,
    *,
    activation: str,
    loss: str,
    weight_decay: float = 0.0,
    penalty: str = "scikit_learn",
    biases: bool = True,
    weighted: bool = False,
) -> Network:
    """Build the objective of `refbp.mlp.objective`, for rows and any depth.

    Names are x, w1, b1, z1, h1, w2, ..., y, c (the weights of the examples), L, s, J.

    Parameters
    ----------
    sizes : list of int
        Inputs, hidden units of each layer, outputs.
    n : int
        Examples in the minibatch.
    activation, loss, weight_decay, penalty
        As in `refbp.mlp.objective`.
    biases, weighted : bool
        Whether there are biases, and weights of the examples.
    """
    h = variable("x", (n, sizes[0]))
    ws, bs = [], []
    for i, (n_in, n_out) in enumerate(pairwise(sizes), start=1):
        ws.append(variable(f"w{i}", (n_in, n_out)))
        z = h @ ws[-1]
        if biases:
            bs.append(variable(f"b{i}", (n_out,)))
            z = z + bs[-1]
        h = activate(z.called(f"z{i}"), activation, f"h{i}")
    losses = LOSSES[loss](z, variable("y", (n, sizes[-1])))
    total: Variable | int = n
    if weighted:
        c = variable("c", (n,))
        total = reduce_sum(c).called("S")
        L = (reduce_sum(c * losses) / total).called("L")
    else:
        L = mean(losses).called("L")
    factor = {"d2l": weight_decay / 2, "deep_learning": weight_decay, "scikit_learn": weight_decay / 2}[penalty]
    s = factor * add_up([squared_norm(w) for w in ws], ())
    s = (s / total if penalty == "scikit_learn" else s).called("s")
    return network((L + s).called("J"), ws, bs)
