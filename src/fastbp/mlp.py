"""`MLP`: a network without scikit-learn. NumPy and Numba are all it needs."""

from itertools import pairwise
from pathlib import Path
from typing import Self

import numpy as np

from fastbp.kernels.functions.activations import HIDDEN
from fastbp.kernels.functions.losses import LOSSES
from fastbp.kernels.functions.optimizers import Adam, Optimizer
from fastbp.network.initialization import glorot_uniform
from fastbp.network.optimizer_state import OptimizerState
from fastbp.network.prediction import predict
from fastbp.network.spec import Network, Recipe, Samples
from fastbp.storage import npz
from fastbp.threads.jobs import choose_threads
from fastbp.training.fit import History, Stopping, train

__all__ = ["MLP"]

_DEFAULT_BATCH = 200


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ValueError(f"{name} must be one of {choices}, got {value!r}")
    return value


def _float_dtype(dtype: object) -> np.dtype:
    result = np.dtype(dtype)  # type: ignore[call-overload]
    if result not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise ValueError(f"dtype must be float32 or float64, got {result}")
    return result


def _units(layer_sizes: object) -> tuple[int, ...]:
    sizes = tuple(int(size) for size in layer_sizes)  # type: ignore[attr-defined]
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"layer_sizes must be at least two positive integers, got {layer_sizes!r}")
    return sizes


class MLP:
    """A multi-layer perceptron: dense layers, one activation for all hidden ones, trained by minibatches.

    Parameters
    ----------
    layer_sizes : sequence of int
        Inputs, units of the hidden layers, outputs: ``(784, 256, 10)``.
    activation : {"relu", "tanh", "logistic", "identity"}
        Of the hidden layers.
    loss : {"squared_error", "poisson", "log_loss", "binary_log_loss"}
        What is minimized, and with it the activation of the output layer: identity, exp, softmax, or logistic (each
        output a yes or no of its own).
    dtype : {"float32", "float64"}
        Of weights, moments and all arithmetic.
    seed : int, optional
        For the initial weights and the shuffling: the same seed gives the same network, bit by bit, for any number of
        threads. Without one every network is another.

    Attributes
    ----------
    weights : tuple of ndarray, (n_in, n_out)
        Views into one buffer; change them in place at will.
    biases : tuple of ndarray, (n_out,)
        Views into the same buffer.
    history : History
        Losses, epochs and samples so far.
    optimizer : SGD, Adam, AdamW or None
        That of the last training.

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
        layer_sizes: object,
        *,
        activation: str = "relu",
        loss: str = "squared_error",
        dtype: object = "float32",
        seed: int | None = None,
    ) -> None:
        self.layer_sizes = _units(layer_sizes)
        self.activation = _one_of("activation", activation, HIDDEN)
        self.loss = _one_of("loss", loss, tuple(LOSSES))
        self.dtype = _float_dtype(dtype)
        self.seed = seed
        shapes = list(pairwise(self.layer_sizes))
        sizes = [n_in * n_out for n_in, n_out in shapes] + [n_out for _, n_out in shapes]
        self._parameters = np.empty(sum(sizes), dtype=self.dtype)
        parts = np.split(self._parameters, np.cumsum(sizes)[:-1])
        self.weights = tuple(part.reshape(shape) for part, shape in zip(parts, shapes, strict=False))
        self.biases = tuple(parts[len(shapes) :])
        self.reset()

    def reset(self) -> None:
        """Draw new initial weights from the seed, and forget all training."""
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
    def optimizer(self) -> Optimizer | None:
        """Optimizer of the last training."""
        return None if self._state is None else self._state.optimizer

    @property
    def output(self) -> str:
        """Name of the output layer's activation."""
        return LOSSES[self.loss].output

    def fit(
        self,
        x: np.ndarray,
        y: np.ndarray,
        *,
        epochs: int = 200,
        batch_size: int = _DEFAULT_BATCH,
        optimizer: Optimizer | None = None,
        weight_decay: float = 0.0,
        sample_weight: np.ndarray | None = None,
        shuffle: bool = True,
        stopping: Stopping | None = None,
        n_threads: int | None = None,
        verbose: bool = False,
    ) -> Self:
        """Train from new initial weights.

        Parameters
        ----------
        x : array_like, (n, n_in), [read]
            Samples.
        y : array_like, (n, n_out), [read]
            Targets. (n,) will do for one output; for "log_loss" also class numbers, (n,), from 0 to n_out - 1.
        epochs : int
            Passes over the samples, at most.
        batch_size : int
            Rows in a minibatch; no more than n are taken.
        optimizer : SGD, Adam or AdamW, optional
            ``Adam()`` if omitted.
        weight_decay : float
            Strength of the penalty ``weight_decay / (2 * S) * sum(w**2)``, S the size (or weight) of a minibatch.
        sample_weight : array_like, (n,), optional [read]
            Weights of the samples.
        shuffle : bool
            Whether the rows are taken in a new random order at every epoch.
        stopping : Stopping, optional
            When lack of improvement ends the training. Never, if omitted.
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
        ValueError
            If an argument is out of range, shapes do not fit, the data are not finite, or the training diverges.

        Warns
        -----
        UserWarning
            If Ctrl-C ended the training; the weights reached so far are kept.
        """
        checked = self._check_data(x, y, sample_weight)
        _positive_int("epochs", epochs)
        _check_settings(batch_size, weight_decay, n_threads)
        self.reset()
        self._state = OptimizerState(Adam() if optimizer is None else optimizer)
        self._train(checked, epochs, batch_size, weight_decay, shuffle, stopping, n_threads, verbose)
        return self

    def partial_fit(
        self,
        x: np.ndarray,
        y: np.ndarray,
        *,
        batch_size: int = _DEFAULT_BATCH,
        optimizer: Optimizer | None = None,
        weight_decay: float = 0.0,
        sample_weight: np.ndarray | None = None,
        shuffle: bool = True,
        n_threads: int | None = None,
    ) -> Self:
        """Train one more epoch, from the weights and moments as they are.

        The parameters are those of `fit`; `optimizer` replaces the one in use, and its moments.

        Returns
        -------
        MLP
            This network.
        """
        checked = self._check_data(x, y, sample_weight)
        _check_settings(batch_size, weight_decay, n_threads)
        if optimizer is not None or self.optimizer is None:
            self._state = OptimizerState(Adam() if optimizer is None else optimizer)
        self._train(checked, 1, batch_size, weight_decay, shuffle, None, n_threads, verbose=False)
        return self

    def predict(self, x: np.ndarray, *, n_threads: int | None = None) -> np.ndarray:
        """Return the outputs for some samples: values, rates or probabilities, as the loss has it.

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
            self._check_samples(x),
            activation=self.activation,
            output=self.output,
            n_threads=n_threads,
        )

    def save(self, path: str | Path) -> None:
        """Write the network to one file, atomically: settings, weights, and the optimizer with its moments.

        Parameters
        ----------
        path : path
            An .npz file, without pickles.
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
        """Return the network that `save` has written; training goes on where it stopped, in a new random order.

        Parameters
        ----------
        path : path
            A file that `save` has written.

        Raises
        ------
        ValueError
            If the file is not one of `save`.
        """
        saved = npz.load(Path(path))
        network = cls(**saved.settings)
        if saved.parameters.shape != network._parameters.shape:
            raise ValueError(f"{path} is damaged: {saved.parameters.size} parameters for {network!r}")
        network._parameters[...] = saved.parameters
        network._state = saved.state
        network.history = saved.history
        return network

    def _check_samples(self, x: np.ndarray) -> np.ndarray:
        x = np.asarray(x, dtype=self.dtype)
        if x.ndim != 2 or x.shape[1] != self.layer_sizes[0]:
            raise ValueError(f"x must have shape (n, {self.layer_sizes[0]}), got {x.shape}")
        return x

    def _check_targets(self, y: np.ndarray, n: int) -> np.ndarray:
        y = np.asarray(y)
        n_out = self.layer_sizes[-1]
        if self.loss == "log_loss" and y.ndim == 1 and np.issubdtype(y.dtype, np.integer):
            if y.size and not (y.min() >= 0 and y.max() < n_out):
                raise ValueError(f"y must hold class numbers from 0 to {n_out - 1}, got {y.min()} to {y.max()}")
            y = y[:, None] == np.arange(n_out)
        if y.ndim == 1:
            y = y[:, None]
        if y.shape != (n, n_out):
            raise ValueError(f"y must have shape ({n}, {n_out}), got {y.shape}")
        return np.ascontiguousarray(y, dtype=self.dtype)

    def _check_data(
        self, x: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        x = self._check_samples(x)
        if x.shape[0] == 0:
            raise ValueError("x must have at least one row, got none")
        y = self._check_targets(y, x.shape[0])
        lowest = LOSSES[self.loss].lowest_target
        if (y < lowest).any():
            raise ValueError(f"y must not be below {lowest:g} for the loss {self.loss!r}, got {y.min()!r}")
        named = {"x": x, "y": y}
        if sample_weight is not None:
            sample_weight = np.asarray(sample_weight, dtype=np.float64)
            if sample_weight.shape != (x.shape[0],):
                raise ValueError(f"sample_weight must have shape ({x.shape[0]},), got {sample_weight.shape}")
            named["sample_weight"] = sample_weight
        for name, array in named.items():
            if not np.isfinite(array).all():
                raise ValueError(f"{name} must be finite, got NaN or infinity")
        return x, y, sample_weight

    def _train(
        self,
        checked: tuple[np.ndarray, np.ndarray, np.ndarray | None],
        epochs: int,
        batch_size: int,
        weight_decay: float,
        shuffle: bool,
        stopping: Stopping | None,
        n_threads: int | None,
        verbose: bool,
    ) -> None:
        x, y, sample_weight = checked
        assert self._state is not None
        weights = list(self.weights)
        train(
            Network.of(weights, self.activation, self.loss),
            weights,
            list(self.biases),
            self._state,
            Samples(x, y, sample_weight),
            Recipe(min(batch_size, x.shape[0]), weight_decay, n_threads),
            max_epochs=epochs,
            rng=self._rng if shuffle else None,
            stopping=Stopping(n_iter_no_change=np.inf) if stopping is None else stopping,
            history=self.history,
            verbose=verbose,
        )


def _positive_int(name: str, value: int) -> None:
    if not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} must be a positive integer, got {value!r}")


def _check_settings(batch_size: int, weight_decay: float, n_threads: int | None) -> None:
    _positive_int("batch_size", batch_size)
    if not weight_decay >= 0:
        raise ValueError(f"weight_decay must be a number >= 0, got {weight_decay!r}")
    choose_threads(n_threads, 0.0, 1)
