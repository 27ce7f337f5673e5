"""Checks and conversions of the arguments of `fastbp.MLP`; errors say what was expected and what was passed."""

import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fastbp.kernels.functions.losses import LOSSES
from fastbp.kernels.functions.optimizers import SGD, Adam, Optimizer
from fastbp.network.samples import RowSource
from fastbp.network.spec import Network, SampleBlocks, Samples

__all__ = [
    "as_dtype",
    "as_layer_sizes",
    "as_optimizer",
    "as_samples",
    "as_training_samples",
    "block_of",
    "check_count",
    "check_decay",
    "one_of",
]


def one_of(name: str, value: str, choices: Sequence[str]) -> str:
    """Return `value` if it is one of the choices."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {tuple(choices)}, got {value!r}")
    return value


def check_count(name: str, value: int) -> None:
    """Raise ValueError unless `value` is a positive integer."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} must be a positive integer, got {value!r}")


def check_decay(weight_decay: float) -> None:
    """Raise unless `weight_decay` is a finite number, 0 or more."""
    if not isinstance(weight_decay, int | float | np.number):
        raise TypeError(f"weight_decay must be a number, got {weight_decay!r}")
    if not 0 <= weight_decay < math.inf:
        raise ValueError(f"weight_decay must be a finite number >= 0, got {weight_decay!r}")


def as_optimizer(optimizer: Optimizer | None) -> Optimizer:
    """Return the settings of an optimizer, Adam's if there are none."""
    if optimizer is None:
        return Adam()
    if not isinstance(optimizer, SGD | Adam):
        raise TypeError(f"optimizer must be SGD, Adam or AdamW (such as fastbp.Adam(0.001)), got {optimizer!r}")
    return optimizer


def as_dtype(dtype: DTypeLike) -> np.dtype:
    """Return float32 or float64."""
    result = np.dtype(dtype)
    if result not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"dtype must be float32 or float64, got {result}")
    return result


def as_layer_sizes(layer_sizes: Iterable[int]) -> tuple[int, ...]:
    """Return the units of the input and of each layer."""
    wrong = f"layer_sizes must be a sequence of at least two positive integers, got {layer_sizes!r}"
    if isinstance(layer_sizes, str) or not isinstance(layer_sizes, Iterable):
        raise TypeError(wrong)
    given = list(layer_sizes)
    try:
        sizes = tuple(operator.index(size) for size in given)
    except TypeError:
        raise TypeError(wrong) from None
    if any(isinstance(size, bool | np.bool_) for size in given):
        raise TypeError(wrong)
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(wrong)
    return sizes


def _real(name: str, values: ArrayLike) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype.kind == "c":
        raise TypeError(f"{name} must be real, got {array.dtype}")
    return array


def as_samples(network: Network, x: ArrayLike, name: str = "x") -> np.ndarray:
    """Return samples as a matrix of the network's type."""
    array = np.asarray(_real(name, x), dtype=network.precision.master)
    if array.ndim != 2 or array.shape[1] != network.sizes[0]:
        raise ValueError(f"{name} must have shape (n, {network.sizes[0]}), got {array.shape}")
    return array


def _as_targets(network: Network, y: ArrayLike, n: int, name: str) -> np.ndarray:
    array, n_out = _real(name, y), network.sizes[-1]
    if network.loss == "log_loss" and array.ndim == 1 and np.issubdtype(array.dtype, np.integer):
        if array.size and not (array.min() >= 0 and array.max() < n_out):
            raise ValueError(
                f"{name} must hold class numbers from 0 to {n_out - 1}, got {array.min()} to {array.max()}"
            )
        array = array[:, None] == np.arange(n_out)
    if array.ndim == 1:
        array = array[:, None]
    if array.shape != (n, n_out):
        raise ValueError(f"{name} must have shape ({n}, {n_out}), got {array.shape}")
    return np.ascontiguousarray(array, dtype=network.precision.master)


def _as_weight(sample_weight: ArrayLike | None, n: int, name: str) -> np.ndarray | None:
    if sample_weight is None:
        return None
    weight = np.asarray(_real(name, sample_weight), dtype=np.float64)
    if weight.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},), got {weight.shape}")
    if not weight.any():
        raise ValueError(f"{name} is zero for every training sample")
    _check_finite(name, weight)
    return weight


def _check_finite(name: str, array: np.ndarray) -> None:
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity")


def as_training_samples(
    network: Network,
    x: ArrayLike | RowSource,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    suffix: str = "",
) -> Samples | SampleBlocks:
    """Return samples for training or validation; the names in errors end with `suffix`.

    The samples and targets of a `RowSource` are checked when `block_of` makes them.

    Raises
    ------
    TypeError, ValueError
        If shapes do not fit, values are not finite or outside of the loss's domain, or all weights are zero.
    """
    names = f"x{suffix}", f"y{suffix}", f"sample_weight{suffix}"
    if isinstance(x, RowSource):
        return _as_blocks(network, x, y, sample_weight, names)
    samples = as_samples(network, x, names[0])
    n = samples.shape[0]
    if n == 0:
        raise ValueError(f"{names[0]} must have at least one row, got none")
    targets = _as_targets(network, y, n, names[1])
    weight = _as_weight(sample_weight, n, names[2])
    for name, array in zip(names[:2], (samples, targets), strict=True):
        _check_finite(name, array)
    lowest = LOSSES[network.loss].lowest_target
    if lowest > -math.inf and targets.min() < lowest:
        raise ValueError(
            f"{names[1]} must not be below {lowest:g} for the loss {network.loss!r}, got {targets.min():g}"
        )
    return Samples(samples, targets, weight)


def _as_blocks(
    network: Network, x: RowSource, y: ArrayLike, sample_weight: ArrayLike | None, names: Sequence[str]
) -> SampleBlocks:
    n, n_in = x.shape
    if n == 0 or n_in != network.sizes[0]:
        raise ValueError(f"{names[0]} must have shape (n, {network.sizes[0]}), got {x.shape}")
    targets = _real(names[1], y)
    if targets.ndim == 0 or len(targets) != n:
        raise ValueError(f"{names[1]} must have {n} rows, got shape {targets.shape}")
    return SampleBlocks(x, targets, _as_weight(sample_weight, n, names[2]))


def block_of(network: Network, samples: SampleBlocks, numbers: np.ndarray) -> Samples:
    """Return the samples of some rows, given by their numbers (m,).

    Raises
    ------
    TypeError, ValueError
        As `as_training_samples`.
    """
    block = as_training_samples(network, samples.x.rows(numbers), samples.y[numbers])
    assert isinstance(block, Samples)
    # The weights of a block may all be 0.
    return block if samples.weight is None else replace(block, weight=samples.weight[numbers])
