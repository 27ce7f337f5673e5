"""What is done to a panel or tile of a product while it is in cache: bias, activation, activation gradient.

Each function works in place on the rows of one panel (row stride NR). Columns beyond
the matrix are set to exact zeros: they are the padding of the next product, and with
zeros in them the padded weights never move.
"""

from fastbp.compiler.jit import inner
from fastbp.kernels.codes import Activation
from fastbp.kernels.tiles.microkernel import panel_width
from fastbp.kernels.vectors.simd import first_lanes, fma, lanes_of, load, load_where, select, splat, store, vmax, zeros
from fastbp.kernels.vectors.vmath import vexp, vlogistic, vtanh

__all__ = ["activation_gradient_panel", "bias_activation_panel"]

IDENTITY = int(Activation.IDENTITY)
RELU = int(Activation.RELU)
TANH = int(Activation.TANH)
LOGISTIC = int(Activation.LOGISTIC)
EXP = int(Activation.EXP)


@inner
def _activate(code, z):
    if code == TANH:
        return vtanh(z)
    if code == LOGISTIC:
        return vlogistic(z)
    if code == EXP:
        return vexp(z)
    return z


@inner
def bias_activation_panel(code, columns, c, row_stride, bias, first_row, end_row):
    """h = act(z + b) for the rows ``first_row:end_row`` of one panel.

    Parameters
    ----------
    code : int
        `Activation` other than SOFTMAX.
    columns : int
        Columns of the matrix that lie in this panel or after it.
    c : pointer, [read+write]
        Panel that holds z, and h afterwards.
    row_stride : int
        Elements from one row of `c` to the next; NR where it is part of a panel matrix.
    bias : pointer, [read]
        Biases of the columns.
    first_row, end_row : int
        Rows.
    """
    width = panel_width(c)
    lanes = lanes_of(c)
    nothing = zeros(c)
    for j in range(0, min(width, columns), lanes):
        inside = first_lanes(columns - j, c)
        b = load_where(bias, j, inside)
        if code == RELU:
            for i in range(first_row * row_stride + j, end_row * row_stride + j, row_stride):
                # max(z, 0) in the operand order that hands a NaN on.
                store(c, i, select(inside, vmax(nothing, load(c, i) + b), nothing))
        else:
            for i in range(first_row * row_stride + j, end_row * row_stride + j, row_stride):
                store(c, i, select(inside, _activate(code, load(c, i) + b), nothing))


@inner
def activation_gradient_panel(code, columns, c, h, first_row, end_row):
    """dz = dh * act'(z) for the rows ``first_row:end_row`` of one panel, act' in terms of h = act(z).

    The derivative of ReLU at 0 is taken as 0.

    Parameters
    ----------
    code : int
        `Activation` of a hidden layer.
    columns : int
        Columns of the matrix that lie in this panel or after it.
    c : pointer, [read+write]
        Panel that holds dh, and dz afterwards.
    h : pointer, [read]
        The same panel of the activation's output.
    first_row, end_row : int
        Rows.
    """
    width = panel_width(c)
    lanes = lanes_of(c)
    nothing = zeros(c)
    one = splat(1.0, c)
    if code == IDENTITY:
        return
    for i in range(first_row * width, end_row * width, width):
        for j in range(i, i + min(width, columns), lanes):
            dh = load(c, j)
            out = load(h, j)
            if code == RELU:
                dz = select(out != nothing, dh, nothing)
            elif code == TANH:
                dz = dh * fma(-out, out, one)
            else:
                dz = dh * out * (one - out)
            store(c, j, dz)
