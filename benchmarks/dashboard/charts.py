"""Charts as static SVG, drawn when the pages are written: no scripts run in the reader's browser.

Colours are classes that a style sheet defines, for a light and a dark background.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 360, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 10, 18, 20
# Width of a letter in the axis labels, rounded up.
_LETTER = 6.5
_SMALL = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
_PARTS = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}


class Point(NamedTuple):
    """A value with its confidence band, the position of its commit, and a tooltip."""

    place: int
    value: float
    low: float
    high: float
    text: str


class Line(NamedTuple):
    """Points with a name and the CSS class of their colour."""

    name: str
    color: str
    points: Sequence[Point]


class Frame(NamedTuple):
    """Data shared by all charts: number of commits, versions by their positions, and labels of both ends."""

    places: int
    releases: Mapping[int, str]
    ends: tuple[str, str]


def large(value: float) -> str:
    """Return a number with three digits and k, M or G."""
    unit = max((u for u, size in _SMALL.items() if abs(value) >= size), key=_SMALL.get, default="")
    return f"{_three_digits(value / _SMALL[unit])}{' ' * bool(unit)}{unit}"


def duration(value: float) -> str:
    """Return seconds with three digits, as ms, µs or ns if that is shorter."""
    if value == 0:
        return "0"
    unit = next((u for u, size in _PARTS.items() if value >= size), "ns")
    return f"{_three_digits(value / _PARTS[unit])} {unit}"


def megabytes(value: float) -> str:
    """Return bytes as MB."""
    return f"{_three_digits(value / 1e6)} MB" if value else "0"


def percent(value: float) -> str:
    """Return a fraction as a percentage."""
    return f"{100 * value:.0f} %"


def times(value: float) -> str:
    """Return a ratio."""
    return f"{_three_digits(value)} times"


def _three_digits(value: float) -> str:
    if value == 0:
        return "0"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def ticks(top: float) -> list[float]:
    """Return three to seven round numbers from 0 up to at most `top`."""
    step = 10 ** math.floor(math.log10(top / 3))
    step *= next(factor for factor in (10, 5, 2, 1) if top / (step * factor) >= 2.5 or factor == 1)
    return [step * number for number in range(int(top / step + 1e-9) + 1)]


def _short(label: str) -> str:
    """Shorten an axis label: the number is round, and the title names the quantity."""
    return re.sub(r"\.0+(?!\d)|(\.\d*[1-9])0+(?!\d)", r"\1", label).removesuffix(" times")


def _plain(value: float) -> str:
    """A number without trailing zeros."""
    return f"{value:.1f}".removesuffix(".0")


def chart(
    title: str,
    lines: Sequence[Line],
    frame: Frame,
    label: Callable[[float], str],
    *,
    reference: float | None = None,
    marks: Sequence[Point] = (),
) -> str:
    """Return a chart: lines with their bands, starting at zero, and releases as vertical lines.

    `title` is the text for screen readers, `label` formats the numbers of the axis, `reference` is the level of a
    horizontal line, and `marks` are highlighted points.
    """
    highs = [point.high for line in lines for point in line.points]
    top = 1.08 * max([*highs, reference or 0.0])
    right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM

    def x(place: int) -> float:
        return _LEFT + 6 + (right - _LEFT - 12) * (place / (frame.places - 1) if frame.places > 1 else 0.5)

    def y(value: float) -> float:
        return bottom - (bottom - _TOP) * value / top

    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">']
    for tick in ticks(top):
        height = _plain(y(tick))
        parts.append(f'<path class="grid" d="M{_LEFT} {height}H{right}"/>')
        parts.append(f'<text class="axis end" x="{_LEFT - 5}" y="{height}" dy="3.5">{_short(label(tick))}</text>')
    free = math.inf
    for place, version in sorted(frame.releases.items(), reverse=True):
        parts.append(f'<path class="release" d="M{_plain(x(place))} {_TOP}V{bottom}"/>')
        # The newest first: where names of versions would overlap, the older one is left out.
        half = _LETTER * len(version) / 2
        if x(place) + half < free:
            free = x(place) - half
            parts.append(f'<text class="axis middle" x="{_plain(x(place))}" y="{_TOP - 6}">{escape(version)}</text>')
    if reference is not None:
        parts.append(f'<path class="reference" d="M{_LEFT} {_plain(y(reference))}H{right}"/>')
    for kind, place, text in (("", x(0), frame.ends[0]), ("end", x(frame.places - 1), frame.ends[1])):
        parts.append(f'<text class="axis {kind}" x="{_plain(place)}" y="{HEIGHT - 5}">{escape(text)}</text>')
    parts.extend(_line(line, x, y) for line in lines)
    for mark in marks:
        tip = f"{_plain(x(mark.place))} {_plain(y(mark.value) + 5)}"
        parts.append(f'<path class="mark" d="M{tip}l5 9h-10z"><title>{escape(mark.text)}</title></path>')
    return "".join([*parts, "</svg>"])


def _line(line: Line, x: Callable[[int], float], y: Callable[[float], float]) -> str:
    """A confidence band, a line through the medians, and a dot with a tooltip for every commit."""

    def path(pairs: Sequence[tuple[int, float]]) -> str:
        return "L".join(f"{_plain(x(place))} {_plain(y(value))}" for place, value in pairs)

    upper = path([(p.place, p.high) for p in line.points])
    lower = path([(p.place, p.low) for p in reversed(line.points)])
    middle = path([(p.place, p.value) for p in line.points])
    parts = [f'<g class="{line.color}"><path class="band" d="M{upper}L{lower}Z"/><path class="line" d="M{middle}"/>']
    for p in line.points:
        spot = f'cx="{_plain(x(p.place))}" cy="{_plain(y(p.value))}"'
        parts.append(f'<circle class="spot" {spot} r="2.4"><title>{escape(f"{line.name}: {p.text}")}</title></circle>')
    return "".join([*parts, "</g>"])


def key_of(lines: Sequence[Line], label: Callable[[float], str]) -> str:
    """Return a legend: the lines' names in their colours, with their newest values."""
    return "".join(
        f'<span class="{line.color}"><i></i>{escape(line.name)} <b>{label(line.points[-1].value)}</b></span>'
        for line in lines
    )
