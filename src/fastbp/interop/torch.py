"""Networks as PyTorch modules, and PyTorch modules as fitted estimators."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from fastbp.interop.estimator import Estimator
from fastbp.interop.labels import check_classes, make_binarizer
from fastbp.interop.libraries import needed_libraries
from fastbp.interop.torch_layers import Network, read
from fastbp.kernels.functions.activations import ACTIVATIONS

if TYPE_CHECKING:
    import torch

    from fastbp.estimators._portable import Portable

__all__ = ["from_torch", "to_torch"]


def __getattr__(name: str) -> Any:
    """Create the class `Exp` at its first use, also by a pickle: its base class needs PyTorch."""
    if name != "Exp":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from torch import nn

    class Exp(nn.Module):
        """The exponential of each element: the output activation of Poisson regression."""

        def forward(self, z: "torch.Tensor") -> "torch.Tensor":
            """Return ``exp(z)``."""
            return z.exp()

    Exp.__qualname__ = "Exp"
    globals()["Exp"] = Exp
    return Exp


def _exp() -> Any:
    return globals().get("Exp") or __getattr__("Exp")


def to_torch(model: "Portable") -> "torch.nn.Sequential":
    """Return the fitted network as a PyTorch module, with memory of its own.

    Parameters
    ----------
    model : estimator [read]
        A fitted `MLPClassifier` or `MLPRegressor`.

    Returns
    -------
    module : torch.nn.Sequential
        Linear layers, activations, and the activation of the output layer where it is not the identity; of
        the dtype of the weights. For samples of shape (n, n_features_in_) its output is that of the output
        layer: of shape (n, n_outputs_), also for a single output. For a regressor these are the predicted
        values; the exponential function of Poisson regression is a module ``fastbp.interop.torch.Exp``. For a
        classifier they are the probabilities of the classes, or of the labels of multilabel targets; *for two
        classes it is one column, the probability of* ``classes_[1]``.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.

    Examples
    --------
    >>> import torch
    >>> from sklearn.datasets import load_iris
    >>> from fastbp import MLPClassifier
    >>> from fastbp.interop import to_torch
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier((20,), max_iter=2000, random_state=0).fit(X, y)
    >>> module = to_torch(model)
    >>> module
    Sequential(
      (0): Linear(in_features=4, out_features=20, bias=True)
      (1): ReLU()
      (2): Linear(in_features=20, out_features=3, bias=True)
      (3): Softmax(dim=1)
    )
    >>> with torch.no_grad():
    ...     proba = module(torch.from_numpy(X)).numpy()
    >>> bool(abs(proba - model.predict_proba(X)).max() < 1e-12)
    True
    """
    check_is_fitted(model)
    with needed_libraries():
        import torch
        from torch import nn
    activations: dict[str, Any] = {
        **{name: getattr(nn, record.torch) for name, record in ACTIVATIONS.items() if record.torch},
        "softmax": lambda: nn.Softmax(dim=1),
        "exp": _exp(),
    }
    layers: list[nn.Module] = []
    for weights, biases in zip(*model._network(), strict=True):
        w, b = torch.from_numpy(weights.T.copy()), torch.from_numpy(biases.copy())
        # Without initial values: they would be drawn from the user's random generator.
        linear = nn.utils.skip_init(nn.Linear, *weights.shape, dtype=w.dtype)
        with torch.no_grad():
            linear.weight.copy_(w)
            linear.bias.copy_(b)
        layers += [linear, activations[model.activation]()]
    del layers[-1]
    if model.out_activation_ != "identity":
        layers.append(activations[model.out_activation_]())
    return nn.Sequential(*layers)


def from_torch(
    kind: type[Estimator], module: "torch.nn.Sequential", *, classes: ArrayLike | None = None, **params: Any
) -> Estimator:
    """Return a fitted estimator with the layers of a PyTorch module, for predictions and further training.

    Parameters
    ----------
    kind : type
        `MLPClassifier` or `MLPRegressor`, or a class derived from them.
    module : torch.nn.Sequential
        Linear layers of float32 or float64, each but the last followed by the same activation: ReLU, Tanh,
        Sigmoid, Identity or none. Sequences within the sequence are taken apart. Dropout is left out, if it is
        switched off by ``module.eval()``; training goes on without it. A missing bias is one of zeros, and is
        trained.

        After the last layer of a classifier may come Softmax, LogSoftmax or Sigmoid. Without any of them its
        outputs are taken for logits of exclusive classes. Two such outputs, or two before Softmax, become one,
        their difference; several before Sigmoid are labels of multilabel targets. After the last layer of a
        regressor may come ``fastbp.interop.torch.Exp``, of Poisson regression. Without it, the outputs are
        values, or with ``loss="poisson"`` their logarithms.
    classes : array-like of shape (n_classes,), default=None
        Labels of a classifier's outputs, in the order of the outputs; of a single output, the labels for 0 and
        1. None stands for 0, 1, 2 and so on.
    **params
        Parameters of the estimator. `hidden_layer_sizes` and, if there are hidden layers, `activation` are
        the module's.

    Returns
    -------
    model : estimator
        Its weights are copies. `partial_fit` goes on from them, with fresh moments.

    Raises
    ------
    TypeError
        If it is not a ``torch.nn.Sequential``.
    ValueError
        If there is a layer that the estimator cannot have, or classes and parameters do not fit. The message
        names the layer.

    Examples
    --------
    >>> from torch import nn
    >>> from fastbp import MLPClassifier
    >>> from fastbp.interop import from_torch
    >>> module = nn.Sequential(nn.Linear(4, 20), nn.ReLU(), nn.Linear(20, 3))
    >>> model = from_torch(MLPClassifier, module, classes=["setosa", "versicolor", "virginica"], alpha=0)
    >>> model
    MLPClassifier(alpha=0, hidden_layer_sizes=(20,))
    >>> model.predict([[5.1, 3.5, 1.4, 0.2]]).shape
    (1,)
    """
    with needed_libraries():
        network = read(module, _exp())
    classifies = issubclass(kind, ClassifierMixin)
    own: dict[str, Any] = {"hidden_layer_sizes": tuple(len(biases) for biases in network.biases[:-1])}
    if network.activation is not None:
        own["activation"] = network.activation
    given = sorted(own.keys() & params.keys())
    if given:
        raise ValueError(f"{' and '.join(given)} cannot be given: the module has its own")
    if network.output == "exp" and not classifies:
        params = {"loss": "poisson", **params}
    model = kind(**params, **own)
    model._check_parameters()
    network = _set_classes(model, network, classes) if classifies else _set_values(model, network, classes)
    model.coefs_, model.intercepts_, _, model.out_activation_ = network
    model.n_features_in_, model.n_outputs_ = len(network.weights[0]), len(network.biases[-1])
    model.n_layers_ = len(network.weights) + 1
    model.n_iter_ = model.t_ = model._no_improvement_count = 0
    model.loss_curve_, model.best_loss_ = [], math.inf
    model.validation_scores_ = model.best_validation_score_ = None
    return model


def _set_values(model: "Portable", network: Network, classes: ArrayLike | None) -> Network:
    """Return the network of a regressor."""
    output = "exp" if model.loss == "poisson" else "identity"
    if classes is not None:
        raise ValueError(f"classes are for classifiers; {type(model).__name__} has none")
    if network.output not in (None, output):
        raise ValueError(f"a regressor with loss={model.loss!r} has no {network.output} outputs")
    return network._replace(output=output)


def _set_classes(model: "Portable", network: Network, classes: ArrayLike | None) -> Network:
    """Set the attributes about classes, and return the network with the outputs in their order."""
    n_outputs = len(network.biases[-1])
    if network.output == "exp" or (network.output == "softmax" and n_outputs == 1):
        raise ValueError(f"{n_outputs} outputs after {network.output} are no probabilities of classes")
    multilabel = network.output == "logistic" and n_outputs > 1
    labels = np.arange(max(2, n_outputs)) if classes is None else np.array(classes)
    if labels.shape != (max(2, n_outputs),):
        raise ValueError(f"{max(2, n_outputs)} classes are needed for {n_outputs} outputs, got {classes!r}")
    order = np.argsort(labels)
    model.classes_ = labels[order]
    check_classes(model.classes_)
    model._label_binarizer = make_binarizer(model.classes_, multilabel=multilabel)
    if multilabel:
        if not np.array_equal(labels, np.arange(n_outputs)):
            raise ValueError(f"classes of multilabel targets are the numbers of the outputs, got {classes!r}")
        return network
    w, b = network.weights[-1], network.biases[-1]
    if len(labels) > 2:
        w, b = np.ascontiguousarray(w[:, order]), b[order]
    else:
        # One output stands for the second class; of two, the difference does, as in softmax.
        if n_outputs == 2:
            w, b = w[:, 1:] - w[:, :1], b[1:] - b[:1]
        if order[0] == 1:
            w, b = -w, -b
    return Network(
        [*network.weights[:-1], w],
        [*network.biases[:-1], b],
        network.activation,
        "softmax" if len(labels) > 2 else "logistic",
    )
