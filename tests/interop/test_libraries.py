"""Without the optional libraries, the rest works, and what needs them says how to get them."""

import json
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import pytest

from fastbp import MLPClassifier, MLPRegressor
from fastbp.interop import libraries
from fastbp.interop.libraries import install_command

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
    with pytest.raises(ImportError, match=rf"^this needs {name}[\w.]*: {re.escape(install_command(extra))}$"):
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


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        (None, 'pip install "fastbp[cli]"'),
        ({"url": "https://example.org/fastbp.whl", "archive_info": {}}, 'pip install "fastbp[cli]"'),
        ({"url": "file:///nowhere/clone", "dir_info": {}}, 'pip install "fastbp[cli]"'),
        ({"url": "{folder}", "dir_info": {}}, 'pip install "{path}[cli]"'),
        ({"url": "{folder}", "dir_info": {"editable": True}}, 'pip install -e "{path}[cli]"'),
    ],
)
def test_the_command_installs_from_where_fastbp_came_from(monkeypatch, tmp_path, origin, command):
    path = tmp_path / "my clone"
    path.mkdir()
    if origin and origin["url"] == "{folder}":
        origin = {**origin, "url": path.as_uri()}

    class Distribution:
        def read_text(self, name):
            assert name == "direct_url.json"
            return json.dumps(origin) if origin else None

    monkeypatch.setattr(libraries, "distribution", lambda name: Distribution())
    assert install_command("cli") == command.replace("{path}", str(path))


def test_the_command_for_a_copy_that_was_not_installed(monkeypatch):
    def not_found(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(libraries, "distribution", not_found)
    assert install_command("cli") == 'pip install "fastbp[cli]"'
