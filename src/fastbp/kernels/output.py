"""The output layer, row by row: activation, loss, and dz = (output - y) * weight in its place.

Every loss here is paired with the activation for which the derivative of the loss with
respect to z is ``output - y`` (the canonical link). A row of a panel matrix is spread
over panels: vector `q` of it lies ``q // NV`` panels on, `q % NV` vectors in.
"""

import math

from fastbp.jit import jit
from fastbp.kernels.codes import Activation, Loss
from fastbp.kernels.microkernel import NV, panel_width
from fastbp.kernels.simd import (
    at,
    first_lanes,
    get,
    hmax,
    hsum,
    lanes_of,
    load,
    load_where,
    put,
    select,
    splat,
    store,
    vmax,
    vmin,
    zeros,
)
from fastbp.kernels.vmath import vexp, vlog

__all__ = ["loss_gradient_rows", "softmax_rows"]

POISSON = int(Loss.POISSON)
SQUARED_ERROR = int(Loss.SQUARED_ERROR)
LOG_LOSS = int(Loss.LOG_LOSS)
SOFTMAX = int(Activation.SOFTMAX)


@jit
def _vectors(columns, p):
    return (columns + lanes_of(p) - 1) // lanes_of(p)


@jit
def _place(q, stride, p):
    """Offset of vector `q` of a row from the row's start in the first panel."""
    return q // NV * stride + q % NV * lanes_of(p)


@jit
def _softmax_row(columns, z, stride):
    """z := exp(z - max z) / sum exp(z - max z); padding becomes 0."""
    lanes = lanes_of(z)
    lowest = splat(-math.inf, z)
    top = lowest
    for q in range(_vectors(columns, z)):
        inside = first_lanes(columns - q * lanes, z)
        top = vmax(top, select(inside, load(z, _place(q, stride, z)), lowest))
    largest = splat(hmax(top), z)
    total = zeros(z)
    for q in range(_vectors(columns, z)):
        inside = first_lanes(columns - q * lanes, z)
        e = select(inside, vexp(load(z, _place(q, stride, z)) - largest), zeros(z))
        store(z, _place(q, stride, z), e)
        total = total + e
    scale = splat(hsum(total), z)
    for q in range(_vectors(columns, z)):
        store(z, _place(q, stride, z), load(z, _place(q, stride, z)) / scale)


@jit
def softmax_rows(columns, z, stride, first_row, end_row):
    """Softmax of the rows ``first_row:end_row`` of a panel matrix, in place."""
    for row in range(first_row, end_row):
        _softmax_row(columns, at(z, row * panel_width(z)), stride)


@jit
def _xlogy(x, y):
    """x * log(y), and 0 where x is 0 whatever y is."""
    return select(x != zeros(x), x * vlog(y), zeros(x))


@jit
def _element_loss(loss, y, output, eps):
    """Loss of single elements; probabilities are clipped to [eps, 1 - eps] for the reported loss only."""
    one = splat(1.0, y)
    if loss == SQUARED_ERROR:
        return (output - y) * (output - y)
    if loss == POISSON:
        return _xlogy(y, y / output) - y + output
    p = vmin(one - eps, vmax(eps, output))
    value = zeros(y) - _xlogy(y, p)
    if loss != LOG_LOSS:
        value = value - _xlogy(one - y, one - p)
    return value


@jit
def _loss_gradient_row(loss, columns, output, stride, y, weight, eps):
    """dz of one row in the place of its output; returns the row's loss (unweighted)."""
    lanes = lanes_of(output)
    factor = splat(weight, output)
    smallest = splat(eps, output)
    total = zeros(output)
    for q in range(_vectors(columns, output)):
        inside = first_lanes(columns - q * lanes, output)
        where = _place(q, stride, output)
        out = load(output, where)
        target = load_where(y, q * lanes, inside)
        total = total + select(inside, _element_loss(loss, target, out, smallest), zeros(output))
        store(output, where, select(inside, (out - target) * factor, zeros(output)))
    value = float(hsum(total))
    return 0.5 * value / columns if loss == SQUARED_ERROR else value


@jit
def loss_gradient_rows(loss, columns, output, stride, y, order, weights, weighted, losses, first_row, end_row, eps):
    """Losses of a minibatch's rows, and dz = (output - y) * weight in the place of the output.

    Parameters
    ----------
    loss : int
        `Loss`.
    columns : int
        Width of the output layer.
    output : pointer, [read+write]
        Panel matrix of the outputs (softmax already applied), then of dz.
    stride : int
        Elements from one panel to the next.
    y : pointer, [read]
        Targets, (n, columns), C-contiguous.
    order : pointer to int64, [read]
        Row of `y` for each row of the minibatch.
    weights : pointer to float64, [read]
        A weight for each row of `y`; not read unless `weighted`.
    weighted : bool
    losses : pointer to float64, [write]
        Weighted loss of each row of the minibatch.
    first_row, end_row : int
        Rows of the minibatch.
    eps : float
        Spacing of the element type at 1: the bound of the clipping.
    """
    for row in range(first_row, end_row):
        sample = get(order, row)
        weight = get(weights, sample) if weighted else 1.0
        target = at(y, sample * columns)
        value = _loss_gradient_row(loss, columns, at(output, row * panel_width(output)), stride, target, weight, eps)
        put(losses, row, value * weight)
