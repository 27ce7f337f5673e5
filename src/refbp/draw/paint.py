r"""A placed diagram as SVG.

Texts are centred in their boxes, so that a viewer with narrower letters than assumed only shows more space around
them. The background is white, so that the picture can also be read on a dark page.
"""

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from refbp.draw.diagram import Node
from refbp.draw.place import NOTE_GAP, Curve, Picture, Point
from refbp.draw.text import SMALL, Label, Line, words

MARGIN = 16
STRIP_GAP = 30
TITLE_SIZE = 15.0
INK, EDGE = "#1c2733", "#55626f"
FONT = "DejaVu Serif, Georgia, Times New Roman, serif"

FILL = {"given": "#ffffff", "constant": "#eceff1", "forward": "#dcebfa", "gradient": "#fde6cf", "second": "#e6dcf5"}
STROKE = {"given": INK, "constant": "#78858f", "forward": "#2f6db3", "gradient": "#b85f0c", "second": "#6a45a8"}
TONE = {"name": INK, "via": INK, "shape": "#55626f", "value": "#1d5fa8", "gradient": "#a8400a"}
KEPT = "#137a3b"

CONTROL = dict.fromkeys([*range(10), *range(11, 32)], "\ufffd")
"""Characters that XML does not allow, and what stands for them; a line's end is allowed."""

LEGEND = {
    "given": "given",
    "constant": "constant",
    "forward": "forward",
    "gradient": "gradient",
    "second": "gradient of the gradient",
}


def short(x: float) -> str:
    """Write a coordinate."""
    return f"{x:.1f}".removesuffix(".0")


def paint_page(strips: Sequence[Picture], title: str | None) -> str:
    """Write strips as a page: the title, the strips, the legend."""
    legend = legend_entries(strips)
    width = max([*(strip.width for strip in strips), words(title or "", TITLE_SIZE).width])
    parts, y = [], float(MARGIN)
    if title:
        parts.append(text(words(title, TITLE_SIZE), MARGIN, y + TITLE_SIZE / 2, INK, "start"))
        y += 2 * TITLE_SIZE
    # In D2L's manner everything runs upward, from strip to strip, too.
    for strip in strips[::-1] if strips[0].diagram.flow == "right" else strips:
        parts += paint_strip(strip, MARGIN + (width - strip.width) / 2, y + strip.height)
        y += strip.height + STRIP_GAP
    y -= STRIP_GAP
    if legend:
        drawn, y = paint_legend(legend, width, y + 24)
        parts += drawn
    w, h = short(width + 2 * MARGIN), short(y + MARGIN)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}" '
        f'font-family="{FONT}" role="img" aria-label={quoteattr(title or "A computational graph")}>'
    )
    page = "\n".join([head, f'<rect width="{w}" height="{h}" rx="6" fill="#ffffff"/>', *parts, "</svg>", ""])
    return page.translate(CONTROL)


def paint_strip(strip: Picture, left: float, bottom: float) -> list[str]:
    """Draw edges and nodes."""
    nodes = strip.diagram.nodes
    parts = []
    for (a, b), curve in zip(strip.diagram.edges, strip.curves, strict=True):
        parts.append(paint_edge(nodes[a], nodes[b], [(left + x, bottom - y) for x, y in curve]))
    for node, (x, y) in zip(nodes, strip.middles, strict=True):
        parts.append(paint_node(node, left + x, bottom - y, strip.diagram.flow))
    return parts


def paint_edge(a: Node, b: Node, curve: Curve) -> str:
    """Draw an arrow; its head points where the curve ends."""
    tip, before = curve[-1], next(p for p in curve[-2::-1] if p != curve[-1])
    dx, dy = tip[0] - before[0], tip[1] - before[1]
    length = (dx * dx + dy * dy) ** 0.5
    dx, dy = 7 * dx / length, 7 * dy / length
    foot = (tip[0] - dx, tip[1] - dy)
    corners = [(foot[0] - 0.4 * dy, foot[1] + 0.4 * dx), tip, (foot[0] + 0.4 * dy, foot[1] - 0.4 * dx)]
    pieces = " ".join(f"C{points(curve[k : k + 3])}" for k in range(1, len(curve), 3))
    return (
        f'<g class="edge" data-from={quoteattr(end(a))} data-to={quoteattr(end(b))}>'
        f'<path d="M{points(curve[:1])} {pieces}" fill="none" stroke="{EDGE}" stroke-width="1.2"/>'
        f'<path d="M{points(corners[:1])} L{points(corners[1:])}Z" fill="{EDGE}"/></g>'
    )


def end(node: Node) -> str:
    """Name the end of an edge: a circle as the operation of its variable."""
    return f"operation of {node.key}" if node.form == "circle" else node.key


def points(some: Sequence[Point]) -> str:
    """Write points of a path."""
    return " ".join(f"{short(x)},{short(y)}" for x, y in some)


def paint_node(node: Node, x: float, y: float, flow: str) -> str:
    """Draw a node: form, mark, label, notes, and a tooltip."""
    w, h = node.half_width, node.half_height
    kind = "again" if node.again else "node"
    parts = [f'<g class="{kind}" data-name={quoteattr(end(node))}><title>{escape(node.tooltip)}</title>']
    if node.kept:
        parts.append(form(node, x, y, node.ring - 1.2, f'fill="none" stroke="{KEPT}" stroke-width="2.4"'))
    dash = ' stroke-dasharray="3 3"' if node.again else ""
    fill = "#ffffff" if node.form == "circle" or node.again else FILL[node.role]
    parts.append(form(node, x, y, 0.0, f'fill="{fill}" stroke="{STROKE[node.role]}" stroke-width="1.3"{dash}'))
    parts += paint_label(node.label, x, y)
    height = sum(note.line.height for note in node.notes)
    top = y + h + node.ring if flow == "right" else y - height / 2
    for note in node.notes:
        middle = top + note.line.height / 2
        if flow == "right":
            parts.append(text(note.line, x, middle, TONE[note.tone], "middle"))
        else:
            parts.append(text(note.line, x + w + node.ring + NOTE_GAP, middle, TONE[note.tone], "start"))
        top += note.line.height
    return "".join([*parts, "</g>"])


def form(node: Node, x: float, y: float, grown: float, style: str) -> str:
    """Draw the outline of a node, or one around it."""
    w, h = node.half_width + grown, node.half_height + grown
    radius = 2 + grown if node.form == "square" else min(w, h)
    place = f'x="{short(x - w)}" y="{short(y - h)}" width="{short(2 * w)}" height="{short(2 * h)}"'
    return f'<rect {place} rx="{short(radius)}" {style}/>'


def paint_label(label: Label, x: float, y: float) -> list[str]:
    """Write lines one below the other, around a middle."""
    parts, top = [], y - label.height / 2
    for line in label.lines:
        parts.append(text(line, x, top + line.height / 2, INK, "middle"))
        top += line.height
    if label.fraction:
        bar, w = y - label.height / 2 + label.lines[0].height, label.width / 2 + 1
        parts.append(f'<path d="M{points([(x - w, bar)])} H{short(x + w)}" stroke="{INK}" stroke-width="1"/>')
    return parts


def text(line: Line, x: float, middle: float, color: str, anchor: str) -> str:
    """Write a line of text; runs that stand lower move down and back up."""
    size = line.runs[0].size
    spans, drop = [], 0.0
    for run in line.runs:
        style = ' font-style="italic"' if run.italic else ""
        if run.size != size:
            style += f' font-size="{short(run.size)}"'
        if run.drop != drop:
            style += f' dy="{short(run.drop - drop)}"'
        spans.append(f"<tspan{style}>{escape(run.letters)}</tspan>" if style else escape(run.letters))
        drop = run.drop
    # Letters without descender seem to be in the middle if it is a third of their size above the line.
    return (
        f'<text x="{short(x)}" y="{short(middle + 0.34 * size)}" font-size="{short(size)}" fill="{color}" '
        f'text-anchor="{anchor}" xml:space="preserve">{"".join(spans)}</text>'
    )


def legend_entries(strips: Sequence[Picture]) -> list[tuple[str, str]]:
    """List what needs an explanation: a style and what it means."""
    nodes = [node for strip in strips for node in strip.diagram.nodes]
    roles = {node.role for node in nodes}
    tones = {note.tone for node in nodes for note in node.notes}
    found = []
    if roles & {"gradient", "second"}:  # in a forward graph the colours say what the arrows say, too
        found = [(f'fill="{FILL[r]}" stroke="{STROKE[r]}"', LEGEND[r]) for r in LEGEND if r in roles]
    if any(node.kept for node in nodes):
        found.append((f'fill="none" stroke="{KEPT}" stroke-width="2.4"', "kept for the backward pass"))
    if any(node.again for node in nodes):
        found.append((f'fill="none" stroke="{INK}" stroke-dasharray="3 3"', "drawn elsewhere"))
    for tone, meaning in (("value", "value"), ("gradient", "gradient of the output")):
        if tone in tones:
            found.append((f'fill="{TONE[tone]}"', meaning))
    return found


def paint_legend(entries: Sequence[tuple[str, str]], width: float, y: float) -> tuple[list[str], float]:
    """Draw the legend in as many lines as it needs; also return where it ends."""
    parts, x = [], float(MARGIN)
    for style, meaning in entries:
        line = words(meaning)
        if x > MARGIN and x + 16 + line.width > MARGIN + width:
            x, y = float(MARGIN), y + 2 * SMALL
        parts.append(f'<rect x="{short(x)}" y="{short(y - 5)}" width="10" height="10" rx="2" {style}/>')
        parts.append(text(line, x + 16, y, INK, "start"))
        x += 16 + line.width + 14
    return parts, y + SMALL
