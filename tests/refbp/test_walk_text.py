"""A walk in writing: what is printed is what was computed, in the order of the texts, in three markups that parse."""

import re

import numpy as np
import pytest

from refbp import walk_text
from refbp.activations import ACTIVATIONS
from refbp.one_hidden_layer import OUTPUT_LOSSES, Walk, walk

PHI, LOSS, LAM = "tanh", "cross_entropy", 0.3
MARKUPS = ["text", "markdown", "latex"]

each_network = pytest.mark.parametrize("biases", [False, True], ids=["no biases", "biases"])
one_and_many = pytest.mark.parametrize("many", [False, True], ids=["vector", "matrix"])


def make_walk(biases: bool, many: bool) -> tuple[Walk, np.ndarray]:
    """Walk through a network whose sides are all different."""
    rng = np.random.default_rng(21)
    columns = (6,) if many else ()
    x, y = rng.standard_normal((4, *columns)), rng.dirichlet(np.ones(3), columns).T
    params = [rng.standard_normal(shape) for shape in ((5, 4), (3, 5), (5,), (3,))]
    return walk(x, y, *params[: 4 if biases else 2], phi=PHI, loss=LOSS, lam=LAM), y


def steps(w: Walk) -> dict[str, np.ndarray | float]:
    """Names and values of the steps, in order."""
    values = w.forward._asdict() | w.backward._asdict()
    return {name: v for name, v in values.items() if v is not None and name not in ("w1", "w2", "b1", "b2")}


# ---- the equations ----


class Matrix:
    """A matrix or a number, multiplied as in a formula: ``a @ b``, a number by anything."""

    def __init__(self, value):
        self.value = np.asarray(value, dtype=float)
        if self.value.ndim == 1:  # a column
            self.value = self.value[:, np.newaxis]

    def __matmul__(self, other):
        numbers = 0 in (self.value.ndim, other.value.ndim)
        return Matrix(self.value * other.value if numbers else self.value @ other.value)

    def __add__(self, other):
        return Matrix(self.value + other.value)

    def __mul__(self, other):
        return Matrix(self.value * other.value)

    @property
    def T(self):
        return Matrix(self.value.T)


def environment(w: Walk, y: np.ndarray) -> dict[str, object]:
    """What the names in an equation stand for."""
    values = {name: Matrix(v) for name, v in (w.forward._asdict() | w.backward._asdict()).items() if v is not None}
    z, n = w.forward.z, w.forward.x[0].size
    h = w.forward.h
    return values | {
        "y": Matrix(y),
        "hT": values["h"].T,
        "xT": values["x"].T,
        "w2T": values["w2"].T,
        "one": Matrix(np.ones(n)),
        "oneT": Matrix(np.ones(n)).T,
        "lam": Matrix(LAM),
        "half_lam": Matrix(LAM / 2),
        "square1": Matrix(np.linalg.norm(w.forward.w1) ** 2),
        "square2": Matrix(np.linalg.norm(w.forward.w2) ** 2),
        "phi": lambda of: Matrix(ACTIVATIONS[PHI].forward(of.value)),
        "phi_prime": lambda of: Matrix(
            ACTIVATIONS[PHI].backward(np.ones_like(z), ACTIVATIONS[PHI].kept(z, h)).reshape(of.value.shape)
        ),
        "loss": lambda o, y: Matrix(OUTPUT_LOSSES[LOSS].value(o.value, y.value)),
        "mean_loss": lambda o, y: Matrix(OUTPUT_LOSSES[LOSS].value(o.value, y.value)),
        "o_i": values["o"],
        "y_i": Matrix(y),
        "dL_do": Matrix(OUTPUT_LOSSES[LOSS].gradient(w.forward.o, y)),
        "number": Matrix(1.0),
    }


def evaluate(template: str, names: dict[str, object]) -> np.ndarray:
    """Compute what an equation says last: the side by side of symbols is a product."""
    last = template.rpartition(" = ")[2]
    last = re.sub(r"^1$", "{number}", last).replace("{phi}'", "{phi_prime}").replace(" {odot} ", " * ")
    last = re.sub(r"(?<=[})]) (?=[{(])", " @ ", last)
    return eval(last.replace("{", "").replace("}", ""), names).value


def check_equations(templates: dict[str, str], w: Walk, y: np.ndarray) -> None:
    names = environment(w, y)
    for name, value in steps(w).items():
        if name != "x":
            comp = evaluate(templates[name], names)
            np.testing.assert_allclose(comp.reshape(np.shape(value)), value, rtol=1e-13, atol=1e-15, err_msg=name)


@each_network
@one_and_many
def test_every_equation_computes_its_value(biases, many):
    w, y = make_walk(biases, many)
    check_equations(walk_text.equations(b1=biases, b2=biases, many=many), w, y)


FAULTS = {
    "h for its transpose": ("{hT}", "{h}"),
    "w2 not transposed": ("{w2T}", "{w2}"),
    "decay forgotten": (" + {lam} {w1}", ""),
    "no bias": (" + {b2} {oneT}", ""),
    "examples not summed": ("{dJ_dz} {one}", "{dJ_dz}"),
    "slope forgotten": (" {odot} {phi}'({z})", ""),
    "half forgotten": ("{half_lam}", "{lam}"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_wrong_equation_is_caught(name):
    right = walk_text.equations(b1=True, b2=True, many=True)
    wrong = {key: template.replace(*FAULTS[name]) for key, template in right.items()}
    assert wrong != right
    with pytest.raises((AssertionError, ValueError)):
        check_equations(wrong, *make_walk(biases=True, many=True))


# ---- the steps ----


def rows_of(text: str, markup: str) -> list[list[str]]:
    """Take a text apart: symbol, equation, shape, norm of every step."""
    if markup == "text":
        return [re.fullmatch(r"(\S+) += (.*?)  +(\(.*?\)) +norm (\S+)", line).groups() for line in text.splitlines()]
    if markup == "markdown":
        return [[cell.strip(" $") for cell in line.split("|")[1:-1]] for line in text.splitlines()[2:]]
    lines = [line.removesuffix(r" \\") for line in text.splitlines()[1:-1]]
    cells = [re.split(r" &= | && ", line.strip()) for line in lines]
    return [[*c[:2], *(re.fullmatch(r"\\text\{(?:norm )?(.*)\}", part).group(1) for part in c[2:])] for c in cells]


@pytest.mark.parametrize("markup", MARKUPS)
@each_network
@one_and_many
def test_each_step_has_its_shape_and_norm(markup, biases, many):
    w, _ = make_walk(biases, many)
    rows = rows_of(w.explain(markup), markup)
    assert len(rows) == len(steps(w)) == (18 if biases else 16)
    for row, (name, value) in zip(rows, steps(w).items(), strict=True):
        symbol, equation, shape, norm = row
        assert shape == str(np.shape(value)), name
        assert float(norm) == pytest.approx(np.sqrt(np.sum(np.square(value))), rel=1e-5), name
        assert symbol
        assert equation


def test_text_in_full():
    """The bias-free network of D2L and the slides, word for word."""
    w, _ = make_walk(biases=False, many=False)
    assert w.explain() == w.explain("text")
    assert [f"{symbol} = {equation}" for symbol, equation, _, _ in rows_of(w.explain(), "text")] == [
        "x = the input",
        "z = W⁽¹⁾ x",
        "h = φ(z)",
        "o = W⁽²⁾ h",
        "L = \N{SCRIPT SMALL L}(o, y)",
        "s = λ/2 (‖W⁽¹⁾‖² + ‖W⁽²⁾‖²)",
        "J = L + s",
        "∂J/∂L = 1",
        "∂J/∂s = 1",
        "∂J/∂o = prod(∂J/∂L, ∂L/∂o) = ∂L/∂o",
        "∂s/∂W⁽¹⁾ = λ W⁽¹⁾",
        "∂s/∂W⁽²⁾ = λ W⁽²⁾",
        "∂J/∂W⁽²⁾ = prod(∂J/∂o, ∂o/∂W⁽²⁾) + prod(∂J/∂s, ∂s/∂W⁽²⁾) = ∂J/∂o hᵀ + λ W⁽²⁾",
        "∂J/∂h = prod(∂J/∂o, ∂o/∂h) = W⁽²⁾ᵀ ∂J/∂o",
        "∂J/∂z = prod(∂J/∂h, ∂h/∂z) = ∂J/∂h ⊙ φ'(z)",
        "∂J/∂W⁽¹⁾ = prod(∂J/∂z, ∂z/∂W⁽¹⁾) + prod(∂J/∂s, ∂s/∂W⁽¹⁾) = ∂J/∂z xᵀ + λ W⁽¹⁾",
    ]


def test_what_biases_and_matrices_change():
    """D2L's exercises: four equations with biases, and sums over the examples in a matrix."""
    texts = {
        (biases, many): {row[0]: row[1] for row in rows_of(make_walk(biases, many)[0].explain(), "text")}
        for biases in (False, True)
        for many in (False, True)
    }
    plain, with_biases = texts[False, False], texts[True, False]
    assert {symbol: equation for symbol, equation in with_biases.items() if plain.get(symbol) != equation} == {
        "z": "W⁽¹⁾ x + b⁽¹⁾",
        "o": "W⁽²⁾ h + b⁽²⁾",
        "∂J/∂b⁽²⁾": "prod(∂J/∂o, ∂o/∂b⁽²⁾) = ∂J/∂o",
        "∂J/∂b⁽¹⁾": "prod(∂J/∂z, ∂z/∂b⁽¹⁾) = ∂J/∂z",
    }
    many = texts[True, True]
    assert many["Z"] == "W⁽¹⁾ X + b⁽¹⁾ 1ᵀ"
    assert many["L"] == "1/n Σᵢ \N{SCRIPT SMALL L}(oᵢ, yᵢ)"
    assert many["∂J/∂b⁽¹⁾"] == "prod(∂J/∂Z, ∂Z/∂b⁽¹⁾) = ∂J/∂Z 1"


@pytest.mark.parametrize("markup", MARKUPS)
def test_a_unit_on_its_kink_is_reported(markup):
    """Deep Learning 6.5, introduction: saying so is the right answer."""
    x, y, w1, w2 = np.ones(2), np.ones(1), np.array([[1.0, -1.0], [1.0, 1.0]]), np.ones((1, 2))
    relu, tanh = (walk(x, y, w1, w2, phi=phi) for phi in ("relu", "tanh"))
    assert (relu.n_kinks, tanh.n_kinks) == (1, 0)
    text, _, note = relu.explain(markup).rpartition("\n\n")
    z, phi = {"text": ("z", "φ")}.get(markup, (r"$\mathbf{z}$", r"$\phi$"))
    assert note == f"At 1 of 2 elements of {z}, {phi} has no derivative; the left one is taken."
    assert len(rows_of(text, markup)) == 16
    assert "has no derivative" not in tanh.explain(markup)


# ---- the markups ----


@each_network
@one_and_many
def test_markdown_is_a_table(biases, many):
    text = make_walk(biases, many)[0].explain("markdown")
    assert {line.count("|") for line in text.splitlines()} == {5}
    parser = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
    kinds = [token.type for token in parser.parse(text)]
    assert kinds[0] == "table_open"
    assert kinds[-1] == "table_close"
    assert kinds.count("td_open") == 4 * kinds.count("tr_open") - 4


COMMANDS = {
    *("begin", "end", "text", "mathbf", "frac", "partial", "lambda", "lVert", "rVert", "phi", "ell", "sum"),
    *("odot", "operatorname", "top"),
}


def check_latex(text: str) -> None:
    """Check what would stop LaTeX: groups, environments, alignment, double scripts, unknown commands."""
    depth = 0
    for brace in re.findall(r"[{}]", text):
        depth += 1 if brace == "{" else -1
        assert depth >= 0, "a group is closed that was not opened"
    assert depth == 0, "a group is left open"
    assert re.findall(r"\\(?:begin|end)\{.*?\}", text) == [r"\begin{align*}", r"\end{align*}"]
    body = text.splitlines()[1:-1]
    assert {line.count("&") for line in body} == {5}, "columns"
    assert [line.endswith(r" \\") for line in body] == [True] * (len(body) - 1) + [False], "ends of lines"
    script = r"(?:[^{}\\]|\{[^{}]*\}|\\[a-z]+)"
    assert not re.search(rf"\^{script}\^|_{script}_", text), "a double superscript or subscript"
    assert set(re.findall(r"\\([A-Za-z]+)", text)) <= COMMANDS
    assert text.isascii()


@each_network
@one_and_many
def test_latex_is_well_formed(biases, many):
    check_latex(make_walk(biases, many)[0].explain("latex"))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (r"\mathbf{x} &=", r"\mathbf{x &="),
        (r"\mathbf{W}^{(2)\top}", r"\mathbf{W}^{(2)}^{\top}"),
        (r"\lambda", r"\lamda"),
        (" && ", " & "),
        (r" \\", ""),
        (r"\odot", "⊙"),
    ],
)
def test_malformed_latex_is_caught(right, wrong):
    text = make_walk(biases=True, many=False)[0].explain("latex")
    assert right in text
    with pytest.raises(AssertionError):
        check_latex(text.replace(right, wrong, 1))
