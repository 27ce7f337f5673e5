"""Draw docs/img/history.svg: throughput of all standard workloads, as one SVG that has its own colours.

Run ``python -m docs.img.make_history`` in an environment with the extra `dashboard`.
"""

from html import escape
from pathlib import Path

from benchmarks.dashboard import charts
from benchmarks.dashboard.charts import HEIGHT, WIDTH, chart
from benchmarks.dashboard.history import History
from benchmarks.dashboard.page import lines_of, throughput_cards
from benchmarks.dashboard.publish import histories

_COLUMNS, _GAP, _TITLE, _HEAD = 3, 24, 40, 34
_STYLE = """
svg { --text: #1c2430; --quiet: #5b6675; --grid: #e8ebef; --c1: #1f6fd0; --c2: #c8550a; }
@media (prefers-color-scheme: dark) {
  svg { --text: #e4e8ee; --quiet: #9aa6b5; --grid: #262e39; --c1: #6aa9f4; --c2: #f19a5b; }
}
text { font: 10.5px system-ui, sans-serif; fill: var(--quiet); }
.title { font-size: 14px; font-weight: 600; fill: var(--text); }
.key { font-size: 12px; }
.end { text-anchor: end; } .middle { text-anchor: middle; }
path { fill: none; }
.c1 { --line: var(--c1); } .c2 { --line: var(--c2); }
.grid { stroke: var(--grid); } .release { stroke: var(--quiet); stroke-dasharray: 2 3; }
.band { fill: var(--line); opacity: 0.2; } .line { stroke: var(--line); stroke-width: 2; }
.spot, .name { fill: var(--line); } .spot { stroke: transparent; stroke-width: 14; }
"""


def picture(history: History) -> str:
    """Return the charts of the page's first section, three in a row."""
    parts = []
    cards = throughput_cards(history)
    for number, card in enumerate(cards):
        lines = lines_of(history, card)
        if not lines:
            continue
        x = (number % _COLUMNS) * (WIDTH + _GAP)
        y = _HEAD + (number // _COLUMNS) * (HEIGHT + _TITLE + _GAP)
        names = "  ".join(
            f'<tspan class="{line.color}"><tspan class="name">{escape(line.name)}: '
            f"{charts.large(line.points[-1].value)}</tspan></tspan>"
            for line in lines
        )
        drawn = chart(card.title, lines, history.frame, charts.large)
        placed = drawn.replace("<svg ", f'<svg x="{x}" y="{y + _TITLE}" width="{WIDTH}" height="{HEIGHT}" ', 1)
        parts.append(f'<text class="title" x="{x}" y="{y + 12}">{escape(card.title)}</text>')
        parts.append(f'<text class="key" xml:space="preserve" x="{x}" y="{y + 30}">{names}</text>{placed}')
    width = _COLUMNS * (WIDTH + _GAP) - _GAP
    rows = -(-len(cards) // _COLUMNS)
    height = _HEAD + rows * (HEIGHT + _TITLE + _GAP) - _GAP
    title = (
        f"Samples a second, from {history.measured[0].short} to {history.measured[-1].short}: {history.machine['cpu']}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"><style>{_STYLE}</style>'
        f'<text class="title" y="14">{escape(title)}</text>{"".join(parts)}</svg>\n'
    )


if __name__ == "__main__":
    Path(__file__).with_name("history.svg").write_text(picture(histories()[0]), encoding="utf-8")
