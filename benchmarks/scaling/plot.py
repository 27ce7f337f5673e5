"""The picture: predicted speed-up against cores, a panel for each workload."""

import math
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmarks.peers.plot import GRID, SETTINGS
from benchmarks.scaling.model import CORES
from benchmarks.scaling.report import TITLES, Costs, Prediction, predictions

LINE, MEASURED, HELD, IDEAL = "#0072b2", "#d55e00", "#6a3d9a", "#8a96a3"
COLUMNS = 3


def _panel(axes: Axes, costs: Costs, said: Prediction, threads: int) -> None:
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.plot(CORES, CORES, "--", color=IDEAL, linewidth=1.2, label="ideal")
    axes.plot(CORES, said.speedups, "-o", color=LINE, linewidth=2, markersize=3.5, label="predicted")
    axes.plot(
        [threads],
        [costs.speedup],
        "D",
        color=MEASURED,
        markersize=7,
        markerfacecolor="none",
        markeredgewidth=1.8,
        label="measured",
    )
    if said.saturates is not None:
        axes.axvline(said.saturates, color=HELD, linewidth=1.4, linestyle=":", label="no longer worth more cores")
    until = f"more than {CORES[-1]}" if said.saturates is None else f"{said.saturates}, then {TITLES[said.cause]}"
    box = {"facecolor": "white", "edgecolor": "none", "pad": 2}
    axes.text(0.05, 0.96, until, transform=axes.transAxes, color=HELD, fontweight="bold", va="top", bbox=box)
    axes.set_title(str(costs.workload), loc="left", fontsize=10.5, fontweight="bold")
    axes.set_ylim(0.5, 90)
    axes.set_xlim(0.85, 80)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(FixedLocator(CORES))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(color=GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def draw(result: dict, path: Path) -> None:
    """Write the picture of some costs."""
    found = predictions(result)
    lines = math.ceil(len(found) / COLUMNS)
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(11, 0.6 + 2.9 * lines), layout="constrained", facecolor="white")
        panels = figure.subplots(lines, COLUMNS, sharex=True, sharey=True, squeeze=False)
        for axes in panels.flat[len(found) :]:
            axes.set_axis_off()
        for axes, (costs, said) in zip(panels.flat, found, strict=False):
            _panel(axes, costs, said, result["threads"])
        for axes in panels[-1]:
            axes.set_xlabel("cores")
        for axes in panels[:, 0]:
            axes.set_ylabel("speed-up")
        handles = {}
        for axes in panels.flat:
            lines_of, labels = axes.get_legend_handles_labels()
            handles |= dict(zip(labels, lines_of, strict=True))
        figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=len(handles), frameon=False)
        figure.savefig(path, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
