r"""A walk through the network in writing: symbol, equation, shape and norm of every step.

The equations are those of D2L, "Forward Propagation" and "Back Propagation", and of the slides of the same
titles. Each is written once, with names in braces for its symbols, and spelled in Unicode or in LaTeX.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

Markup = Literal["text", "markdown", "latex"]

UNICODE, LATEX = 0, 1

SPELLINGS = {
    "w1": ("W⁽¹⁾", r"\mathbf{W}^{(1)}"),
    "w2": ("W⁽²⁾", r"\mathbf{W}^{(2)}"),
    "w2T": ("W⁽²⁾ᵀ", r"\mathbf{W}^{(2)\top}"),
    "b1": ("b⁽¹⁾", r"\mathbf{b}^{(1)}"),
    "b2": ("b⁽²⁾", r"\mathbf{b}^{(2)}"),
    "L": ("L", "L"),
    "s": ("s", "s"),
    "J": ("J", "J"),
    "lam": ("λ", r"\lambda"),
    "half_lam": ("λ/2", r"\frac{\lambda}{2}"),
    "square1": ("‖W⁽¹⁾‖²", r"\lVert \mathbf{W}^{(1)} \rVert_F^2"),
    "square2": ("‖W⁽²⁾‖²", r"\lVert \mathbf{W}^{(2)} \rVert_F^2"),
    "phi": ("φ", r"\phi"),
    "loss": ("\N{SCRIPT SMALL L}", r"\ell"),
    "mean_loss": ("1/n Σᵢ \N{SCRIPT SMALL L}", r"\frac{1}{n} \sum_i \ell"),
    "odot": ("⊙", r"\odot"),
    "prod": ("prod", r"\operatorname{prod}"),
    "one": ("1", r"\mathbf{1}"),
    "oneT": ("1ᵀ", r"\mathbf{1}^{\top}"),
    "input": ("the input", r"\text{the input}"),
}
"""Every symbol but those of the examples' own variables, in Unicode and in LaTeX."""


class Notation(dict[str, str]):
    """Symbols in one spelling; those of derivatives, such as dJ_dw1, are put together when asked for."""

    def __init__(self, spelling: int, many: bool) -> None:
        super().__init__({name: spellings[spelling] for name, spellings in SPELLINGS.items()})
        self.spelling = spelling
        for name in "xyzho":
            letter = name.upper() if many else name
            self[name] = (letter, rf"\mathbf{{{letter}}}")[spelling]
            self[f"{name}T"] = (f"{letter}ᵀ", rf"\mathbf{{{letter}}}^{{\top}}")[spelling]
            self[f"{name}_i"] = (f"{name}ᵢ", rf"\mathbf{{{name}}}_i")[spelling]

    def __missing__(self, name: str) -> str:
        of, by = (self[part.removeprefix("d")] for part in name.split("_"))
        return (f"∂{of}/∂{by}", rf"\frac{{\partial {of}}}{{\partial {by}}}")[self.spelling]


def equations(*, b1: bool, b2: bool, many: bool) -> dict[str, str]:
    """Write the right-hand side of every step, in the order of the texts.

    Parameters
    ----------
    b1, b2 : bool
        Whether the layer has a bias (D2L's exercise).
    many : bool
        Whether the input is a matrix, with an example in each column.
    """
    loss = "{mean_loss}({o_i}, {y_i})" if many else "{loss}({o}, {y})"
    # a bias is added to each column, so its gradient is the sum over columns
    one, one_t = (" {one}", " {oneT}") if many else ("", "")
    return {
        "x": "{input}",
        "z": "{w1} {x}" + f" + {{b1}}{one_t}" * b1,
        "h": "{phi}({z})",
        "o": "{w2} {h}" + f" + {{b2}}{one_t}" * b2,
        "L": loss,
        "s": "{half_lam} ({square1} + {square2})",
        "J": "{L} + {s}",
        "dJ_dL": "1",
        "dJ_ds": "1",
        "dJ_do": "{prod}({dJ_dL}, {dL_do}) = {dL_do}",
        "ds_dw1": "{lam} {w1}",
        "ds_dw2": "{lam} {w2}",
        "dJ_dw2": "{prod}({dJ_do}, {do_dw2}) + {prod}({dJ_ds}, {ds_dw2}) = {dJ_do} {hT} + {lam} {w2}",
        "dJ_db2": "{prod}({dJ_do}, {do_db2}) = {dJ_do}" + one,
        "dJ_dh": "{prod}({dJ_do}, {do_dh}) = {w2T} {dJ_do}",
        "dJ_dz": "{prod}({dJ_dh}, {dh_dz}) = {dJ_dh} {odot} {phi}'({z})",
        "dJ_dw1": "{prod}({dJ_dz}, {dz_dw1}) + {prod}({dJ_ds}, {ds_dw1}) = {dJ_dz} {xT} + {lam} {w1}",
        "dJ_db1": "{prod}({dJ_dz}, {dz_db1}) = {dJ_dz}" + one,
    }


class Row(NamedTuple):
    """A step, spelled out."""

    symbol: str
    equation: str
    shape: str
    norm: str


def as_text(rows: list[Row]) -> str:
    """Lay out the steps in columns."""
    symbol, equation, shape, _ = (max(map(len, column)) for column in zip(*rows, strict=True))
    return "\n".join(
        f"{row.symbol:<{symbol}} = {row.equation:<{equation}}  {row.shape:<{shape}}  norm {row.norm}" for row in rows
    )


def as_markdown(rows: list[Row]) -> str:
    """Set the steps in a table; a vertical bar would end a cell, and LaTeX's names for it are used instead."""
    lines = ["| symbol | equation | shape | norm |", "|---|---|---|---|"]
    lines += [f"| ${row.symbol}$ | ${row.equation}$ | {row.shape} | {row.norm} |" for row in rows]
    return "\n".join(lines)


def as_latex(rows: list[Row]) -> str:
    """Set the steps in an environment of amsmath."""
    lines = [rf"  {row.symbol} &= {row.equation} && \text{{{row.shape}}} && \text{{norm {row.norm}}}" for row in rows]
    return "\n".join([r"\begin{align*}", " \\\\\n".join(lines), r"\end{align*}"])


WRITERS = {"text": (as_text, UNICODE), "markdown": (as_markdown, LATEX), "latex": (as_latex, LATEX)}
"""The function that lays out the steps, and its spelling, for every markup."""


def explain(values: Mapping[str, Any], markup: Markup, n_kinks: int) -> str:
    """Write down a forward and a backward pass.

    Parameters
    ----------
    values : mapping
        From the name of every step to its value, None where the network has no such step.
    markup : {"text", "markdown", "latex"}
    n_kinks : int
        How many elements of z are where the activation has no derivative.

    Returns
    -------
    str
    """
    write, spelling = WRITERS[markup]
    many = np.ndim(values["x"]) == 2
    notation = Notation(spelling, many)
    templates = equations(b1=values["dJ_db1"] is not None, b2=values["dJ_db2"] is not None, many=many)
    rows = [
        Row(notation[name], template.format_map(notation), str(np.shape(value)), f"{np.linalg.norm(value):.6g}")
        for name, template in templates.items()
        if (value := values[name]) is not None
    ]
    if n_kinks == 0:
        return write(rows)
    phi, z = (notation[name] if spelling == UNICODE else f"${notation[name]}$" for name in ("phi", "z"))
    note = f"At {n_kinks} of {np.size(values['z'])} elements of {z}, {phi} has no derivative; the left one is taken."
    return f"{write(rows)}\n\n{note}"
