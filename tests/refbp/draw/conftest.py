"""Reads drawings back from their SVG, and checks them; shared by the tests of refbp.draw.

The checks are fixtures that return functions, so that `test_planted_faults.py` can put faulty drawings through the
very checks that the right ones pass.
"""

import xml.etree.ElementTree as ET
from collections import Counter
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pytest

from refbp import graph
from refbp.draw.passes import find_passes
from refbp.draw.text import Run

SVG = "{http://www.w3.org/2000/svg}"
ROUNDED = 0.11  # coordinates are written to 0.1, so that a difference of two is off by 0.1 at most
TOUCH = 0.83 + 2 * ROUNDED  # arrows aim at corners that are round, with a radius of 2


class Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other):
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return across > ROUNDED and down > ROUNDED

    def holds(self, other):
        return (
            self.left <= other.left + ROUNDED
            and self.top <= other.top + ROUNDED
            and other.right <= self.right + ROUNDED
            and other.bottom <= self.bottom + ROUNDED
        )


class Form(NamedTuple):
    """A node as drawn: its outline with the mark, and the texts inside and outside of it."""

    name: str
    again: bool
    box: Box
    radius: float
    inside: list
    outside: list

    def distance(self, points):
        """Distance of points from the outline, a rectangle with round corners; negative inside."""
        x, y = (self.box.left + self.box.right) / 2, (self.box.top + self.box.bottom) / 2
        w, h = self.box.right - x - self.radius, self.box.bottom - y - self.radius
        p = np.abs(np.subtract(points, (x, y))) - (w, h)
        return np.linalg.norm(np.maximum(p, 0), axis=-1) + np.minimum(p.max(axis=-1), 0) - self.radius


class Drawing(NamedTuple):
    page: Box
    forms: list
    edges: list  # (from, to, points of the curve, corners of the arrow's head)
    texts: list  # of title and legend
    sizes: set  # of letters


def text_box(element):
    """Bounding box of a text, with every letter as wide as in the widest font."""
    size = float(element.get("font-size"))
    runs = [Run(element.text or "", size)]
    for span in element:
        runs += [Run(span.text or "", float(span.get("font-size", size))), Run(span.tail or "", size)]
    width = sum(run.width for run in runs)
    x, line = float(element.get("x")), float(element.get("y"))
    left = {"start": x, "middle": x - width / 2}[element.get("text-anchor")]
    return Box(left, line - 0.75 * size, left + width, line + 0.25 * size), {run.size for run in runs}


def rectangle(element):
    """An outline; of the mark, which is broad, its outer edge."""
    x, y, w, h = (float(element.get(key)) for key in ("x", "y", "width", "height"))
    out = float(element.get("stroke-width")) / 2 if element.get("fill") == "none" else 0
    return Box(x - out, y - out, x + w + out, y + h + out)


def numbers(path):
    """Points of a path whose coordinates are all pairs."""
    letters = path.translate(str.maketrans("MCLZ", "    "))
    return [tuple(map(float, pair.split(","))) for pair in letters.split()]


def parse(svg):
    root = ET.fromstring(svg)
    page = Box(*map(float, root.get("viewBox").split()))
    forms, edges, texts, sizes = [], [], [], set()
    for element in root:
        kind = element.get("class")
        if kind == "edge":
            line, head = (numbers(path.get("d")) for path in element.iter(f"{SVG}path"))
            edges.append((element.get("data-from"), element.get("data-to"), line, head))
        elif kind in ("node", "again"):
            outline = element.find(f"{SVG}rect")
            box, inside, outside = rectangle(outline), [], []
            for text in element.iter(f"{SVG}text"):
                where, of = text_box(text)
                sizes |= of
                (inside if where.meets(box) else outside).append(where)
            radius = min(float(outline.get("rx")), (box.bottom - box.top) / 2)
            forms.append(Form(element.get("data-name"), kind == "again", box, radius, inside, outside))
        elif element.tag == f"{SVG}text":
            where, of = text_box(element)
            texts.append(where)
            sizes |= of
    return Drawing(page, forms, edges, texts, sizes)


def sampled(points):
    """Points along a curve of cubic pieces."""
    p, t = np.array(points), np.linspace(0, 1, 25)[:, None]
    pieces = [p[k : k + 4] for k in range(0, len(p) - 1, 3)]
    return np.concatenate(
        [(1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d for a, b, c, d in pieces]
    )


@pytest.fixture(scope="session")
def read():
    return parse


@pytest.fixture(scope="session")
def check_nothing_overlaps():
    """Check that no text or outline is upon another one, and that names are inside of their outlines."""

    def check(drawing):
        for form in drawing.forms:
            assert all(form.box.holds(text) for text in form.inside), f"the name of {form.name} is too long"
            assert not any(a.meets(b) for a, b in combinations(form.inside, 2)), f"in {form.name}"
        things = [(form.name, form.box) for form in drawing.forms]
        things += [(f"text at {form.name}", box) for form in drawing.forms for box in form.outside]
        things += [("title or legend", box) for box in drawing.texts]
        for (one, a), (other, b) in combinations(things, 2):
            assert not a.meets(b), f"{one} and {other} overlap"

    return check


@pytest.fixture(scope="session")
def check_nothing_is_clipped():
    """Check that everything is inside of the page."""

    def check(drawing):
        for form in drawing.forms:
            assert all(drawing.page.holds(box) for box in (form.box, *form.outside)), form.name
        assert all(drawing.page.holds(box) for box in drawing.texts)
        for start, end, line, _ in drawing.edges:
            curve = sampled(line)
            assert drawing.page.holds(Box(*curve.min(axis=0), *curve.max(axis=0))), f"{start} to {end}"

    return check


@pytest.fixture(scope="session")
def check_edges_are_clear():
    """Check that edges lead from outline to outline, and through no other node and no text."""

    def check(drawing):
        for start, end, line, head in drawing.edges:
            sources = [form for form in drawing.forms if form.name == start]
            source = min(sources, key=lambda form: abs(form.distance(line[0])))
            (target,) = (form for form in drawing.forms if form.name == end and not form.again)
            assert abs(source.distance(line[0])) <= TOUCH, f"{start} to {end} starts elsewhere"
            assert abs(target.distance(line[-1])) <= TOUCH, f"{start} to {end} ends elsewhere"
            assert head[1] == line[-1]
            curve = sampled(line)
            texts = [(f"text at {form.name}", box) for form in drawing.forms for box in form.outside]
            for name, box in [*texts, *(("title or legend", box) for box in drawing.texts)]:
                inside = np.minimum(curve - box[:2], box[2:] - curve).min(axis=1)
                assert inside.max() <= ROUNDED, f"{start} to {end} runs through {name}"
            for form in drawing.forms:
                limit = -1.0 if form in (source, target) else 1.0
                assert form.distance(curve).min() >= limit, f"{start} to {end} runs through {form.name}"

    return check


@pytest.fixture(scope="session")
def check_everything_once():
    """Check that every variable, operation and edge of a graph is drawn exactly once."""

    def check(drawing, net, manner):
        names, ref_edges = list(net.names.values()), []
        for v in net:
            inputs = [net.names[a] for a in dict.fromkeys(v.inputs)]
            reader = net.names[v]
            if v.operation is not None and manner == "d2l":
                reader = f"operation of {net.names[v]}"
                names.append(reader)
                ref_edges.append((reader, net.names[v]))
            ref_edges += [(a, reader) for a in inputs]
        assert Counter(form.name for form in drawing.forms if not form.again) == Counter(names)
        assert Counter((a, b) for a, b, *_ in drawing.edges) == Counter(ref_edges)
        # What is drawn again has one reader each.
        read = Counter(form.name for form in drawing.forms if form.again)
        assert read <= Counter(a for a, *_ in drawing.edges)

    return check


@pytest.fixture(scope="session")
def check_directions():
    """Check that arrows run rightward and upward (D2L), or upward and in bands of gradients downward."""

    def check(drawing, net, manner):
        column = {net.names[v]: c for v, c in find_passes(net).column.items()}
        for start, end, line, (left, tip, right) in drawing.edges:
            where = f"{start} to {end}"
            steps = np.diff(line, axis=0)
            foot = np.mean([left, right], axis=0)
            forward, up = (tip - foot) * (1, -1)
            if manner == "d2l":
                assert (steps[:, 0] >= 0).all(), f"{where} runs leftward"
                assert (steps[:, 1] <= 0).all(), f"{where} runs downward"
                assert forward > -ROUNDED, where
                assert up > -ROUNDED, where
            else:
                sign = 1 if column[end] % 2 else -1
                assert (sign * steps[:, 1] >= 0).all(), f"{where} turns round"
                assert sign * (line[-1][1] - line[0][1]) > 0, where
                assert sign * up < 0, where

    return check


@pytest.fixture(scope="session")
def random_graph():
    """Make a graph of random operations, with its gradient if asked for."""

    def make(seed, n=14, gradient=False):
        rng = np.random.default_rng(seed)
        pool = [graph.variable(f"w{i}", (2, 2)) for i in range(3)]
        params = list(pool)
        for i in range(n):
            a, b = (pool[int(rng.integers(max(0, len(pool) - 6), len(pool)))] for _ in range(2))
            makers = (lambda a, b: a + b, lambda a, b: a @ b, lambda a, b: graph.tanh(a), lambda a, b: a * 0.5 - b)
            new = makers[int(rng.integers(4))](a, b)
            pool.append(new.called(f"h{i}") if rng.random() < 0.5 else new)
        J = graph.mean(pool[-1] + pool[-2] + pool[-3]).called("J")
        net = graph.Graph([J])
        if gradient:
            graph.backprop([p for p in params if p in net], net, J)
        return net

    return make
