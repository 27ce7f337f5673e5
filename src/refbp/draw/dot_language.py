r"""A diagram in Graphviz's language DOT, for those who want to place it with that or change it by hand."""

from refbp.draw.diagram import Diagram, Node
from refbp.draw.paint import FILL, INK, KEPT, STROKE

SHAPE = {"square": "box", "circle": "circle", "round": "ellipse"}


def quoted(text: str) -> str:
    r"""Write a string of DOT.

    >>> print(quoted('a "name" with a \\'))
    "a \"name\" with a \\"
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def write_dot(diagram: Diagram) -> str:
    """Write nodes and edges; Graphviz finds the places."""
    lines = [
        "digraph {",
        f"  rankdir={'LR' if diagram.flow == 'right' else 'BT'};",
        '  bgcolor="white";',
        f'  node [fontname="serif", fontcolor="{INK}", style=filled];',
        *(f"  n{i} [{attributes(node)}];" for i, node in enumerate(diagram.nodes)),
    ]
    for a, b in diagram.edges:
        # Graphviz ranks against the arrow what runs downward in the bands of gradients.
        downward = diagram.nodes[b].column % 2
        lines.append(f"  n{b} -> n{a} [dir=back];" if downward else f"  n{a} -> n{b};")
    return "\n".join([*lines, "}", ""])


def attributes(node: Node) -> str:
    """Write what is to be said of a node."""
    plain = node.form == "circle" or node.role == "constant"
    # Greek letters, subscripts and fractions are left to `svg`; a number has no name worth showing.
    lines = [line.plain for line in node.label.lines] if plain else [node.key]
    lines += [note.line.plain for note in node.notes if note.tone != "via"]  # the name says that
    found = {
        "label": "\n".join(lines),
        "shape": SHAPE[node.form],
        "fillcolor": "#ffffff" if node.form == "circle" else FILL[node.role],
        "color": KEPT if node.kept else STROKE[node.role],
        "penwidth": "3" if node.kept else "1",
        "tooltip": node.tooltip,
    }
    return ", ".join(f"{key}={quoted(value)}" for key, value in found.items())
