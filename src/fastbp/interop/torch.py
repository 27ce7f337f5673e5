"""Networks as PyTorch modules, and PyTorch modules as fitted estimators."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import ClassifierMixin

from fastbp.interop.labels import check_classes, make_binarizer
from fastbp.interop.libraries import needed_libraries
from fastbp.interop.torch_layers import Network, read

if TYPE_CHECKING:
    import torch

__all__ = ["from_torch", "to_torch"]


def __getattr__(name: str) -> Any:
    """Make the class `Exp` when it is first asked for, be it by a pickle: without PyTorch it would have no base."""
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


def to_torch(model: Any) -> "torch.nn.Sequential":
    """Return a module that computes what the output layer of a fitted estimator gives.

    Parameters
    ----------
    model : estimator [read]
        A fitted one.
    """
    with needed_libraries():
        import torch
        from torch import nn
    activations: dict[str, Any] = {
        "identity": nn.Identity,
        "relu": nn.ReLU,
        "tanh": nn.Tanh,
        "logistic": nn.Sigmoid,
        "softmax": lambda: nn.Softmax(dim=1),
        "exp": _exp(),
    }
    layers: list[nn.Module] = []
    for weights, biases in zip(model.coefs_, model.intercepts_, strict=True):
        w, b = torch.from_numpy(weights.T.copy()), torch.from_numpy(biases.copy())
        # Without initial values, which would be drawn from the program's generator.
        linear = nn.utils.skip_init(nn.Linear, *weights.shape, dtype=w.dtype)
        with torch.no_grad():
            linear.weight.copy_(w)
            linear.bias.copy_(b)
        layers += [linear, activations[model.activation]()]
    del layers[-1]
    if model.out_activation_ != "identity":
        layers.append(activations[model.out_activation_]())
    return nn.Sequential(*layers)


def from_torch(kind: type, module: Any, classes: Any, parameters: dict[str, Any]) -> Any:
    """Return a fitted estimator with the layers of a module.

    Parameters
    ----------
    kind : type
        The estimator's class.
    module : torch.nn.Sequential [read]
        Linear layers and activations, see `read`.
    classes : array-like of shape (n_classes,) or None
        Labels of a classifier's outputs, in the order of the outputs.
    parameters : dict
        Of the estimator.

    Raises
    ------
    TypeError, ValueError
        See `read`; and if layers, classes and parameters do not fit together.
    """
    with needed_libraries():
        network = read(module, _exp())
    classifies = issubclass(kind, ClassifierMixin)
    own: dict[str, Any] = {"hidden_layer_sizes": tuple(len(biases) for biases in network.biases[:-1])}
    if network.activation is not None:
        own["activation"] = network.activation
    given = sorted(own.keys() & parameters.keys())
    if given:
        raise ValueError(f"{' and '.join(given)} cannot be given: the module has its own")
    if network.output == "exp" and not classifies:
        parameters = {"loss": "poisson", **parameters}
    model: Any = kind(**parameters, **own)
    model._check_parameters()
    network = _set_classes(model, network, classes) if classifies else _set_values(model, network, classes)
    model.coefs_, model.intercepts_, _, model.out_activation_ = network
    model.n_features_in_, model.n_outputs_ = len(network.weights[0]), len(network.biases[-1])
    model.n_layers_ = len(network.weights) + 1
    model.n_iter_ = model.t_ = model._no_improvement_count = 0
    model.loss_curve_, model.best_loss_ = [], math.inf
    model.validation_scores_ = model.best_validation_score_ = None
    return model


def _set_values(model: Any, network: Network, classes: Any) -> Network:
    """Return the network as a regressor has it."""
    output = "exp" if model.loss == "poisson" else "identity"
    if classes is not None:
        raise ValueError(f"classes are for classifiers; {type(model).__name__} has none")
    if network.output not in (None, output):
        raise ValueError(f"a regressor with loss={model.loss!r} has no {network.output} outputs")
    return network._replace(output=output)


def _set_classes(model: Any, network: Network, classes: Any) -> Network:
    """Set what a classifier knows of its classes, and return the network with the outputs in their order."""
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
