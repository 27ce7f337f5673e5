"""The pages: a planted slow-down appears with its commit, nothing external is loaded, and a browser draws them."""

import itertools
import json
import re
from html.parser import HTMLParser

import pytest
from benchmarks.dashboard import charts
from benchmarks.dashboard.commits import Commit
from benchmarks.dashboard.history import FIT, History
from benchmarks.dashboard.page import regressions_section
from benchmarks.dashboard.results import Key, Value
from benchmarks.dashboard.rules import Step
from benchmarks.trainings import TRAININGS

from support import browser
from support.asv_tree import discover, make_tree, publish, write_results

pytest.importorskip("asv")
needs_browser = pytest.mark.skipif(browser.find_browser() is None, reason="there is no Chromium")

SUBJECTS = [
    "Begin",
    "Release 0.1.0",
    "Change a little",
    "Change more",
    "Be careless",  # the kernels and one fit take a fifth longer from here on
    "Go on",
    "Release 0.2.0",
    "Meet a slow machine",  # everything takes a quarter longer, the control too
    "Stay on it",
    "Measure the control badly",  # it alone takes a fifth longer
    "Do so again",
    "End",
]
CARELESS, MACHINE, CONTROL = 4, 7, 9
SLOWED = ("kernels.GemmUpdate.time_fused", "step.Adam.time_fit(64-100-10)")


def slowness(place, name, threads):
    """How many times as long a benchmark takes at a commit."""
    time = ".time" in name
    slow = 1.2 if place >= CARELESS and name.startswith(SLOWED) else 1.0
    slow *= 1.25 if place in (MACHINE, MACHINE + 1) and time else 1.0
    return slow * (1.2 if place in (CONTROL, CONTROL + 1) and name.startswith("control.") else 1.0)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The page's path, and the commits' hashes."""
    tree = tmp_path_factory.mktemp("tree")
    hashes = make_tree(tree, SUBJECTS)
    write_results(tree, discover(tree), hashes, slowness)
    return publish(tree), hashes


def blamed(page):
    """Return the short hashes of the commits that a page blames."""
    section = regressions_of(page).partition("<details>")[0]
    return set(re.findall(r'<tr class="commit"><td colspan="4"><code>(\w+)</code>', section))


def regressions_of(page):
    """Return the section of the regressions, with what is folded."""
    return page.partition('<h2 id="regressions">')[2].partition("<h2")[0]


def text_of(published):
    return published[0].read_text(encoding="utf-8")


def test_the_planted_commit_is_named_and_no_other(published):
    page, hashes = text_of(published), published[1]
    assert blamed(page) == {hashes[CARELESS][:8]}
    table = regressions_of(page).partition("<details>")[0]
    listed = re.findall(r">([\w.]+(?:\([^<]*\))?)</a>, ([^<]*)<", table)
    kernels = [
        f"kernels.GemmUpdate.time_fused({case})" for case in ("m128_k256_n256 float64", "m512_k512_n512 float32")
    ]
    rows = dict(listed)
    assert {"step.Adam.time_fit(64-100-10)", *kernels} <= set(rows)
    assert len(rows) == len(listed), "a benchmark is listed more than once"
    assert {rows[name] for name in kernels} <= {"1 thread, also 2 threads", "2 threads, also 1 thread"}
    assert "Be careless" in table


def test_throughput_comes_first_and_regressions_after_the_peers(published):
    page = text_of(published)
    titles = re.findall(r"<h2[^>]*>([^<]*)</h2>", page)
    assert titles[:4] == ["Throughput", "Fraction of the roofline", "Compared with its peers", "Regressions"]
    assert page.index("<h2>Throughput") < page.index("<svg") < page.index('class="tile')
    assert page.partition("<main>")[2].lstrip().startswith("<h2>Throughput")


def test_comparisons_are_no_regressions(tmp_path):
    """Only the control, NumPy and the unfused kernels become slower: nothing is listed, not even as excused."""
    tree = tmp_path
    hashes = make_tree(tree, SUBJECTS)

    def slowness(place, name, threads):
        return 2.0 if place >= CARELESS and re.search(r"^control\.|_unfused|_numpy|_reference", name) else 1.0

    write_results(tree, discover(tree), hashes, slowness)
    section = regressions_of(publish(tree).read_text(encoding="utf-8"))
    assert "<p>None.</p>" in section
    assert "<td" not in section


def section_with(*steps):
    """Return the section of regressions of a history that has these steps."""
    commits = [Commit(f"{number}" * 40, f"Change {number}", "2026-01-01") for number in range(4)]
    series = {Key(FIT, ("64-100-10",), threads): {c.short: Value(1.0) for c in commits} for threads in (1, 2)}
    return regressions_section(History({}, commits, commits, series, list(steps)))


def fit_step(threads, last, first, after):
    return Step(Key(FIT, ("64-100-10",), threads), f"{last}" * 8, f"{first}" * 8, 1.0, after, 1.0, 0.1, confirmed=True)


def test_a_benchmark_that_was_last_fast_at_two_commits_is_listed_once():
    section = section_with(fit_step(1, 1, 2, 1.5), fit_step(2, 0, 2, 1.3))
    assert section.count("<a ") == section.count('<tr class="commit">') == 1
    assert "1 thread, also 2 threads" in section
    assert "one of 1 unmeasured after <code>00000000</code>" in section


@pytest.mark.parametrize("doubt", [{"machine": 1.6}, {"threshold": 0.9}, {"confirmed": False}])
def test_a_benchmark_that_the_code_slowed_is_not_listed_again_below(doubt):
    """On two threads it is not sure that the code did it; the figures are those of the sure case."""
    section = section_with(fit_step(1, 1, 2, 1.5), fit_step(2, 1, 2, 1.7)._replace(**doubt))
    assert section.count("<a ") == 1
    assert "1 thread, also 2 threads" in section
    assert '<td class="number bad">50 %</td>' in section
    assert "<details>" not in section


def test_two_regressions_of_a_benchmark_are_two():
    section = section_with(fit_step(1, 0, 1, 1.5), fit_step(1, 1, 2, 1.3))
    assert section.count("<a ") == section.count('<tr class="commit">') == 2


def test_summaries_count_what_they_unfold(published):
    folded = re.findall(r"<summary>(\d+) slower[^<]*</summary>(.*?)</details>", regressions_of(text_of(published)))
    assert folded
    assert [int(number) for number, _ in folded] == [table.count("<a ") for _, table in folded]


def test_what_the_machine_did_is_excused(published):
    page, hashes = text_of(published), published[1]
    excused = page.partition("<details>")[2].partition("</details>")[0]
    assert hashes[MACHINE][:8] in excused
    assert "step.Adam.time_fit(784-256-256-10)" in excused
    assert hashes[CONTROL][:8] not in excused
    assert "control." not in excused


class Addresses(HTMLParser):
    """Everything that a page loads or links to."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded, self.linked, self.tags = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "srcset", "data"):
                (self.linked if tag == "a" else self.loaded).append(value)


def test_the_page_is_one_file_without_scripts(published):
    page = Addresses()
    page.feed(text_of(published))
    assert page.loaded == ["data:,"]
    assert "script" not in page.tags
    assert "url(" not in text_of(published)
    for link in page.linked:
        assert link.startswith("#"), link
        assert f'id="{link[1:]}"' in text_of(published), link


def test_every_benchmark_has_its_chart_and_releases_are_marked(published):
    text, tree = text_of(published), published[0].parents[2]
    listed = json.loads((tree / "benchmarks" / "results" / "asv" / "benchmarks.json").read_text())
    charts = text.partition("<h2>All benchmarks</h2>")[2]
    for name, benchmark in listed.items():
        if name != "version":
            for params in itertools.product(*benchmark["params"]):
                title = f"{name.partition('.')[2]} {', '.join(param.strip(chr(39)) for param in params)}"
                assert f"<h3>{title}</h3>" in charts, title
    for training in TRAININGS.values():
        assert text.count(f"<h3>{training.workload}</h3>") == 2, training.workload
    assert text.count(">0.1.0</text>") == text.count(">0.2.0</text>") == text.count("<svg")


def test_names_of_releases_do_not_lie_on_each_other():
    line = charts.Line("fit", "c1", [charts.Point(place, 1.0, 1.0, 1.0, "") for place in range(14)])
    chart = charts.chart("a chart", [line], charts.Frame(14, {3: "0.1.0", 12: "0.3.0", 13: "0.4.0"}, ("a", "b")), str)
    assert re.findall(r">(0\.\d\.0)<", chart) == ["0.4.0", "0.1.0"]
    assert chart.count('class="release"') == 3


def test_labels():
    assert [charts.large(v) for v in (0, 0.5, 999, 1234, 1.2e6, 3.45e9)] == [
        "0",
        "0.500",
        "999",
        "1.23 k",
        "1.20 M",
        "3.45 G",
    ]
    assert [charts.duration(v) for v in (0, 2.5, 0.0123, 4.5e-6, 7e-9)] == [
        "0",
        "2.50 s",
        "12.3 ms",
        "4.50 µs",
        "7.00 ns",
    ]


@pytest.mark.parametrize("top", [0.011, 0.9, 1.0, 3.3, 7, 99, 123456.0])
def test_ticks_are_few_and_round(top):
    marks = charts.ticks(top)
    assert marks[0] == 0
    assert 3 <= len(marks) <= 7
    assert marks[-1] <= top * (1 + 1e-9)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    """A browser for all tests of this file."""
    with browser.started(tmp_path_factory.mktemp("browser")) as running:
        yield running


def assert_quiet(visit):
    assert not visit.errors
    assert all(address.startswith(("file:", "data:")) for address in visit.requests), visit.requests


SHAPES = """
[...document.querySelectorAll('svg.chart')].filter(svg => svg.checkVisibility()).map(svg => {
  const box = svg.getBoundingClientRect();
  const inside = [...svg.querySelectorAll('.line, .spot')].map(e => e.getBoundingClientRect());
  const drawn = svg.querySelectorAll('.line').length > 0 && box.width > 150 && box.height > 80;
  const within = r => r.left >= box.left && r.right <= box.right && r.top >= box.top && r.bottom <= box.bottom;
  return drawn && inside.every(within);
})
"""
SMALLEST = """
Math.min(...[...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && e.tagName !== 'title' &&
  [...e.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.textContent.trim())).map(e => {
  const svg = e.closest('svg'), scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
  return scale * parseFloat(getComputedStyle(e).fontSize);
}))
"""
CUT_OFF = """
[...document.querySelectorAll('td, h3, .key, .tile, svg text')].filter(e => e.checkVisibility()).filter(e => {
  const box = e.getBoundingClientRect();
  return e.scrollWidth > e.clientWidth + 1 && !e.closest('svg') || box.left < 0 || box.right > innerWidth;
}).map(e => e.textContent)
"""
LABELS_ON_EACH_OTHER = """
[...document.querySelectorAll('svg.chart')].filter(svg => svg.checkVisibility()).flatMap(svg => {
  const labels = [...svg.querySelectorAll('text')].map(e => [e.textContent, e.getBoundingClientRect()]);
  return labels.flatMap(([a, p], i) => labels.slice(i + 1).filter(([b, q]) =>
    p.left < q.right && q.left < p.right && p.top < q.bottom && q.top < p.bottom).map(([b, q]) => `${a}, ${b}`));
})
"""
BRIGHTNESS = "getComputedStyle(document.body).{}.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0)"


@needs_browser
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_draws_every_chart(chromium, published, width, dark):
    chromium.look(width, 900, dark=dark)
    assert_quiet(chromium.visit(published[0].as_uri()))
    drawn = chromium.ask(SHAPES)
    assert len(drawn) > 25
    assert all(drawn)
    assert chromium.ask("document.documentElement.scrollWidth") <= width, "it has to be scrolled sideways"
    background, text = (chromium.ask(BRIGHTNESS.format(name)) for name in ("backgroundColor", "color"))
    assert (background < text) == dark
    assert abs(background - text) > 450, "hard to read"


@needs_browser
@pytest.mark.parametrize("width", [1280, 390])
def test_everything_can_be_read(chromium, published, width):
    """Also what is folded: nothing is tiny, cut off, or has to be scrolled to, and labels keep apart."""
    chromium.look(width, 900)
    chromium.visit(published[0].as_uri())
    chromium.ask("document.querySelectorAll('details').forEach(details => details.open = true)")
    assert chromium.ask("document.documentElement.scrollWidth") <= width
    assert chromium.ask(SMALLEST) >= 11
    assert not chromium.ask(CUT_OFF)
    assert not chromium.ask(LABELS_ON_EACH_OTHER)


@needs_browser
def test_a_narrow_table_has_no_heads_but_names_the_threshold(chromium, published):
    chromium.look(390, 900)
    chromium.visit(published[0].as_uri())
    assert not chromium.ask("document.querySelector('thead').checkVisibility()")
    cell = "document.querySelector('.steps td:nth-child(4)')"
    assert chromium.ask(f"{cell}.checkVisibility()")
    assert "threshold" in chromium.ask(f"getComputedStyle({cell}, '::before').content")


@needs_browser
def test_a_link_in_the_table_of_regressions_unfolds_the_chart(chromium, published):
    chromium.look(1280, 900)
    address = re.search(r'<td><a href="(#[^"]+)"', text_of(published)).group(1)
    shown = f"document.getElementById('{address[1:]}').checkVisibility()"
    chromium.visit(published[0].as_uri())
    assert not chromium.ask(shown)
    chromium.visit(f"{published[0].as_uri()}{address}", shown)


@needs_browser
def test_the_picture_is_drawn(chromium, published):
    chromium.look(1280, 900)
    picture = published[0].parents[2] / "docs" / "img" / "history.svg"
    assert_quiet(chromium.visit(picture.as_uri()))
    assert chromium.ask("document.querySelectorAll('svg.chart .line').length") == 2 * len(TRAININGS)
    assert "var(" in picture.read_text()
    assert not re.search(r"(?:href|src)=", picture.read_text())


@needs_browser
def test_the_browser_would_notice_a_fault(chromium, tmp_path):
    """Of a page that asks another host, and has a script that fails."""
    page = tmp_path / "bad.html"
    page.write_text("<img src='https://example.invalid/x.png'><script>nowhere()</script>")
    visit = chromium.visit(page.as_uri())
    assert any("example.invalid" in address for address in visit.requests)
    assert any("nowhere" in error for error in visit.errors)
