"""The former place of `fastbp.estimators.skl2onnx`; it works until the next release."""

import warnings
from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    if name != "register":
        raise AttributeError(f"module 'fastbp.interop.skl2onnx' has no attribute {name!r}")
    warnings.warn("fastbp.interop.skl2onnx has moved to fastbp.estimators.skl2onnx", FutureWarning, stacklevel=2)
    return import_module("fastbp.estimators.skl2onnx").register
