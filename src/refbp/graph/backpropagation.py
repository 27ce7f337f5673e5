r"""General back-propagation, symbol to symbol: algorithms 6.5 and 6.6 (Deep Learning, section 6.5.6).

The gradient of :math:`z` is not computed but *written down*: as new nodes of the same graph, to be evaluated
later for any numbers (figure 6.10). So back-propagation can be run again on its own result, and gives second
derivatives.
"""

from collections.abc import Sequence

from refbp.graph.variables import (
    Graph,
    Variable,
    add_up,
    constant,
    get_consumers,
    get_inputs,
    get_operation,
    in_order,
)
from refbp.numdiff import UndefinedDerivativeError


class GradTable(dict[Variable, Variable]):
    """The book's ``grad_table``, "associating tensors to their gradients".

    Attributes
    ----------
    z : Variable
        What is differentiated.
    edges : list of (Variable, Variable)
        The edges visited so far, from V to its consumer C, in the order in which they were.
    """

    def __init__(self, z: Variable, edges: list[tuple[Variable, Variable]]) -> None:
        super().__init__()
        self.z, self.edges = z, edges


def backprop(targets: Sequence[Variable], graph: Graph, z: Variable) -> GradTable:
    """Write the gradient of ``z`` by every target into the graph (algorithm 6.5).

    Parameters
    ----------
    targets : list of Variable
        The book's T; any nodes, not only inputs. A target that z does not depend on has the gradient zero.
    graph : Graph
        Contains z. [read+write]
    z : Variable of shape ()

    Returns
    -------
    GradTable
        ``grad_table`` restricted to the targets: a dictionary from target to its gradient, of its shape.

    Raises
    ------
    UndefinedDerivativeError
        If an operation between a target and z has no derivative.
    ValueError
        If z is not a scalar.

    Examples
    --------
    >>> from refbp.graph import evaluate, tanh, variable
    >>> w = variable("w", ())
    >>> z = tanh(w * w).called("z")
    >>> graph = Graph([z])
    >>> dz_dw = backprop([w], graph, z)[w]
    >>> [round(float(value), 9) for value in evaluate([z, dz_dw], {w: 0.5}).values]
    [0.244918662, 0.940014849]
    >>> [graph.names[v] for v in graph]
    ['w', 'u1', 'z', 'dz/dz', 'u2', 'u3', 'u4', 'dz/du1', 'u5', 'u6', 'dz/dw']
    """
    if z.shape != ():
        raise ValueError(f"a gradient is that of a scalar, not of {z}")
    for V in targets:
        graph.insert(V)
    pruned = prune(targets, graph, z)
    grad_table = GradTable(z, edges=[])
    grad_table[z] = named(constant(1.0), f"d{graph.names[z]}/d{graph.names[z]}", graph)
    graph.insert(grad_table[z])
    # From z backward, so that build_grad finds every consumer's gradient in the table: it never descends by
    # more than one call, and a chain of any length fits on the stack. The targets alone would do on short ones.
    for V in [*reversed(list(pruned)), *targets]:
        build_grad(V, graph, pruned, grad_table)
    restricted = GradTable(z, grad_table.edges)
    restricted.update((V, grad_table[V]) for V in targets)
    return restricted


def prune(targets: Sequence[Variable], graph: Graph, z: Variable) -> Graph:
    """Restrict the graph to "nodes that are ancestors of z and descendants of nodes in T"."""
    descendants = set(targets)
    for V in graph:
        if any(A in descendants for A in V.inputs):
            descendants.add(V)
    return graph.restricted_to(descendants.intersection(in_order([z])))


def build_grad(V: Variable, graph: Graph, pruned: Graph, grad_table: GradTable) -> Variable:
    """Add the gradient by ``V`` to the graph and the table (algorithm 6.6).

    Parameters
    ----------
    V : Variable
    graph : Graph
        The book's G, to which nodes are added. [read+write]
    pruned : Graph
        The book's G', "the restriction of G to nodes that participate in the gradient". [read]
    grad_table : GradTable
        [read+write]
    """
    if V in grad_table:
        return grad_table[V]
    name = f"d{graph.names[grad_table.z]}/d{graph.names[V]}"
    consumers = get_consumers(V, pruned)
    parts = []
    for C in consumers:
        op = get_operation(C)
        assert op is not None
        D = build_grad(C, graph, pruned, grad_table)
        inputs = get_inputs(C, pruned)
        try:
            part = op.bprop(inputs, V, D)
        except UndefinedDerivativeError as error:
            raise UndefinedDerivativeError(f"{error} ({path_from_z(C, pruned)} <- {graph.names[V]})") from error
        grad_table.edges += [(V, C)] * inputs.count(V)
        parts.append(named(part, f"{name} via {graph.names[C]}" if len(consumers) > 1 else name, graph))
    G = named(add_up(parts, V.shape), name, graph)
    grad_table[V] = G
    graph.insert(G)
    return G


def named(v: Variable, name: str, graph: Graph) -> Variable:
    """Name a variable, unless it has a name or is one of the graph's already: rules may hand ``G`` through."""
    if v.name is None and v not in graph:
        v.name = name
    return v


def path_from_z(v: Variable, pruned: Graph) -> str:
    """Spell out a path that leads backward from z to a node of the pruned graph."""
    path = [v]
    while consumers := get_consumers(path[-1], pruned):
        path.append(consumers[0])
    return " <- ".join(pruned.names[node] for node in reversed(path))
