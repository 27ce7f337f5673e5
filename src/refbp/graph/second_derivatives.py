r"""Second derivatives: back-propagation run on its own result (D2L, exercise; Deep Learning, section 6.5.3).

The graph of the gradient is a graph like any other. Its gradient along a direction is a product of the Hessian
with a vector, for the cost of a few gradients; the whole Hessian takes one product for each of its columns.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from refbp.graph.arithmetic import reduce_sum
from refbp.graph.backpropagation import backprop
from refbp.graph.evaluation import evaluate
from refbp.graph.variables import Graph, Variable, add_up, variable


def hessian_vector_product(z: Variable, xs: Sequence[Variable], vs: Sequence[Variable], graph: Graph) -> list[Variable]:
    r"""Write the product of the Hessian of ``z`` with a vector into the graph (B. Pearlmutter, 1994).

    .. math::
        H v = \nabla_x \big( (\nabla_x z)^{\mathsf T} v \big)

    Parameters
    ----------
    z : Variable of shape ()
    xs : list of Variable
        What z is differentiated by, taken together as one vector x.
    vs : list of Variable
        The vector v, of the same shapes; given, not computed from x.
    graph : Graph
        Contains z. [read+write]

    Returns
    -------
    list of Variable
        H v, of the shapes of ``xs``.
    """
    gradients = backprop(xs, graph, z)
    products = [reduce_sum(gradients[x] * v) for x, v in zip(xs, vs, strict=True)]
    along_v = add_up(products, ()).called(f"d{graph.names[z]}.v")
    graph.insert(along_v)
    second = backprop(xs, graph, along_v)
    return [second[x] for x in xs]


def hessian(z: Variable, xs: Sequence[Variable], values: Mapping[Variable, Any]) -> np.ndarray:
    r"""Compute the exact matrix :math:`H_{ij} = \partial^2 z / \partial x_i \partial x_j`, column by column.

    Parameters
    ----------
    z : Variable of shape ()
    xs : list of Variable
        Their elements, one array after the other, are the vector x.
    values : dict of Variable to array
        As in `refbp.graph.evaluate`.

    Returns
    -------
    (N, N) array
        N the number of elements of all ``xs``.

    Examples
    --------
    >>> w = variable("w", (2,))
    >>> hessian(reduce_sum(w**3), [w], {w: np.array([1.0, 2.0])})
    array([[ 6.,  0.],
           [ 0., 12.]])
    """
    vs = [variable(f"v{i}", x.shape) for i, x in enumerate(xs, start=1)]
    products = hessian_vector_product(z, xs, vs, Graph([z]))
    ends = np.cumsum([math.prod(x.shape) for x in xs])
    columns = []
    for unit in np.eye(ends[-1]):
        parts = np.split(unit, ends[:-1])
        direction = {v: part.reshape(v.shape) for v, part in zip(vs, parts, strict=True)}
        column = evaluate(products, {**values, **direction}).values
        columns.append(np.concatenate([np.ravel(part) for part in column]))
    return np.stack(columns, axis=1)
