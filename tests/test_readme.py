"""README and docs: their programs print what they say, their commands exist, their links and names lead somewhere."""

import contextlib
import importlib.util
import io
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *PAGES]
# The programs of these pages are run by other tests.
TESTED_ELSEWHERE = {
    "migrating.md": "tests/test_migrating.py",
    "patching.md": "tests/patching/test_patching.py",
    "persistence.md": "tests/interop/test_documents.py",
}
COMMAND_LINE = "command-line.md"


def blocks(language, text=README):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def marked(name):
    found = re.search(rf"<!-- {name} -->\n```sh\n(.*?)```\n<!-- /{name} -->", README, re.DOTALL)
    assert found, f"README has no block marked {name!r}"
    return found.group(1).splitlines()


def run(program, page):
    """Run a program; it must print what the comments after its calls of print say."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program, page, "exec"), {"__name__": "page"})
    promised = re.findall(r"^ *print\(.*\)  # (.*)$", program, re.MULTILINE)
    assert printed.getvalue().splitlines() == promised != []


PROGRAMS = [
    (path.name, program)
    for path in (ROOT / "README.md", *PAGES)
    if path.name not in (*TESTED_ELSEWHERE, COMMAND_LINE)
    for program in blocks("python", path.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize(("page", "program"), PROGRAMS, ids=[page for page, _ in PROGRAMS])
def test_programs_print_what_they_say(page, program, tmp_path, monkeypatch):
    if "safetensors" in program:
        pytest.importorskip("safetensors")
    monkeypatch.chdir(tmp_path)
    run(program, page)


def test_all_other_programs_are_tested_elsewhere():
    for page, test in TESTED_ELSEWHERE.items():
        assert page in (ROOT / test).read_text(encoding="utf-8")


def check_output(promised, shown):
    """See that a program shows what a page promises; scores and sizes may differ by a little between processors."""
    lines = [line.rstrip() for line in shown.splitlines()]
    for line in promised.splitlines():
        if re.search(r"\d\.\d{4} |\d kB", line):
            name, *values = re.split(r" {2,}| \(", line)
            (found,) = [other for other in lines if re.match(rf"{re.escape(name)}(  | \()", other)][:1]
            for value, other in zip(values, re.split(r" {2,}| \(", found)[1:], strict=True):
                assert float(value.split()[0]) == pytest.approx(float(other.split()[0]), abs=0.02, rel=0.02)
        elif line != "...":
            assert line in lines


def test_the_page_of_the_command_line_can_be_followed(tmp_path, monkeypatch):
    pytest.importorskip("click")
    from click.testing import CliRunner

    from fastbp.cli._app import app

    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / COMMAND_LINE).read_text(encoding="utf-8")
    shown = ""
    for line in "\n".join(blocks("sh", text)[:2]).splitlines():
        command, _, out = line.partition(" > ")
        done = CliRunner().invoke(app, shlex.split(command)[1:])
        assert done.exit_code == 0, done.output
        if out:
            Path(out).write_text(done.stdout, encoding="utf-8")
        shown += done.output
    assert Path("predictions.csv").exists()
    output = re.search(r"^```\n(people\.csv: .*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert output
    check_output(output.group(1), shown)
    accuracies = re.search(r"^accuracy +(\S+) +(\S+)$", output.group(1), re.MULTILINE)
    assert accuracies
    model, constant = (f"{float(value):.2f}" for value in accuracies.groups())
    assert f"accuracy {model} (always '<=50K': {constant})" in README
    (program,) = blocks("python", text)
    run(program, COMMAND_LINE)


def test_readme_is_short_and_begins_with_a_program():
    lines = README.splitlines()
    assert len(lines) <= 150
    assert "```python" in lines[:25]


def test_the_number_in_readme_is_the_measured_one():
    results = (ROOT / "docs/results.md").read_text(encoding="utf-8")
    (mean, *_) = re.findall(r"^\| geometric mean \|[ |]*\*\*([\d.]+)\*\*", results, re.MULTILINE)
    assert f"**{float(mean):.1f} times as fast** on one thread" in README


def test_commands_are_in_the_makefile():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert marked("commands") == ["make demo", "make test"]
    for line in marked("commands"):
        assert re.search(rf"^{line.split()[1]}:", makefile, re.MULTILINE)
    for line in marked("by hand"):
        arguments = line.partition("#")[0].removeprefix("pip install").strip()
        assert f"pip install {arguments}\n" in makefile


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_of_the_command_line_exist(path):
    pytest.importorskip("click")
    from fastbp.cli._app import app

    text = path.read_text(encoding="utf-8")
    for line in "\n".join(blocks("sh", text)).splitlines():
        words = line.partition("#")[0].split()
        if words[:1] == ["fastbp"]:
            known = {name for option in app.commands[words[1]].params for name in option.opts}
            assert {word for word in words if word.startswith("--")} <= known, line


def anchors(page):
    """Names of a page's headings, as links refer to them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([\w-]+))?\)", text):
        page = path.parent / target if target else path
        assert page.exists(), f"{path.name} links to {target}"
        assert not anchor or anchor in anchors(page), f"{path.name} links to {target}#{anchor}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_files_and_tests_that_are_named_exist(path):
    text = path.read_text(encoding="utf-8")
    for target, test in re.findall(r"`((?:src|tests|docs|benchmarks)/[\w./]+)(?:::(\w+))?`", text):
        assert (ROOT / target).exists(), f"{path.name} names {target}"
        if test:
            assert f"def {test}(" in (ROOT / target).read_text(encoding="utf-8"), f"{path.name} names {test}"


def test_the_picture_is_what_its_program_draws(tmp_path):
    script = ROOT / "docs" / "img" / "make_step.py"
    spec = importlib.util.spec_from_file_location("make_step", tmp_path / script.name)
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(tmp_path / script.name)
    exec(compile(script.read_text(encoding="utf-8"), str(script), "exec"), vars(module))
    module.main()
    drawn, kept = (folder / "step.svg" for folder in (tmp_path, script.parent))
    assert drawn.read_text(encoding="utf-8") == kept.read_text(encoding="utf-8")


DEVIATIONS = re.findall(r"`(tests/\S+?)::(test_\w+)`", (ROOT / "docs/deviations.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("path", "name"), DEVIATIONS, ids=lambda part: part.rpartition("/")[2])
def test_every_deviation_is_pinned(path, name):
    assert re.search(rf"^def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)


def test_every_row_of_deviations_names_its_test():
    text = (ROOT / "docs/deviations.md").read_text(encoding="utf-8")
    rows = [
        line for line in text.splitlines() if line.startswith("|") and not line.startswith(("|---", "| in ", "| what "))
    ]
    assert len(rows) > 30
    assert all(re.search(r"`tests/\S+::test_\w+`", row) for row in rows)
