"""The page of a machine: one self-contained file, without scripts, fonts or images to load."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from benchmarks.dashboard import charts, rules
from benchmarks.dashboard.charts import Line, chart, key_of
from benchmarks.dashboard.commits import Commit
from benchmarks.dashboard.history import FIT, History, speed_up, throughput
from benchmarks.dashboard.results import Key
from benchmarks.trainings import TRAININGS

_ROOFLINE, _PEERS = "step.Roofline.track_time_over_roofline", "peers.Step.track_time_over_peer"
_PEER_TITLES = {"sklearn": "scikit-learn", "torch": "PyTorch", "jax": "JAX"}
_KERNELS = {
    "GemmBiasRelu": "Dense layer with ReLU: relu(x w + b)",
    "GemmReluGrad": "Its gradients",
    "GemmUpdate": "Gradients and a step of Adam",
}
_KERNEL_CASE = "m200_k784_n100 float32"


class Card(NamedTuple):
    """A chart: its title, the benchmark of each line, the format of numbers, and the conversion of measured values."""

    title: str
    keys: dict[str, Key]
    label: Callable[[float], str]
    convert: Callable[[float], float] = float
    reference: float | None = None


def _threads(number: int) -> str:
    return "1 thread" if number == 1 else f"{number} threads"


def _by_threads(history: History, name: str, *params: str) -> dict[str, Key]:
    return {_threads(number): Key(name, params, number) for number in history.threads}


def _percent_more(ratio: float) -> str:
    return f"{100 * (ratio - 1):.0f} %"


def _inverse(value: float) -> float:
    return 1 / value


def _label_of(key: Key) -> Callable[[float], str]:
    if rules.is_time(key):
        return charts.duration
    return charts.megabytes if ".peakmem_" in key.benchmark else charts.times


def _anchor(key: Key) -> str:
    return re.sub(r"\W+", "-", key.full_name)


def lines_of(history: History, card: Card) -> list[Line]:
    """Return the lines of a card that have values."""
    return [
        line
        for (name, key), color in zip(card.keys.items(), ("c1", "c2", "c3"), strict=False)
        if (line := history.line(name, color, key, card.convert, card.label))
    ]


def _draw(history: History, card: Card, anchor: str = "") -> str:
    """Return a card, with a triangle at commits that made a benchmark slower; empty if there are no values."""
    lines = lines_of(history, card)
    if not lines:
        return ""
    points = {(line.name, point.place): point for line in lines for point in line.points}
    marks = [
        point._replace(text=f"{_percent_more(step.blamed)} slower: {point.text}")
        for name, key in card.keys.items()
        for step in history.confirmed
        if step.key == key and (point := points.get((name, history.place(step.first))))
    ]
    drawn = chart(card.title, lines, history.frame, card.label, reference=card.reference, marks=marks)
    return (
        f'<section class="card" id="{anchor}"><h3>{escape(card.title)}</h3>'
        f'<div class="key">{key_of(lines, card.label)}</div>{drawn}</section>'
    ).replace(' id=""', "", 1)


def throughput_cards(history: History) -> list[Card]:
    """Return the standard workloads, in samples per second."""
    return [
        Card(str(training.workload), _by_threads(history, FIT, network), charts.large, throughput(network))
        for network, training in TRAININGS.items()
    ]


def _roofline(history: History) -> list[Card]:
    return [
        Card(str(training.workload), _by_threads(history, _ROOFLINE, network), charts.percent, _inverse)
        for network, training in TRAININGS.items()
    ]


def _peers(history: History) -> list[Card]:
    cards = [
        Card(
            f"Training {TRAININGS[network].workload}, {_threads(number)}",
            {title: Key(_PEERS, (peer, network), number) for peer, title in _PEER_TITLES.items()},
            charts.times,
            _inverse,
            1.0,
        )
        for network in ("64-100-10", "784-256-256-10")
        for number in history.threads
    ]
    for what, title in (("fit", "MLPClassifier.fit"), ("predict", "MLPClassifier.predict_proba")):
        keys = _by_threads(history, f"estimators.Classifier.track_{what}_over_sklearn")
        cards.append(Card(f"{title}, compared with scikit-learn", keys, charts.times, _inverse, 1.0))
    return cards


def _kernels(history: History) -> list[Card]:
    return [
        Card(
            title,
            {way: Key(f"kernels.{kind}.time_{way}", (_KERNEL_CASE,), 1) for way in ("fused", "unfused", "numpy")},
            charts.duration,
        )
        for kind, title in _KERNELS.items()
    ]


def _processes(history: History) -> list[Card]:
    def named(kind: str, **names: str) -> dict[str, Key]:
        return {title.replace("_", " "): Key(f"{kind}_{name}", (), 1) for title, name in names.items()}

    start, peak = "startup.Process.timeraw", "memory.Process.peakmem"
    first = named(start, compiles="first_step_cold_cache", loads="first_step_warm_cache")
    return [
        Card("First step of a new process", first, charts.duration),
        Card("Import", named(start, import_fastbp="import", the_estimators="import_estimators"), charts.duration),
        Card("Peak memory", named(peak, fit="fit", predict="predict", reference="reference"), charts.megabytes),
    ]


def _machine(history: History) -> list[Card]:
    names = {"blas": "Product by NumPy", "memory": "Copying memory", "interpreter": "A loop of the interpreter"}
    return [
        Card(title, _by_threads(history, f"control.Machine.time_{name}"), charts.duration)
        for name, title in names.items()
    ]


_SPEED = {
    "Throughput": throughput_cards,
    "Fraction of the roofline": _roofline,
    "Compared with its peers": _peers,
}
_DETAILS = {
    "Kernels": _kernels,
    "Start and memory": _processes,
    "Is it the machine?": _machine,
}
_TEXTS = {
    "Throughput": """Samples per second in <code>MLP.fit</code> with Adam, float32: higher is better. The whole call
counts, with checks, initial weights and shuffling. Bands are 95 % confidence intervals of the median, triangles are
commits that made it slower, vertical lines are releases.""",
    "Fraction of the roofline": """The least time that arithmetic or memory would need, as this machine does both at the
same moment, over the measured time. Small networks are far from it: their steps take microseconds, and the rest of a
fit counts.""",
    "Compared with its peers": """How many times as fast as its peers fastbp is, measured alternately; at the broken
line both are equal. The versions of the peers are listed under <a href="#environments">environments</a>.""",
    "Kernels": f"Seconds of one call on one thread, {_KERNEL_CASE}: lower is better.",
    "Start and memory": """Lower is better. Memory includes interpreter, libraries and data: <i>reference</i> does
nothing with them.""",
    "Is it the machine?": """Nothing of fastbp runs here. Where these times are up, so is everything else, and the code
is not to blame.""",
}


def all_benchmarks(history: History) -> str:
    """Return the history of every benchmark as measured, in one collapsible group for each module."""
    groups: dict[str, list[str]] = {}
    for name, params in sorted({(key.benchmark, key.params) for key in history.series}):
        module, _, title = name.partition(".")
        keys = _by_threads(history, name, *params)
        first = next(iter(keys.values()))
        card = Card(f"{title} {', '.join(params)}", keys, _label_of(first))
        groups.setdefault(module, []).append(_draw(history, card, _anchor(first)))
    folded = "".join(
        f'<details><summary>{module}: {len(cards)}</summary><div class="cards">{"".join(cards)}</div></details>'
        for module, cards in groups.items()
    )
    return f'<h2>All benchmarks</h2><p class="quiet">As measured: lower is better everywhere.</p>{folded}'


def environments_section(log: Sequence[Sequence[str]]) -> str:
    """Return the log of machines, systems and packages."""
    heads = "".join(f"<th>{name}</th>" for name in ("date", "machine", "system", "Python and packages", "remarks"))
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in log)
    return (
        '<h2 id="environments">Environments</h2><p class="quiet">What explains a step in all charts at once.</p>'
        f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _commit_row(history: History, steps: Sequence[rules.Step]) -> str:
    """Return the row of a commit, with the widest range of commits that any number of threads leaves open."""
    step = max(steps, key=history.between)
    first = history.commit(step.first)
    text = f"<code>{first.short}</code> {escape(first.subject)} ({first.date})"
    others = history.between(step) - 1
    if others:
        text += f' <span class="quiet">or one of {others} unmeasured after <code>{step.last}</code></span>'
    return f'<tr class="commit"><td colspan="4">{text}</td></tr>'


def _step_row(steps: Sequence[rules.Step]) -> str:
    """Return the row of a benchmark, with the figures of the first step."""
    step = steps[0]
    label = _label_of(step.key)
    machine = f" (machine {_percent_more(step.machine)})" if step.machine > 1.02 else ""
    others = sorted(other.key.threads for other in steps[1:])
    threads = _threads(step.key.threads) + "".join(f", also {_threads(number)}" for number in others)
    return (
        f'<tr><td><a href="#{_anchor(step.key)}">{escape(step.key.full_name)}</a>, {threads}</td>'
        f'<td class="number bad">{_percent_more(step.ratio)}{machine}</td>'
        f'<td class="number">{label(step.before)} → {label(step.after)}</td>'
        f'<td class="number">{100 * step.threshold:.0f} %</td></tr>'
    )


def _alike(history: History) -> list[list[rules.Step]]:
    """Return the steps of each benchmark at each commit, whatever the number of threads, as one entry.

    The newest commit comes first, and for each commit the largest step. An entry begins with what the code did most.
    """
    alike: dict[tuple, list[rules.Step]] = {}
    for step in sorted(history.steps, key=lambda s: (-history.place(s.first), history.place(s.last), -s.blamed)):
        alike.setdefault((step.first, step.key.full_name), []).append(step)
    return [sorted(steps, key=lambda s: (s.by_code, s.confirmed, s.blamed), reverse=True) for steps in alike.values()]


def _steps_table(history: History, entries: Sequence[Sequence[rules.Step]]) -> str:
    rows, above = [], ""
    for steps in entries:
        commit = _commit_row(history, steps)
        rows.append((commit if commit != above else "") + _step_row(steps))
        above = commit
    heads = '<th>benchmark</th><th class="number">slower by</th><th class="number">from → to</th>'
    head = f'<tr>{heads}<th class="number">threshold</th></tr>'
    return f'<div class="scroll"><table class="steps"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table></div>'


def regressions_section(history: History) -> str:
    """Return what has become slower: because of the code, possibly because of it, and because of the machine."""
    text = "Benchmarks that became slower and stayed so, by more than their threshold and more than the machine."
    parts = [f'<h2 id="regressions">Regressions</h2><p class="quiet">{text}</p>{tiles(history)}']
    entries = _alike(history)
    confirmed = [steps for steps in entries if steps[0].by_code and steps[0].confirmed]
    parts.append(_steps_table(history, confirmed) if confirmed else "<p>None.</p>")
    for found, title in (
        ([s for s in entries if s[0].by_code and not s[0].confirmed], "slower in the newest commit, not yet confirmed"),
        ([s for s in entries if not s[0].by_code], "slower together with the machine"),
    ):
        if found:
            parts.append(f"<details><summary>{len(found)} {title}</summary>{_steps_table(history, found)}</details>")
    return "".join(parts)


def tiles(history: History) -> str:
    """Return the summary: a few figures."""
    blamed = {step.first for step in history.confirmed}
    shown = [
        (f"{len(history.measured)}", f"commits measured of {len(history.all_commits)}", ""),
        (str(len(blamed)), f"commit{'s' * (len(blamed) != 1)} that made something slower", "bad" if blamed else "good"),
    ]

    def since(commit: Commit, name: str) -> None:
        for number in history.threads:
            ratio = speed_up(history, commit, number)
            if not math.isnan(ratio) and commit != history.measured[-1]:
                shown.append((charts.times(ratio), f"as fast as {name}, {_threads(number)}", ""))

    first = history.measured[0]
    since(first, f"the first measured, {first.short}")
    releases = [commit for commit in history.measured if commit.release]
    if releases and releases[-1] != first:
        since(releases[-1], f"release {releases[-1].release}")
    noise = max(map(history.noise, history.threads))
    shown.append((f"±{100 * noise:.1f} %", "noise of the machine", ""))
    boxes = [f'<div class="tile"><b class="{kind}">{value}</b>{escape(text)}</div>' for value, text, kind in shown]
    return f'<div class="tiles">{"".join(boxes)}</div>'


def _sections(history: History, sections: Mapping[str, Callable[[History], list[Card]]]) -> Iterator[str]:
    """Yield the sections that have values."""
    for title, cards in sections.items():
        drawn = "".join(_draw(history, card) for card in cards(history))
        if drawn:
            yield f'<h2>{title}</h2><p class="quiet">{_TEXTS[title]}</p><div class="cards">{drawn}</div>'


def page(history: History, others: Sequence[tuple[str, str]], log: Sequence[Sequence[str]]) -> str:
    """Return the page of a machine; `others` has the names of other machines and the files of their pages."""
    newest = history.measured[-1]
    links = "".join(f' · <a href="{file}">{escape(name)}</a>' for name, file in others)
    body = [*_sections(history, _SPEED), regressions_section(history), *_sections(history, _DETAILS)]
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>fastbp: speed over its history</title>
<link rel="icon" href="data:,">
<style>
{Path(__file__).with_name("style.css").read_text(encoding="utf-8")}</style>
</head>
<body>
<header>
<h1>fastbp: speed over its history</h1>
<p>Newest: <code>{newest.short}</code> {escape(newest.subject)} ({newest.date}).
<span class="quiet">{escape(history.machine["cpu"])}, {escape(history.machine["num_cpu"])} CPUs{links}</span></p>
</header>
<main>
{"".join(body)}{all_benchmarks(history)}{environments_section(log)}
</main>
<footer>Point at a spot to see its commit, value and confidence interval. Everything here is made from
<code>benchmarks/results/asv</code> by <code>python -m benchmarks.dashboard publish</code>.</footer>
</body>
</html>
"""
