"""SVG and DOT as texts: well-formed, escaped, the same on every run, and the committed pictures are current."""

import importlib.util
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest

from refbp import draw, graph
from refbp.draw import fold
from refbp.draw.diagram import MANNERS

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "docs" / "img" / "make_graphs.py"
ODD = [
    "a<b",
    "c&d",
    'say "hi"',
    "it's",
    "back\\slash",
    "]]>",
    "<!--",
    "&lt;",
    "\\n",
    "two\nlines",
    "\x01",
    "\N{SNOWMAN}",
]

RUN = """
import hashlib, importlib.util, sys
spec = importlib.util.spec_from_file_location("make_graphs", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
for name, text in module.pictures().items():
    print(name, hashlib.sha256(text.encode()).hexdigest())
from refbp import draw
print(hashlib.sha256(draw.dot(module.graph.section_6_5_7(4, 3, 5, 2, 0.1).graph).encode()).hexdigest())
"""


@pytest.fixture
def odd():
    total = graph.variable(ODD[0], ())
    for name in ODD[1:]:
        total = (total * graph.variable(name, ())).called(f"+ {name}")
    return graph.Graph([total])


def gradient():
    net = graph.section_6_5_7(4, 3, 5, 2, 0.1)
    graph.backprop(net.weights, net.graph, net.J)
    return net.graph


@pytest.mark.parametrize("manner", MANNERS)
def test_names_are_escaped_in_svg(odd, manner, read, check_everything_once, monkeypatch):
    monkeypatch.setattr(fold, "WIDTH", 10_000)
    text = draw.svg(odd, manner=manner, title=" ".join(ODD))
    root = ET.fromstring(text)
    titles = {element.text.split(" = ")[0] for element in root.iter("{http://www.w3.org/2000/svg}title")}
    names = {name.replace("\x01", "\ufffd") for name in odd.names.values()}
    assert titles == names
    assert {form.name for form in read(text).forms} >= names


def parse_dot(text):
    """Read DOT of one statement a line: attributes of nodes by their numbers, and edges in the graph's direction."""
    string = r'"(?:[^"\\]|\\.)*"'
    lines = text.splitlines()
    assert (lines[0], lines[-1]) == ("digraph {", "}")
    nodes, edges = {}, []
    for line in lines[1:-1]:
        bare = re.sub(string, "S", line)
        assert '"' not in bare, line
        if match := re.fullmatch(r"  (n\d+) \[(\w+=S(?:, \w+=S)*)\];", bare):
            pairs = re.findall(rf"(\w+)=({string})", line)
            assert match[1] not in nodes
            nodes[match[1]] = {key: re.sub(r"\\(.)", unescape, value[1:-1]) for key, value in pairs}
        elif match := re.fullmatch(r"  (n\d+) -> (n\d+)( \[dir=back\])?;", bare):
            edges.append((match[2], match[1]) if match[3] else (match[1], match[2]))
        else:
            assert re.fullmatch(r"  (rankdir=(LR|BT)|bgcolor=S|node \[.*\]);", bare), line
    return nodes, edges


def unescape(match):
    return {"n": "\n"}.get(match[1], match[1])


@pytest.mark.parametrize("manner", MANNERS)
def test_names_are_escaped_in_dot(odd, manner):
    nodes, _ = parse_dot(draw.dot(odd, manner=manner))
    labels = [node["label"].split("\n")[0] if "two" not in node["label"] else "" for node in nodes.values()]
    assert {name for name in ODD if "\n" not in name} <= set(labels)
    assert "two\nlines" in {node["label"] for node in nodes.values()}


@pytest.mark.parametrize("manner", MANNERS)
def test_everything_is_in_dot_once(manner):
    net = gradient()
    nodes, edges = parse_dot(draw.dot(net, manner=manner, shapes=True, kept=draw.kept_for_backward(net)))
    circles = sum(node["shape"] == "circle" for node in nodes.values())
    computed = [v for v in net if v.operation is not None]
    assert circles == (len(computed) if manner == "d2l" else 0)
    assert len(nodes) == len(net) + circles
    assert Counter(edges).most_common(1)[0][1] == 1
    assert len(edges) == sum(len(set(v.inputs)) for v in net) + circles
    named = {node["tooltip"].split(" = ")[0]: key for key, node in nodes.items() if node["shape"] != "circle"}
    assert set(named) == set(net.names.values())
    if manner == "deep_learning":
        ref = {(named[net.names[a]], named[net.names[v]]) for v in net for a in v.inputs}
        assert set(edges) == ref
    marked = {name for name, key in named.items() if nodes[key]["penwidth"] == "3"}
    assert marked == {"U1", "H", "U2"}


@pytest.mark.parametrize("write", [draw.svg, draw.dot])
def test_unknown_manner(write):
    with pytest.raises(ValueError, match="manner"):
        write(graph.Graph([graph.variable("x", ())]), manner="upside down")


@pytest.mark.parametrize("manner", MANNERS)
def test_nothing_to_draw(manner):
    ET.fromstring(draw.svg(graph.Graph(), manner=manner))
    assert parse_dot(draw.dot(graph.Graph(), manner=manner)) == ({}, [])


@pytest.fixture(scope="module")
def make_graphs():
    spec = importlib.util.spec_from_file_location("make_graphs", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_committed_pictures_are_current(make_graphs):
    """If not: ``python docs/img/make_graphs.py``, and look at what has changed."""
    folder = SCRIPT.parent / "graphs"
    pictures = make_graphs.pictures()
    assert sorted(path.name for path in folder.iterdir()) == sorted(pictures)
    for name, text in pictures.items():
        assert (folder / name).read_text(encoding="utf-8") == text, name


def test_committed_pictures_are_sound(
    make_graphs, read, check_nothing_overlaps, check_nothing_is_clipped, check_edges_are_clear
):
    for text in make_graphs.pictures().values():
        drawing = read(text)
        check_nothing_overlaps(drawing)
        check_nothing_is_clipped(drawing)
        check_edges_are_clear(drawing)
        assert drawing.page.right <= fold.WIDTH + 32


def test_the_same_on_every_run():
    """For any hash seed, and wherever objects are in memory."""
    runs = [
        subprocess.run(
            [sys.executable, "-c", RUN, str(SCRIPT)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    ]
    assert runs[0] == runs[1]
    assert len(runs[0].splitlines()) > 10
