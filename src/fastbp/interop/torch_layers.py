"""Reading the layers of a PyTorch module, if an estimator can have them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastbp.kernels.functions.activations import ACTIVATIONS

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Network", "read"]


class Network(NamedTuple):
    """What a module computes.

    Attributes
    ----------
    weights, biases : list of ndarray
        Of shapes (n_in, n_out) and (n_out,), copies of the module's.
    activation : str or None
        Of the hidden layers, if there are any.
    output : {"softmax", "logistic", "exp"} or None
        Of the output layer; None for values or logits.
    """

    weights: list[np.ndarray]
    biases: list[np.ndarray]
    activation: str | None
    output: str | None


class _Layer(NamedTuple):
    name: str
    module: Any

    def __str__(self) -> str:
        return f"layer {self.name} ({type(self.module).__name__})"


def read(module: "nn.Sequential", exp: type) -> Network:
    """Return the layers of a module.

    Parameters
    ----------
    module : torch.nn.Sequential [read]
        Linear layers and activations, in sequences of any depth.
    exp : type
        The module that stands for the exponential function.

    Raises
    ------
    TypeError
        If it is not such a module.
    ValueError
        If a layer is not known, or in a place where it cannot be. The message names the layer.
    """
    from torch import nn

    linears: list[_Layer] = []
    followers: list[_Layer | None] = []
    for layer in _leaves(module, ""):
        if type(layer.module) is nn.Linear:
            linears.append(layer)
            followers.append(None)
        elif not linears:
            raise ValueError(f"{layer} comes before the first linear layer")
        elif followers[-1] is not None:
            raise ValueError(f"{layer} follows another activation, {followers[-1]}")
        else:
            followers[-1] = layer
    if not linears:
        raise ValueError("the module has no linear layer")
    hidden = {getattr(nn, record.torch): name for name, record in ACTIVATIONS.items() if record.torch}
    outputs = {nn.Identity: None, nn.Softmax: "softmax", nn.LogSoftmax: "softmax", nn.Sigmoid: "logistic", exp: "exp"}
    activation = _common(hidden, followers[:-1]) if followers[:-1] else None
    weights, biases = _arrays(linears)
    return Network(weights, biases, activation, _output(outputs, followers[-1]))


def _leaves(module: Any, prefix: str) -> Iterator[_Layer]:
    """Yield the layers, without dropout that is switched off."""
    from torch import nn

    if not isinstance(module, nn.Sequential) or type(module).forward is not nn.Sequential.forward:
        raise TypeError(f"the module must be a torch.nn.Sequential, got {type(module).__name__}")
    # `named_children` would list a module that occurs twice only once.
    for index, child in enumerate(module):
        layer = _Layer(f"{prefix}{index}", child)
        if isinstance(child, nn.Sequential):
            yield from _leaves(child, f"{layer.name}.")
        elif isinstance(child, nn.Dropout):
            if child.training and child.p:
                raise ValueError(
                    f"{layer} makes the module's outputs random, an estimator's are not: call module.eval() before. "
                    "Further training would be without dropout"
                )
        elif isinstance(child, nn.BatchNorm1d):
            raise ValueError(
                f"{layer} has no counterpart; torch.nn.utils.fusion.fuse_linear_bn_eval makes one linear layer of it "
                "and the one before"
            )
        else:
            yield layer


def _common(known: dict[type, str], followers: list[_Layer | None]) -> str:
    """Return the activation of all hidden layers."""
    names = [_name(known, layer, "identity") for layer in followers]
    for layer in followers:
        if layer is not None and _settings(layer.module) != _settings(type(layer.module)()):
            raise ValueError(f"{layer} has no counterpart with {layer.module.extra_repr()}, only with default settings")
    for name, layer in zip(names, followers, strict=True):
        if name != names[0]:
            where = layer or "a layer without activation"
            raise ValueError(f"all hidden activations must be the same, but {where} is not {names[0]}")
    return names[0]


def _settings(module: Any) -> dict[str, Any]:
    """Return what a module of an activation computes with."""
    ignored = ("training", "inplace")
    return {name: value for name, value in vars(module).items() if not name.startswith("_") and name not in ignored}


def _output(known: dict[type, str | None], layer: _Layer | None) -> str | None:
    name = _name(known, layer, None)
    if layer is not None and name == "softmax" and getattr(layer.module, "dim", 1) not in (1, -1, None):
        raise ValueError(f"{layer} does not go over the outputs of a sample: dim must be 1")
    return name


def _name(known: dict[type, Any], layer: _Layer | None, default: Any) -> Any:
    if layer is None:
        return default
    if type(layer.module) not in known:
        names = ", ".join(kind.__name__ for kind in known)
        raise ValueError(f"{layer} cannot be here; known are {names}")
    return known[type(layer.module)]


def _arrays(linears: list[_Layer]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    import torch

    dtypes = {layer.module.weight.dtype for layer in linears}
    if len(dtypes) != 1 or not dtypes <= {torch.float32, torch.float64}:
        raise ValueError(f"all layers must be of float32 or all of float64, got {', '.join(sorted(map(str, dtypes)))}")
    weights: list[np.ndarray] = []
    biases: list[np.ndarray] = []
    for layer in linears:
        weight, bias = layer.module.weight, layer.module.bias
        w = np.array(weight.detach().cpu().numpy().T, order="C")
        b = np.zeros(w.shape[1], w.dtype) if bias is None else np.array(bias.detach().cpu().numpy())
        if not w.size or (weights and len(w) != weights[-1].shape[1]):
            raise ValueError(f"{layer} does not fit to the layer before")
        if not (np.isfinite(w).all() and np.isfinite(b).all()):
            raise ValueError(f"{layer} has values that are not finite")
        weights.append(w)
        biases.append(b)
    return weights, biases
