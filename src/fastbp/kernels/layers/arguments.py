"""Checks of the arrays that callers pass to kernels, made before any memory is touched."""

import numpy as np

__all__ = ["check_disjoint", "check_matrix", "check_output", "check_vector"]

_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def _check_array(name: str, array: object, ndim: int) -> np.ndarray:
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} must be a NumPy array, got {type(array).__name__}")
    if array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimension{'s' * (ndim > 1)}, got shape {array.shape}")
    if array.dtype not in _DTYPES:
        raise TypeError(f"{name} must be float32 or float64, got {array.dtype}")
    return array


def _check_like(name: str, array: np.ndarray, dtype: np.dtype | None, shape: tuple[int | None, ...]) -> None:
    if dtype is not None and array.dtype != dtype:
        raise TypeError(f"{name} must be {dtype} as the other arguments are, got {array.dtype}")
    for axis, (got, wanted) in enumerate(zip(array.shape, shape, strict=True)):
        if wanted is not None and got != wanted:
            raise ValueError(f"{name} must have length {wanted} along axis {axis}, got shape {array.shape}")


def check_matrix(
    name: str,
    array: object,
    dtype: np.dtype | None = None,
    shape: tuple[int | None, int | None] = (None, None),
) -> np.ndarray:
    """Return an aligned 2-D float array whose strides are multiples of its item size; a copy only if necessary.

    Parameters
    ----------
    name : str
        Name of the argument, for error messages.
    array : object
        Value that the caller passed.
    dtype : dtype, optional
        Required dtype; float32 or float64 if omitted.
    shape : tuple of int or None
        Required lengths; None for any length.

    Raises
    ------
    TypeError, ValueError
        If the array does not fit. The message names the argument, what was expected and what was passed.
    """
    matrix = _check_array(name, array, 2)
    _check_like(name, matrix, dtype, shape)
    if matrix.flags.aligned and matrix.dtype.isnative and all(s % matrix.itemsize == 0 for s in matrix.strides):
        return matrix
    return np.ascontiguousarray(matrix, dtype=matrix.dtype.newbyteorder("="))


def check_vector(name: str, array: object, dtype: np.dtype, length: int) -> np.ndarray:
    """Return a contiguous 1-D array of the given dtype and length; the errors are those of `check_matrix`."""
    vector = _check_array(name, array, 1)
    _check_like(name, vector, dtype, (length,))
    return np.ascontiguousarray(vector)


def check_output(name: str, array: np.ndarray) -> None:
    """Raise ValueError unless the array can be written in place, row by row."""
    if not array.flags.writeable:
        raise ValueError(f"{name} must be writeable, got a read-only array")
    if not (array.flags.c_contiguous and array.flags.aligned and array.dtype.isnative):
        raise ValueError(f"{name} must be C-contiguous and aligned, got strides {array.strides}")


def check_disjoint(name: str, array: np.ndarray, others: dict[str, np.ndarray | None]) -> None:
    """Raise ValueError if an output shares memory with another argument."""
    for other_name, other in others.items():
        if other is not None and np.may_share_memory(array, other):
            raise ValueError(f"{name} must not overlap {other_name}")
