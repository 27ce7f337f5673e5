"""The optimizer as the epilogue of the weight gradient: a tile of dW is spent while it is in L1.

In the equations, `acc` is a tile of H^T dZ summed over the minibatch, S the batch's
weight (its size without sample weights) and

    g = (acc + weight_decay * w) / S

the gradient of the mean loss plus weight_decay / (2 S) * sum(w^2), scikit-learn's
convention. Biases take the same path with weight_decay = 0.
"""

from typing import NamedTuple

from fastbp.compiler.jit import inner
from fastbp.kernels.codes import Optimizer
from fastbp.kernels.tiles.microkernel import panel_width
from fastbp.kernels.vectors.simd import fma, hsum, lanes_of, load, splat, store, vsqrt, zeros

__all__ = ["Scalars", "carry_tile", "sum_of_squares", "sum_rows", "update_tile"]

STORE = int(Optimizer.STORE)
SGD = int(Optimizer.SGD)
NESTEROV = int(Optimizer.NESTEROV)
ADAM = int(Optimizer.ADAM)


class Scalars(NamedTuple):
    """The numbers of one optimizer step, all float64.

    Attributes
    ----------
    learning_rate : float
        Step size; for Adam with the bias correction of this step: lr * sqrt(1 - beta_2^t) / (1 - beta_1^t).
    inverse_weight : float
        1 / S.
    momentum : float
        SGD: factor of the velocity.
    beta_1, beta_2, epsilon : float
        Adam.
    """

    learning_rate: float
    inverse_weight: float
    momentum: float
    beta_1: float
    beta_2: float
    epsilon: float


@inner
def _store(rows, vectors, acc, w, m, scalars, weight_decay):
    """m = g: the gradient itself, for what needs all of it before any weight moves."""
    decay = splat(weight_decay, w)
    inverse = splat(scalars.inverse_weight, w)
    for row in range(rows):
        for j in range(row * panel_width(w), row * panel_width(w) + vectors * lanes_of(w), lanes_of(w)):
            store(m, j, fma(decay, load(w, j), load(acc, j)) * inverse)


@inner
def _sgd(rows, vectors, acc, w, m, scalars, weight_decay, nesterov):
    """v = momentum * v - lr * g, then w += v, or w += momentum * v - lr * g with Nesterov's momentum."""
    decay = splat(weight_decay, w)
    inverse = splat(scalars.inverse_weight, w)
    momentum = splat(scalars.momentum, w)
    rate = splat(scalars.learning_rate, w)
    for row in range(rows):
        for j in range(row * panel_width(w), row * panel_width(w) + vectors * lanes_of(w), lanes_of(w)):
            old = load(w, j)
            step = rate * (fma(decay, old, load(acc, j)) * inverse)
            velocity = momentum * load(m, j) - step
            store(m, j, velocity)
            if nesterov:
                velocity = momentum * velocity - step
            store(w, j, old + velocity)


@inner
def _adam(rows, vectors, acc, w, m, v, scalars, weight_decay):
    """m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  w -= lr m / (sqrt(v) + eps)

    Kingma and Ba, "Adam", end of section 2: the bias correction is in lr, so that eps is added to the uncorrected root.
    """
    decay = splat(weight_decay, w)
    inverse = splat(scalars.inverse_weight, w)
    beta_1, keep_1 = splat(scalars.beta_1, w), splat(1.0 - scalars.beta_1, w)
    beta_2, keep_2 = splat(scalars.beta_2, w), splat(1.0 - scalars.beta_2, w)
    epsilon = splat(scalars.epsilon, w)
    rate = splat(scalars.learning_rate, w)
    for row in range(rows):
        for j in range(row * panel_width(w), row * panel_width(w) + vectors * lanes_of(w), lanes_of(w)):
            old = load(w, j)
            g = fma(decay, old, load(acc, j)) * inverse
            first = fma(beta_1, load(m, j), keep_1 * g)
            second = fma(beta_2, load(v, j), keep_2 * (g * g))
            store(m, j, first)
            store(v, j, second)
            store(w, j, old - rate * first / (vsqrt(second) + epsilon))


@inner
def sum_of_squares(rows, vectors, w):
    """Sum of the squares of a tile, in a fixed order."""
    total = zeros(w)
    for row in range(rows):
        for j in range(row * panel_width(w), row * panel_width(w) + vectors * lanes_of(w), lanes_of(w)):
            x = load(w, j)
            total = fma(x, x, total)
    return hsum(total)


@inner
def sum_rows(rows, vectors, dz, acc):
    """acc := sum of the rows of a panel: the gradient of the biases."""
    lanes, width = lanes_of(dz), panel_width(dz)
    for j in range(0, vectors * lanes, lanes):
        # Four chains: one addition has to wait for the one before it.
        first, second, third, fourth = zeros(dz), zeros(dz), zeros(dz), zeros(dz)
        whole = rows // 4 * 4
        for row in range(0, whole, 4):
            first = first + load(dz, row * width + j)
            second = second + load(dz, (row + 1) * width + j)
            third = third + load(dz, (row + 2) * width + j)
            fourth = fourth + load(dz, (row + 3) * width + j)
        for row in range(whole, rows):
            first = first + load(dz, row * width + j)
        store(acc, j, (first + second) + (third + fourth))


@inner
def carry_tile(rows, vectors, acc, gradient, first, last):
    """Add a tile of the gradient to that of the blocks before it, in `gradient`; after the last block, in `acc`."""
    for row in range(rows):
        for j in range(row * panel_width(acc), row * panel_width(acc) + vectors * lanes_of(acc), lanes_of(acc)):
            total = load(acc, j)
            if not first:
                total = load(gradient, j) + total
            if last:
                store(acc, j, total)
            else:
                store(gradient, j, total)


@inner
def update_tile(optimizer, rows, vectors, acc, w, m, v, scalars, weight_decay):
    """Spend one tile of the gradient.

    Parameters
    ----------
    optimizer : int
        `Optimizer`.
    rows, vectors : int
        Size of the tile.
    acc : pointer, [read]
        Tile of H^T dZ, row stride NR.
    w : pointer, [read+write]
        The same tile of the weights.
    m, v : pointer, [read+write]
        First and second moment (Adam); velocity and nothing (SGD); gradient and nothing (STORE).
    scalars : Scalars
        Of this step.
    weight_decay : float
        0 for biases.
    """
    if optimizer == ADAM:
        _adam(rows, vectors, acc, w, m, v, scalars, weight_decay)
    elif optimizer == STORE:
        _store(rows, vectors, acc, w, m, scalars, weight_decay)
    else:
        _sgd(rows, vectors, acc, w, m, scalars, weight_decay, optimizer == NESTEROV)
