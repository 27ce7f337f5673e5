"""Final checks of arrays before compiled code reads and writes them by address.

Kernels trust sizes, types and memory layout: an array that does not fit would be read or
written beyond its end. So everything that passes arrays to training or prediction kernels
calls these functions first. `kernels.layers.arguments` has the checks of the functions on
arrays.
"""

from itertools import pairwise

import numpy as np

from fastbp.network.samples import SamplesLike
from fastbp.network.spec import Network, Samples

__all__ = ["check_layers", "check_order", "check_parameters", "check_samples"]

_FLOATS = frozenset([np.dtype(np.float32), np.dtype(np.float64)])


def _check(
    kind: str, index: int, array: np.ndarray, dtype: np.dtype, shape: tuple[int, ...], *, written: bool = False
) -> None:
    """Raise unless ``kind[index]`` is an array of this type and shape. The name is made up only for an error."""
    if isinstance(array, np.ndarray) and array.dtype == dtype and array.shape == shape:
        if written and not array.flags.writeable:
            raise ValueError(f"{kind}[{index}] must be writeable, got a read-only array")
        return
    name = f"{kind}[{index}]"
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name} must be an array, got {type(array).__name__}")
    if array.dtype != dtype:
        raise TypeError(f"{name} must be of type {dtype}, got {array.dtype}")
    raise ValueError(f"{name} must have shape {shape}, got {array.shape}")


def check_parameters(
    network: Network, arrays: list[np.ndarray], names: tuple[str, str], *, written: bool = False
) -> None:
    """Raise unless `arrays` has one array for each weight matrix and then one for each bias vector of a network.

    Parameters
    ----------
    network : Network
    arrays : list of ndarray
        Parameters or moments, of any strides.
    names : (str, str)
        Names of the matrices and of the vectors in error messages.
    written : bool
        Whether the arrays will be written to.

    Raises
    ------
    TypeError
        If an element is not an array, or not of the network's type.
    ValueError
        If the number of arrays, a shape, or the network's type is wrong, or an array cannot be written to.
    """
    dtype = network.precision.master
    if dtype not in _FLOATS:
        raise ValueError(f"{names[0]} must be of type float32 or float64, got {dtype}")
    shapes = [*pairwise(network.sizes), *((size,) for size in network.sizes[1:])]
    if len(arrays) != len(shapes):
        raise ValueError(f"{names[0]} and {names[1]} must be {len(shapes)} arrays, got {len(arrays)}")
    depth = len(shapes) // 2
    for index, (array, shape) in enumerate(zip(arrays, shapes, strict=True)):
        _check(names[index // depth], index % depth, array, dtype, shape, written=written)


def check_samples(network: Network, samples: Samples) -> None:
    """Raise ValueError unless samples, targets and weights fit each other and the network."""
    n = samples.x.shape[0]
    if n == 0:
        raise ValueError("x must have at least one row, got none")
    for name, shape, wanted in (
        ("x", samples.x.shape, (n, network.sizes[0])),
        ("y", samples.y.shape, (n, network.sizes[-1])),
        ("sample_weight", (n,) if samples.weight is None else samples.weight.shape, (n,)),
    ):
        if shape != wanted:
            raise ValueError(f"{name} must have shape {wanted}, got {shape}")


def check_order(order: np.ndarray, n: int) -> None:
    """Raise ValueError unless `order` holds n row numbers, each from 0 to n - 1."""
    if order.shape != (n,) or order.dtype.kind not in "iu":
        raise ValueError(f"order must be {n} integers, got shape {order.shape} of type {order.dtype}")
    if n and not (order.min() >= 0 and order.max() < n):
        raise ValueError(f"order must be in [0, {n}), got {order.min()} to {order.max()}")


def check_layers(weights: list[np.ndarray], biases: list[np.ndarray], x: SamplesLike) -> None:
    """Raise unless the shapes of successive layers and of the samples fit, and all layers are of one type.

    Raises
    ------
    TypeError
        If an element is not an array, or not of the type of the first one.
    ValueError
        If a shape does not fit, or there is no layer.
    """
    if not weights or len(weights) != len(biases):
        raise ValueError(f"weights and biases must be equally many, at least 1, got {len(weights)} and {len(biases)}")
    if len(x.shape) != 2:
        raise ValueError(f"x must be a matrix, got shape {x.shape}")
    dtype, n_in = getattr(weights[0], "dtype", None), x.shape[1]
    if dtype is not None and dtype not in _FLOATS:
        raise TypeError(f"weights[0] must be of type float32 or float64, got {dtype}")
    for index, (w, b) in enumerate(zip(weights, biases, strict=True)):
        if not isinstance(w, np.ndarray):
            raise TypeError(f"weights[{index}] must be an array, got {type(w).__name__}")
        shape = w.shape
        if len(shape) != 2 or 0 in shape:
            raise ValueError(f"weights[{index}] must be a matrix of at least one element, got shape {shape}")
        rows, n_out = shape
        # A prediction of one row takes 20 microseconds: the first look is quick, the second one names what is wrong.
        if rows != n_in or w.dtype is not dtype:
            _check("weights", index, w, weights[0].dtype, (n_in, n_out))
        if not isinstance(b, np.ndarray) or b.dtype is not dtype or b.shape != (n_out,):
            _check("biases", index, b, weights[0].dtype, (n_out,))
        n_in = n_out
