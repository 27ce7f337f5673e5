r"""The textbook's network, word for word: one example, one hidden layer, all variables named.

D2L, "Forward Propagation" and "Back Propagation", and the slides of the same titles. Vectors are columns,
weights multiply from the left: :math:`z = W^{(1)} x` with :math:`W^{(1)} \in \mathbb R^{h \times d}` and
:math:`o = W^{(2)} h` with :math:`W^{(2)} \in \mathbb R^{q \times h}`. (`refbp.mlp` writes the same with rows
and the transposed weights, any depth.)

The module includes D2L's exercises. With biases, :math:`z = W^{(1)} x + b^{(1)}` and
:math:`o = W^{(2)} h + b^{(2)}`; they are not in the regularization term. And the input may be a matrix with an
example in each of n columns: then so are z, h and o, and L is the mean over the examples. A gradient has the
shape of its variable in any case.

Here :math:`o` is the output of the network without an output activation, and the loss is computed from it: half
the squared error, or the cross-entropy on unnormalized log probabilities (Deep Learning, section 6.5.7).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from refbp.activations import ACTIVATIONS, softmax
from refbp.chain_rule import Factored, prod
from refbp.optimizers import SGD, Adam
from refbp.walk_text import Markup, explain


class Forward(NamedTuple):
    """What the forward pass computes and stores, in its order, after the parameters it used."""

    w1: np.ndarray  # (h, d)
    w2: np.ndarray  # (q, h)
    b1: np.ndarray | None  # (h,)
    b2: np.ndarray | None  # (q,)
    x: np.ndarray  # (d,) or (d, n)    the input
    z: np.ndarray  # (h,) or (h, n)    the intermediate variable
    h: np.ndarray  # (h,) or (h, n)    the hidden activation
    o: np.ndarray  # (q,) or (q, n)    the output layer variable
    L: float  # the loss term
    s: float  # the regularization term
    J: float  # the objective


class Backward(NamedTuple):
    """What back-propagation computes and stores, in its order; a gradient has the shape of its variable."""

    dJ_dL: float
    dJ_ds: float
    dJ_do: np.ndarray  # (q,) or (q, n)
    ds_dw1: np.ndarray  # (h, d)
    ds_dw2: np.ndarray  # (q, h)
    dJ_dw2: np.ndarray  # (q, h)
    dJ_db2: np.ndarray | None  # (q,)
    dJ_dh: np.ndarray  # (h,) or (h, n)
    dJ_dz: np.ndarray  # (h,) or (h, n)
    dJ_dw1: np.ndarray  # (h, d)
    dJ_db1: np.ndarray | None  # (h,)


class Walk(NamedTuple):
    """A forward and a backward pass.

    Attributes
    ----------
    forward : Forward
    backward : Backward
    phi : str
    """

    forward: Forward
    backward: Backward
    phi: str

    @property
    def n_kinks(self) -> int:
        r"""Number of elements of z at which :math:`\phi` has no derivative; `backward` takes the left one."""
        kink = ACTIVATIONS[self.phi].continuous_derivatives < 1
        return int((self.forward.z == 0).sum()) if kink else 0

    def explain(self, markup: Markup = "text") -> str:
        """Write down symbol, equation, shape and norm of every step, in the order of the texts.

        Parameters
        ----------
        markup : {"text", "markdown", "latex"}
            Columns, a table, or an environment of amsmath.

        Returns
        -------
        str

        Examples
        --------
        >>> x, y, w1, w2 = np.array([1.0, 2.0]), np.array([1.0]), np.eye(2), np.array([[0.5, 3.0]])
        >>> for line in walk(x, y, w1, w2).explain().splitlines():
        ...     if line.startswith("∂J/∂z"):
        ...         print(line)
        ∂J/∂z    = prod(∂J/∂h, ∂h/∂z) = ∂J/∂h ⊙ φ'(z)                                 (2,)    norm 16.7276
        """
        return explain(self.forward._asdict() | self.backward._asdict(), markup, self.n_kinks)


class OutputLoss(NamedTuple):
    r"""A loss :math:`\ell(o, y)` of one example and its gradient :math:`\partial L / \partial o`."""

    value: Callable[[np.ndarray, np.ndarray], float]
    gradient: Callable[[np.ndarray, np.ndarray], np.ndarray]


def half_squared_error(o: np.ndarray, y: np.ndarray) -> float:
    r"""Compute :math:`\ell(o, y) = \frac12 \|o - y\|^2`, the mean over examples."""
    return float(0.5 * ((o - y) ** 2).sum(axis=0).mean())


def half_squared_error_gradient(o: np.ndarray, y: np.ndarray) -> np.ndarray:
    r"""Compute :math:`\partial \ell / \partial o = o - y`, divided by the number of examples."""
    return (o - y) / o[0].size


def cross_entropy(o: np.ndarray, y: np.ndarray) -> float:
    r"""Compute :math:`\ell(o, y) = \log \sum_k e^{o_k} - y^{\mathsf T} o` for one-hot ``y``, the mean over examples."""
    largest = o.max(axis=0)
    return float((largest + np.log(np.exp(o - largest).sum(axis=0)) - (y * o).sum(axis=0)).mean())


def cross_entropy_gradient(o: np.ndarray, y: np.ndarray) -> np.ndarray:
    r"""Compute :math:`\partial \ell / \partial o = \mathrm{softmax}(o) - y`, divided by the number of examples."""
    return (softmax(o.T).T - y) / o[0].size


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
    b1: np.ndarray | None = None,
    b2: np.ndarray | None = None,
    *,
    phi: str = "relu",
    loss: str = "half_squared_error",
    lam: float = 0.0,
) -> Forward:
    r"""Compute and store the variables from input to objective.

    Parameters
    ----------
    x : (d,) or (d, n) array
    y : (q,) or (q, n) array
        The label.
    w1, w2 : (h, d) and (q, h) arrays
    b1, b2 : (h,) and (q,) arrays, or None
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
    z = plus_bias(w1 @ x, b1)
    h = ACTIVATIONS[phi].forward(z)
    o = plus_bias(w2 @ h, b2)
    L = OUTPUT_LOSSES[loss].value(o, y)
    s = lam / 2 * float((w1**2).sum() + (w2**2).sum())
    return Forward(w1, w2, b1, b2, x, z, h, o, L, s, J=L + s)


def plus_bias(columns: np.ndarray, b: np.ndarray | None) -> np.ndarray:
    """Add a bias, if there is one, to a column or to each of several."""
    return columns if b is None else (columns.T + b).T


def backward(
    f: Forward, y: np.ndarray, *, phi: str = "relu", loss: str = "half_squared_error", lam: float = 0.0
) -> Backward:
    r"""Compute and store the derivatives from objective to parameters.

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
    # one more index where there are several examples
    n = "n" * (f.x.ndim - 1)
    one = np.ones(f.x.shape[1:])
    # J = L + s
    dJ_dL = dJ_ds = 1.0
    # L = loss(o, y)
    dJ_do = prod(dJ_dL, OUTPUT_LOSSES[loss].gradient(f.o, y))
    # s = lam / 2 * (||w1||^2 + ||w2||^2)
    ds_dw1 = lam * f.w1
    ds_dw2 = lam * f.w2
    # o = w2 @ h + b2, and w2 is in s too: two paths, summed
    dJ_dw2 = prod(dJ_do, Factored(f.h, f"i{n},k{n}->ik")) + prod(dJ_ds, ds_dw2)  # dJ_do h^T + lam w2
    dJ_db2 = None if f.b2 is None else prod(dJ_do, Factored(one, f"i{n},{n}->i"))  # dJ_do
    dJ_dh = prod(dJ_do, Factored(f.w2, f"i{n},ik->k{n}"))  # w2^T dJ_do
    # h = phi(z), elementwise
    act = ACTIVATIONS[phi]
    phi_prime = act.backward(np.ones_like(f.h), act.kept(f.z, f.h))
    dJ_dz = prod(dJ_dh, Factored(phi_prime, f"i{n},i{n}->i{n}"))  # dJ_dh * phi'(z)
    # z = w1 @ x + b1, and w1 is in s too
    dJ_dw1 = prod(dJ_dz, Factored(f.x, f"i{n},k{n}->ik")) + prod(dJ_ds, ds_dw1)  # dJ_dz x^T + lam w1
    dJ_db1 = None if f.b1 is None else prod(dJ_dz, Factored(one, f"i{n},{n}->i"))  # dJ_dz
    return Backward(dJ_dL, dJ_ds, dJ_do, ds_dw1, ds_dw2, dJ_dw2, dJ_db2, dJ_dh, dJ_dz, dJ_dw1, dJ_db1)


def walk(
    x: np.ndarray,
    y: np.ndarray,
    w1: np.ndarray,
    w2: np.ndarray,
    b1: np.ndarray | None = None,
    b2: np.ndarray | None = None,
    *,
    phi: str = "relu",
    loss: str = "half_squared_error",
    lam: float = 0.0,
) -> Walk:
    """Go forward and back. Parameters are those of `forward`."""
    f = forward(x, y, w1, w2, b1, b2, phi=phi, loss=loss, lam=lam)
    return Walk(f, backward(f, y, phi=phi, loss=loss, lam=lam), phi)


def alternate(
    x: np.ndarray,
    y: np.ndarray,
    params: dict[str, np.ndarray],
    optimizer: SGD | Adam,
    n_steps: int,
    *,
    phi: str = "relu",
    loss: str = "half_squared_error",
    lam: float = 0.0,
) -> list[Walk]:
    """Train: "perform forward propagation and back propagation alternately" (D2L, "Training Deep Learning Model").

    Forward reads the parameters that the last step back has led to; backward reads the variables that the
    last pass forward has stored. The step itself is another algorithm's: see `refbp.optimizers`.

    Parameters
    ----------
    x, y, phi, loss, lam
        As in `forward`.
    params : dict
        From "w1", "w2" and, with biases, "b1", "b2" to arrays [read].
    optimizer : SGD, Adam or AdamW
    n_steps : int

    Returns
    -------
    list of Walk
        One more than there are steps: the walk with the parameters at the start, and one after each step.
    """
    walks = [walk(x, y, **params, phi=phi, loss=loss, lam=lam)]
    for _ in range(n_steps):
        # the walks so far keep the parameters that they used
        params = {name: p.copy() for name, p in params.items()}
        optimizer.step(list(params.values()), [getattr(walks[-1].backward, f"dJ_d{name}") for name in params])
        walks.append(walk(x, y, **params, phi=phi, loss=loss, lam=lam))
    return walks
