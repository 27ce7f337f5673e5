"""Backward pass of a dense layer on plain arrays: `linear_backward` and `linear_backward_update`."""

import math
from collections.abc import Sequence

import numpy as np

from fastbp.kernels.functions.activations import ACTIVATIONS, CODES, HIDDEN
from fastbp.kernels.functions.optimizers import MOST_SCALARS, RULE_CODES, RULES, Optimizer
from fastbp.kernels.layers.arguments import check_disjoint, check_matrix, check_output, check_vector
from fastbp.kernels.layers.backward_phases import run_phases, scalars_of_step
from fastbp.kernels.layers.state import LinearState
from fastbp.kernels.tiles.update import Step

__all__ = ["linear_backward", "linear_backward_update"]

STORE = RULE_CODES["store"]
_FROM_OUTPUT = tuple(name for name in HIDDEN if not ACTIVATIONS[name].needs_slopes)


def _check_inputs(
    dz: np.ndarray, x: np.ndarray, w: np.ndarray, x_activation: str | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    dz = check_matrix("dz", dz)
    x = check_matrix("x", x, dz.dtype, (dz.shape[0], None))
    w = check_matrix("w", w, dz.dtype, (x.shape[1], dz.shape[1]))
    if dz.shape[0] == 0 or w.size == 0:
        raise ValueError(f"dz, x and w must not be empty, got shapes {dz.shape}, {x.shape} and {w.shape}")
    if x_activation is not None and x_activation not in _FROM_OUTPUT:
        raise ValueError(f"x_activation must be None or one of {_FROM_OUTPUT}, got {x_activation!r}")
    return dz, x, w


def _check_number(name: str, value: float, lowest: float) -> float:
    if not (math.isfinite(value) and value >= lowest):
        raise ValueError(f"{name} must be a finite number >= {lowest:g}, got {value!r}")
    return float(value)


def _check_results(
    out: Sequence[np.ndarray] | None, shapes: dict[str, tuple[int, ...]], inputs: dict[str, np.ndarray | None]
) -> list[np.ndarray]:
    """Return the arrays of `out`, or new ones; raise if a shape is wrong or an array overlaps something else."""
    dtype = next(array.dtype for array in inputs.values() if array is not None)
    if out is None:
        return [np.empty(shape, dtype=dtype) for shape in shapes.values()]
    if len(out) != len(shapes):
        raise ValueError(f"out must be {len(shapes)} arrays ({', '.join(shapes)}), got {len(out)}")
    named = {f"out {name}": array for name, array in zip(shapes, out, strict=True)}
    for (name, array), shape in zip(named.items(), shapes.values(), strict=True):
        if len(shape) == 2:
            check_matrix(name, array, dtype, shape)
        else:
            check_vector(name, array, dtype, shape[0])
        check_output(name, array)
        others = {other: value for other, value in named.items() if other != name}
        check_disjoint(name, array, {**inputs, **others})
    return list(out)


def linear_backward(
    dz: np.ndarray,
    x: np.ndarray,
    w: np.ndarray,
    *,
    x_activation: str | None = None,
    weight_decay: float = 0.0,
    out: Sequence[np.ndarray] | None = None,
    n_threads: int | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of a dense layer ``z = x . w + b``, activation gradient and weight decay included.

    .. math::
        dx = (dz \\cdot w^T) \\odot act'(x), \\quad
        dw = x^T \\cdot dz + weight\\_decay \\cdot w, \\quad
        db_j = \\sum_i dz_{ij}

    Parameters
    ----------
    dz : ndarray, (n, n_out), [read]
        Gradient with respect to z; float32 or float64, any strides.
    x : ndarray, (n, n_in), [read]
        Input of the layer, of the same dtype; any strides.
    w : ndarray, (n_in, n_out), [read]
        Weights, of the same dtype; any strides.
    x_activation : {None, "identity", "relu", "tanh", "logistic"}
        The activation whose output `x` is. dx is then the gradient with respect to that activation's input: act' is
        computed from x. The derivative of ReLU at 0 is 0.
    weight_decay : float
        Added to dw as ``weight_decay * w``: the gradient of ``weight_decay / 2 * sum(w**2)``. Biases are not decayed.
    out : (ndarray, ndarray, ndarray), [write], optional
        C-contiguous arrays for dx, dw and db; they must not overlap each other or another argument. Their old content
        is never read.
    n_threads : int, optional
        Number of threads; -1 for all CPUs, None to choose by the size. The results are the same, bit by bit, for any
        number.

    Returns
    -------
    dx : ndarray, (n, n_in)
    dw : ndarray, (n_in, n_out)
    db : ndarray, (n_out,)

    Raises
    ------
    TypeError
        If an argument is not an array, or the dtypes are not all float32 or all float64.
    ValueError
        If shapes do not fit or are empty, or another argument is out of range.

    Notes
    -----
    Goodfellow, Bengio and Courville, "Deep Learning", section 6.5.6: the two rules of a matrix product.
    """
    dz, x, w = _check_inputs(dz, x, w, x_activation)
    weight_decay = _check_number("weight_decay", weight_decay, 0.0)
    shapes = {"dx": x.shape, "dw": w.shape, "db": (w.shape[1],)}
    dx, dw, db = _check_results(out, shapes, {"dz": dz, "x": x, "w": w})
    w = np.ascontiguousarray(w)
    # Biases are not decayed: these zeros stand in for them.
    updated = w, np.zeros_like(db), dw, db, None, None
    step = Step(STORE, (0.0,) * MOST_SCALARS, 1.0, weight_decay)
    run_phases(dz, x, w, updated, step, 1, CODES[x_activation or "identity"], n_threads, dx)
    return dx, dw, db


def linear_backward_update(
    dz: np.ndarray,
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray,
    state: LinearState,
    *,
    optimizer: Optimizer,
    x_activation: str | None = None,
    weight_decay: float = 0.0,
    batch_weight: float = 1.0,
    out: np.ndarray | None = None,
    n_threads: int | None = None,
) -> np.ndarray:
    """Backward pass of a dense layer and one optimizer step on its parameters, without storing the gradient.

    With ``g = (x^T . dz + weight_decay * w) / batch_weight``, and the sum of the rows of dz over `batch_weight` for the
    biases, `w`, `b` and `state` are changed as `optimizer` says (see `fastbp.SGD` and `fastbp.Adam`) while each tile of
    g is in L1. dx is computed with the weights from before the step:

    .. math:: dx = (dz \\cdot w^T) \\odot act'(x)

    Parameters
    ----------
    dz : ndarray, (n, n_out), [read]
        Gradient with respect to z; float32 or float64, any strides.
    x : ndarray, (n, n_in), [read]
        Input of the layer, of the same dtype; any strides.
    w : ndarray, (n_in, n_out), [read+write]
        Weights, of the same dtype; C-contiguous.
    b : ndarray, (n_out,), [read+write]
        Biases, of the same dtype; contiguous.
    state : LinearState, [read+write]
        Moments of `w` and `b`, and the number of steps made.
    optimizer : SGD, Adam or AdamW
        Settings.
    x_activation : {None, "identity", "relu", "tanh", "logistic"}
        The activation whose output `x` is. dx is then the gradient with respect to that activation's input.
    weight_decay : float
        Strength of the penalty ``weight_decay / (2 * batch_weight) * sum(w**2)``. Biases are not decayed.
    batch_weight : float
        Divides the gradient. If dz is the gradient of a sum over rows: their number, or the sum of their weights.
    out : ndarray, (n, n_in), [write], optional
        C-contiguous array for dx; it must not overlap another argument.
    n_threads : int, optional
        Number of threads; -1 for all CPUs, None to choose by the size. The results are the same, bit by bit, for any
        number.

    Returns
    -------
    ndarray, (n, n_in)
        dx: `out`, or a new array.

    Raises
    ------
    TypeError, ValueError
        As `linear_backward`, and if an array that would be written is read-only, not contiguous, or overlaps another.
        Nothing is changed then.
    """
    dz, x, _ = _check_inputs(dz, x, w, x_activation)
    weight_decay = _check_number("weight_decay", weight_decay, 0.0)
    if not (math.isfinite(batch_weight) and batch_weight != 0.0):
        raise ValueError(f"batch_weight must be a finite number other than 0, got {batch_weight!r}")
    check_vector("b", b, w.dtype, w.shape[1])
    moments = len(RULES[optimizer.rule].moments)
    state.check(w, b, needs_second=moments > 1)
    written = {"w": w, "b": b, **state.arrays()}
    for name, array in written.items():
        check_output(name, array)
        others = {other: value for other, value in written.items() if other != name}
        check_disjoint(name, array, {**others, "dz": dz, "x": x})
    outs = None if out is None else (out,)
    (dx,) = _check_results(outs, {"dx": x.shape}, {"dz": dz, "x": x, **written})
    second = (state.v_w, state.v_b) if moments > 1 else (None, None)
    code = RULE_CODES[optimizer.rule]
    scalars = scalars_of_step(code, optimizer.numbers(optimizer.learning_rate), state.t + 1)
    step, updated = Step(code, scalars, 1.0 / batch_weight, weight_decay), (w, b, state.m_w, state.m_b, *second)
    run_phases(dz, x, w, updated, step, moments, CODES[x_activation or "identity"], n_threads, dx)
    state.t += 1
    return dx
