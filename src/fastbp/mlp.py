"""`MLP`: a network without scikit-learn. It only needs NumPy and Numba."""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from fastbp.kernels.functions.activations import HIDDEN
from fastbp.kernels.functions.losses import LOSSES
from fastbp.kernels.functions.optimizers import Optimizer
from fastbp.network.initialization import glorot_uniform
from fastbp.network.inputs import (
    as_dtype,
    as_layer_sizes,
    as_optimizer,
    as_samples,
    as_training_samples,
    check_count,
    check_decay,
    one_of,
)
from fastbp.network.optimizer_state import OptimizerState
from fastbp.network.prediction import predict
from fastbp.network.samples import RowSource
from fastbp.network.spec import Network, Precision, Recipe, SampleBlocks, Samples
from fastbp.storage import npz
from fastbp.threads.budget import choose_threads
from fastbp.training.fit import Evaluate, History, Stopping, train
from fastbp.training.validation import negative_loss

__all__ = ["MLP"]

_DEFAULT_BATCH = 200


class MLP:
    """A multi-layer perceptron: dense layers with one activation for all hidden layers, trained in minibatches.

    Parameters
    ----------
    layer_sizes : sequence of int
        Inputs, units of the hidden layers, outputs: ``(784, 256, 10)``.
    activation : str
        Activation of the hidden layers: "relu", "tanh", "logistic", "identity", "gelu", "silu", "mish", "selu", "elu",
        "leaky_relu" or "softplus". The last seven are PyTorch's functions of these names, with its default settings.
    loss : {"squared_error", "poisson", "log_loss", "binary_log_loss"}
        Loss to minimize. It determines the activation of the output layer: identity, exp, softmax, or logistic (each
        output is a separate yes or no).
    dtype : {"float32", "float64"}
        Type of weights, moments and all arithmetic.
    seed : int, optional
        Seed of the initial weights and of the shuffling. The same seed gives the same network, bit by bit, for any
        number of threads. Without a seed every network is different.

    Attributes
    ----------
    layer_sizes : tuple of int
        Units of the input and of each layer.
    weights : tuple of ndarray, (n_in, n_out)
        Views into one buffer. Their values may be changed in place.
    biases : tuple of ndarray, (n_out,)
        Views into the same buffer.
    history : History
        Losses, epochs and samples so far.
    optimizer : SGD, Adam, AdamW or None
        Optimizer of the last training.

    Examples
    --------
    >>> import numpy as np
    >>> from fastbp import MLP
    >>> x = np.linspace(-1, 1, 400, dtype=np.float32)[:, None]
    >>> net = MLP((1, 32, 32, 1), activation="tanh", seed=0).fit(x, np.sin(3 * x), epochs=300, batch_size=50)
    >>> bool(np.abs(net.predict(x) - np.sin(3 * x)).mean() < 0.05)
    True
    """

    def __init__(
        self,
        layer_sizes: Sequence[int],
        *,
        activation: str = "relu",
        loss: str = "squared_error",
        dtype: DTypeLike = "float32",
        seed: int | None = None,
    ) -> None:
        sizes = as_layer_sizes(layer_sizes)
        activation, loss = one_of("activation", activation, HIDDEN), one_of("loss", loss, tuple(LOSSES))
        self._network = Network(sizes, activation, loss, Precision.of(as_dtype(dtype)))
        self.seed = seed
        self._parameters = np.empty(sum(map(math.prod, _shapes(sizes))), dtype=self.dtype)
        self._make_views()
        self.reset()

    def _make_views(self) -> None:
        shapes = _shapes(self.layer_sizes)
        parts = np.split(self._parameters, np.cumsum([math.prod(shape) for shape in shapes])[:-1])
        views = tuple(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True))
        self._weights, self._biases = views[: len(views) // 2], views[len(views) // 2 :]

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for pickles and copies, without the views, which would not share a buffer after copying."""
        return {name: value for name, value in vars(self).items() if name not in ("_weights", "_biases")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._make_views()

    def reset(self) -> None:
        """Draw the initial weights from the seed again, and discard all training."""
        self._rng = np.random.RandomState(self.seed)
        weights, biases = glorot_uniform(list(self.layer_sizes), self.activation, self._rng, self.dtype)
        for target, value in zip((*self.weights, *self.biases), (*weights, *biases), strict=True):
            target[...] = value
        self.history = History()
        self._state: OptimizerState | None = None

    def __repr__(self) -> str:
        """Return the call that creates such a network."""
        return (
            f"MLP({self.layer_sizes!r}, activation={self.activation!r}, loss={self.loss!r}, "
            f"dtype={self.dtype.name!r}, seed={self.seed!r})"
        )

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Units of the input and of each layer."""
        return self._network.sizes

    @property
    def activation(self) -> str:
        """Name of the hidden layers' activation."""
        return self._network.activation

    @property
    def loss(self) -> str:
        """Name of the loss."""
        return self._network.loss

    @property
    def dtype(self) -> np.dtype:
        """Type of weights, moments and all arithmetic."""
        return self._network.precision.master

    @property
    def weights(self) -> tuple[np.ndarray, ...]:
        """Weight matrices, (n_in, n_out): views into one buffer."""
        return self._weights

    @property
    def biases(self) -> tuple[np.ndarray, ...]:
        """Bias vectors, (n_out,): views into the same buffer."""
        return self._biases

    @property
    def optimizer(self) -> Optimizer | None:
        """Optimizer of the last training."""
        return None if self._state is None else self._state.optimizer

    @property
    def output(self) -> str:
        """Name of the output layer's activation."""
        return self._network.output

    def fit(
        self,
        x: ArrayLike | RowSource,
        y: ArrayLike,
        *,
        epochs: int = 200,
        batch_size: int = _DEFAULT_BATCH,
        optimizer: Optimizer | None = None,
        weight_decay: float = 0.0,
        sample_weight: ArrayLike | None = None,
        shuffle: bool = True,
        stopping: Stopping | None = None,
        validation: tuple[ArrayLike | RowSource, ArrayLike] | None = None,
        n_threads: int | None = None,
        verbose: bool = False,
    ) -> Self:
        """Train from new initial weights.

        Parameters
        ----------
        x : array_like or `fastbp.network.samples.RowSource`, (n, n_in), [read]
            Samples.
        y : array_like, (n, n_out), [read]
            Targets. Their shape may be (n,) if there is one output. For "log_loss" they may also be class numbers from
            0 to n_out - 1, (n,).
        epochs : int
            Maximum number of passes over the samples.
        batch_size : int
            Rows in a minibatch, at most n.
        optimizer : SGD, Adam or AdamW, optional
            ``Adam()`` if omitted.
        weight_decay : float
            Strength of the penalty ``weight_decay / (2 * S) * sum(w**2)``, where S is the size (or weight) of a
            minibatch.
        sample_weight : array_like, (n,), optional [read]
            Weights of the samples.
        shuffle : bool
            Whether to shuffle the rows before every epoch.
        stopping : Stopping, optional
            When to stop for lack of improvement. Never, if omitted.
        validation : (x, y), optional [read]
            Samples and targets that are not trained on. Improvement is then judged by the loss on these, without the
            penalty. ``history.validation_scores`` holds the negative losses, and the weights of the best epoch are
            kept.
        n_threads : int, optional
            Number of threads; -1 for all CPUs, None to choose by the size of a minibatch. The result does not depend
            on it.
        verbose : bool
            Whether to print the loss of each epoch.

        Returns
        -------
        MLP
            This network.

        Raises
        ------
        TypeError
            If an argument is of a wrong type.
        ValueError
            If an argument is out of range, shapes do not fit, the data are not finite, or the training diverges.

        Warns
        -----
        UserWarning
            If Ctrl-C ended the training; the weights reached so far are kept.
        """
        samples = as_training_samples(self._network, x, y, sample_weight)
        evaluate = self._evaluation(validation, n_threads)
        if not isinstance(stopping, Stopping | None):
            raise TypeError(f"stopping must be a Stopping or None, got {stopping!r}")
        recipe = _recipe(samples, epochs, batch_size, weight_decay, n_threads)
        state = OptimizerState(as_optimizer(optimizer))
        self.reset()
        self._state = state
        self._train(samples, recipe, epochs, shuffle, stopping, evaluate, verbose=verbose)
        return self

    def partial_fit(
        self,
        x: ArrayLike | RowSource,
        y: ArrayLike,
        *,
        epochs: int = 1,
        batch_size: int = _DEFAULT_BATCH,
        optimizer: Optimizer | None = None,
        weight_decay: float = 0.0,
        sample_weight: ArrayLike | None = None,
        shuffle: bool = True,
        n_threads: int | None = None,
    ) -> Self:
        """Train some more epochs, starting from the current weights and moments.

        The parameters are those of `fit`. If `optimizer` is given, it replaces the current one and its moments.

        Returns
        -------
        MLP
            This network.
        """
        samples = as_training_samples(self._network, x, y, sample_weight)
        recipe = _recipe(samples, epochs, batch_size, weight_decay, n_threads)
        if optimizer is not None or self._state is None:
            self._state = OptimizerState(as_optimizer(optimizer))
        self._train(samples, recipe, epochs, shuffle, None, None, verbose=False)
        return self

    def predict(self, x: ArrayLike, *, n_threads: int | None = None) -> np.ndarray:
        """Return the outputs for some samples: values, rates or probabilities, depending on the loss.

        Parameters
        ----------
        x : array_like, (n, n_in), [read]
            Samples.
        n_threads : int, optional
            As for `fit`.

        Returns
        -------
        ndarray, (n, n_out)
        """
        return predict(
            list(self.weights),
            list(self.biases),
            as_samples(self._network, x),
            activation=self.activation,
            output=self.output,
            n_threads=n_threads,
        )

    def save(self, path: str | Path) -> None:
        """Write the network to one file, atomically: settings, weights, and the optimizer with its moments.

        Parameters
        ----------
        path : path
            Name of the .npz file. It contains no pickles.
        """
        npz.save(
            Path(path),
            settings={
                "layer_sizes": list(self.layer_sizes),
                "activation": self.activation,
                "loss": self.loss,
                "dtype": self.dtype.name,
                "seed": self.seed,
            },
            parameters=self._parameters,
            state=self._state,
            history=self.history,
        )

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Return a network that `save` wrote; training can be continued, in a new random order.

        Parameters
        ----------
        path : path
            A file that `save` wrote.

        Raises
        ------
        ValueError
            If `save` did not write the file.
        """
        saved = npz.load(Path(path))
        try:
            network = cls(**saved.settings)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path} is not a network that fastbp has saved ({error})") from error
        network._parameters[...] = saved.parameters
        network._state = saved.state
        network.history = saved.history
        return network

    def _evaluation(
        self, validation: tuple[ArrayLike | RowSource, ArrayLike] | None, n_threads: int | None
    ) -> Evaluate | None:
        """Return the function that scores weights on a validation set."""
        if validation is None:
            return None
        if not isinstance(validation, tuple | list) or len(validation) != 2:
            raise TypeError(f"validation must be a pair (x, y), got {type(validation).__name__}")
        held_out = as_training_samples(self._network, *validation, suffix=" of validation")
        return negative_loss(self._network, held_out, n_threads)

    def _train(
        self,
        samples: Samples | SampleBlocks,
        recipe: Recipe,
        epochs: int,
        shuffle: bool,
        stopping: Stopping | None,
        evaluate: Evaluate | None,
        *,
        verbose: bool,
    ) -> None:
        assert self._state is not None
        train(
            self._network,
            list(self.weights),
            list(self.biases),
            self._state,
            samples,
            recipe,
            max_epochs=epochs,
            rng=self._rng if shuffle else None,
            stopping=Stopping(n_iter_no_change=np.inf) if stopping is None else stopping,
            history=self.history,
            evaluate=evaluate,
            verbose=verbose,
        )


def _shapes(sizes: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return the shapes of all weights, then of all biases."""
    return [*pairwise(sizes), *((size,) for size in sizes[1:])]


def _recipe(
    samples: Samples | SampleBlocks, epochs: int, batch_size: int, weight_decay: float, n_threads: int | None
) -> Recipe:
    check_count("epochs", epochs)
    check_count("batch_size", batch_size)
    check_decay(weight_decay)
    choose_threads(n_threads, 0.0, 1)  # raises if `n_threads` is invalid
    return Recipe(min(int(batch_size), samples.count), weight_decay, n_threads)
