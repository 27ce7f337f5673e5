r"""Layers, and the order in each: the first half of drawing a layered graph.

K. Sugiyama, S. Tagawa and M. Toda, "Methods for visual understanding of hierarchical system structures" (IEEE
Trans. Syst. Man Cybern. 1981): every node gets a layer, edges that skip layers are held in them by dummies, and the
order in the layers is improved by sweeps, each node being put at the mean of its neighbours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from refbp.draw.diagram import Diagram
from refbp.draw.solve import Gap, Pull, solve

GUTTER = 0.5


@dataclass(eq=False)
class Item:
    """What takes room in a layer: a node, or the dummy of an edge that passes by.

    Attributes
    ----------
    layer : int
    column : float
        Of a node its band; of a dummy between two bands half a number, the gutter.
    node : int or None
        Number of the node; None for a dummy.
    """

    layer: int
    column: float
    node: int | None = None


@dataclass(eq=False)
class Layers:
    """The layers of a diagram.

    Attributes
    ----------
    items : list of Item
        Nodes first, numbered as in the diagram.
    rows : list of list of int
        Numbers of items in each layer, in order.
    paths : list of list of int
        For each edge, the items it visits from its source to its target; layers of neighbours differ by one.
    """

    items: list[Item]
    rows: list[list[int]]
    paths: list[list[int]]


def levels(diagram: Diagram) -> list[int]:
    """Give every node a layer: arrows run upward, into bands of odd number downward, and are as short as can be.

    This is always possible: nodes in even bands lie above what they read, nodes in odd bands below.
    """
    nodes = diagram.nodes
    gaps: list[Gap] = []
    for a, b in diagram.edges:
        least = 1 if nodes[a].column == nodes[b].column else 0
        gaps.append((b, a, least) if nodes[b].column % 2 else (a, b, least))
    # A circle stays with the square it computes.
    pulls: list[Pull] = [(a, b, 4 if nodes[a].form == "circle" else 1) for a, b in diagram.edges]
    pulls += [(a, b, 1) for a, b in diagram.level]
    level = [int(y) for y in solve(len(nodes), gaps, pulls)]

    # Where an edge leads to another band on the same level, the level is split.
    part = [0] * len(nodes)
    for a, b in diagram.edges:  # in topological order
        if level[a] == level[b]:
            part[b] = min(part[b], part[a] - 1) if nodes[b].column % 2 else max(part[b], part[a] + 1)
    place = list(zip(level, part, strict=True))
    number = {key: k for k, key in enumerate(sorted(set(place)))}
    return [number[key] for key in place]


def layered(diagram: Diagram) -> Layers:
    """Find layers and orders with few crossings."""
    level = levels(diagram)
    items = [Item(level[i], float(node.column), i) for i, node in enumerate(diagram.nodes)]
    dummies: dict[tuple[int, int, float], int] = {}
    paths = []
    for a, b in diagram.edges:
        columns = (items[a].column, items[b].column)
        column = columns[0] if columns[0] == columns[1] else max(columns) - GUTTER
        step = 1 if level[b] > level[a] else -1
        path = [a]
        for layer in range(level[a] + step, level[b], step):
            # Edges from one source carry the same value: they share their way.
            key = (a, layer, column)
            if key not in dummies:
                dummies[key] = len(items)
                items.append(Item(layer, column))
            path.append(dummies[key])
        paths.append([*path, b])
    rows: list[list[int]] = [[] for _ in range(max((item.layer for item in items), default=-1) + 1)]
    for i, item in enumerate(items):
        rows[item.layer].append(i)
    return Layers(items, ordered(items, rows, paths), paths)


def ordered(items: Sequence[Item], rows: Sequence[list[int]], paths: Sequence[list[int]]) -> list[list[int]]:
    """Order every layer so that few edges cross; bands stay side by side."""
    segments = list(dict.fromkeys((a, b) for path in paths for a, b in pairwise(path)))
    near: list[dict[int, list[int]]] = [{} for _ in items]
    for a, b in segments:
        near[a].setdefault(items[b].layer - items[a].layer, []).append(b)
        near[b].setdefault(items[a].layer - items[b].layer, []).append(a)
    best, fewest = [list(row) for row in rows], None
    for start in (1, -1):
        current = [sorted(row[::start], key=lambda i: items[i].column) for row in rows]
        for sweep in range(24):
            side = -1 if sweep % 2 == 0 else 1
            for row in current if side < 0 else current[::-1]:
                sort_row(row, side, current, items, near)
            swap_neighbours(current, items, near)
            count = sum(crossings(a, b, near) for a, b in pairwise(current))
            if fewest is None or count < fewest:
                best, fewest = [list(row) for row in current], count
    return best


def sort_row(
    row: list[int], side: int, rows: Sequence[list[int]], items: Sequence[Item], near: Sequence[dict[int, list[int]]]
) -> None:
    """Sort a layer by the mean place of the neighbours on one side; items without any keep theirs."""
    if not row:
        return
    beside = items[row[0]].layer + side
    place = {i: k for k, i in enumerate(rows[beside])} if 0 <= beside < len(rows) else {}
    mean: dict[int, float] = {}
    last = -1.0
    for i in row:
        neighbours = [place[j] for j in near[i].get(side, [])]
        last = mean[i] = sum(neighbours) / len(neighbours) if neighbours else last
    row.sort(key=lambda i: (items[i].column, mean[i]))


def swap_neighbours(rows: Sequence[list[int]], items: Sequence[Item], near: Sequence[dict[int, list[int]]]) -> None:
    """Swap neighbours as long as that saves crossings."""
    place = {i: k for row in rows for k, i in enumerate(row)}
    better = True
    while better:
        better = False
        for row in rows:
            for k in range(len(row) - 1):
                if items[row[k]].column != items[row[k + 1]].column:
                    continue
                i, j = row[k], row[k + 1]
                change = 0
                for side in (-1, 1):
                    left = [place[a] for a in near[i].get(side, [])]
                    right = [place[b] for b in near[j].get(side, [])]
                    change += sum((a < b) - (a > b) for a in left for b in right)
                if change < 0:
                    row[k], row[k + 1] = j, i
                    place[i], place[j] = k + 1, k
                    better = True


def crossings(low: Sequence[int], high: Sequence[int], near: Sequence[dict[int, list[int]]]) -> int:
    """Count the crossings of edges between two layers."""
    place = {i: k for k, i in enumerate(high)}
    ends = [(k, place[j]) for k, i in enumerate(low) for j in near[i].get(1, [])]
    return sum((a - c) * (b - d) < 0 for n, (a, b) in enumerate(ends) for c, d in ends[:n])
