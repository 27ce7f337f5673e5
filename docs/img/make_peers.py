"""Draw docs/img/peers.svg from benchmarks/results: ratios to each peer against the width of the network.

Run ``python -m benchmarks.peers --write``, or ``python -m docs.img.make_peers``. It needs matplotlib.
"""

import json
from pathlib import Path

import matplotlib as mpl
from benchmarks.peers.report import count, geometric_mean, rivals
from benchmarks.peers.rivals import TITLES
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

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
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
}


def ratios_by_width(result: dict, name: str) -> dict[int, list[float]]:
    """Return the ratios to a peer by the units of the widest hidden layer, narrow networks first."""
    ratios: dict[int, list[float]] = {}
    for figures in sorted(result["workloads"], key=lambda figures: max(figures["sizes"][1:-1], default=1)):
        ratios.setdefault(max(figures["sizes"][1:-1], default=1), []).append(figures["peers"][name]["ratio"])
    return ratios


def _panel(axes: Axes, result: dict) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    widths: list[int] = []
    for name in rivals(result):
        color, marker = STYLES[name]
        ratios = ratios_by_width(result, name)
        widths = list(ratios)
        for width, values in ratios.items():
            axes.plot([width] * len(values), values, marker, color=color, markersize=5, alpha=0.55, markeredgewidth=0)
        axes.plot(widths, [geometric_mean(values) for values in ratios.values()], color=color, label=TITLES[name])
    axes.axhline(1, color=INK, linewidth=1)
    axes.set_title(count(result["threads"], "thread"), loc="left", fontweight="bold")
    axes.set_xlabel("units of the widest hidden layer")
    axes.xaxis.set_major_locator(FixedLocator(widths))
    axes.yaxis.set_major_locator(FixedLocator([0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500]))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter("{x:g}")
    axes.grid(color=GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def draw(results: list[dict], path: Path) -> None:
    """Write the picture of some results, a panel for each."""
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(5.2 * len(results), 4.2), layout="constrained", facecolor="white")
        panels = figure.subplots(1, len(results), sharey=True, squeeze=False)[0]
        for axes, result in zip(panels, results, strict=True):
            _panel(axes, result)
        panels[0].set_ylabel("times as fast as the peer")
        panels[-1].legend(frameon=False)
        figure.savefig(path, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))


if __name__ == "__main__":
    files = sorted((Path(__file__).parents[2] / "benchmarks" / "results").glob("peers-*-float32.json"))
    draw([json.loads(file.read_text(encoding="utf-8")) for file in files], Path(__file__).with_name("peers.svg"))
