"""Fitted networks in other libraries' terms and in files.

The estimators' methods (`save`, `load`, `to_torch`, `from_torch`, `to_onnx`, `from_sklearn`, `to_sklearn`) are thin:
what they do is done here, by functions that take a model.

- `safetensors`: one file of plain arrays with a JSON header. `record` is what is in it, `values` how single values are
  put in JSON, `files` how a file is written whole or not at all.
- `torch`, with `torch_layers`, `onnx`, `sklearn`: to and from these libraries.
- `skl2onnx`: the converters that skl2onnx needs for pipelines.
- `optimizers`, `labels`: optimizers and label binarizers as plain values, and back.
- `libraries`: what is said when one of the libraries is not installed.
"""
