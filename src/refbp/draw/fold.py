r"""A graph that is too wide for a page, cut into strips one above the other.

A node of an earlier strip that a strip reads is drawn again there, dashed. Apart from these copies, every node and
every edge is drawn exactly once.
"""

from bisect import bisect_left
from dataclasses import replace

from refbp.draw.diagram import Diagram, Node
from refbp.draw.layers import levels
from refbp.draw.place import LAYER_GAP, NODE_GAP, Picture, picture

WIDTH = 880
"""A strip is no wider than this, if it can be helped; a page shows it without shrinking its letters much."""


def strips(diagram: Diagram) -> list[Picture]:
    """Place a diagram, in halves of halves where it would be wider than `WIDTH`; the first strip comes first."""
    parts = cut(diagram, halves(diagram))
    if len(parts) == 1 or least_width(diagram) <= WIDTH:
        whole = picture(diagram)
        if len(parts) == 1 or whole.width <= WIDTH:
            return [whole]
    return [strip for part in parts for strip in strips(part)]


def least_width(diagram: Diagram) -> float:
    """Tell how wide the nodes alone make a picture, without placing them."""
    level = levels(diagram)
    if diagram.flow == "right":
        narrowest = 2 * min((node.half_width for node in diagram.nodes), default=0.0)
        return len(set(level)) * (narrowest + LAYER_GAP) - LAYER_GAP
    rows: dict[tuple[int, int], float] = {}
    for node, k in zip(diagram.nodes, level, strict=True):
        rows[node.column, k] = rows.get((node.column, k), -NODE_GAP) + 2 * node.half_width + NODE_GAP
    return sum(max(w for (c, _), w in rows.items() if c == column) for column in {c for c, _ in rows})


def halves(diagram: Diagram) -> list[int]:
    """Number the parts: the bands if there are several, or else halves in the order of the graph.

    A square stays with the circle it comes from, and what is given, or drawn once more, with its first reader.
    """
    nodes = diagram.nodes
    readers: list[list[int]] = [[] for _ in nodes]
    for a, b in diagram.edges:
        readers[a].append(b)
    computed = sorted({b for _, b in diagram.edges})
    part = [node.column for node in nodes]
    if len(set(part)) == 1:
        part = [0 if 2 * i < len(computed) else 1 for i in (bisect_left(computed, k) for k in range(len(nodes)))]
    for i, node in enumerate(nodes):
        if node.form == "circle":
            part[readers[i][0]] = part[i]
    for i in set(range(len(nodes))).difference(computed):
        part[i] = min((part[b] for b in readers[i]), default=part[i])
    return part


def cut(diagram: Diagram, part: list[int]) -> list[Diagram]:
    """Cut a diagram into parts."""
    nodes, found = diagram.nodes, []
    for p in sorted(set(part)):
        members = [i for i in range(len(nodes)) if part[i] == p]
        place = {i: k for k, i in enumerate(members)}
        copies: list[Node] = []
        edges: list[tuple[int, int]] = []
        for a, b in diagram.edges:
            if part[b] != p:
                continue
            if part[a] == p:
                edges.append((place[a], place[b]))
                continue
            # One for each reader: it stands beside it.
            edges.append((len(members) + len(copies), place[b]))
            via = [note for note in nodes[a].notes if note.tone == "via"]
            copies.append(replace(nodes[a], notes=via, column=nodes[b].column, kept=False, again=True))
        level = [(place[a], place[b]) for a, b in diagram.level if a in place and b in place]
        found.append(replace(diagram, nodes=[*(nodes[i] for i in members), *copies], edges=edges, level=level))
    return found
