r"""What is to be drawn, before it has a place: nodes with their texts and sizes, and the edges between them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from refbp.draw.passes import find_passes
from refbp.draw.text import GREEK, MINUS, SMALL, TIMES, Label, Line, derivative, inline, label, number, words
from refbp.graph.variables import Graph, Variable

MANNERS = ("d2l", "deep_learning")

GLYPHS = {
    "matmul": TIMES,
    "*": "⊙",
    "outer": "⊗",
    "-": MINUS,
    "/": "÷",
    "negate": MINUS,
    "transpose": "(·)ᵀ",
    "sum": "Σ",
    "squared_norm": "‖·‖²",
    "sqr": "(·)²",
    "logistic": GREEK["sigma"],
    "broadcast": "broad-\ncast",
    "cross_entropy": "cross\nentropy",
    "binary_cross_entropy": "binary\ncross\nentropy",
    "squared_error": "squared\nerror",
    "log_softmax": "log\nsoftmax",
}
"""What the circle of an operator says where it is not the operation's symbol."""

NAMES = {"*": TIMES, "-": MINUS}
"""What stands beside a node where it is not the operation's symbol."""


class Note(NamedTuple):
    """A line beside or below a node, in the colour of its ``tone``: name, via, shape, value or gradient."""

    line: Line
    tone: str


@dataclass(eq=False)
class Node:
    """A node of a diagram.

    Attributes
    ----------
    key : str
        The variable's name; a circle has that of the variable which it computes.
    form : str
        "square", "circle", or "round": a circle, longer if its label is.
    role : str
        "given", "constant", "forward", "gradient" or "second": a colour.
    label : Label
    notes : list of Note
        Beside the form, or below it, see `Diagram.flow`.
    tooltip : str
    column : int
        See `refbp.draw.passes.Passes`.
    kept : bool
        Whether it is marked as kept for the backward pass.
    again : bool
        Whether it is drawn once more, for a strip that reads it; see `refbp.draw.fold`.
    half_width, half_height : float
        Of the form.
    """

    key: str
    form: str
    role: str
    label: Label
    notes: list[Note]
    tooltip: str
    column: int = 0
    kept: bool = False
    again: bool = False
    half_width: float = field(init=False)
    half_height: float = field(init=False)

    def __post_init__(self) -> None:
        w, h = self.label.width / 2, self.label.height / 2
        if self.form == "circle":
            radius = max(15.0, float(np.hypot(w, 0.8 * h)) + 2)
            self.half_width = self.half_height = radius
        elif self.form == "square":
            self.half_width = self.half_height = max(17.0, h + 3)
            self.half_width = max(self.half_width, w + 5)
        else:
            self.half_height = max(14.0 if self.role == "constant" else 17.0, h + 2)
            self.half_width = max(self.half_height, w + 0.45 * self.half_height)

    @property
    def ring(self) -> float:
        """Room around the form for its mark."""
        return 5.0 if self.kept else 0.0


@dataclass(eq=False)
class Diagram:
    """Nodes and edges.

    Attributes
    ----------
    nodes : list of Node
    edges : list of (int, int)
        Numbers of nodes, from and to.
    flow : str
        "right": all arrows run rightward and upward, and notes are below; "up": arrows run upward, in the bands of
        gradients downward, and notes are at the right.
    level : list of (int, int)
        Pairs of nodes, a variable and its gradient, that want to be side by side.
    """

    nodes: list[Node]
    edges: list[tuple[int, int]]
    flow: str
    level: list[tuple[int, int]]


def role(v: Variable, graph: Graph, number_of_pass: int) -> str:
    """Choose the colour of a variable."""
    if number_of_pass:
        named_one = derivative(graph.names[v], set(graph.names.values()))
        if v.operation is not None or named_one:
            return "gradient" if number_of_pass == 1 else "second"
    if v.operation is None:
        return "constant" if v.value is not None else "given"
    return "forward"


def value_lines(array: Any) -> list[str]:
    """Write an array in a few short lines: all of it if it is small."""
    a = np.asarray(array, float)
    if a.ndim <= 2 and a.size > 0 and max(a.shape, default=1) <= 3:
        rows = a.reshape(-1, a.shape[-1]) if a.ndim else a.reshape(1, 1)
        return ["  ".join(number(x) for x in row) for row in rows]
    return [f"norm {number(float(np.linalg.norm(a)))}"]


def notes(
    v: Variable,
    shapes: bool,
    values: Mapping[Variable, Any],
    gradients: Mapping[Variable, Any],
) -> list[Note]:
    """Write what is to be said of a variable besides its name."""
    found = []
    if shapes:
        found.append(Note(words(str(v.shape)), "shape"))
    for numbers, tone in ((values, "value"), (gradients, "gradient")):
        if v in numbers:
            found += [Note(words(line), tone) for line in value_lines(numbers[v])]
    return found


def tooltip(v: Variable, graph: Graph) -> str:
    """Say in a line how a variable is computed."""
    if v.operation is None:
        how = "given" if v.value is None else "constant"
    else:
        how = f"{v.operation.symbol}({', '.join(graph.names[a] for a in v.inputs)})"
    return f"{graph.names[v]} = {how}, shape {v.shape}"


def variable_label(v: Variable, graph: Graph) -> Label:
    """Write a variable's name; of a constant that has none, its number."""
    if v.operation is None and v.name is None and np.ndim(v.value) == 0 and v.value is not None:
        return Label((words(number(float(v.value)), 12.0),))
    return label(graph.names[v], set(graph.names.values()))


def make_diagram(
    graph: Graph,
    manner: str,
    *,
    shapes: bool,
    values: Mapping[Variable, Any],
    gradients: Mapping[Variable, Any],
    kept: Collection[Variable],
) -> Diagram:
    """Say what is to be drawn; parameters are those of `refbp.draw.svg`."""
    if manner not in MANNERS:
        raise ValueError(f"manner is one of {MANNERS}, not {manner!r}")
    d2l = manner == "d2l"
    passes = find_passes(graph)
    names = set(graph.names.values())
    nodes: list[Node] = []
    edges: list[tuple[int, int]] = []
    place: dict[Variable, int] = {}
    for v in graph:
        name, op = graph.names[v], v.operation
        color = role(v, graph, passes.number[v])
        inputs = [place[a] for a in dict.fromkeys(v.inputs) if a in place]
        lines = notes(v, shapes, values, gradients)
        column = 0 if d2l else passes.column[v]
        if (found := derivative(name, names)) and found.via:
            lines.insert(0, Note(Line((*words("via ").runs, *inline(found.via, names, SMALL).runs)), "via"))
        if op is not None and d2l:
            glyph = Label(tuple(words(s, 15.0 if len(s) == 1 else SMALL) for s in glyph_of(v).split("\n")))
            edges += [(a, len(nodes)) for a in inputs]
            inputs = [len(nodes)]
            nodes.append(Node(name, "circle", color, glyph, [], tooltip(v, graph)))
        elif op is not None:
            lines.insert(0, Note(words(NAMES.get(op.symbol, op.symbol)), "name"))
        edges += [(a, len(nodes)) for a in inputs]
        place[v] = len(nodes)
        nodes.append(
            Node(
                name,
                "square" if d2l else "round",
                color,
                variable_label(v, graph),
                lines,
                tooltip(v, graph),
                column,
                v in kept,
            )
        )
    level = [] if d2l else [(place[v], place[g]) for g, v in passes.primal.items() if passes.number[g]]
    return Diagram(nodes, edges, "right" if d2l else "up", level)


def glyph_of(v: Variable) -> str:
    """Choose what the circle of a variable's operation says; D2L writes one cross for all products but its last."""
    assert v.operation is not None
    symbol = v.operation.symbol
    if symbol == "*" and any(a.shape == () for a in v.inputs):
        return TIMES
    return GLYPHS.get(symbol, symbol.replace("_", "\n"))
