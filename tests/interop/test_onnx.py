"""ONNX models, alone and inside of pipelines, run by onnxruntime: labels equal, probabilities as near as rounding."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastbp import MLPClassifier, MLPRegressor
from fastbp.kernels.functions.activations import HIDDEN

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

TOLERANCE = {np.float32: 1e-6, np.float64: 1e-12}
TYPES = {np.float32: "tensor(float)", np.float64: "tensor(double)"}


def session_of(graph):
    onnx.checker.check_model(graph, full_check=True)
    return onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])


def assert_predicts(session, model, X, tolerance):
    """Compare what a session and an estimator predict."""
    got = dict(zip([o.name for o in session.get_outputs()], session.run(None, {"X": X}), strict=True))
    if not hasattr(model, "predict_proba"):
        assert list(got) == ["variable"]
        expected = model.predict(X).reshape(len(X), -1)
        assert got["variable"].dtype == X.dtype
        assert got["variable"].shape == expected.shape
        assert_allclose(got["variable"], expected, rtol=tolerance, atol=tolerance)
        return
    assert list(got) == ["label", "probabilities"]
    labels, proba = model.predict(X), model.predict_proba(X)
    labels = labels.toarray() if hasattr(labels, "toarray") else labels
    assert got["label"].shape == labels.shape
    assert got["label"].dtype == (object if labels.dtype.kind in "OU" else np.int64)
    assert_array_equal(got["label"], labels)
    assert got["probabilities"].dtype == X.dtype
    assert got["probabilities"].shape == proba.shape
    assert_allclose(got["probabilities"], proba, rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", HIDDEN)
def test_graphs_predict_alike(make, samples, assert_untouched, kind, dtype, activation):
    model = make(kind, dtype=dtype, activation=activation)
    with assert_untouched(model):
        graph = model.to_onnx()
    session = session_of(graph)
    assert [(i.name, i.type, i.shape) for i in session.get_inputs()] == [("X", TYPES[dtype], ["N", 6])]
    assert all(o.shape[0] == "N" for o in session.get_outputs())
    X, _ = samples(kind, dtype)
    # ONNX Runtime has the error function in float32 only.
    tolerance = TOLERANCE[np.float32] if activation == "gelu" else TOLERANCE[dtype]
    for rows in (X, X[:1]):
        assert_predicts(session, model, rows, tolerance)


@pytest.mark.parametrize("hidden", [(), (4, 3, 2)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_graphs_of_any_depth(make, samples, kind, dtype, hidden):
    model = make(kind, dtype=dtype, hidden_layer_sizes=hidden)
    assert_predicts(session_of(model.to_onnx()), model, samples(kind, dtype)[0], TOLERANCE[dtype])


@pytest.mark.parametrize("change", [np.ndarray.tolist, np.float32])
def test_weights_set_by_hand_are_converted_as_they_are_predicted_with(make, samples, change):
    model = make("multioutput")
    model.coefs_ = [change(coef) for coef in model.coefs_]
    assert_predicts(session_of(model.to_onnx()), model, samples("multioutput")[0], TOLERANCE[np.float64])


def test_graphs_are_conservative(make):
    graph = make("integers").to_onnx()
    assert [(opset.domain, opset.version) for opset in graph.opset_import] == [("", 13)]
    assert graph.ir_version == 7
    assert graph.producer_name == "fastbp"


def test_ties_are_decided_alike(samples):
    """Of equal probabilities the first class is predicted; a label needs more than one half."""
    X, y = samples("integers")
    for model in (
        MLPClassifier(hidden_layer_sizes=()).partial_fit(X, y, classes=[5, 6, 7]),
        MLPClassifier(hidden_layer_sizes=()).partial_fit(X, y > 5, classes=[False, True]),
        MLPClassifier(hidden_layer_sizes=()).partial_fit(X, samples("multilabel")[1], classes=range(3)),
    ):
        model.coefs_[0][:] = model.intercepts_[0][:] = 0
        assert_predicts(session_of(model.to_onnx()), model, X, 0)
        assert model.predict(X[:1]).max() in (5, 0)


def test_large_integers_and_negative_ones(samples):
    X, y = samples("integers")
    y = np.array([-(2**62), 0, 2**62])[y - 5]
    model = MLPClassifier(random_state=0).partial_fit(X, y, classes=np.unique(y))
    assert_predicts(session_of(model.to_onnx()), model, X, 1e-12)


def test_unfitted_estimators_have_no_graph():
    with pytest.raises(NotFittedError):
        MLPRegressor().to_onnx()


@pytest.fixture
def convert():
    """Return skl2onnx's function, after our converters have been registered."""
    skl2onnx = pytest.importorskip("skl2onnx")
    from fastbp.estimators.skl2onnx import register

    register()
    register()

    def convert(model, X):
        return skl2onnx.to_onnx(model, X[:1], options={"zipmap": False} if hasattr(model, "classes_") else None)

    return convert


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pipelines_predict_alike(make, samples, convert, kind, dtype):
    X, _ = samples(kind, dtype)
    model = make_pipeline(StandardScaler().fit(X * 3 + 1), make(kind, dtype=dtype))
    session = session_of(convert(model, X))
    for rows in (X, X[:1]):
        assert_predicts(session, model, rows, TOLERANCE[dtype])
    assert session.get_outputs()[-1].shape[1] == session_of(model[-1].to_onnx()).get_outputs()[-1].shape[1]


def test_networks_of_float64_in_pipelines_of_float32(make, samples, convert):
    X, _ = samples("objects", np.float32)
    model = make("objects", dtype=np.float64)
    assert_predicts(session_of(convert(model, X)), model, X, 1e-6)


def test_two_networks_in_one_graph(samples, convert):
    from sklearn.ensemble import VotingRegressor

    X, y = samples("regression", np.float32)
    networks = [
        (name, MLPRegressor(hidden_layer_sizes=5, max_iter=2, random_state=seed)) for seed, name in enumerate("ab")
    ]
    with pytest.warns(Warning, match="Maximum iterations"):
        model = VotingRegressor(networks).fit(X, y)
    assert_predicts(session_of(convert(model, X)), model, X, 1e-6)


def test_probabilities_as_dictionaries(make, samples, convert):
    """The default of skl2onnx."""
    import skl2onnx

    X, _ = samples("strings", np.float32)
    model = make("strings", dtype=np.float32)
    session = session_of(skl2onnx.to_onnx(model, X[:1]))
    label, proba = session.run(None, {"X": X})
    assert label.tolist() == model.predict(X).tolist()
    expected = model.predict_proba(X)
    assert_allclose([[row["no"], row["yes"]] for row in proba], expected, atol=1e-6)


def test_conversion_does_not_touch_the_estimator(make, samples, convert, assert_untouched):
    model = make("integers")
    with assert_untouched(model):
        convert(model, samples("integers")[0])
