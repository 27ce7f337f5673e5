"""Draw docs/img/scaling.svg from the saved costs: python -m docs.img.make_scaling (needs matplotlib)."""

import json
import math
from pathlib import Path

import matplotlib as mpl
from benchmarks.scaling import CORES, COSTS, limit, load_costs, speedups
from docs.img.make_peers import GRID, SETTINGS
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator


def draw(result: dict, path: Path) -> None:
    """Write the picture: predicted speed-up against cores, a panel for each workload."""
    workloads = load_costs(result)
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(11, 9.3), layout="constrained", facecolor="white")
        panels = figure.subplots(math.ceil(len(workloads) / 3), 3, sharex=True, sharey=True, squeeze=False)
        for axes, costs in zip(panels.flat, workloads, strict=True):
            axes.set_xscale("log", base=2)
            axes.set_yscale("log", base=2)
            axes.plot(CORES, CORES, "--", color="#8a96a3", linewidth=1.2, label="ideal")
            gains = speedups(result["machine"], costs)
            axes.plot(
                CORES, list(gains.values()), "-o", color="#0072b2", linewidth=2, markersize=3.5, label="predicted"
            )
            measured = costs.measured[0] / costs.measured[1]
            axes.plot([2], [measured], "D", color="#d55e00", fillstyle="none", markeredgewidth=1.8, label="measured")
            until, held = limit(result["machine"], costs)
            text = f"more than {CORES[-1]}" if until is None else f"{until}, then {held}"
            axes.text(0.05, 0.96, text, transform=axes.transAxes, color="#6a3d9a", fontweight="bold", va="top")
            axes.axvline(
                until or 1000, color="#6a3d9a", linewidth=1.4, linestyle=":", label="more cores are not worth it"
            )
            axes.set_title(f"{costs.name}, batch {costs.batch}", loc="left", fontsize=10.5, fontweight="bold")
            axes.set(xlim=(0.85, 80), ylim=(0.5, 90))
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_locator(FixedLocator(CORES))
                axis.set_minor_locator(NullLocator())
                axis.set_major_formatter("{x:g}")
            axes.grid(color=GRID)
            axes.set_axisbelow(True)
            axes.spines[["top", "right"]].set_visible(False)
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
        figure.supxlabel("cores")
        figure.supylabel("speed-up")
        figure.savefig(path, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))


if __name__ == "__main__":
    draw(json.loads(COSTS.read_text(encoding="utf-8")), Path(__file__).with_name("scaling.svg"))
