r"""The textbook's network, word for word: one example, one hidden layer, no biases, all variables named.

D2L, "Forward Propagation" and "Back Propagation", and the slides of the same titles. Vectors are columns,
weights multiply from the left: :math:`z = W^{(1)} x` with :math:`W^{(1)} \in \mathbb R^{h \times d}` and
:math:`o = W^{(2)} h` with :math:`W^{(2)} \in \mathbb R^{q \times h}`. (`refbp.mlp` writes the same with rows
and the transposed weights, any depth.)

Here :math:`o` is what the network puts out before any output activation, and the loss takes it as it is: half
the squared error, or the cross-entropy on unnormalized log probabilities (Deep Learning, section 6.5.7).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from refbp.activations import ACTIVATIONS, softmax


class Forward(NamedTuple):
    """What the forward pass computes and stores, in its order, after the two weight matrices it used."""

    w1: np.ndarray  # (h, d)
    w2: np.ndarray  # (q, h)
    x: np.ndarray  # (d,)    the input
    z: np.ndarray  # (h,)    the intermediate variable
    h: np.ndarray  # (h,)    the hidden activation
    o: np.ndarray  # (q,)    the output layer variable
    L: float  # the loss term
    s: float  # the regularization term
    J: float  # the objective


class Backward(NamedTuple):
    """What back-propagation computes and stores, in its order; a gradient has the shape of its variable."""

    dJ_dL: float
    dJ_ds: float
    dJ_do: np.ndarray  # (q,)
    ds_dw1: np.ndarray  # (h, d)
    ds_dw2: np.ndarray  # (q, h)
    dJ_dw2: np.ndarray  # (q, h)
    dJ_dh: np.ndarray  # (h,)
    dJ_dz: np.ndarray  # (h,)
    dJ_dw1: np.ndarray  # (h, d)


class OutputLoss(NamedTuple):
    r"""A loss :math:`\ell(o, y)` of one example and its gradient :math:`\partial L / \partial o`."""

    value: Callable[[np.ndarray, np.ndarray], float]
    gradient: Callable[[np.ndarray, np.ndarray], np.ndarray]


def half_squared_error(o: np.ndarray, y: np.ndarray) -> float:
    r"""Compute :math:`\ell(o, y) = \frac12 \|o - y\|^2`."""
    return 0.5 * ((o - y) ** 2).sum()


def half_squared_error_gradient(o: np.ndarray, y: np.ndarray) -> np.ndarray:
    r"""Compute :math:`\partial \ell / \partial o = o - y`."""
    return o - y


def cross_entropy(o: np.ndarray, y: np.ndarray) -> float:
    r"""Compute :math:`\ell(o, y) = \log \sum_k e^{o_k} - y^{\mathsf T} o` for a one-hot ``y``."""
    largest = o.max()
    return largest + np.log(np.exp(o - largest).sum()) - y @ o


def cross_entropy_gradient(o: np.ndarray, y: np.ndarray) -> np.ndarray:
    r"""Compute :math:`\partial \ell / \partial o = \mathrm{softmax}(o) - y`."""
    return softmax(o) - y


OUTPUT_LOSSES = {
    "half_squared_error": OutputLoss(half_squared_error, half_squared_error_gradient),
    "cross_entropy": OutputLoss(cross_entropy, cross_entropy_gradient),
}
"""Losses of an unactivated output, by name."""


def forward(
    x: np.ndarray,
    y: np.ndarray,
    w1: np.ndarray,
    w2: np.ndarray,
    *,
    phi: str = "relu",
    loss: str = "half_squared_error",
    lam: float = 0.0,
) -> Forward:
    r"""Compute and store the variables from input to objective.

    Parameters
    ----------
    x : (d,) array
    y : (q,) array
        The label.
    w1, w2 : (h, d) and (q, h) arrays
    phi : str
        A hidden activation of `refbp.activations`.
    loss : {"half_squared_error", "cross_entropy"}
    lam : float
        :math:`\lambda`, the weight decay.

    Returns
    -------
    Forward

    Examples
    --------
    >>> x, y = np.array([1.0, 2.0]), np.array([1.0])
    >>> w1, w2 = np.array([[1.0, 1.0], [1.0, -1.0]]), np.array([[0.5, 3.0]])
    >>> f = forward(x, y, w1, w2, lam=0.2)
    >>> f.z, f.h, f.o
    (array([ 3., -1.]), array([3., 0.]), array([1.5]))
    >>> [round(float(v), 12) for v in (f.L, f.s, f.J)]
    [0.125, 1.325, 1.45]
    """
    z = w1 @ x
    h = ACTIVATIONS[phi].forward(z)
    o = w2 @ h
    L = OUTPUT_LOSSES[loss].value(o, y)
    s = lam / 2 * ((w1**2).sum() + (w2**2).sum())
    return Forward(w1, w2, x, z, h, o, L, s, J=L + s)


def backward(
    f: Forward, y: np.ndarray, *, phi: str = "relu", loss: str = "half_squared_error", lam: float = 0.0
) -> Backward:
    r"""Compute and store the derivatives from objective to weights.

    Parameters
    ----------
    f : Forward
        What `forward` stored; back-propagation cannot start without it.
    y, phi, loss, lam
        As in `forward`.

    Returns
    -------
    Backward

    Examples
    --------
    The second hidden unit is off, so its weights are only decayed:

    >>> x, y = np.array([1.0, 2.0]), np.array([1.0])
    >>> w1, w2 = np.array([[1.0, 1.0], [1.0, -1.0]]), np.array([[0.5, 3.0]])
    >>> g = backward(forward(x, y, w1, w2, lam=0.2), y, lam=0.2)
    >>> g.dJ_do, g.dJ_dw2.round(12)
    (array([0.5]), array([[1.6, 0.6]]))
    >>> g.dJ_dh, g.dJ_dz, g.dJ_dw1.round(12)
    (array([0.25, 1.5 ]), array([0.25, 0.  ]), array([[ 0.45,  0.7 ],
           [ 0.2 , -0.2 ]]))
    """
    # J = L + s
    dJ_dL = dJ_ds = 1.0
    # L = loss(o, y)
    dJ_do = dJ_dL * OUTPUT_LOSSES[loss].gradient(f.o, y)
    # s = lam / 2 * (||w1||^2 + ||w2||^2)
    ds_dw1 = lam * f.w1
    ds_dw2 = lam * f.w2
    # o = w2 @ h, and w2 is in s too: two paths, summed
    dJ_dw2 = np.outer(dJ_do, f.h) + dJ_ds * ds_dw2
    dJ_dh = f.w2.T @ dJ_do
    # h = phi(z), elementwise
    dJ_dz = ACTIVATIONS[phi].backward(dJ_dh, f.h)
    # z = w1 @ x, and w1 is in s too
    dJ_dw1 = np.outer(dJ_dz, f.x) + dJ_ds * ds_dw1
    return Backward(dJ_dL, dJ_ds, dJ_do, ds_dw1, ds_dw2, dJ_dw2, dJ_dh, dJ_dz, dJ_dw1)
