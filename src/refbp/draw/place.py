r"""From layers to places: the second half of drawing a layered graph, and the edges as curves.

Every item has its layer's height to itself, and edges bend only between layers. So no edge can run through a
node or a text.
"""

import math
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from refbp.draw.diagram import Diagram, Node
from refbp.draw.layers import Layers, layered
from refbp.draw.solve import Gap, Pull, solve

NODE_GAP = 14
EDGE_GAP = 10
LAYER_GAP = 20
NOTE_GAP = 4
MOST_SLACK = 4
STEEPEST = math.radians(40)
"""How far an arrow may come from the side; it never touches the notes beside a node."""

Point = tuple[float, float]

Curve = list[Point]
"""The start of an edge, then three points for each cubic Bezier piece; a straight piece is one as well."""


class Room(NamedTuple):
    """How far an item reaches from its middle: before and after it in its layer, and to both sides of the layer."""

    before: int
    after: int
    half_layer: int


@dataclass(eq=False)
class Picture:
    """A diagram with a place for everything; x runs rightward and y upward from the lower left corner.

    Attributes
    ----------
    diagram : Diagram
    width, height : float
    middles : list of (x, y)
        Of the forms of the nodes.
    curves : list of Curve
        Of the edges, from boundary to boundary.
    """

    diagram: Diagram
    width: float
    height: float
    middles: list[Point]
    curves: list[Curve]


def room(node: Node, flow: str) -> Room:
    """Measure a node with its notes: they are at its right if arrows run upward, and below if rightward."""
    w, h = node.half_width + node.ring, node.half_height + node.ring
    notes_width = max((note.line.width for note in node.notes), default=0.0)
    notes_height = sum(note.line.height for note in node.notes)
    if flow == "up":
        beside = notes_width + NOTE_GAP if node.notes else 0.0
        return Room(math.ceil(w), math.ceil(w + beside), math.ceil(max(h, notes_height / 2)))
    return Room(math.ceil(h + notes_height), math.ceil(h), math.ceil(max(w, notes_width / 2)))


def picture(diagram: Diagram) -> Picture:
    """Place a diagram."""
    layers = layered(diagram)
    rooms = [
        Room(0, 0, 0) if item.node is None else room(diagram.nodes[item.node], diagram.flow) for item in layers.items
    ]
    across = places_in_layers(layers, rooms, diagram.flow == "right")
    along, half = places_of_layers(layers, rooms, across)
    curves = [Route(diagram, layers, across, along, half).curve(path) for path in layers.paths]
    n = len(diagram.nodes)
    middles = [(across[i], along[layers.items[i].layer]) for i in range(n)]
    width = max((across[i] + rooms[i].after for i in range(len(across))), default=0.0)
    height = along[-1] + half[-1] if along else 0.0
    if diagram.flow == "right":
        middles = [(y, x) for x, y in middles]
        curves = [[(y, x) for x, y in curve] for curve in curves]
        width, height = height, width
    return Picture(diagram, width, height, middles, curves)


def places_in_layers(layers: Layers, rooms: list[Room], monotone: bool) -> list[float]:
    """Place the items of every layer without overlap, so that edges are straight where they can be.

    Bands are kept apart by walls, which are items that belong to all layers.
    """
    items = layers.items
    columns = sorted({item.column for item in items})
    wall = {column: len(items) + k for k, column in enumerate(columns)}
    gaps: list[Gap] = [(a, b, 0) for a, b in pairwise(wall.values())]
    for row in layers.rows:
        for i, j in pairwise(row):
            between = NODE_GAP if items[i].node is not None and items[j].node is not None else EDGE_GAP
            gaps.append((i, j, rooms[i].after + between + rooms[j].before))
        for i in row:
            column = items[i].column
            gaps.append((wall[column], i, rooms[i].before + EDGE_GAP))
            after = [w for c, w in wall.items() if c > column]
            gaps += [(i, w, rooms[i].after + EDGE_GAP) for w in after[:1]]
    pulls: list[Pull] = []
    segments = list(dict.fromkeys(segment for path in layers.paths for segment in pairwise(path)))
    leaving, arriving = Counter(i for i, _ in segments), Counter(j for _, j in segments)
    for i, j in segments:
        dummies = (items[i].node is None) + (items[j].node is None)
        link = arriving[i] <= 1 and leaving[i] == arriving[j] == 1  # of a chain, which had better be straight
        pulls.append((i, j, 8 if dummies == 2 else 2 if dummies or link else 1))
        if monotone:
            gaps.append((i, j, 0))
    found = solve(len(items) + len(wall), gaps, pulls)
    low = min((found[i] - rooms[i].before for i in range(len(items))), default=0.0)
    return [found[i] - low for i in range(len(items))]


def places_of_layers(layers: Layers, rooms: list[Room], across: list[float]) -> tuple[list[float], list[float]]:
    """Place the layers one after the other; between them is more room where edges run far to the side."""
    half = [float(max((rooms[i].half_layer for i in row), default=0)) for row in layers.rows]
    farthest = [0.0] * len(half)
    for path in layers.paths:
        for i, j in pairwise(path):
            k = min(layers.items[i].layer, layers.items[j].layer)
            farthest[k] = max(farthest[k], abs(across[i] - across[j]))
    along: list[float] = []
    for k, h in enumerate(half):
        gap = LAYER_GAP + min(24, round(0.14 * farthest[k - 1]))
        along.append(along[-1] + half[k - 1] + gap + h if along else h)
    return along, half


@dataclass(eq=False)
class Route:
    """Bends edges; here x is the place in a layer and y that of the layer, whatever the flow.

    Attributes
    ----------
    diagram : Diagram
    layers : Layers
    across, along, half : lists of float
        See `places_in_layers` and `places_of_layers`.
    """

    diagram: Diagram
    layers: Layers
    across: list[float]
    along: list[float]
    half: list[float]

    def curve(self, path: list[int]) -> Curve:
        """Bend an edge along the items that it visits."""
        points: Curve = []
        for i, j in pairwise(path):
            a, b = self.layers.items[i], self.layers.items[j]
            up = 1 if b.layer > a.layer else -1
            x, y = self.across[i], self.along[a.layer]
            goal = (self.across[j], self.along[b.layer])
            if not points:
                aside, height = self.leave(i, up)
                x += math.copysign(aside, goal[0] - x)
                points.append((x, y + up * height))
            low = (x, y + up * self.half[a.layer])
            points += straight(points[-1], low)
            high = (goal[0], goal[1] - up * self.half[b.layer])
            middle = abs(high[1] - low[1]) / 2
            if b.node is None:
                points += [(low[0], low[1] + up * middle), (high[0], high[1] - up * middle), high]
            else:
                points += self.arrive(low, j, goal, up)
        return points

    def leave(self, i: int, up: int) -> tuple[float, float]:
        """Tell where an edge leaves a node: aside of the middle and ahead of it.

        An edge to another band may run against the arrows of its own; it leaves where they do not arrive.
        """
        node = self.diagram.nodes[i]
        if self.diagram.flow == "right" or (up < 0) == bool(node.column % 2):
            return 0.0, self.reach(i, 0.0)
        w, h = node.half_width + node.ring, node.half_height + node.ring
        aside = w - 0.4 * h
        return aside, 0.8 * h  # on the half circle of radius h at the side, since 0.6² + 0.8² = 1

    def arrive(self, low: Point, j: int, goal: Point, up: int) -> list[Point]:
        """Bend the last piece, which meets the node's boundary as if it went on to its middle."""
        dx, dy = goal[0] - low[0], abs(goal[1] - low[1])
        slack = self.half[self.layers.items[j].layer] - self.reach(j, 0.0)
        # In a layer that is much higher than the node, others' texts may be beside the way.
        angle = 0.0 if slack > MOST_SLACK else max(-STEEPEST, min(STEEPEST, math.atan2(dx, dy)))
        if angle == 0.0:
            edge = (goal[0], goal[1] - up * (self.reach(j, 0.0) + slack))
            middle = (low[1] + edge[1]) / 2
            return [(low[0], middle), (goal[0], middle), edge, *straight(edge, (goal[0], edge[1] + up * slack))]
        out = self.reach(j, angle)
        end = (goal[0] - out * math.sin(angle), goal[1] - up * out * math.cos(angle))
        room_x, room_y = abs(end[0] - low[0]), abs(end[1] - low[1])
        pull = 0.5 * room_y / math.cos(angle)
        if abs(math.sin(angle)) * pull > room_x:
            pull = room_x / abs(math.sin(angle))
        before = (end[0] - pull * math.sin(angle), end[1] - up * pull * math.cos(angle))
        return [(low[0], low[1] + up * 0.4 * room_y), before, end]

    def reach(self, i: int, angle: float) -> float:
        """Tell how far the boundary of a node is from its middle, at an angle from the direction of the flow."""
        node = self.diagram.nodes[i]
        h, w = node.half_height + node.ring, node.half_width + node.ring
        if self.diagram.flow == "right":
            h, w = w, h
        s, c = abs(math.sin(angle)), math.cos(angle)
        if node.form == "square" or s * h <= (w - h) * c:
            return min(h / c, w / s if s else math.inf)
        # A stadium: half circles of radius r, their middles w - r from the node's.
        r, e = min(h, w), max(w - h, 0.0)
        return e * s + math.sqrt(r * r - e * e * c * c)


def straight(a: Point, b: Point) -> list[Point]:
    """Make a straight line from a to b a piece of a curve; none if they are the same."""
    if a == b:
        return []
    third = ((b[0] - a[0]) / 3, (b[1] - a[1]) / 3)
    return [(a[0] + third[0], a[1] + third[1]), (b[0] - third[0], b[1] - third[1]), b]
