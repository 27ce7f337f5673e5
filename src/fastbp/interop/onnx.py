"""Networks as ONNX graphs.

`network_graph` says which nodes and constants a network is made of, in terms of no library: `to_onnx` makes a model of
them, and `fastbp.estimators.skl2onnx` a part of a pipeline.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from fastbp.interop.libraries import needed_libraries
from fastbp.kernels.functions.activations import ACTIVATIONS

if TYPE_CHECKING:
    import onnx

    from fastbp.estimators._portable import Portable

__all__ = ["Graph", "Node", "network_graph", "to_onnx"]

# Of the year 2020. It has all that is needed, and everything that reads ONNX today reads it.
_OPSET = 13
_IR_VERSION = 7
_INT64 = 7  # onnx.TensorProto.INT64
_FLOAT, _DOUBLE = 1, 11  # onnx.TensorProto.FLOAT, DOUBLE
# What ONNX Runtime has in float32 only.
_SINGLE_ONLY = {"Erf"}


class Node(NamedTuple):
    """An operation on named tensors."""

    operator: str
    inputs: list[str]
    output: str
    attributes: dict[str, Any]


class Graph(NamedTuple):
    """Operations in the order of their execution, and the constants that they take."""

    nodes: list[Node]
    constants: dict[str, np.ndarray]

    def add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Append a node, and return the name of its output."""
        self.nodes.append(Node(operator, inputs, output, attributes))
        return output

    def constant(self, name: str, values: np.ndarray) -> str:
        """Add a constant, and return its name."""
        self.constants[name] = values
        return name


def network_graph(model: "Portable", x: str, outputs: list[str], dtype: np.dtype) -> Graph:
    """Return what an estimator computes as a graph.

    Parameters
    ----------
    model : estimator [read]
        A fitted one.
    x : str
        Name of the tensor of samples, which is of type `dtype`.
    outputs : list of str
        Names for the labels and probabilities of a classifier, or for the values of a regressor.
    dtype : dtype
        In which it is computed.
    """
    graph = Graph([], {})
    last = len(model.coefs_) - 1
    for index, (weights, biases) in enumerate(zip(*model._network(), strict=True)):
        w = graph.constant(f"coefs_{index}", weights.astype(dtype))
        b = graph.constant(f"intercepts_{index}", biases.astype(dtype))
        z = graph.add("Gemm", [x, w, b], f"z_{index}")
        activation = model.activation if index < last else model.out_activation_
        is_result = index == last and (model.n_outputs_ > 1 or len(outputs) == 1)
        x = _add_activation(graph, activation, z, outputs[-1] if is_result else f"h_{index}", dtype)
    if len(outputs) == 2:
        label, probabilities = outputs
        _add_labels(graph, model, x, label, probabilities, dtype)
    return graph


def _add_activation(graph: Graph, activation: str, z: str, h: str, dtype: np.dtype) -> str:
    """Add the nodes of an activation, and return the name of their result, `h`."""

    def add(operator: str, *inputs: str | float, **attributes: Any) -> str:
        number = len(graph.nodes)
        names = [
            value if isinstance(value, str) else graph.constant(f"{h}_{number}_{place}", np.array(value, dtype))
            for place, value in enumerate(inputs)
        ]
        if operator in _SINGLE_ONLY and dtype == np.float64:
            single = add("Cast", *names, to=_FLOAT)
            return add("Cast", graph.add(operator, [single], f"{h}_{number}_single", **attributes), to=_DOUBLE)
        return graph.add(operator, names, f"{h}_{number}", **attributes)

    ACTIVATIONS[activation].onnx(add, z)
    graph.nodes[-1] = graph.nodes[-1]._replace(output=h)
    return h


def _add_labels(graph: Graph, model: "Portable", p: str, label: str, probabilities: str, dtype: np.dtype) -> None:
    """Add the labels, and for two classes the probability of the first."""
    if model._label_binarizer.y_type_ == "multilabel-indicator":
        half = graph.constant("half", np.array(0.5, dtype))
        graph.add("Cast", [graph.add("Greater", [p, half], "is_label")], label, to=_INT64)
        return
    if model.n_outputs_ == 1:
        one = graph.constant("one", np.array(1, dtype))
        graph.add("Concat", [graph.add("Sub", [one, p], "first_p"), p], probabilities, axis=1)
    # A single class has two columns, too.
    classes = np.resize(model.classes_, max(2, len(model.classes_)))
    classes = classes.astype(object if classes.dtype.kind in "OU" else np.int64)
    best = graph.add("ArgMax", [probabilities], "best", axis=1, keepdims=0)
    graph.add("Gather", [graph.constant("classes", classes), best], label, axis=0)


def to_onnx(model: "Portable") -> "onnx.ModelProto":
    """Return the fitted network as an ONNX model.

    For pipelines see `fastbp.estimators.skl2onnx.register`.

    Parameters
    ----------
    model : estimator [read]
        A fitted `MLPClassifier` or `MLPRegressor`.

    Returns
    -------
    model : onnx.ModelProto
        It takes ``X`` of shape (n, n_features_in_), n being free, in the dtype of the weights. A classifier
        gives ``label``, strings or 64-bit integers, and ``probabilities`` of shape (n, n_classes); a regressor
        gives ``variable`` of shape (n, n_outputs_), also for a single output. Operators are those of opset 13.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.

    Examples
    --------
    >>> import numpy as np
    >>> import onnxruntime
    >>> from sklearn.datasets import load_iris
    >>> from fastbp import MLPClassifier
    >>> from fastbp.interop import to_onnx
    >>> X, y = load_iris(return_X_y=True)
    >>> X = X.astype(np.float32)
    >>> model = MLPClassifier(max_iter=500, random_state=0).fit(X, y)
    >>> graph = to_onnx(model).SerializeToString()
    >>> session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    >>> label, probabilities = session.run(["label", "probabilities"], {"X": X})
    >>> bool((label == model.predict(X)).all())
    True
    """
    check_is_fitted(model)
    with needed_libraries():
        from onnx import TensorProto, helper, numpy_helper
    dtype = model._dtype()
    number = helper.np_dtype_to_tensor_dtype(dtype)
    if is_classifier(model):
        strings = model.classes_.dtype.kind in "OU"
        multilabel = model._label_binarizer.y_type_ == "multilabel-indicator"
        columns = max(2, model.n_outputs_)
        outputs = {
            "label": (TensorProto.STRING if strings else TensorProto.INT64, [columns] if multilabel else []),
            "probabilities": (number, [columns]),
        }
    else:
        outputs = {"variable": (number, [model.n_outputs_])}
    graph = network_graph(model, "X", list(outputs), dtype)
    return helper.make_model(
        helper.make_graph(
            [helper.make_node(node.operator, node.inputs, [node.output], **node.attributes) for node in graph.nodes],
            type(model).__name__,
            [helper.make_tensor_value_info("X", number, ["N", model.n_features_in_])],
            [helper.make_tensor_value_info(name, kind, ["N", *shape]) for name, (kind, shape) in outputs.items()],
            [numpy_helper.from_array(values, name) for name, values in graph.constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="fastbp",
        producer_version=version("fastbp"),
    )
