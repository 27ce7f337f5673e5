r"""Training: forward and backward passes in turn, one minibatch at a time, until the loss stops improving.

After the initialization "perform forward propagation and back propagation alternately, and update model
parameters according to the gradient" (D2L, "Training Deep Learning Model"): each uses the other's latest
values. The details - how parameters are drawn, how examples are shuffled, what the loss of an epoch is, when to
stop - are those of scikit-learn's stochastic solvers, with random numbers drawn in the same order.

A fit is `initialize`, then `train`. A warm start is `train` again with the same weights and `History`, and a
new optimizer. A partial fit is `train` for one epoch with the same weights, `History` *and* optimizer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from refbp.activations import ACTIVATIONS
from refbp.mlp import loss_and_gradient
from refbp.optimizers import SGD, Adam


class Stopping(NamedTuple):
    """When to stop: after more than ``n_iter_no_change`` consecutive epochs without a gain of ``tol``."""

    tol: float = 1e-4
    n_iter_no_change: float = 10


DEFAULT_STOPPING = Stopping()


@dataclass
class History:
    """The state of training: updated by `train`, and passed on by the caller for warm starts and partial fits.

    Attributes
    ----------
    loss_curve : list of float
        Mean loss of every epoch.
    validation_scores : list of float or None
        Score after every epoch; None without early stopping.
    best_loss, best_validation_score : float or None
        Only one of them is kept: the score with early stopping, else the loss.
    no_improvement_count : int
        Consecutive epochs without improvement.
    n_iter : int
        Epochs of the last call to `train`.
    t : int
        Examples seen, in all calls.
    loss : float
        Mean loss of the last epoch.
    stop_reason : {None, "max_epochs", "tol"}
    """

    loss_curve: list[float] = field(default_factory=list)
    validation_scores: list[float] | None = None
    best_loss: float | None = None
    best_validation_score: float | None = None
    no_improvement_count: int = 0
    n_iter: int = 0
    t: int = 0
    loss: float = np.nan
    stop_reason: str | None = None


def initialize(
    layer_sizes: Sequence[int], activation: str, rng: np.random.RandomState, dtype: DTypeLike = np.float64
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    r"""Draw the parameters (X. Glorot, Y. Bengio, AISTATS 2010, the "normalized initialization").

    Uniform in :math:`\pm\sqrt{f / (n_{in} + n_{out})}` with :math:`f = 2` for the logistic activation and 6
    for others, `refbp.activations.Activation.glorot_factor`; the biases too.

    Parameters
    ----------
    layer_sizes : list of int
        Inputs, hidden units of each layer, outputs.
    activation : str
        Of the hidden layers.
    rng : numpy.random.RandomState
        Advanced by the draws W_1, b_1, W_2, b_2, ... in float64.
    dtype : numpy dtype
        Of the result.

    Returns
    -------
    weights, biases : lists of (n_in, n_out) and (n_out,) arrays
    """
    factor = ACTIVATIONS[activation].glorot_factor
    weights, biases = [], []
    for n_in, n_out in pairwise(layer_sizes):
        bound = np.sqrt(factor / (n_in + n_out))
        weights.append(rng.uniform(-bound, bound, (n_in, n_out)).astype(dtype))
        biases.append(rng.uniform(-bound, bound, n_out).astype(dtype))
    return weights, biases


def train(
    weights: list[np.ndarray],
    biases: list[np.ndarray],
    optimizer: SGD | Adam,
    x: np.ndarray,
    y: np.ndarray,
    *,
    activation: str,
    loss: str,
    weight_decay: float,
    batch_size: int,
    max_epochs: int,
    rng: np.random.RandomState | None,
    history: History,
    stopping: Stopping = DEFAULT_STOPPING,
    sample_weight: np.ndarray | None = None,
    evaluate: Callable[[list[np.ndarray], list[np.ndarray]], float] | None = None,
) -> None:
    """Train in place.

    Parameters
    ----------
    weights, biases : lists of (n_in, n_out) and (n_out,) arrays [read+write]
    optimizer : SGD, Adam or AdamW
        Changed by the steps it makes.
    x, y : (n, n_in) and (n, n_out) arrays [read]
        For the two log losses ``y`` may be bool.
    activation, loss, weight_decay
        As in `refbp.mlp.loss_and_gradient`; the penalty is scikit-learn's.
    batch_size : int
        Clipped to [1, n]. A last, shorter minibatch is kept.
    max_epochs : int
    rng : numpy.random.RandomState or None
        Shuffles once an epoch; None leaves the examples in order.
    history : History
        Updated.
    stopping : Stopping
    sample_weight : (n,) array or None
    evaluate : callable or None
        ``evaluate(weights, biases) -> float``, higher is better. It is called after every epoch; training stops
        early by this score and ends with the weights that had the best one. See `refbp.scoring.scorer`.

    Raises
    ------
    ValueError
        If a parameter is not finite in the end.

    Notes
    -----
    One difference from scikit-learn 1.9: at a warm start with early stopping, the best weights so far are those
    passed in. scikit-learn loses them, because it goes on training in the arrays that hold them.
    """
    start_history(history, early_stopping=evaluate is not None)
    best = [p.copy() for p in weights + biases]
    order = np.arange(len(x))
    for _ in range(max_epochs):
        batches: list[slice] | list[np.ndarray] = slices(len(x), batch_size)
        if rng is not None:
            order = order[permutation(len(x), rng)]
            batches = [order[batch] for batch in slices(len(x), batch_size)]
        history.loss = run_epoch(
            weights,
            biases,
            optimizer,
            x,
            y,
            batches,
            activation=activation,
            loss=loss,
            weight_decay=weight_decay,
            sample_weight=sample_weight,
        )
        history.n_iter += 1
        history.t += len(x)
        history.loss_curve.append(history.loss)
        if evaluate is None:
            note_loss(history, stopping.tol)
        elif note_score(history, evaluate(weights, biases), stopping.tol):
            best = [p.copy() for p in weights + biases]
        optimizer.iteration_ends(history.t)

        if history.no_improvement_count > stopping.n_iter_no_change:
            if optimizer.trigger_stopping():
                history.stop_reason = "tol"
                break
            history.no_improvement_count = 0

    if evaluate is not None:
        for p, best_p in zip(weights + biases, best, strict=True):
            p[...] = best_p
    if not all(np.isfinite(p).all() for p in weights + biases):
        raise ValueError(
            "Solver produced non-finite parameter weights. The input data may contain large values and need"
            " to be preprocessed."
        )


def run_epoch(
    weights: list[np.ndarray],
    biases: list[np.ndarray],
    optimizer: SGD | Adam,
    x: np.ndarray,
    y: np.ndarray,
    batches: Sequence[slice] | Sequence[np.ndarray],
    *,
    activation: str,
    loss: str,
    weight_decay: float,
    sample_weight: np.ndarray | None = None,
) -> float:
    """Make one step for each minibatch, in place.

    Parameters
    ----------
    batches : list of slices or of integer arrays
        The rows of each minibatch, in order.
    weights, biases, optimizer, x, y, activation, loss, weight_decay, sample_weight
        As in `train`.

    Returns
    -------
    float
        Mean of the minibatches' losses, each as it was before its step. They count by their number of rows,
        also when these are weighted.
    """
    params = weights + biases
    accumulated = 0.0
    for batch in batches:
        x_batch = x[batch]
        value, gradients = loss_and_gradient(
            weights,
            biases,
            x_batch,
            y[batch],
            activation=activation,
            loss=loss,
            weight_decay=weight_decay,
            sample_weight=None if sample_weight is None else sample_weight[batch],
        )
        accumulated += value * len(x_batch)
        optimizer.step(params, gradients.dweights + gradients.dbiases)
    return accumulated / len(x)


def permutation(n: int, rng: np.random.RandomState) -> np.ndarray:
    """Draw a permutation of n. `train` composes it with those of the epochs before."""
    p = np.arange(n)
    rng.shuffle(p)
    return p


def slices(n: int, batch_size: int) -> list[slice]:
    """Split 0 ... n into minibatches.

    Examples
    --------
    >>> slices(5, 2)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    batch_size = min(max(batch_size, 1), n)
    return [slice(start, min(start + batch_size, n)) for start in range(0, n, batch_size)]


def start_history(history: History, *, early_stopping: bool) -> None:
    """Reset the entries of a single call, and create those that a first call finds empty."""
    history.n_iter = 0
    history.stop_reason = "max_epochs"
    if not early_stopping:
        history.best_loss = np.inf if history.best_loss is None else history.best_loss
    elif history.validation_scores is None:
        history.validation_scores = []
        history.best_validation_score = -np.inf


def note_loss(history: History, tol: float) -> None:
    """Compare the last epoch's loss with the best one."""
    assert history.best_loss is not None
    if history.loss > history.best_loss - tol:
        history.no_improvement_count += 1
    else:
        history.no_improvement_count = 0
    history.best_loss = min(history.best_loss, history.loss)


def note_score(history: History, score: float, tol: float) -> bool:
    """Compare the last epoch's validation score with the best one; return whether it is a new best."""
    assert history.validation_scores is not None
    assert history.best_validation_score is not None
    history.validation_scores.append(score)
    if score < history.best_validation_score + tol:
        history.no_improvement_count += 1
    else:
        history.no_improvement_count = 0
    if score > history.best_validation_score:
        history.best_validation_score = score
        return True
    return False
