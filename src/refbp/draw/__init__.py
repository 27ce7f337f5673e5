r"""Drawings of computational graphs, as SVG and as DOT.

Two manners, those of the two texts:

- ``"d2l"``: "boxes represent variables, the circles represent operators, and the arrows represent any dependencies
  from input to output. ... The lower left corner signifies the input and the upper right corner the output" (D2L,
  figure 3.6). All arrows run rightward and upward.
- ``"deep_learning"``: variables are nodes, the operation's name stands beside the one it computes, arrows run
  upward (Deep Learning, figures 6.8 to 6.11). The nodes of a gradient have a band of their own at the right, in which
  arrows run downward; so does the gradient of the gradient.

Reading order: `text`, `passes`, `diagram` (what is drawn); `solve`, `layers`, `place`, `fold` (where it is drawn);
`paint`, `dot_language`.

Examples
--------
>>> from refbp import draw, graph
>>> net = graph.one_hidden_layer(4, 5, 3, lam=0.1)
>>> print(draw.svg(net.graph, shapes=True)[:38])
<svg xmlns="http://www.w3.org/2000/svg

The graph of the gradient, with a mark on what is kept for it:

>>> gradients = graph.backprop(net.weights, net.graph, net.J)
>>> kept = draw.kept_for_backward(net.graph)
>>> [net.graph.names[v] for v in kept]
['z', 'h', 'o']
>>> whole = draw.svg(net.graph, manner="deep_learning", kept=kept)
>>> forward = draw.svg(graph.Graph([net.J]), kept=kept)
"""

from collections.abc import Collection, Mapping
from typing import Any

from refbp.draw.diagram import make_diagram
from refbp.draw.dot_language import write_dot
from refbp.draw.fold import strips
from refbp.draw.paint import paint_page
from refbp.draw.passes import kept_for_backward
from refbp.graph.variables import Graph, Variable

__all__ = ["dot", "kept_for_backward", "svg"]


def svg(
    graph: Graph,
    *,
    manner: str = "d2l",
    shapes: bool = False,
    values: Mapping[Variable, Any] | None = None,
    gradients: Mapping[Variable, Any] | None = None,
    kept: Collection[Variable] = (),
    title: str | None = None,
) -> str:
    """Draw a graph as SVG, no wider than a page if it can be folded so.

    Where it is folded, a node of another part that is read here is drawn again, dashed.

    Parameters
    ----------
    graph : Graph
        After `refbp.graph.backprop` it contains the gradient; ``Graph([J])`` is the forward part alone.
    manner : str
        "d2l" or "deep_learning".
    shapes : bool
        Whether shapes are written at the variables.
    values, gradients : dict of Variable to array
        Numbers to be written at the variables, as many as you like; of an array with an axis longer than three its
        norm is written.
    kept : collection of Variable
        Variables with a mark, "kept for the backward pass".
    title : str or None

    Returns
    -------
    str
        The same on every run: write it with ``Path(...).write_text(text, encoding="utf-8")``.

    Raises
    ------
    ValueError
        If there is no such manner.

    Examples
    --------
    >>> from refbp.graph import Graph, variable
    >>> z = (variable("x", ()) * variable("y", ())).called("z")
    >>> svg(Graph([z])).count('class="node"')  # x, y, the product's circle, z
    4
    """
    diagram = make_diagram(graph, manner, shapes=shapes, values=values or {}, gradients=gradients or {}, kept=set(kept))
    return paint_page(strips(diagram), title)


def dot(
    graph: Graph,
    *,
    manner: str = "d2l",
    shapes: bool = False,
    values: Mapping[Variable, Any] | None = None,
    gradients: Mapping[Variable, Any] | None = None,
    kept: Collection[Variable] = (),
) -> str:
    """Write a graph in the language of Graphviz, which is not needed for it.

    Parameters
    ----------
    graph, manner, shapes, values, gradients, kept
        As in `svg`.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If there is no such manner.

    Examples
    --------
    >>> from refbp.graph import Graph, exp, variable
    >>> print(dot(Graph([exp(variable("x", ())).called("y")])).splitlines()[-3])
      n0 -> n1;
    """
    diagram = make_diagram(graph, manner, shapes=shapes, values=values or {}, gradients=gradients or {}, kept=set(kept))
    return write_dot(diagram)
