r"""The multi-layer perceptron of any depth, for a minibatch of rows.

Layer :math:`l` of :math:`1 \ldots M` maps the rows :math:`H_{l-1}` (n, n_in) to :math:`H_l` (n, n_out), as in
Deep Learning, figure 1c:

.. math::
    Z_l = H_{l-1} W_l + b_l, \qquad H_l = \phi(Z_l), \qquad H_0 = X, \qquad O = H_M = \mathrm{out}(Z_M)

Going back, with :math:`\Delta_l` the gradient of the *summed* loss by :math:`Z_l` and :math:`S` the number of
rows or the sum of their weights :math:`c_i`, the two rules of a matrix product (Deep Learning 6.5.6,
:math:`G B^{\mathsf T}` and :math:`A^{\mathsf T} G`) give

.. math::
    \Delta_M = c \odot (O - Y), \qquad
    \Delta_{l-1} = (\Delta_l W_l^{\mathsf T}) \odot \phi'(Z_{l-1}), \qquad
    \nabla_{W_l} J = \frac1S H_{l-1}^{\mathsf T} \Delta_l + \nabla_{W_l} s, \qquad
    \nabla_{b_l} J = \frac1S \mathbf 1^{\mathsf T} \Delta_l

which for one hidden layer is the walk of section 6.5.7: :math:`H^{\mathsf T} G`, then
:math:`G W^{(2)\mathsf T}`, the relu rule, :math:`X^{\mathsf T} G'`, with the path through the weight decay
added to each.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from refbp.activations import ACTIVATIONS
from refbp.losses import LOSSES, residual
from refbp.penalties import PENALTIES


class ForwardPass(NamedTuple):
    """What the forward pass stores for the backward pass.

    Attributes
    ----------
    hs : list of arrays
        ``[x, h_1, ..., o]``, one more than there are weight matrices.
    kept : list of arrays
        For each of ``hs`` what the rule of its activation reads: that array itself, or the pre-activation, see
        `refbp.activations.Activation.keeps`. The first, for the input, is not read.
    """

    hs: list[np.ndarray]
    kept: list[np.ndarray]


class Gradients(NamedTuple):
    """Gradients of the objective, and the intermediate deltas.

    Attributes
    ----------
    dweights : list of (n_in, n_out) arrays
    dbiases : list of (n_out,) arrays
    deltas : list of (n, n_out) arrays
        Gradient of the loss *summed* over the minibatch (not yet divided by its weight) by each layer's
        pre-activation.
    """

    dweights: list[np.ndarray]
    dbiases: list[np.ndarray]
    deltas: list[np.ndarray]


def pre_activations(
    x: np.ndarray, weights: Sequence[np.ndarray], biases: Sequence[np.ndarray], activation: str
) -> list[np.ndarray]:
    """Compute every layer's pre-activation.

    Parameters
    ----------
    x : (n, n_in) array
    weights : list of (n_in, n_out) arrays
    biases : list of (n_out,) arrays
    activation : str
        Of the hidden layers.

    Returns
    -------
    list of (n, n_out) arrays
        One for each layer, the last for the output.
    """
    h, zs = x, []
    for w, b in zip(weights, biases, strict=True):
        zs.append(h @ w + b)
        h = ACTIVATIONS[activation].forward(zs[-1])
    return zs


def forward(
    x: np.ndarray, weights: Sequence[np.ndarray], biases: Sequence[np.ndarray], activation: str, output: str
) -> ForwardPass:
    """Carry a minibatch through the network, keeping what the backward pass needs.

    Parameters
    ----------
    x : (n, n_in) array
    weights : list of (n_in, n_out) arrays
    biases : list of (n_out,) arrays
    activation, output : str
        Activation of the hidden layers and of the last.

    Returns
    -------
    ForwardPass

    Examples
    --------
    >>> weights, biases = [np.eye(2), np.ones((2, 1))], [np.zeros(2), np.ones(1)]
    >>> forward(np.array([[1.0, -2.0]]), weights, biases, "relu", "identity").hs
    [array([[ 1., -2.]]), array([[1., 0.]]), array([[2.]])]
    """
    hs, kept = [x], [x]
    last = len(weights) - 1
    for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
        act = ACTIVATIONS[output if i == last else activation]
        z = hs[-1] @ w + b
        h = act.forward(z)
        hs.append(h)
        kept.append(act.kept(z, h))
    return ForwardPass(hs, kept)


def predict(
    weights: Sequence[np.ndarray],
    biases: Sequence[np.ndarray],
    x: np.ndarray,
    *,
    activation: str,
    output: str,
) -> np.ndarray:
    """Compute the network's output alone, (n, n_out). Parameters are those of `forward`."""
    return forward(x, weights, biases, activation, output).hs[-1]


def backward(
    stored: ForwardPass,
    weights: Sequence[np.ndarray],
    y: np.ndarray,
    *,
    activation: str,
    weight_decay: float = 0.0,
    penalty: str = "scikit_learn",
    sample_weight: np.ndarray | None = None,
) -> Gradients:
    """Propagate the error from the output back to every weight matrix and bias.

    Parameters
    ----------
    stored : ForwardPass
        From `forward`, with the canonical output activation of the loss: then the loss itself need not be
        named.
    weights : list of (n_in, n_out) arrays
        The ones that `forward` used.
    y : (n, n_out) array, may be bool
    activation : str
        Of the hidden layers.
    weight_decay : float
        Coefficient of the penalty.
    penalty : {"d2l", "deep_learning", "scikit_learn"}
        See `refbp.penalties`.
    sample_weight : (n,) array or None

    Returns
    -------
    Gradients
    """
    hs, kept = stored
    total_weight = total(sample_weight, len(y))
    summed_penalty_gradient = PENALTIES[penalty].summed_gradient

    delta = residual(y, hs[-1])
    if sample_weight is not None:
        delta *= sample_weight[:, np.newaxis]

    dweights, dbiases, deltas = [], [], []
    for i in reversed(range(len(weights))):
        # in the forward pass this was: z = hs[i] @ weights[i] + biases[i]
        dw = hs[i].T @ delta
        dw += summed_penalty_gradient(weights[i], weight_decay, total_weight)
        dw /= total_weight
        dweights.append(dw)
        dbiases.append(delta.sum(axis=0) / total_weight)
        deltas.append(delta)
        if i > 0:
            dh = delta @ weights[i].T
            # in the forward pass this was: hs[i] = activation(z), and kept[i] is hs[i] or z
            delta = ACTIVATIONS[activation].backward(dh, kept[i])
    return Gradients(dweights[::-1], dbiases[::-1], deltas[::-1])


def loss_and_gradient(
    weights: Sequence[np.ndarray],
    biases: Sequence[np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
    *,
    activation: str,
    loss: str,
    weight_decay: float = 0.0,
    penalty: str = "scikit_learn",
    sample_weight: np.ndarray | None = None,
) -> tuple[float, Gradients]:
    """Compute the reported loss, penalty included, and the gradient to descend by.

    The gradient is that of `objective`; see `refbp.losses` for where the reported loss differs from it.

    Parameters
    ----------
    weights, biases : lists of (n_in, n_out) and (n_out,) arrays
    x, y : (n, n_in) and (n, n_out) arrays
    activation, loss : str
        Of the hidden layers; of the output, which has the loss's canonical activation.
    weight_decay, penalty, sample_weight
        As in `backward`.

    Returns
    -------
    float
        Mean loss of the minibatch plus the penalty.
    Gradients
    """
    stored = forward(x, weights, biases, activation, LOSSES[loss].output)
    value = LOSSES[loss].reported(y, stored.hs[-1], sample_weight)
    value += PENALTIES[penalty].value(weights, weight_decay, total(sample_weight, len(y)))
    gradients = backward(
        stored,
        weights,
        y,
        activation=activation,
        weight_decay=weight_decay,
        penalty=penalty,
        sample_weight=sample_weight,
    )
    return value, gradients


def objective(
    weights: Sequence[np.ndarray],
    biases: Sequence[np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
    *,
    activation: str,
    loss: str,
    weight_decay: float = 0.0,
    penalty: str = "scikit_learn",
    sample_weight: np.ndarray | None = None,
) -> float:
    """Compute J, the number whose gradient `loss_and_gradient` returns: no clipping, summed over outputs.

    Parameters are those of `loss_and_gradient`. It shares no derivative with `backward`, so finite
    differences of it are a second derivation.
    """
    z = pre_activations(x, weights, biases, activation)[-1]
    data_term = LOSSES[loss].objective(y, z, sample_weight)
    return data_term + PENALTIES[penalty].value(weights, weight_decay, total(sample_weight, len(y)))


def total(sample_weight: np.ndarray | None, n: int) -> float:
    """Return S, the weight of a minibatch: the sum of its sample weights, or its number of rows."""
    return n if sample_weight is None else sample_weight.sum()


def active_units(
    x: np.ndarray, weights: Sequence[np.ndarray], biases: Sequence[np.ndarray], activation: str
) -> np.ndarray:
    """Return the sign of every hidden pre-activation: the smooth piece of the network on which its parameters are.

    While this stays the same, J is a smooth function of the parameters; where it changes, a relu or another
    piecewise activation crosses its kink. Zero is a sign of its own, so that a point on a kink is recognized too.

    Parameters
    ----------
    x, weights, biases, activation
        Those of `forward`.

    Returns
    -------
    (n_hidden_total * n,) int8 array
        Values -1, 0, 1; empty for the smooth activations.
    """
    if ACTIVATIONS[activation].continuous_derivatives == math.inf:
        return np.empty(0, dtype=np.int8)
    hidden = pre_activations(x, weights, biases, activation)[:-1]
    return np.concatenate([np.sign(z).astype(np.int8).ravel() for z in hidden] or [np.empty(0, np.int8)])
