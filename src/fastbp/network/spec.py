"""The inputs of a training, as records: the network, the samples, the recipe."""

from dataclasses import dataclass

import numpy as np

from fastbp.kernels.functions.activations import ACTIVATIONS
from fastbp.kernels.functions.losses import LOSSES
from fastbp.network.plan import layer_sizes
from fastbp.network.samples import RowSource, SamplesLike

__all__ = ["Network", "Precision", "Recipe", "SampleBlocks", "Samples"]


@dataclass(frozen=True)
class Precision:
    """The number types of a training. For now all three are the same.

    Attributes
    ----------
    storage : dtype
        Type of activations and deltas in memory, the operands of products.
    compute : dtype
        Type of sums and elementwise functions.
    master : dtype
        Type of weights and moments.
    """

    storage: np.dtype
    compute: np.dtype
    master: np.dtype

    @classmethod
    def of(cls, dtype: np.dtype) -> "Precision":
        """Return the precision in which everything is of one type, float32 or float64."""
        return cls(np.dtype(dtype), np.dtype(dtype), np.dtype(dtype))


@dataclass(frozen=True)
class Network:
    """The network: its shape and functions, without weights.

    Attributes
    ----------
    sizes : tuple of int
        Units of the input and of each layer.
    activation : str
        Activation of the hidden layers.
    loss : str
        Loss to minimize; it determines the activation of the output layer.
    precision : Precision
    """

    sizes: tuple[int, ...]
    activation: str
    loss: str
    precision: Precision

    @classmethod
    def of(cls, weights: list[np.ndarray], activation: str, loss: str) -> "Network":
        """Return the network that has these weights, (n_in, n_out) arrays of one type.

        Raises
        ------
        TypeError
            If an element is not a matrix.
        """
        for index, w in enumerate(weights):
            if not (isinstance(w, np.ndarray) and w.ndim == 2):
                raise TypeError(f"weights[{index}] must be a matrix, got {type(w).__name__} of shape {np.shape(w)}")
        return cls(layer_sizes(weights), activation, loss, Precision.of(weights[0].dtype))

    @property
    def output(self) -> str:
        """Name of the output layer's activation."""
        return LOSSES[self.loss].output

    @property
    def needs_slopes(self) -> bool:
        """Whether training has to store the slopes of activations."""
        return ACTIVATIONS[self.activation].needs_slopes


@dataclass(frozen=True)
class Samples:
    """The training data. The arrays must not change during training.

    Attributes
    ----------
    x : ndarray or SparseRows, (n, n_in)
        Samples, of either precision; any strides.
    y : ndarray, (n, n_out)
        Targets.
    weight : ndarray, (n,), optional
        Weights of the samples.
    """

    x: SamplesLike
    y: np.ndarray
    weight: np.ndarray | None = None

    @property
    def count(self) -> int:
        """Number of samples."""
        return self.x.shape[0]


@dataclass(frozen=True)
class SampleBlocks:
    """Training data whose samples are made a block at a time. The arrays must not change during training.

    Attributes
    ----------
    x : RowSource
    y : ndarray, (n,) or (n, n_out)
        Targets, as `fastbp.MLP` takes them.
    weight : ndarray, (n,), optional
        Weights of the samples.
    """

    x: RowSource
    y: np.ndarray
    weight: np.ndarray | None = None

    @property
    def count(self) -> int:
        """Number of samples."""
        return self.x.shape[0]


@dataclass(frozen=True)
class Recipe:
    """How a network is trained, apart from the optimizer.

    Attributes
    ----------
    batch_size : int
        Rows in a minibatch; the last one of an epoch may be shorter.
    weight_decay : float
        Strength of the L2 penalty ``weight_decay / (2 * S) * sum(w**2)``, where S is the weight of a minibatch.
    n_threads : int, optional
        Number of threads; -1 for all CPUs, None to choose by the size of a minibatch.
    """

    batch_size: int
    weight_decay: float = 0.0
    n_threads: int | None = None
