"""The front page: one file without a script, a font or a picture from elsewhere."""

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path

from benchmarks.dashboard import charts, rules
from benchmarks.dashboard.charts import Line, Point, chart, key
from benchmarks.dashboard.commits import Commit
from benchmarks.dashboard.history import FIT, History, relative, speed_up, throughput
from benchmarks.dashboard.results import Key
from benchmarks.trainings import TRAININGS

_COLORS = ("c1", "c2", "c3", "c4")
_PEERS = {"sklearn": "scikit-learn", "torch": "PyTorch", "jax": "JAX"}
_KERNELS = {
    "GemmBiasRelu": "Dense layer with ReLU: relu(x w + b)",
    "GemmReluGrad": "Its gradients",
    "GemmUpdate": "Gradients and a step of Adam",
}
_KERNEL_CASE = "m200_k784_n100 float32"


def _threads(number: int) -> str:
    return "1 thread" if number == 1 else f"{number} threads"


def _card(
    title: str,
    lines: Sequence[Line | None],
    history: History,
    label: Callable[[float], str],
    *,
    link: str,
    reference: float | None = None,
    marks: Sequence[Point] = (),
) -> str:
    """A chart with its title, its key and a way to asv's own page; nothing if there is nothing to draw."""
    drawn = [line for line in lines if line is not None]
    if not drawn:
        return ""
    return (
        f'<section class="card"><header><h3>{escape(title)}</h3><a href="asv/index.html#{link}">asv</a></header>'
        f'<div class="key">{key(drawn, label)}</div>'
        f"{chart(title, drawn, history.frame, label, reference=reference, marks=marks)}</section>"
    )


def _section(title: str, text: str, cards: Sequence[str]) -> str:
    if not any(cards):
        return ""
    return f'<h2>{title}</h2><p class="quiet">{text}</p><div class="cards">{"".join(cards)}</div>'


def _same(value: float) -> float:
    return value


def _inverse(value: float) -> float:
    return 1 / value


def _marks(history: History, name: str, params: tuple[str, ...], lines: Sequence[Line | None]) -> list[Point]:
    """Spots at the commits that have made a benchmark slower."""
    marks = []
    for threads, line in zip(history.threads, lines, strict=True):
        for step in history.steps:
            if line is not None and step.by_code and step.confirmed and step.key == Key(name, params, threads):
                place = history.measured.index(history.commit(step.first))
                point = next(p for p in line.points if p.place == place)
                marks.append(point._replace(text=f"{_percent_more(step.blamed)} slower: {point.text}"))
    return marks


def _percent_more(ratio: float) -> str:
    return f"{100 * (ratio - 1):.0f} %"


def _by_threads(
    history: History,
    name: str,
    params: tuple[str, ...],
    convert: Callable[[float], float],
    label: Callable[[float], str],
) -> list[Line | None]:
    """A line for each number of threads."""
    return [
        history.line(_threads(number), color, Key(name, params, number), convert, label)
        for number, color in zip(history.threads, _COLORS, strict=False)
    ]


def _by_names(
    history: History, names: Mapping[str, Key], convert: Callable[[float], float], label: Callable[[float], str]
) -> list[Line | None]:
    """A line for each thing that has a name."""
    return [
        history.line(name, color, key, convert, label)
        for (name, key), color in zip(names.items(), _COLORS, strict=False)
    ]


def throughput_lines(history: History, network: str) -> list[Line | None]:
    """Samples a second of a standard workload, a line for each number of threads."""
    return _by_threads(history, FIT, (network,), throughput(network), _samples)


def throughput_section(history: History) -> str:
    """Samples a second of every standard workload."""
    cards = []
    for network, training in TRAININGS.items():
        lines = throughput_lines(history, network)
        marks = _marks(history, FIT, (network,), lines)
        cards.append(_card(str(training.workload), lines, history, charts.large, link=FIT, marks=marks))
    text = (
        "Samples a second in <code>MLP.fit</code> with Adam, float32: higher is better. A call counts as a whole, with "
        "checks, initial weights and shuffling. The band holds the true median with 95 % certainty. Triangles are "
        "commits that have made it slower, upright lines are releases."
    )
    return _section("Throughput", text, cards)


def _samples(value: float) -> str:
    return f"{charts.large(value)} samples/s"


def roofline_section(history: History) -> str:
    """The roofline's time over that of a step."""
    name = "step.Roofline.track_time_over_roofline"
    cards = [
        _card(
            str(training.workload),
            _by_threads(history, name, (network,), _inverse, charts.percent),
            history,
            charts.percent,
            link=name,
        )
        for network, training in TRAININGS.items()
    ]
    text = (
        "What arithmetic or memory would take at least, as the machine does both at the same moment, over what the fit "
        "took. Small networks are far from it: they take microseconds for a step, and the rest of a fit counts too."
    )
    return _section("Fraction of the roofline", text, cards)


def peers_section(history: History) -> str:
    """Peers' times over fastbp's."""
    cards = []
    name = "peers.Step.track_time_over_peer"
    for network in ("64-100-10", "784-256-256-10"):
        for number in history.threads:
            peers = {title: Key(name, (peer, network), number) for peer, title in _PEERS.items()}
            lines = _by_names(history, peers, _inverse, charts.times)
            title = f"Training {TRAININGS[network].workload}, {_threads(number)}"
            cards.append(_card(title, lines, history, charts.times, link=name, reference=1.0))
    for what, title in (("fit", "MLPClassifier.fit"), ("predict", "MLPClassifier.predict_proba")):
        name = f"estimators.Classifier.track_{what}_over_sklearn"
        lines = _by_threads(history, name, (), _inverse, charts.times)
        cards.append(_card(f"{title}, beside scikit-learn", lines, history, charts.times, link=name, reference=1.0))
    text = (
        "How many times as fast as its peers fastbp is, in pairs of turns; the broken line is a draw. Peers' versions "
        "are in the log of environments: a step that only one of them makes may be its own."
    )
    return _section("Beside its peers", text, cards)


def kernels_section(history: History) -> str:
    """Fused, in parts, and by NumPy."""
    cards = []
    for kind, title in _KERNELS.items():
        ways = {way: Key(f"kernels.{kind}.time_{way}", (_KERNEL_CASE,), 1) for way in ("fused", "unfused", "numpy")}
        lines = _by_names(history, ways, _same, charts.duration)
        cards.append(_card(title, lines, history, charts.duration, link=f"kernels.{kind}.time_fused"))
    text = f"Seconds of one call on one thread, {_KERNEL_CASE}: lower is better."
    return _section("Kernels", text, cards)


def others_section(history: History) -> str:
    """What comes before the first step, and memory."""

    def process(kind: str, names: Mapping[str, str]) -> dict[str, Key]:
        return {title: Key(f"{kind}_{name}", (), 1) for name, title in names.items()}

    start = "startup.Process.timeraw"
    starts = process(start, {"first_step_cold_cache": "compiles", "first_step_warm_cache": "loads"})
    imports = process(start, {"import": "import fastbp", "import_estimators": "the estimators"})
    peaks = process("memory.Process.peakmem", {name: name for name in ("fit", "predict", "reference")})
    drawn = [
        *(_by_names(history, names, _same, charts.duration) for names in (starts, imports)),
        _by_names(history, peaks, _same, charts.megabytes),
    ]
    cards = [
        _card("First step of a new process", drawn[0], history, charts.duration, link="startup.Process"),
        _card("Import", drawn[1], history, charts.duration, link="startup.Process.timeraw_import"),
        _card("Peak of memory", drawn[2], history, charts.megabytes, link="memory.Process.peakmem_fit"),
    ]
    text = "Lower is better. Memory includes interpreter, libraries and data: <i>reference</i> does nothing with them."
    return _section("Start and memory", text, cards)


def control_section(history: History) -> str:
    """The machine's own speed."""
    cards = []
    for number in history.threads:
        lines = []
        names = {"time_blas": "NumPy's product", "time_memory": "copying", "time_interpreter": "interpreter"}
        for (name, title), color in zip(names.items(), _COLORS, strict=False):
            measured = Key(f"control.Machine.{name}", (), number)
            if measured in history.series:
                convert = relative(history.series[measured])
                lines.append(history.line(title, color, measured, convert, charts.times))
        title = f"{_threads(number)}: noise {100 * history.noise(number):.1f} %"
        cards.append(_card(title, lines, history, charts.times, link="control.Machine.time_blas", reference=1.0))
    text = (
        "No line of fastbp runs here. Times as multiples of their median: where these are up, everything is, and the "
        "code is not to blame. A benchmark counts as slower only beyond three times this noise."
    )
    return _section("Is it the machine?", text, cards)


def environments_section(log: Sequence[Sequence[str]]) -> str:
    """What results were measured with."""
    heads = "".join(f"<th>{name}</th>" for name in ("date", "machine", "system", "Python and packages", "remarks"))
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in log)
    return (
        '<h2 id="environments">Environments</h2><p class="quiet">A step in all graphs at once is explained here.</p>'
        f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _commit_row(history: History, step: rules.Step) -> str:
    """The commit above the benchmarks that it has made slower."""
    first = history.commit(step.first)
    text = f"<code>{first.short}</code> {escape(first.subject)} ({first.date})"
    between = history.between(step)
    if between > 1:
        text += f' <span class="quiet">or one of {between - 1} unmeasured after <code>{step.last}</code></span>'
    return f'<tr class="commit"><td colspan="4">{text}</td></tr>'


def _step_row(step: rules.Step) -> str:
    label = charts.duration if rules.is_time(step.key) else charts.large
    machine = f" (machine {_percent_more(step.machine)})" if step.machine > 1.02 else ""
    return (
        f'<tr><td><a href="asv/index.html#{step.key.benchmark}">{escape(step.key.full_name)}</a>, '
        f"{_threads(step.key.threads)}</td>"
        f'<td class="number bad">{_percent_more(step.ratio)}{machine}</td>'
        f'<td class="number">{label(step.before)} → {label(step.after)}</td>'
        f'<td class="number">{100 * step.threshold:.0f} %</td></tr>'
    )


def _steps_table(history: History, steps: Sequence[rules.Step]) -> str:
    """Newest commits first, and what they have slowed down most."""
    places = {commit.short: place for place, commit in enumerate(history.measured)}
    rows, above = [], ""
    for step in sorted(steps, key=lambda step: (-places[step.first], step.last, -step.blamed)):
        commit = _commit_row(history, step)
        rows.append((commit if commit != above else "") + _step_row(step))
        above = commit
    heads = '<th>benchmark</th><th class="number">slower by</th><th class="number">from → to</th>'
    head = f'<tr>{heads}<th class="number">threshold</th></tr>'
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table></div>'


def regressions_section(history: History) -> str:
    """What has become slower: by the code, and with the machine."""
    blamed = [step for step in history.steps if step.by_code and step.confirmed]
    open_ones = [step for step in history.steps if step.by_code and not step.confirmed]
    excused = [step for step in history.steps if not step.by_code]
    text = "Benchmarks that have become slower and have stayed so, by more than their threshold and than the machine."
    parts = [f'<h2 id="regressions">Regressions</h2><p class="quiet">{text}</p>']
    parts.append(_steps_table(history, blamed) if blamed else "<p>None.</p>")
    for steps, title in (
        (open_ones, "slower in the newest commit: the next that is measured will tell"),
        (excused, "slower together with the machine: not the code's"),
    ):
        if steps:
            parts.append(f"<details><summary>{len(steps)} {title}</summary>{_steps_table(history, steps)}</details>")
    return "".join(parts)


def tiles(history: History) -> str:
    """The few figures that everything else explains."""
    blamed = {step.first for step in history.steps if step.by_code and step.confirmed}
    first = history.measured[0]
    shown = [
        (f"{len(history.measured)}", f"commits measured of {len(history.all_commits)}", ""),
        (str(len(blamed)), f"commit{'s' * (len(blamed) != 1)} that made something slower", "bad" if blamed else "good"),
    ]

    def since(commit: Commit, name: str) -> None:
        for number in history.threads:
            ratio = speed_up(history, commit, number)
            if not math.isnan(ratio) and commit != history.measured[-1]:
                shown.append((charts.times(ratio), f"as fast as {name}, {_threads(number)}", ""))

    since(first, f"the first measured, {first.short}")
    releases = [commit for commit in history.measured if commit.release]
    if releases and releases[-1] != first:
        since(releases[-1], f"release {releases[-1].release}")
    shown.append((f"±{100 * max(map(history.noise, history.threads)):.1f} %", "noise of the machine", ""))
    boxes = [f'<div class="tile"><b class="{kind}">{value}</b>{escape(text)}</div>' for value, text, kind in shown]
    return f'<div class="tiles">{"".join(boxes)}</div>'


def page(history: History, others: Sequence[tuple[str, str]], log: Sequence[Sequence[str]]) -> str:
    """Return the page of a machine.

    Parameters
    ----------
    history : History
    others : sequence of (str, str)
        Names of other machines with the files of their pages.
    log : sequence of rows
        The log of environments.
    """
    newest = history.measured[-1]
    style = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    links = "".join(f' · <a href="{file}">{escape(name)}</a>' for name, file in others)
    sections = (
        regressions_section,
        throughput_section,
        roofline_section,
        peers_section,
        kernels_section,
        others_section,
        control_section,
    )
    body = "".join(section(history) for section in sections) + environments_section(log)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>fastbp: speed over its history</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
</head>
<body>
<header>
<h1>fastbp: speed over its history</h1>
<p>Newest: <code>{newest.short}</code> {escape(newest.subject)} ({newest.date}).
<span class="quiet">{escape(history.machine["cpu"])}, {escape(history.machine["num_cpu"])} CPUs{links}</span><br>
<a href="asv/index.html">All benchmarks in asv's own pages</a> ·
<a href="asv/index.html#regressions">asv's list of regressions</a></p>
{tiles(history)}
</header>
<main>
{body}
</main>
<footer>Point at a spot to see its commit, value and band. Everything here is made from
<code>benchmarks/results/asv</code> by <code>python -m benchmarks.dashboard publish</code>.</footer>
</body>
</html>
"""
