"""Prediction: the Python side of the forward pass, for any number of rows from one to millions."""

import math

import numpy as np

from fastbp.compiler.target import TARGET
from fastbp.compiler.tuning import FEW_ROWS, PREDICTION_SHARES
from fastbp.kernels.functions.activations import ACTIVATIONS, CODES
from fastbp.kernels.memory import addressable, aligned_zeros
from fastbp.kernels.passes.few import address, few_rows_workspace, predict_few_rows
from fastbp.kernels.passes.predict import predict_shares
from fastbp.kernels.shares import run_shares
from fastbp.kernels.vectors.types import lanes
from fastbp.network.checks import check_layers
from fastbp.network.packing import pack_parameters
from fastbp.network.plan import layer_sizes, make_plan, make_view, step_flops
from fastbp.network.samples import SamplesLike, SparseRows, kernel_samples, place
from fastbp.threads.budget import choose_threads

__all__ = ["NonFiniteError", "finds_non_finite", "predict"]


class NonFiniteError(ValueError):
    """The samples contain NaN or infinity."""


def finds_non_finite(x: SamplesLike, dtype: np.dtype) -> bool:
    """Whether prediction in `dtype` can check that `x` is finite along the way, at almost no cost."""
    # Validation in the estimators returns an array of exactly this type unchanged.
    if type(x) is not np.ndarray or x.dtype != dtype or x.ndim != 2 or len(x) <= FEW_ROWS or not x.flags.aligned:
        return False
    return x.strides[1] == x.itemsize and x.strides[0] % x.itemsize == 0


def predict(
    weights: list[np.ndarray],
    biases: list[np.ndarray],
    x: SamplesLike,
    *,
    activation: str,
    output: str,
    n_threads: int | None = None,
    only_finite: bool = False,
) -> np.ndarray:
    """Forward pass of any number of rows.

    Rows are processed in chunks, so that memory beyond the result does not grow with their number.

    Parameters
    ----------
    weights, biases : list of ndarray [read]
        (n_in, n_out) and (n_out,) arrays, all float32 or all float64.
    x : ndarray or SparseRows, (n, n_in) [read]
        Samples; any strides.
    activation : str
        Activation of the hidden layers.
    output : {"identity", "exp", "logistic", "softmax"}
        Activation of the output layer.
    n_threads : int, optional
        See `budget.choose_threads`.
    only_finite : bool
        Whether to raise if a sample is not finite, where `finds_non_finite`. Otherwise the outputs for such samples
        are not finite or meaningless.

    Returns
    -------
    ndarray, (n, n_out)
        Of the dtype of the weights.

    Raises
    ------
    NonFiniteError
        If `only_finite`, and a sample is not finite.
    TypeError, ValueError
        If the layers do not fit each other or the samples, see `checks.check_layers`.
    """
    check_layers(weights, biases, x)
    dtype = weights[0].dtype
    n = x.shape[0]
    if not isinstance(x, SparseRows):
        x = addressable(x, dtype)
    elif n <= FEW_ROWS:
        x, weights = _occupied_columns(x, weights)
    sizes = layer_sizes(weights)
    result = np.empty((n, sizes[-1]), dtype=dtype)
    flops = step_flops(sizes, n) / 3
    threads = choose_threads(n_threads, flops, math.ceil(n / TARGET.mr))
    in_place = all(p.flags.c_contiguous and p.flags.aligned for p in (*weights, *biases))
    if n <= FEW_ROWS and in_place and isinstance(x, np.ndarray):
        _predict_few(weights, biases, x, sizes, activation, output, result)
    else:
        done = _predict_many(weights, biases, x, sizes, activation, output, threads, result, only_finite)
        if not done:
            raise NonFiniteError("x contains NaN or infinity")
    return result


def _occupied_columns(x: SparseRows, weights: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the non-empty columns of sparse samples as a dense matrix, and the weights that belong to them."""
    elements = slice(x.starts[0], x.starts[-1])
    columns, places = np.unique(x.indices[elements], return_inverse=True)
    if columns.size == 0:
        columns = np.zeros(1, dtype=columns.dtype)
    rows = np.repeat(np.arange(len(x)), np.diff(x.starts))
    dense = np.zeros((len(x), columns.size), dtype=weights[0].dtype)
    np.add.at(dense, (rows, places), x.values[elements])
    return dense, [np.ascontiguousarray(weights[0][columns]), *weights[1:]]


def _predict_few(
    weights: list[np.ndarray],
    biases: list[np.ndarray],
    x: np.ndarray,
    sizes: tuple[int, ...],
    activation: str,
    output: str,
    result: np.ndarray,
) -> None:
    if x.strides[1] != x.itemsize:
        x = np.ascontiguousarray(x)
    places = np.array([address(p) for pair in zip(weights, biases, strict=True) for p in pair])
    half, size = few_rows_workspace(sizes, TARGET.nv * lanes(x.dtype))
    workspace = aligned_zeros(size, x.dtype)
    x_row = x.strides[0] // x.itemsize
    smooth, codes = ACTIVATIONS[activation].needs_slopes or None, (CODES[activation], CODES[output])
    predict_few_rows(places, np.array(sizes), smooth, *codes, x.ctypes.data, x_row, workspace, half, result)


def _predict_many(
    weights: list[np.ndarray],
    biases: list[np.ndarray],
    x: SamplesLike,
    sizes: tuple[int, ...],
    activation: str,
    output: str,
    threads: int,
    result: np.ndarray,
    only_finite: bool,
) -> bool:
    n, dtype, sparse = len(x), weights[0].dtype, isinstance(x, SparseRows)
    chunk = max(1, min(n, make_plan(sizes, 1, dtype, sparse=sparse).row_chunk))
    plan = make_plan(sizes, chunk, dtype, sparse=sparse)
    network = make_view(plan, activation, output, 0, 1.0)
    params = aligned_zeros(plan.params, dtype)
    pack_parameters(plan.table, [*weights, *biases], params, plan.panel_width)
    n_chunks = math.ceil(n / chunk)
    threads = max(1, min(threads, n_chunks))
    order = np.arange(chunk)
    dense, samples = place(x), kernel_samples(x, 0, 1)

    def work(_: int, shares: np.ndarray) -> None:
        workspace, scratch = aligned_zeros(plan.workspace, dtype), aligned_zeros(plan.scratch, dtype)
        predict_shares(network, params, workspace, scratch, *dense, samples, order, result, shares, only_finite)

    return run_shares(work, n_chunks, PREDICTION_SHARES, threads, (x,))
