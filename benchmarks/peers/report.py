"""Results as JSON, as lines for a terminal and as the tables in docs/results.md."""

import datetime
import json
import math
import platform
import re
from importlib.metadata import version
from pathlib import Path

from benchmarks.common import Workload
from benchmarks.documents import markdown_table, slug
from benchmarks.peers.rivals import TITLES
from fastbp.machine import describe

SCHEMA = 1
BEGIN, END = "<!-- peers -->", "<!-- /peers -->"
PICTURE = "![Ratios to each peer against the width of the network](img/peers.svg)"


def header(threads: int, dtype: str, versions: dict[str, str], missing: dict[str, str]) -> dict:
    """Return what is saved with the figures: date, machine and versions."""
    machine = describe()
    return {
        "schema": SCHEMA,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        **{key: machine[key] for key in ("cpu", "llvm_cpu", "instruction_set")},
        "threads": threads,
        "dtype": dtype,
        "versions": versions | {"python": platform.python_version()} | {p: version(p) for p in ("numpy", "numba")},
        "missing": missing,
        "workloads": [],
    }


def rounded(value: object) -> object:
    """Return the same with every float rounded to four significant digits: more would be noise."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def save(result: dict, folder: Path) -> Path:
    """Write a result into a folder; returns the file, which is named after the processor."""
    cpu = slug(f"{result['cpu']} {result['llvm_cpu']}")
    path = folder / f"peers-{cpu}-{result['threads']}-threads-{result['dtype']}.json"
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1)
    text = re.sub(r"\[[^\[\]{}\"]*\]", lambda found: " ".join(found.group().split()), text)  # numbers in one line
    path.write_text(text + "\n", encoding="utf-8")
    return path


def count(number: int, noun: str) -> str:
    """Return "1 thread" or "2 threads"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def digits(value: float) -> str:
    """Return a number with three significant digits, or more if its integer part is longer."""
    return f"{value:,.{max(0, 2 - math.floor(math.log10(value)))}f}"


def lines(figures: dict) -> str:
    """Return the figures of a workload for a terminal."""
    workload = Workload(tuple(figures["sizes"]), figures["batch"])
    machine = f"{figures['peak_gflops']:.0f} GFLOP/s, {figures['bandwidth_gbytes']:.0f} Gbyte/s"
    taken = f"{count(figures['rounds'], 'round')} of {count(figures['steps'], 'step')}"
    rows = [f"{workload}: roofline {digits(figures['roofline_us'])} us a step ({machine}); {taken}"]
    for name, peer in figures["peers"].items():
        row = (
            f"  {TITLES[name]:13} {count(peer['threads'], 'thread'):9} {digits(peer['us']):>10} us "
            f"{digits(peer['gflops']):>7} GFLOP/s {peer['of_roofline']:6.1%} of roofline"
        )
        if "ratio" in peer:
            row += f"   fastbp is {digits(peer['ratio'])} times as fast, at worst {digits(peer['ratio_worst'])}"
        rows.append(row)
    return "\n".join(rows)


def rivals(result: dict) -> list[str]:
    """Return the names of the peers that were timed with fastbp."""
    return [name for name in TITLES if any("ratio" in w["peers"].get(name, {}) for w in result["workloads"])]


def ratios(result: dict, name: str) -> list[float]:
    """Return the speed-up of fastbp over a peer, for each workload."""
    return [figures["peers"][name]["ratio"] for figures in result["workloads"]]


def geometric_mean(values: list[float]) -> float:
    """Return the geometric mean."""
    return math.exp(sum(map(math.log, values)) / len(values))


def summary(result: dict) -> str:
    """Return a line for each peer: the mean and the lowest of the ratios over the workloads."""
    return "\n".join(
        f"{count(result['threads'], 'thread')}, {TITLES[name]}: geometric mean "
        f"{digits(geometric_mean(ratios(result, name)))}, lowest {digits(min(ratios(result, name)))}"
        for name in rivals(result)
    )


def table(result: dict) -> str:
    """Return a result as a table in Markdown."""
    names = rivals(result)
    rows = []
    for figures in result["workloads"]:
        ours, theirs = figures["peers"]["fastbp"], [figures["peers"][name] for name in names]
        network = ["-".join(map(str, figures["sizes"])), str(figures["batch"])]
        speed = [digits(ours["us"]), digits(ours["gflops"]), f"{100 * ours['of_roofline']:.0f} %"]
        rows.append(
            [*network, *speed, *(f"{digits(peer['ratio'])} ({digits(peer['ratio_worst'])})" for peer in theirs)]
        )
    for title, over_all in (("geometric mean", geometric_mean), ("lowest", min)):
        rows.append([title, *[""] * 4, *(f"**{digits(over_all(ratios(result, name)))}**" for name in names)])
    return markdown_table(
        ["network", "batch", "µs a step", "GFLOP/s", "of roofline", *(TITLES[name] for name in names)], rows
    )


def caption(result: dict) -> str:
    """Return the date, machine and versions of a table."""
    versions = ", ".join(f"{TITLES[name]} {result['versions'][name]}" for name in TITLES if name in result["versions"])
    text = (
        f"{count(result['threads'], 'thread')}, {result['dtype']}, {result['cpu']} ({result['llvm_cpu']}), "
        f"{result['date']}; {versions}."
    )
    return text + "".join(f" Without {TITLES[name]}: {reason}." for name, reason in result["missing"].items())


def section(results: list[dict]) -> str:
    """Return the text between the marks in docs/results.md."""
    parts = [f"{caption(result)}\n\n{table(result)}" for result in results]
    return "\n\n".join([PICTURE, *parts])
