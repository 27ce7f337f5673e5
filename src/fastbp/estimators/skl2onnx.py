"""fastbp's estimators inside of pipelines that skl2onnx converts.

Call `register` once, then ``skl2onnx.to_onnx(pipeline, X)`` knows them.
"""

from typing import Any

import numpy as np

from fastbp.estimators import MLPClassifier, MLPRegressor
from fastbp.interop.libraries import needed_libraries
from fastbp.interop.onnx import network_graph

__all__ = ["register"]

# What skl2onnx does for all classifiers by itself.
_OPTIONS = {"zipmap": [True, False, "columns"], "output_class_labels": [False, True], "nocl": [False]}


def register() -> None:
    """Tell skl2onnx how `MLPClassifier` and `MLPRegressor` are converted; again does no harm.

    The networks are computed in the type of the pipeline's input, float32 unless it is double. Labels and
    probabilities are named and typed as those of scikit-learn's own networks are.

    Examples
    --------
    >>> import numpy as np
    >>> import skl2onnx
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from fastbp import MLPRegressor
    >>> from fastbp.estimators.skl2onnx import register
    >>> register()
    >>> X = np.linspace(-1, 1, 100)[:, None]
    >>> model = make_pipeline(StandardScaler(), MLPRegressor(max_iter=500, random_state=0)).fit(X, X[:, 0] ** 2)
    >>> graph = skl2onnx.to_onnx(model, X).graph
    >>> graph.output[0].name
    'variable'
    """
    with needed_libraries():
        from skl2onnx import update_registered_converter
    update_registered_converter(MLPClassifier, "FastbpMLPClassifier", _classifier_shapes, _convert, options=_OPTIONS)
    update_registered_converter(MLPRegressor, "FastbpMLPRegressor", _regressor_shapes, _convert)


def _classifier_shapes(operator: Any) -> None:
    from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes

    calculate_linear_classifier_output_shapes(operator)
    model = operator.raw_operator
    n_samples, columns = operator.inputs[0].get_first_dimension(), max(2, model.n_outputs_)
    operator.outputs[1].type.shape = [n_samples, columns]
    if model._label_binarizer.y_type_ == "multilabel-indicator":
        operator.outputs[0].type.shape = [n_samples, columns]


def _regressor_shapes(operator: Any) -> None:
    from skl2onnx.common.shape_calculator import calculate_linear_regressor_output_shapes

    calculate_linear_regressor_output_shapes(operator)
    operator.outputs[0].type.shape = [operator.inputs[0].get_first_dimension(), operator.raw_operator.n_outputs_]


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add a network's nodes and constants to a pipeline's."""
    from onnx import TensorProto, helper
    from skl2onnx.common.data_types import guess_proto_type

    number = guess_proto_type(operator.inputs[0].type)
    if number != TensorProto.DOUBLE:
        number = TensorProto.FLOAT
    x = scope.get_unique_variable_name("x")
    container.add_node("Cast", operator.inputs[0].full_name, x, to=number)
    results = [output.full_name for output in operator.outputs]
    graph = network_graph(operator.raw_operator, x, results, helper.tensor_dtype_to_np_dtype(number))
    # Another network may be in the same pipeline.
    names = {name: name for name in (x, *results)}

    def unique(name: str) -> str:
        if name not in names:
            names[name] = scope.get_unique_variable_name(name)
        return names[name]

    for name, values in graph.constants.items():
        kind, content = helper.np_dtype_to_tensor_dtype(values.dtype), values.ravel()
        if kind == TensorProto.STRING:
            content = np.array([text.encode() for text in content], dtype=object)
        container.add_initializer(unique(name), kind, values.shape, content)
    for node in graph.nodes:
        container.add_node(node.operator, [*map(unique, node.inputs)], [unique(node.output)], **node.attributes)
