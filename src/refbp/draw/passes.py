r"""Which nodes of a graph belong together: the forward part, the gradient, the gradient of the gradient.

Back-propagation marks its beginning: the constant ``dz/dz``. All that depends on it, and all that is made only for
what depends on it, is one pass.
"""

from typing import NamedTuple

from refbp.draw.text import derivative
from refbp.graph.evaluation import owner
from refbp.graph.variables import Graph, Variable, in_order


class Passes(NamedTuple):
    """Result of `find_passes`.

    Attributes
    ----------
    number : dict of Variable to int
        0 is the forward part, 1 the gradient, 2 the gradient of something made of the gradient.
    column : dict of Variable to int
        Every pass runs backward through what was there before, so in a picture it is its mirror image: the gradient
        of what is in column c comes into column ``2**number - 1 - c``. Even ones run forward, odd ones backward.
    primal : dict of Variable to Variable
        From a gradient to what it is the gradient by.
    """

    number: dict[Variable, int]
    column: dict[Variable, int]
    primal: dict[Variable, Variable]


def find_passes(graph: Graph) -> Passes:
    """Sort the nodes of a graph into passes, by their names and edges."""
    by_name = {name: v for v, name in graph.names.items()}
    found = {v: read for v, name in graph.names.items() if (read := derivative(name, by_name))}
    primal = {v: by_name[read.by] for v, read in found.items() if not read.via}
    starts = [v for v, read in found.items() if v in primal and read.z == read.by and v.operation is None]
    starts.sort(key=lambda start: len(in_order([primal[start]])))  # a later pass differentiates more

    number = dict.fromkeys(graph, 0)
    for i, start in enumerate(starts, start=1):
        z = primal[start]
        gradients = [v for v, read in found.items() if v in primal and by_name[read.z] is z]
        for v in members(graph, start, z, gradients):
            number[v] = i
    for v in graph:
        if v.operation is None and graph.consumers[v]:
            number[v] = max(number[v], min(number[c] for c in graph.consumers[v]))
    return Passes(number, columns(graph, number, {v: by_name[read.by] for v, read in found.items()}), primal)


def members(graph: Graph, start: Variable, z: Variable, gradients: list[Variable]) -> set[Variable]:
    """Find the nodes of one pass: what makes its gradients, and what depends on it, except what was there before."""
    before = set(in_order([z]))
    found = {start, *in_order(gradients)} - before
    for v in graph:
        if v not in before and not found.isdisjoint(v.inputs):
            found.add(v)
    return found


def columns(graph: Graph, number: dict[Variable, int], by: dict[Variable, Variable]) -> dict[Variable, int]:
    """Choose the column of every node, see `Passes`; ``by`` is what a gradient, or a part of it, is one by."""
    column = {v: 0 for v in graph if number[v] == 0}
    for i in range(1, max(number.values(), default=0) + 1):
        of_pass = [v for v in graph if number[v] == i]
        column.update((v, 2**i - 1 - column[by[v]]) for v in of_pass if by.get(v) in column)
        for v in reversed(of_pass):
            if v not in column:
                beside = [column[c] for c in graph.consumers[v] if number[c] == i]
                column[v] = min(beside, default=2**i - 1)
    return column


def kept_for_backward(graph: Graph) -> list[Variable]:
    """List what must be kept when the forward part has been computed: what the nodes of the gradient read.

    "We need to store the input to the nonlinearity of the hidden layer. This value is stored from the time it is
    computed until the backward pass has returned to the same point" (Deep Learning, section 6.5.7). What is given
    (parameters, data) is there anyway and not listed; for a view, what it looks at is.

    Parameters
    ----------
    graph : Graph
        With the gradient in it, as `refbp.graph.backprop` leaves it.

    Returns
    -------
    list of Variable
        In the order of the graph.
    """
    number = find_passes(graph).number
    read = {owner(a) for v in graph if number[v] for a in v.inputs if number[a] == 0}
    return [v for v in graph if v in read and v.operation is not None]
