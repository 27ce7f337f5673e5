"""Fitted networks in other libraries' terms and in files: functions that take or return an estimator.

- `safetensors`: one file of plain arrays with a JSON header. `record` is what is in it, `values` writes single values
  as JSON.
- `torch`, with `torch_layers`, `onnx`, `sklearn`: to and from these libraries.
- `labels`: label binarizers as plain values, and back.
- `estimator`: the type of fastbp's estimators.
- `libraries`: the error if one of the libraries is not installed.

The functions are imported when they are first asked for, and other libraries when they are called. For pipelines
through skl2onnx see `fastbp.estimators.skl2onnx`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastbp.interop.onnx import to_onnx
    from fastbp.interop.safetensors import load, save
    from fastbp.interop.sklearn import from_sklearn, to_sklearn
    from fastbp.interop.torch import from_torch, to_torch

__all__ = ["from_sklearn", "from_torch", "load", "save", "to_onnx", "to_sklearn", "to_torch"]

_HOMES = {
    "from_sklearn": "fastbp.interop.sklearn",
    "from_torch": "fastbp.interop.torch",
    "load": "fastbp.interop.safetensors",
    "save": "fastbp.interop.safetensors",
    "to_onnx": "fastbp.interop.onnx",
    "to_sklearn": "fastbp.interop.sklearn",
    "to_torch": "fastbp.interop.torch",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fastbp.interop' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
