"""Names as mathematics, and whether there is room for them."""

import pytest

from refbp import draw, graph
from refbp.draw.diagram import value_lines
from refbp.draw.text import Run, derivative, inline, label, number

# Advance widths in thousandths of the letters' size, rounded down to 25: the widest among DejaVu Sans, DejaVu Serif,
# and their italics.
LETTERS = {
    250: "'",
    300: " ,.ijl·",
    325: "/:;\\|",
    350: "-f",
    375: "()I[]",
    400: "!Jtᵀ²",
    450: '"',
    475: "r",
    500: "*_`s∂‖",
    525: "?z",
    550: "c",
    575: "vxy",
    600: "aeko",
    625: "$0123456789bdghnpqu{}λ",
    650: "LPTY",
    675: "FSZ∇",
    700: "AVXφΣ",
    725: "BEK",
    750: "CR",
    775: "G",
    800: "DOQ",
    825: "#+<=>U^~⊙⊗÷",
    850: "Hw",
    875: "&N",
    950: "%m",
    1000: "@M",
    1025: "W",
}


@pytest.mark.parametrize(("width", "letters"), LETTERS.items())
def test_every_letter_has_room(width, letters):
    for letter in letters:
        assert Run(letter, 1000.0).width >= width, letter


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("W1", "W1"),
        ("J_MLE", "JMLE"),
        ("lambda/2", "\N{GREEK SMALL LETTER LAMDA}/2"),
        ("dJ/dW1", "∂J/∂W1"),
        ("dJ/dW1 via u3", "∂J/∂W1 via u3"),
        ("dJ.v", "∇J·v"),
        ("ddJ.v/du3", "∂(∇J·v)/∂u3"),
        ("relu", "relu"),
        ("x (2)", "x (2)"),
        ("ŷ", "ŷ"),
        ("d/d", "d/d"),
        ("", ""),
    ],
)
def test_names(name, plain):
    assert inline(name, {"J", "W1", "u3", "dJ.v"}).plain == plain


def test_a_derivative_of_a_derivative_ends_where_names_end():
    names = {"z", "w", "dz/dw", "dz/dw.v"}
    assert derivative("ddz/dw.v/ddz/dw", names) == ("dz/dw.v", "dz/dw", "")
    assert derivative("ddz/dw/dw", names) == ("dz/dw", "w", "")


def test_a_derivative_is_a_fraction():
    above, below = label("dJ/dW1", {"J", "W1"}).lines
    assert (above.plain, below.plain) == ("∂J", "∂W1")


def test_small_letters_stand_lower():
    (_, one) = inline("W1", ()).runs
    assert one.drop > 0
    assert one.size >= 10


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.5"), (1 / 3, "0.3333"), (-2, "\N{MINUS SIGN}2"), (1e-7, "1e\N{MINUS SIGN}7"), (1e22, "1e22")],
)
def test_numbers(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("array", "lines"),
    [
        (2.0, ["2"]),
        ([1, 2, 3], ["1  2  3"]),
        ([[1, 2], [3, 4]], ["1  2", "3  4"]),
        ([3, 4, 0, 0], ["norm 5"]),
        ([[[2.0]]], ["norm 2"]),
        ([], ["norm 0"]),
        (True, ["1"]),
    ],
)
def test_values(array, lines):
    assert value_lines(array) == lines


def test_values_and_gradients_are_written(read):
    x = graph.variable("x", (2,))
    y = graph.exp(x).called("y")
    text = draw.svg(graph.Graph([y]), values={x: [0.25, 8]}, gradients={x: [0.125, 16]}, shapes=True)
    for words in (">0.25  8<", ">0.125  16<", ">(2,)<", ">value<", ">gradient of the output<"):
        assert words in text
    assert "0.25" not in draw.svg(graph.Graph([y]))
