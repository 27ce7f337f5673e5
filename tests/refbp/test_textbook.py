"""The pages in docs/textbook: their programs print what they say, and what they name and show exists."""

import ast
import doctest
import inspect
import pkgutil
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "textbook"
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.md"))}
INDEX, DEEP_LEARNING = PAGES["README.md"], PAGES["deep-learning-6.5.md"]

ITEMS = [str(i) for i in range(1, 23)]
# The published text has no equation 6.55.
EQUATIONS = [f"6.{i}" for i in (*range(44, 55), 56)]
ALGORITHMS = ["6.1", "6.2", "6.5", "6.6"]

LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#:\s]*)(?:#([\w-]+))?\)")

each_page = pytest.mark.parametrize("page", PAGES)


# ---- programs ----


def examples(page: str, text: str) -> doctest.DocTest:
    """Put all blocks of a page into one program; its lines keep their numbers."""
    lines, fence = [], None
    for line in text.splitlines():
        if line.startswith("```"):
            fence = None if fence is not None else line.removeprefix("```")
            assert fence in (None, "pycon"), f"{page}: a block of {fence!r} would not be run"
            line = ""
        lines.append(line if fence else "")
    assert fence is None, f"{page}: a block has no end"
    return doctest.DocTestParser().get_doctest("\n".join(lines) + "\n", {}, page, str(FOLDER / page), 0)


def run(test: doctest.DocTest) -> str:
    """Run a program; what it says of its failures."""
    said: list[str] = []
    doctest.DocTestRunner(verbose=False).run(test, out=said.append)
    return "".join(said)


@each_page
def test_programs_print_what_they_say(page):
    assert run(examples(page, PAGES[page])) == ""


def test_every_text_has_programs():
    assert all(len(examples(page, PAGES[page]).examples) >= 10 for page in PAGES if page != "README.md")


def test_a_wrong_output_is_caught():
    text = PAGES["d2l.md"]
    assert text.count("(0.125, 2.0625, 2.1875)") == 1
    assert "Got:" in run(examples("d2l.md", text.replace("(0.125, 2.0625, 2.1875)", "(0.125, 2.0625, 2.1876)")))


# ---- what the pages name ----


class Named(NamedTuple):
    """A link from a page: the words, the file it leads to and the heading there."""

    label: str
    target: str
    anchor: str | None

    @property
    def path(self) -> Path:
        return (FOLDER / self.target).resolve()


def links(text: str) -> list[Named]:
    return [
        Named(label.strip("`"), target, anchor or None)
        for mark, label, target, anchor in LINK.findall(text)
        if not mark
    ]


@cache
def defined(path: Path) -> set[str]:
    """Names that a file defines: functions, classes, and what is assigned to."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def check_code(link: Named) -> None:
    """Check that a name exists, and that the file it is linked to is where it is defined."""
    assert link.path.is_file(), f"{link.label}: no file {link.target}"
    try:
        # names are relative to refbp
        thing = pkgutil.resolve_name(f"refbp.{link.label}")
    except (AttributeError, ImportError) as error:
        raise AssertionError(f"refbp has no {link.label}") from error
    if inspect.ismodule(thing):
        assert Path(thing.__file__) == link.path, f"{link.label} is not {link.target}"
        return
    assert link.label.rpartition(".")[2] in defined(link.path), f"{link.label} is not in {link.target}"
    if inspect.isclass(thing) or inspect.isfunction(thing):
        assert Path(inspect.getfile(thing)) == link.path, f"{link.label} is not in {link.target}"


def check_test(link: Named) -> None:
    """Check that a test exists; its name is a node id of pytest, from tests/refbp."""
    file, _, test = link.label.partition("::")
    assert link.path == ROOT / "tests" / "refbp" / file, f"{link.label} is linked to {link.target}"
    assert link.path.is_file(), f"no file {file}"
    assert test.startswith("test_"), f"{link.label} is no test"
    assert test in defined(link.path), f"{file} has no {test}"


def is_code(link: Named) -> bool:
    return "/src/refbp/" in link.target


def is_test(link: Named) -> bool:
    return "/tests/" in link.target


def check_link(link: Named) -> None:
    if is_code(link):
        check_code(link)
    elif is_test(link):
        check_test(link)
    else:
        path = link.path if link.target else None
        assert path is None or path.exists(), f"{link.label}: no {link.target}"


@each_page
def test_everything_named_exists(page):
    for link in links(PAGES[page]):
        check_link(link)


@each_page
def test_headings_that_are_linked_to_exist(page):
    for link in links(PAGES[page]):
        if link.anchor is not None:
            text = link.path.read_text(encoding="utf-8") if link.target else PAGES[page]
            assert link.anchor in anchors(text), f"{page}: no heading #{link.anchor} in {link.target or page}"


def anchors(text: str) -> set[str]:
    """Names that a page's headings have in links."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", sorted((ROOT / "src" / "refbp").rglob("*.py")), ids=lambda path: path.stem)
def test_a_module_can_lie_beside_a_text(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


# ---- tables ----


def rows(text: str, table: str) -> dict[str, list[str]]:
    """Cells of a table between two comments with its name, by the first cell, which is a number."""
    found = re.search(rf"<!-- {table} -->\n(.*?)<!-- /{table} -->", text, re.DOTALL)
    assert found, f"no table {table!r}"
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in found.group(1).splitlines()[2:] if line]
    keys = [row[0].strip("()") for row in cells]
    assert len(set(keys)) == len(keys), f"{table}: a row comes twice"
    return dict(zip(keys, cells, strict=True))


def check_items(text: str) -> None:
    """Check the index: every item has a function that exists and a test that exists."""
    table = rows(text, "items")
    assert list(table) == ITEMS
    for number, (_, _, _, functions, tests) in table.items():
        assert any(is_code(link) for link in links(functions)), f"item {number} has no function"
        assert any(is_test(link) for link in links(tests)), f"item {number} has no test"
        for link in links(functions):
            check_code(link)
        for link in links(tests):
            check_test(link)


def check_equations(text: str) -> None:
    """Check the tables of equations and algorithms: each has a function that exists."""
    for name, numbers in ("equations", EQUATIONS), ("algorithms", ALGORITHMS):
        table = rows(text, name)
        assert list(table) == numbers
        for number, cells in table.items():
            code = links(cells[2])
            assert code, f"{number} has no function"
            for link in code:
                check_code(link)


def test_every_item_has_a_function_and_a_test():
    check_items(INDEX)


def test_every_equation_has_a_function():
    check_equations(DEEP_LEARNING)


INDEX_FAULTS = {
    "function that does not exist": ("[`graph.build_grad`]", "[`graph.build_gradient`]", "no graph.build_gradient"),
    "function of another file": ("[`graph.build_grad`]", "[`mlp.backward`]", "mlp.backward is not in"),
    "module that does not exist": ("[`graph.build_grad`]", "[`graphs.build_grad`]", "no graphs.build_grad"),
    "file that does not exist": ("graph/backpropagation.py", "graph/backprop.py", "no file"),
    "test that does not exist": ("::test_figure_6_10", "::test_figure_6_12", "has no test_figure_6_12"),
    "test of another file": ("graph/test_backprop.py::test_fig", "graph/test_mlp.py::test_fig", "is linked to"),
    "helper taken for a test": ("::test_figure_6_10", "::doublings", "is no test"),
}


@pytest.mark.parametrize("name", INDEX_FAULTS)
def test_a_fault_in_the_index_is_caught(name):
    right, wrong, said = INDEX_FAULTS[name]
    assert right in INDEX
    with pytest.raises(AssertionError, match=re.escape(said)):
        check_items(INDEX.replace(right, wrong))


@pytest.mark.parametrize("number", ITEMS)
def test_a_row_that_is_missing_is_caught(number):
    with pytest.raises(AssertionError):
        check_items(re.sub(rf"^\| {number} \|.*\n", "", INDEX, flags=re.MULTILINE))


@pytest.mark.parametrize("cell", [3, 4])
def test_a_row_without_function_or_test_is_caught(cell):
    row = next(line for line in INDEX.splitlines() if line.startswith("| 17 |"))
    cells = row.split("|")
    cells[cell + 1] = " "
    with pytest.raises(AssertionError, match="item 17 has no"):
        check_items(INDEX.replace(row, "|".join(cells)))


@pytest.mark.parametrize("number", EQUATIONS + ALGORITHMS)
def test_an_equation_that_is_missing_is_caught(number):
    with pytest.raises(AssertionError):
        check_equations(re.sub(rf"^\| \(?{re.escape(number)}\)? \|.*\n", "", DEEP_LEARNING, flags=re.MULTILINE))


# ---- figures ----


def pictures(text: str) -> set[Path]:
    """List the pictures that a page shows."""
    return {(FOLDER / target).resolve() for mark, _, target, _ in LINK.findall(text) if mark}


@each_page
def test_every_picture_is_there(page):
    missing = [path.name for path in pictures(PAGES[page]) if not path.is_file()]
    assert not missing


def test_every_picture_is_shown():
    drawn = set((ROOT / "docs" / "img" / "graphs").glob("*.svg"))
    assert drawn == {path for text in PAGES.values() for path in pictures(text)}
