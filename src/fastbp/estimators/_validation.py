"""Checks of user input. Each error names its argument and leaves the estimator unchanged."""

import copy
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from numbers import Integral, Number
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse, sparray, spmatrix
from sklearn.base import BaseEstimator
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.validation import validate_data

from fastbp.network.samples import SamplesLike, SparseRows
from fastbp.training.caller import warn_caller

__all__ = [
    "DTypes",
    "Matrix",
    "MatrixLike",
    "cast_samples",
    "check_architecture",
    "check_labels",
    "check_sample_weight",
    "check_samples",
    "check_values",
    "hidden_sizes",
    "naming",
    "to_samples",
    "unchanged_on_error",
]


# What users pass as X.
MatrixLike: TypeAlias = ArrayLike | sparray | spmatrix
# X after scikit-learn's checks: an array or a sparse matrix.
Matrix: TypeAlias = np.ndarray | sparray | spmatrix
DTypes: TypeAlias = np.dtype | type[np.floating] | list[type[np.floating]]


@contextmanager
def unchanged_on_error(estimator: BaseEstimator) -> Iterator[None]:
    """Give an estimator its attributes back if the block raises.

    The block must replace attributes and not modify what they hold.
    """
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


@contextmanager
def naming(argument: str) -> Iterator[None]:
    """Put the name of an argument in front of errors that do not mention it."""
    try:
        yield
    except (ValueError, TypeError) as error:
        if re.search(rf"\b{argument}\b", str(error)):
            raise
        kind = ValueError if isinstance(error, ValueError) else TypeError
        raise kind(f"{argument}: {error}") from error


def hidden_sizes(hidden_layer_sizes: int | Iterable[int]) -> list[int]:
    """Return the widths of the hidden layers as a list, from a number or an array-like of numbers."""
    sizes = [hidden_layer_sizes] if isinstance(hidden_layer_sizes, int | Integral) else list(hidden_layer_sizes)
    if not all(isinstance(size, Integral) and not isinstance(size, bool) for size in sizes):
        raise TypeError(f"hidden_layer_sizes must contain integers, got {sizes}.")
    if any(size <= 0 for size in sizes):
        raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}.")
    return [int(size) for size in sizes]


_MOST_COLUMNS = np.iinfo(np.int32).max
_COLUMN = (
    "A column-vector y was passed when a 1d array was expected. Please change the shape of y to (n_samples, ), for "
    "example using ravel()."
)
# Up to this many elements, scikit-learn's checks take longer than the prediction.
_FEW = 1 << 12


def _is_plain(estimator: BaseEstimator, X: MatrixLike, dtype: DTypes) -> bool:
    """Return whether scikit-learn's checks would return `X` itself without a warning."""
    return (
        type(X) is np.ndarray
        and X.dtype == dtype
        and X.ndim == 2
        and 0 < X.size <= _FEW
        and X.shape[1] == getattr(estimator, "n_features_in_", None)
        and not hasattr(estimator, "feature_names_in_")
        and bool(np.isfinite(X).all())
    )


def check_samples(
    estimator: BaseEstimator, X: MatrixLike, *, dtype: DTypes, reset: bool, assume_finite: bool = False
) -> Matrix:
    """Return `X` as a finite 2-D array, or a sparse matrix by rows, of one of the given dtypes.

    Parameters
    ----------
    estimator : estimator [read+write]
        Its number and names of features are compared, or set if `reset`.
    X : array-like or sparse matrix of shape (n_samples, n_features)
        What the user passed.
    dtype : dtype or list of dtype
        Wanted dtypes; `X` is kept as it is if it has one of them, and otherwise converted to the first.
    reset : bool
        Whether this is the first time that the estimator sees data.
    assume_finite : bool
        Whether to skip the check for NaN and infinity.
    """
    if not reset and _is_plain(estimator, X, dtype):
        return X
    # Where a cast to float32 overflows, the infinity is reported as an error.
    with naming("X"), np.errstate(over="ignore", invalid="ignore"):
        X = validate_data(
            estimator,
            X,
            dtype=dtype,
            reset=reset,
            accept_sparse=["csr", "csc"],
            ensure_all_finite=not assume_finite,
        )
        if not issparse(X):
            return X
        # SciPy accepts column numbers beyond the matrix, and then writes beyond its arrays. Its full check finds them,
        # but may modify the matrix. So it gets a copy: other threads may use the user's.
        X = copy.copy(X)
        X.check_format(full_check=True)
        return X.tocsr()


def to_samples(X: Matrix) -> SamplesLike:
    """Return checked samples as the engine takes them."""
    if isinstance(X, np.ndarray):
        return X
    # Numbers of columns fit into 32 bits: kernels need not be compiled for wider ones, too.
    indices = X.indices if X.shape[1] > _MOST_COLUMNS else X.indices.astype(np.int32, copy=False)
    with naming("X"):
        return SparseRows(X.data, indices, X.indptr, X.shape[1])


def cast_samples(x: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return finite samples in another dtype; what is too large for it is an error."""
    with naming("X"), np.errstate(over="ignore", invalid="ignore"):
        return check_array(x, dtype=dtype, input_name="X")


def _check_targets(estimator: BaseEstimator, y: MatrixLike | None, **options: Any) -> Matrix:
    if y is None:
        name = type(estimator).__name__
        raise ValueError(f"This {name} estimator requires y to be passed, but the target y is None.")
    with naming("y"):
        checked: Any = check_array(y, ensure_2d=False, input_name="y", estimator=estimator, **options)
        if checked.ndim != 2 or checked.shape[1] != 1:
            return checked
        warn_caller(_COLUMN, DataConversionWarning)
        return column_or_1d(checked)


def check_labels(estimator: BaseEstimator, y: MatrixLike | None) -> Matrix:
    """Return class labels as an array of shape (n,), or multilabel indicators of shape (n, n_labels)."""
    return _check_targets(estimator, y, dtype=None, accept_sparse="csr")


def check_values(estimator: BaseEstimator, y: ArrayLike | None, *, dtype: np.dtype) -> np.ndarray:
    """Return target values as a finite C-contiguous array of shape (n, n_outputs) and the given dtype."""
    values: Any = _check_targets(estimator, y, dtype="numeric")
    # Again for the dtype alone: what is finite in float64 may not be so in float32.
    with naming("y"), np.errstate(over="ignore", invalid="ignore"):
        values = check_array(values, ensure_2d=False, dtype=dtype, order="C", input_name="y", estimator=estimator)
    return values.reshape(len(values), -1)


def check_sample_weight(sample_weight: ArrayLike | None, n_samples: int) -> np.ndarray | None:
    """Return sample weights as an array of float64 of shape (n_samples,), or None for None.

    A number is the weight of every sample. Negative weights are accepted, as scikit-learn does.
    """
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Number):
        sample_weight = np.full(n_samples, sample_weight)
    with naming("sample_weight"):
        checked = check_array(sample_weight, ensure_2d=False, dtype=np.float64, order="C", input_name="sample_weight")
        if checked.ndim != 1:
            raise ValueError(
                f"Sample weights must be 1D array or scalar, got {checked.ndim}D array. Expected either a scalar value "
                f"or a 1D array of length {n_samples}."
            )
        if checked.shape != (n_samples,):
            raise ValueError(f"sample_weight.shape == {checked.shape}, expected {(n_samples,)}!")
        if not checked.any():
            raise ValueError("Sample weights must contain at least one non-zero number.")
    return checked


def check_architecture(coefs: list[np.ndarray], intercepts: list[np.ndarray], units: list[int]) -> None:
    """Raise if fitted weights do not belong to a network with the given numbers of units.

    Without this, scikit-learn trains the old network or fails inside a matrix product.
    """
    shapes = [np.shape(coef) for coef in coefs]
    if shapes == list(pairwise(units)):
        lengths = [np.shape(intercept) for intercept in intercepts]
        if lengths != [(size,) for size in units[1:]]:
            raise ValueError(f"intercepts_ have shapes {lengths}, which do not go with coefs_ of shapes {shapes}")
        return
    fitted = [shape[-1] if len(shape) == 2 else 0 for shape in shapes]
    if fitted[:-1] != units[1:-1]:
        raise ValueError(
            f"hidden_layer_sizes={tuple(units[1:-1])} differs from the layers {tuple(fitted[:-1])} that were "
            "fitted before and are to be trained further; set warm_start=False and call fit to start anew"
        )
    if fitted[-1] != units[-1]:
        raise ValueError(f"y has {units[-1]} outputs, but the network was fitted with {fitted[-1]}")
    raise ValueError(f"coefs_ have shapes {shapes}, which X with {units[0]} features does not fit")
