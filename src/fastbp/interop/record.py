"""An estimator as a header of plain values and a dictionary of arrays, and back. What is read is not trusted.

The state is the one that is pickled, so that what is restored goes on training exactly when a pickle does.
"""

from importlib.metadata import version
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import config_context
from sklearn.base import is_classifier

from fastbp.interop import labels
from fastbp.interop.estimator import Estimator
from fastbp.interop.values import decode, encode
from fastbp.kernels.functions.optimizers import OPTIMIZERS, moment_names
from fastbp.network.optimizer_state import OptimizerState

if TYPE_CHECKING:
    from fastbp.estimators._portable import Portable

__all__ = ["check_format", "describe", "rebuild", "shapes"]

_FORMAT = "fastbp estimator 1"
_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_OUTPUTS = ("identity", "exp", "logistic", "softmax")
_ROUTED = ("fit", "partial_fit", "score")
# Stored in forms of their own.
_APART = {"coefs_", "intercepts_", "_optimizer", "_label_binarizer", "_metadata_request"}
# Not part of a model: the version that wrote a pickle, and callbacks.
_LEFT_OUT = {"_sklearn_version", "_skl_callbacks"}


def _is_count(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and 0 <= int(value) < 2**63


def _is_number(value: Any) -> bool:
    # Losses and scores of a training that has diverged are not finite.
    return isinstance(value, float | np.floating)


def _are_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_number, value))


def _are_names(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == object


_ATTRIBUTES = {
    "n_features_in_": _is_count,
    "n_layers_": _is_count,
    "n_outputs_": _is_count,
    "out_activation_": lambda value: isinstance(value, str) and value in _OUTPUTS,
    "n_iter_": _is_count,
    "t_": _is_count,
    "loss_": _is_number,
    "loss_curve_": _are_numbers,
    "best_loss_": lambda value: value is None or _is_number(value),
    "validation_scores_": lambda value: value is None or _are_numbers(value),
    "best_validation_score_": lambda value: value is None or _is_number(value),
    "classes_": lambda value: isinstance(value, np.ndarray),
    "feature_names_in_": _are_names,
    "_no_improvement_count": _is_count,
    "_half_trained": lambda value: isinstance(value, bool),
}


def describe(model: "Portable") -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the header and the arrays of an estimator.

    Parameters
    ----------
    model : estimator [read]
        Fitted or not.

    Raises
    ------
    ValueError
        If it holds something that has no place in them.
    """
    state = {name: value for name, value in model.__getstate__().items() if name not in _LEFT_OUT}
    parameters = {name: state.pop(name) for name in model.get_params(deep=False)}
    # The constructor of a subclass may set more than its parameters.
    fixed = vars(type(model)(**parameters))
    again = {name for name in state.keys() & fixed.keys() if encode(state[name]) == encode(fixed[name])}
    state = {name: value for name, value in state.items() if name not in again}
    unknown = sorted(state.keys() - _ATTRIBUTES.keys() - _APART)
    if unknown:
        raise ValueError(f"there is no place in a file for {', '.join(unknown)}; a pickle or a skops file keeps them")
    header: dict[str, Any] = {
        "format": _FORMAT,
        "library": f"fastbp {version('fastbp')}",
        "class": type(model).__name__,
        "parameters": _encode_all(parameters),
        "requests": _requests(model) if "_metadata_request" in state else None,
        "fitted": None,
    }
    tensors: dict[str, np.ndarray] = {}
    if "coefs_" in state:
        layers = [len(state["coefs_"][0]), *(len(b) for b in state["intercepts_"])]
        optimizer, moments = _split_optimizer(state.get("_optimizer"))
        binarizer = state.get("_label_binarizer")
        header["fitted"] = {
            "layers": layers,
            "attributes": _encode_all({name: value for name, value in state.items() if name not in _APART}),
            "labels": None if binarizer is None else _encode_all(labels.as_state(binarizer)),
            "optimizer": optimizer,
        }
        lists = {"coefs_": state["coefs_"], "intercepts_": state["intercepts_"], **moments}
        tensors = {
            f"{name}.{index}": np.ascontiguousarray(array)
            for name, arrays in lists.items()
            for index, array in enumerate(arrays)
        }
    return header, tensors


def _encode_all(values: dict[str, Any]) -> dict[str, Any]:
    encoded = {}
    for name, value in values.items():
        try:
            encoded[name] = encode(value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    return encoded


def _requests(model: "Portable") -> dict[str, Any]:
    routing = model.get_metadata_routing()
    return {method: dict(getattr(routing, method).requests) for method in _ROUTED}


def _split_optimizer(state: dict[str, Any] | None) -> tuple[dict[str, Any] | None, dict[str, list[np.ndarray]]]:
    """Return an optimizer's description without its moments, and the moments."""
    if state is None:
        return None, {}
    names = moment_names(state["kind"])
    moments = {f"optimizer.{name}": state[name] for name in names if state[name] is not None}
    settings = {name: value for name, value in state.items() if name not in names}
    return {**_encode_all(settings), "moments": bool(moments)}, moments


def shapes(header: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of the arrays that belong to a header.

    Raises
    ------
    ValueError
        If it does not say what they are.
    """
    match header:
        case {"fitted": None}:
            return {}
        case {"fitted": {"layers": [_, _, *_] as layers, "attributes": dict(), "labels": _, "optimizer": optimizer}}:
            pass
        case _:
            raise ValueError("it does not say which arrays it has")
    if not all(_is_count(size) and size > 0 for size in layers):
        raise ValueError("it does not say how large its layers are")
    weights, biases = list(pairwise(layers)), [(size,) for size in layers[1:]]
    lists: dict[str, list[tuple[int, ...]]] = {"coefs_": [*weights], "intercepts_": [*biases]}
    match optimizer:
        case None:
            pass
        case {"kind": str(kind), "moments": bool(kept)} if kind.lower() in OPTIMIZERS:
            lists |= {f"optimizer.{name}": [*weights, *biases] for name in moment_names(kind) if kept}
        case _:
            raise ValueError("it does not say which optimizer it has")
    return {f"{name}.{index}": shape for name, wanted in lists.items() for index, shape in enumerate(wanted)}


def rebuild(kind: type[Estimator], header: dict[str, Any], tensors: dict[str, np.ndarray]) -> Estimator:
    """Return the estimator that `describe` has described.

    Parameters
    ----------
    kind : type
        The estimator's class.
    header : dict
        What `describe` returned, or anything else: it is checked.
    tensors : dict of ndarray
        The arrays. They become the estimator's own.

    Raises
    ------
    ValueError
        If anything in them is wrong or does not fit the rest.
    """
    check_format(kind, header)
    model = kind(**{name: decode(node) for name, node in header["parameters"].items()})
    model._check_parameters()
    if header["requests"] is not None:
        _restore_requests(model, header["requests"])
    if header["fitted"] is not None:
        _check_arrays(shapes(header), tensors)
        model.__setstate__(_fitted_state(header["fitted"], tensors, classifies=is_classifier(model)))
    return model


def check_format(kind: type, header: Any) -> None:
    """Raise if a header is not one of ours, or that of another class."""
    match header:
        case {"format": str(form), "class": str(name), "parameters": dict(), "requests": _, "fitted": _}:
            pass
        case _:
            raise ValueError("it is no description of an estimator")
    if form != _FORMAT:
        raise ValueError(f"its format is {form!r}, and this version of fastbp reads {_FORMAT!r}")
    if name != kind.__name__:
        raise ValueError(f"it holds an estimator of class {name}, not {kind.__name__}")


def _restore_requests(model: "Portable", requests: Any) -> None:
    if not isinstance(requests, dict) or not requests.keys() <= set(_ROUTED):
        raise ValueError("its metadata requests are wrong")
    with config_context(enable_metadata_routing=True):
        for method, wanted in requests.items():
            if not all(value is None or isinstance(value, bool | str) for value in wanted.values()):
                raise ValueError("its metadata requests are wrong")
            if wanted:
                getattr(model, f"set_{method}_request")(**wanted)


def _check_arrays(expected: dict[str, tuple[int, ...]], tensors: dict[str, np.ndarray]) -> None:
    if {name: array.shape for name, array in tensors.items()} != expected:
        raise ValueError("its arrays do not have the shapes of its layers")
    dtypes = {array.dtype for array in tensors.values()}
    if len(dtypes) != 1 or not dtypes <= set(_FLOATS):
        raise ValueError(f"its arrays are of {sorted(map(str, dtypes))}; all must be float32 or all float64")
    for name, array in tensors.items():
        if not name.startswith("optimizer.") and not np.isfinite(array).all():
            raise ValueError(f"{name} has values that are not finite")


def _fitted_state(fitted: dict[str, Any], tensors: dict[str, np.ndarray], *, classifies: bool) -> dict[str, Any]:
    state = {name: decode(node) for name, node in fitted["attributes"].items()}
    for name, value in state.items():
        if name not in _ATTRIBUTES or not _ATTRIBUTES[name](value):
            raise ValueError(f"its attribute {name} is wrong")
    layers = fitted["layers"]
    promised = {"n_features_in_": layers[0], "n_outputs_": layers[-1], "n_layers_": len(layers)}
    if {name: state.get(name) for name in promised} != promised:
        raise ValueError("its attributes do not belong to its layers")
    if len(state.get("feature_names_in_", range(layers[0]))) != layers[0]:
        raise ValueError("it has not as many feature names as features")
    state["coefs_"], state["intercepts_"] = (_collect(tensors, name) for name in ("coefs_", "intercepts_"))
    if fitted["optimizer"] is not None:
        state["_optimizer"] = _join_optimizer(fitted["optimizer"], tensors)
    output = state.get("out_activation_", "")
    if classifies:
        if not isinstance(fitted["labels"], dict):
            raise ValueError("it does not say what its classes are")
        described = {name: decode(node) for name, node in fitted["labels"].items()}
        binarizer = labels.from_state(described, n_outputs=layers[-1], out_activation=output)
        if not np.array_equal(state.get("classes_", ()), binarizer.classes_):
            raise ValueError("its attribute classes_ is wrong")
        state["_label_binarizer"] = binarizer
    elif fitted["labels"] is not None or "classes_" in state or output not in ("identity", "exp"):
        raise ValueError("it describes a classifier")
    return state


def _collect(tensors: dict[str, np.ndarray], name: str) -> list[np.ndarray]:
    numbers = sorted(int(key[len(name) + 1 :]) for key in tensors if key.startswith(f"{name}."))
    return [tensors[f"{name}.{number}"] for number in numbers]


def _join_optimizer(header: dict[str, Any], tensors: dict[str, np.ndarray]) -> dict[str, Any]:
    state = {name: decode(node) for name, node in header.items() if name != "moments"}
    for name in moment_names(header["kind"]):
        state[name] = _collect(tensors, f"optimizer.{name}") if header["moments"] else None
    return OptimizerState.from_dict(state).as_dict()
