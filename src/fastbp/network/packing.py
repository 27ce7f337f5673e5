"""Copying parameters between the caller's list of arrays and one buffer in panel order."""

import numpy as np

from fastbp.kernels.passes.layout import BIAS_ROW, N_IN, N_OUT, W_ROWS, W
from fastbp.kernels.tiles.panels import pack_array, unpack_array

__all__ = ["pack_parameters", "unpack_parameters"]


def _places(table: np.ndarray, width: int) -> list[tuple[int, int]]:
    """First element and panel stride of every array: all weights, then all biases."""
    strides = table[:, W_ROWS] * width
    weights = [(int(row[W]), int(stride)) for row, stride in zip(table, strides, strict=True)]
    biases = [(int(row[W] + row[BIAS_ROW] * width), int(stride)) for row, stride in zip(table, strides, strict=True)]
    return weights + biases


def pack_parameters(table: np.ndarray, arrays: list[np.ndarray], buffer: np.ndarray, width: int) -> None:
    """Write all weights and then all biases of a list into a buffer.

    Parameters
    ----------
    table : ndarray
        Layout, see `kernels.passes.layout`.
    arrays : list of ndarray [read]
        All weight matrices, then all bias vectors.
    buffer : ndarray [write]
        Flat buffer in panel order; padding is left as it is.
    width : int
        NR in elements.

    Raises
    ------
    ValueError
        If an array has the wrong shape.
    """
    shapes = [*((int(row[N_IN]), int(row[N_OUT])) for row in table), *((int(row[N_OUT]),) for row in table)]
    for array, shape, (first, stride) in zip(arrays, shapes, _places(table, width), strict=True):
        if array.shape != shape:
            raise ValueError(f"an array must have shape {shape}, got shape {array.shape}")
        pack_array(np.ascontiguousarray(np.atleast_2d(array), dtype=buffer.dtype), buffer, first, stride)


def unpack_parameters(table: np.ndarray, buffer: np.ndarray, arrays: list[np.ndarray], width: int) -> None:
    """Write a buffer into a list of all weights and then all biases; the parameters are those of `pack_parameters`."""
    for array, (first, stride) in zip(arrays, _places(table, width), strict=True):
        target = np.atleast_2d(array)
        if target.dtype != buffer.dtype:
            raise TypeError(f"an array must be of type {buffer.dtype}, got type {target.dtype}")
        if target.flags.c_contiguous:
            unpack_array(buffer, first, stride, target)
        else:
            whole = np.empty(target.shape, dtype=buffer.dtype)
            unpack_array(buffer, first, stride, whole)
            target[...] = whole
