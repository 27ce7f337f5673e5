r"""Back-propagation among numbers: algorithms 6.1 and 6.2 (Deep Learning, section 6.5.3).

Nodes :math:`u^{(1)}, \ldots, u^{(n)}` are numbers in an order in which each can be computed after those before
it. The first :math:`n_i` are inputs, every other is a function of its parents. Python counts them from zero.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple


class Node(NamedTuple):
    r"""A computed node :math:`u^{(i)} = f^{(i)}(\mathbb A^{(i)})` (6.48).

    Attributes
    ----------
    f : callable
        ``f(*A) -> float``.
    partials : callable
        ``partials(*A)``, the partial derivative of f by each parent, in order.
    parents : tuple of int
        Numbers of the nodes that f takes, lower than its own. One may come twice, by two edges.
    """

    f: Callable[..., float]
    partials: Callable[..., Sequence[float]]
    parents: tuple[int, ...]


def forward(x: Sequence[float], nodes: Sequence[Node]) -> list[float]:
    """Compute the value of every node (algorithm 6.1); the last one is the output.

    Parameters
    ----------
    x : list of float
        The inputs, nodes number 0 ... n_i - 1.
    nodes : list of Node
        Numbers n_i ... n - 1.

    Examples
    --------
    >>> square = Node(lambda a: a * a, lambda a: (2 * a,), parents=(0,))
    >>> product = Node(lambda a, b: a * b, lambda a, b: (b, a), parents=(1, 2))
    >>> forward([3.0, 5.0], [square, product])
    [3.0, 5.0, 9.0, 45.0]
    """
    u = list(x)
    for node in nodes:
        A = [u[j] for j in node.parents]
        u.append(node.f(*A))
    return u


def simplified_backprop(x: Sequence[float], nodes: Sequence[Node]) -> tuple[list[float], int]:
    r"""Differentiate the last node by every input (algorithm 6.2).

    .. math::
        \frac{\partial u^{(n)}}{\partial u^{(j)}} = \sum_{i: j \in Pa(u^{(i)})}
        \frac{\partial u^{(n)}}{\partial u^{(i)}} \frac{\partial u^{(i)}}{\partial u^{(j)}} \tag{6.49}

    Parameters
    ----------
    x, nodes
        As in `forward`.

    Returns
    -------
    list of float
        The gradient, one number for each input.
    int
        How many edges were visited; each is visited exactly once, however many paths there are.

    Examples
    --------
    >>> square = Node(lambda a: a * a, lambda a: (2 * a,), parents=(0,))
    >>> product = Node(lambda a, b: a * b, lambda a, b: (b, a), parents=(1, 2))
    >>> simplified_backprop([3.0, 5.0], [square, product])
    ([30.0, 9.0], 3)
    """
    u = forward(x, nodes)
    n_i, n = len(x), len(u)
    edges: list[list[tuple[int, float]]] = [[] for _ in u]  # from j: to which i, and the partial derivative
    for i, node in enumerate(nodes, start=n_i):
        for j, partial in zip(node.parents, node.partials(*(u[j] for j in node.parents)), strict=True):
            edges[j].append((i, partial))

    visited = 0
    grad_table = [0.0] * n
    grad_table[n - 1] = 1.0
    for j in range(n - 2, -1, -1):
        for i, partial in edges[j]:
            grad_table[j] += grad_table[i] * partial
            visited += 1
    return grad_table[:n_i], visited
