"""The picture: how many times as fast as each peer fastbp is, against the width of the network."""

import math
from collections import defaultdict
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmarks.peers.report import count, geometric_mean, rivals
from benchmarks.peers.rivals import TITLES

# Colors that the color-blind can tell apart, and a marker each for print.
STYLES = {
    "sklearn": ("#d55e00", "o"),
    "torch": ("#0072b2", "s"),
    "torch_compile": ("#6a3d9a", "D"),
    "jax": ("#00815f", "^"),
}
INK, GRID = "#1c2733", "#dde3e8"
SETTINGS = {
    "svg.fonttype": "path",  # looks the same wherever it is read
    "svg.hashsalt": "fastbp",  # the same figures give the same file
    "font.size": 11,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def widest(figures: dict) -> int:
    """Return the units of a workload's widest hidden layer."""
    return max(figures["sizes"][1:-1], default=1)


def points(result: dict, name: str) -> list[tuple[int, float]]:
    """Return the width and the ratio of every workload."""
    return [(widest(figures), figures["peers"][name]["ratio"]) for figures in result["workloads"]]


def line(pairs: list[tuple[int, float]]) -> tuple[list[int], list[float]]:
    """Return the widths in order, and for each the geometric mean of its ratios."""
    ratios = defaultdict(list)
    for width, ratio in pairs:
        ratios[width].append(ratio)
    widths = sorted(ratios)
    return widths, [geometric_mean(ratios[width]) for width in widths]


def _spread(heights: list[float], gap: float) -> list[float]:
    """Return heights, given in ascending order, moved up until they are `gap` apart."""
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, placed[-1] + gap) if placed else height)
    return placed


def _panel(axes: Axes, result: dict) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    for name in rivals(result):
        color, marker = STYLES[name]
        pairs = points(result, name)
        axes.plot(*zip(*pairs, strict=True), marker, color=color, markersize=5, alpha=0.55, markeredgewidth=0)
        widths, means = line(pairs)
        axes.plot(widths, means, color=color, linewidth=2)
    axes.axhline(1, color=INK, linewidth=1)
    axes.set_title(count(result["threads"], "thread"), loc="left", fontweight="bold")
    axes.set_xlabel("units of the widest hidden layer")
    axes.xaxis.set_major_locator(FixedLocator(sorted({widest(figures) for figures in result["workloads"]})))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda width, _: f"{width:.0f}"))
    axes.yaxis.set_major_locator(FixedLocator([0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda ratio, _: f"{ratio:g}"))
    axes.grid(color=GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _label(axes: Axes, result: dict) -> None:
    """Write the name of each peer at the end of its line, none on top of another."""
    low, high = map(math.log, axes.get_ylim())
    means = {name: line(points(result, name))[1][-1] for name in rivals(result)}
    names = sorted(means, key=means.get)
    heights = _spread([(math.log(means[name]) - low) / (high - low) for name in names], 0.055)
    for name, height in zip(names, heights, strict=True):
        axes.annotate(
            TITLES[name],
            xy=(1.01, height),
            xycoords="axes fraction",
            color=STYLES[name][0],
            fontweight="bold",
            va="center",
        )


def draw(results: list[dict], path: Path) -> None:
    """Write the picture of some results, a panel for each."""
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(5.2 * len(results), 4.2), layout="constrained", facecolor="white")
        panels = figure.subplots(1, len(results), sharey=True, squeeze=False)[0]
        for axes, result in zip(panels, results, strict=True):
            _panel(axes, result)
        panels[0].set_ylabel("times as fast as the peer")
        for axes, result in zip(panels, results, strict=True):
            _label(axes, result)
        figure.savefig(path, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
