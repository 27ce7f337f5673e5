"""Without the optional libraries, the rest works, and what needs them says how to get them."""

import subprocess
import sys

import pytest

from fastbp import MLPClassifier, MLPRegressor

CALLS = {
    "safetensors": lambda model, path: model.save(path),
    "safetensors, to load": lambda model, path: MLPRegressor.load(path),
    "torch": lambda model, path: model.to_torch(),
    "torch, from there": lambda model, path: MLPClassifier.from_torch(None),
    "onnx": lambda model, path: model.to_onnx(),
    "skl2onnx": lambda model, path: __import__("fastbp.estimators.skl2onnx").estimators.skl2onnx.register(),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_missing_library_is_named(make, monkeypatch, tmp_path, call):
    name = call.partition(",")[0]
    for loaded in list(sys.modules):
        if loaded.partition(".")[0] == name:
            monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, name, None)
    extra = "files" if name == "safetensors" else "interop"
    with pytest.raises(ImportError, match=rf'^this needs {name}[\w.]*: pip install "fastbp\[{extra}\]"$'):
        CALLS[call](make("regression"), tmp_path / "model")


def test_estimators_need_none_of_them():
    program = """
import sys

class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name in ("onnx", "onnxruntime", "safetensors", "skl2onnx", "skops", "torch"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Nowhere())
import copy, pickle
import numpy as np
from fastbp import MLPRegressor
model = MLPRegressor(hidden_layer_sizes=3).partial_fit(np.ones((9, 2)), np.arange(9))
assert (pickle.loads(pickle.dumps(copy.deepcopy(model))).to_sklearn().predict([[1, 1]]) < 9).all()
print("ok")
"""
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "ok\n"


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("fastbp.estimators", {"onnx", "safetensors", "skl2onnx", "torch"}),
        ("fastbp.interop", {"onnx", "safetensors", "skl2onnx", "torch", "sklearn", "numba"}),
    ],
)
def test_they_are_imported_when_they_are_needed(module, absent):
    program = f"import sys, {module}; print(*{absent} & {{*sys.modules}})"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "\n"


def test_the_former_place_of_the_converters():
    import fastbp.interop.skl2onnx as former
    from fastbp.estimators.skl2onnx import register

    with pytest.warns(FutureWarning, match=r"moved to fastbp\.estimators\.skl2onnx"):
        assert former.register is register
    with pytest.raises(AttributeError, match="no attribute 'convert'"):
        _ = former.convert
