"""The functions of `fastbp.interop`: the estimators' methods are other names for them."""

import inspect

import pytest

import fastbp
from fastbp import MLPClassifier, MLPRegressor, interop


@pytest.mark.parametrize("name", interop.__all__)
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_methods_take_what_functions_take(name, kind):
    first, *others = inspect.signature(getattr(interop, name)).parameters.values()
    method = inspect.signature(getattr(kind, name)).parameters.values()
    assert first.name in ("model", "kind")
    described = [(p.name, p.kind, p.default) for p in others]
    assert [(p.name, p.kind, p.default) for p in method if p.name != "self"] == described


def test_functions_do_what_methods_do(make, samples, assert_same, tmp_path):
    model = make("integers", "partial_fit")
    theirs = interop.to_sklearn(model)
    assert_same(theirs.coefs_, model.to_sklearn().coefs_)
    assert_same(vars(interop.from_sklearn(MLPClassifier, theirs)), vars(MLPClassifier.from_sklearn(theirs)))
    pytest.importorskip("safetensors")
    interop.save(model, tmp_path / "model")
    assert_same(vars(interop.load(MLPClassifier, tmp_path / "model")), vars(MLPClassifier.load(tmp_path / "model")))


@pytest.mark.parametrize("name", ["to_onnx", "to_sklearn", "to_torch"])
def test_unfitted_estimators_are_an_error(name):
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        getattr(interop, name)(fastbp.MLPRegressor())


def test_names():
    assert set(interop.__all__) <= set(dir(interop))
    with pytest.raises(AttributeError, match=r"'fastbp\.interop' has no attribute 'to_keras'"):
        _ = interop.to_keras
