r"""Names as mathematics: subscripts, Greek letters, derivatives as fractions; and how much room they need.

Widths are upper bounds: they assume the widest font that a viewer may choose, so that a label always fits its box.
"""

import re
import unicodedata
from collections.abc import Container
from typing import NamedTuple

SIZE = 14.0
SMALL = 11.0
SUBSCRIPT = 0.76
SMALLEST = 10.0
"""No letters are smaller, so that they can be read when a picture is as wide as a page."""
LINE = 1.22
"""Height of a line in units of the size of its letters."""

TIMES, MINUS = "\N{MULTIPLICATION SIGN}", "\N{MINUS SIGN}"

# In units of the size of the letters: the widest among DejaVu Sans, DejaVu Serif and its italic, rounded up.
WIDTHS = {
    0.4: " '(),-./:;I[\\]fijl|·",
    0.5: '!"*J_`rt‖ℓ²ᵀ',
    0.6: "?csvxyz∂",
    0.8: "ABCEGKRVXΣ",
    0.9: f"#&+<=>DHNOQU^w~ω⊙⊗÷≥{TIMES}{MINUS}",
    1.1: "%@mMW½…",
}
WIDTH = {letter: width for width, letters in WIDTHS.items() for letter in letters}
OTHER_WIDTH = 0.72

GREEK = {
    name: unicodedata.lookup(f"GREEK SMALL LETTER {name.replace('lambda', 'lamda')}")
    for name in ("alpha", "beta", "gamma", "delta", "epsilon", "eta", "theta", "lambda", "mu", "rho", "sigma", "tau")
} | {"phi": "φ", "omega": "ω"}


class Run(NamedTuple):
    """Letters of one size; ``drop`` is how far they stand below the line."""

    letters: str
    size: float
    drop: float = 0.0
    italic: bool = False

    @property
    def width(self) -> float:
        """Room for the letters, estimated from above."""
        return self.size * sum(WIDTH.get(letter, OTHER_WIDTH) for letter in self.letters)


class Line(NamedTuple):
    """A line of text made of runs."""

    runs: tuple[Run, ...]

    @property
    def width(self) -> float:
        """Room for the line."""
        return sum(run.width for run in self.runs)

    @property
    def height(self) -> float:
        """Height of the line with what stands below it."""
        return LINE * max(run.size + 0.6 * run.drop for run in self.runs)

    @property
    def plain(self) -> str:
        """The letters alone."""
        return "".join(run.letters for run in self.runs)


class Label(NamedTuple):
    """Lines one above the other; of a fraction the two have a bar between them."""

    lines: tuple[Line, ...]
    fraction: bool = False

    @property
    def width(self) -> float:
        """Room for the widest line."""
        return max(line.width for line in self.lines)

    @property
    def height(self) -> float:
        """Room for all lines."""
        return sum(line.height for line in self.lines)


class Derivative(NamedTuple):
    """What a name like ``dJ/dW1 via U1`` says."""

    z: str
    by: str
    via: str


def words(text: str, size: float = SMALL) -> Line:
    """Set text upright."""
    return Line((Run(text, size),))


def derivative(name: str, names: Container[str]) -> Derivative | None:
    """Read a gradient's name, ``d{z}/d{v}`` or ``d{z}/d{v} via {consumer}``; None if it is another name.

    Names of gradients are made of names, which may be gradients' as well: ``names`` tells where one ends.

    >>> derivative("dJ/dW1 via u3", {"J", "W1", "u3"})
    Derivative(z='J', by='W1', via='u3')
    >>> derivative("depth/d", {"depth"})
    """
    if not name.startswith("d"):
        return None
    for slash in (i for i in range(2, len(name)) if name.startswith("/d", i)):
        z, rest = name[1:slash], name[slash + 2 :]
        by, _, via = rest.partition(" via ")
        if z in names and rest in names:
            return Derivative(z, rest, "")
        if z in names and by in names:
            return Derivative(z, by, via)
    return None


def inline(name: str, names: Container[str], size: float = SIZE) -> Line:
    """Set a name in one line: ``W1`` with a subscript, ``lambda`` in Greek, ``dJ/dh`` with round d's.

    >>> inline("lambda", ()).plain, [(run.letters, run.drop > 0) for run in inline("W1", ()).runs]
    ('λ', [('W', False), ('1', True)])
    >>> inline("dJ/dh", {"J", "h"}).plain
    '∂J/∂h'
    """
    if found := derivative(name, names):
        over, under = fraction_parts(found, names, size)
        via = (*words(" via ", 0.8 * size).runs, *inline(found.via, names, size).runs) if found.via else ()
        return Line((*over.runs, Run("/", size), *under.runs, *via))
    if (dotted := re.fullmatch(r"d(.+)\.v", name)) and dotted[1] in names:
        return Line((Run("∇", size), *inline(dotted[1], names, size).runs, Run("·", size), Run("v", size, italic=True)))
    runs: list[Run] = []
    for word, number, other in re.findall(r"([^\W\d_]+)(_?[^\W_]+|)|([\W\d_]+)", name):
        if other:
            runs.append(Run(other, size))
        elif word + number in GREEK or not re.fullmatch(r"_\w+|\d*", number):
            runs.append(Run(GREEK.get(word + number, word + number), size, italic=True))
        else:
            runs.append(Run(GREEK.get(word, word), size, italic=True))
            if number:
                runs.append(Run(number.lstrip("_"), max(SMALLEST, SUBSCRIPT * size), drop=0.22 * size))
    return Line(tuple(runs) or (Run("", size),))


def fraction_parts(found: Derivative, names: Container[str], size: float) -> tuple[Line, Line]:
    """Set what is above and below the bar of a derivative."""

    def differential(name: str) -> Line:
        line = inline(name, names, size)
        if len(line.runs) > 2:
            return Line((Run("∂(", size), *line.runs, Run(")", size)))
        return Line((Run("∂", size), *line.runs))

    return differential(found.z), differential(found.by)


def label(name: str, names: Container[str]) -> Label:
    """Set the name of a variable for its box; what a gradient came by (``via``) is left to a note."""
    if found := derivative(name, names):
        return Label(fraction_parts(found, names, 0.88 * SIZE), fraction=True)
    return Label((inline(name, names),))


def number(value: float) -> str:
    """Write a number in few letters."""
    return re.sub(r"e\+?(-?)0*", r"e\1", f"{value:.4g}").replace("-", MINUS)
