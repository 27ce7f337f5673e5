"""From scikit-learn's fitted networks and back: predictions and training go on as they would there."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse
import sklearn.neural_network
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.exceptions import NotFittedError

import fastbp
from fastbp import MLPClassifier, MLPRegressor

# Three epochs of steps in another order of summation.
CLOSE = 1e-12
POISSON = "loss" in sklearn.neural_network.MLPRegressor().get_params()


def quietly(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


@pytest.fixture
def theirs(make, samples):
    """Return a function that makes scikit-learn's estimator as `make` makes ours."""

    def theirs(kind, stage="fit", *, dtype=np.float64, **params):
        ours = make(kind, "unfitted", **params)
        arguments = {name: value for name, value in ours.get_params().items() if name not in ("n_jobs", "weight_decay")}
        if arguments.get("loss") == "squared_error":
            del arguments["loss"]
        model = getattr(sklearn.neural_network, type(ours).__name__)(**arguments)
        X, y = samples(kind, dtype)
        if "fit" in stage.split():
            quietly(model.fit, X, y)
        if "partial_fit" in stage.split():
            classes = {}
            if isinstance(ours, MLPClassifier):
                classes["classes"] = np.arange(3) if y.ndim == 2 else np.unique(y)
            for _ in range(2):
                quietly(model.partial_fit, X, y, **classes)
        return model

    return theirs


def dense(predicted):
    return predicted.toarray() if scipy.sparse.issparse(predicted) else predicted


def assert_alike(ours, theirs, X):
    for a, b in zip([*ours.coefs_, *ours.intercepts_], [*theirs.coefs_, *theirs.intercepts_], strict=True):
        assert a.dtype == b.dtype
        assert_allclose(a, b, rtol=CLOSE, atol=CLOSE)
    for name in ("predict", "predict_proba"):
        if hasattr(ours, name):
            got, expected = dense(getattr(ours, name)(X)), dense(getattr(theirs, name)(X))
            assert got.shape == expected.shape
            assert got.dtype == expected.dtype
            if got.dtype.kind == "f":
                assert_allclose(got, expected, rtol=CLOSE, atol=CLOSE)
            else:
                assert_array_equal(got, expected)


PUBLIC = (
    *("n_iter_", "t_", "loss_", "loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_"),
    *("n_layers_", "n_outputs_", "out_activation_", "n_features_in_"),
)


@pytest.mark.parametrize("stage", ["fit", "partial_fit", "fit partial_fit"])
def test_theirs_goes_on_here(theirs, samples, assert_untouched, kind, solver, stage):
    if kind == "poisson" and not POISSON:
        pytest.skip("scikit-learn 1.6 has no Poisson loss")
    ref = theirs(kind, stage, solver=solver, random_state=np.random.RandomState(3), learning_rate="invscaling")
    with assert_untouched(ref):
        comp = getattr(fastbp, type(ref).__name__).from_sklearn(ref)
    X, y = samples(kind)
    for name in PUBLIC:
        assert getattr(comp, name) == getattr(ref, name), name
    assert not any(np.shares_memory(a, b) for a, b in zip(comp.coefs_, ref.coefs_, strict=True))
    assert_alike(comp, ref, X)
    for rows in (slice(None), slice(30), slice(7, None)):
        quietly(ref.partial_fit, X[rows], y[rows])
        comp.partial_fit(X[rows], y[rows])
        assert_alike(comp, ref, X)
        if solver == "sgd":  # of Adam, scikit-learn's has the correction of the bias in it
            assert comp._optimizer.learning_rate == pytest.approx(ref._optimizer.learning_rate, rel=1e-15)
    assert_allclose(comp.loss_curve_, ref.loss_curve_, rtol=1e-12)


def test_warm_starts_go_on_here(theirs, samples):
    """Not with early stopping: scikit-learn overwrites the weights that it keeps as the best."""
    ref = theirs("strings", warm_start=True)
    comp = MLPClassifier.from_sklearn(ref)
    X, y = samples("strings")
    for model in (ref, comp):
        quietly(model.fit, X, y)
    assert_alike(comp, ref, X)
    assert comp.n_iter_ == ref.n_iter_
    assert_allclose(comp.loss_curve_, ref.loss_curve_, rtol=CLOSE)


@pytest.mark.parametrize("kind", ["integers", "regression"])
def test_lbfgs(theirs, samples, kind):
    ref = theirs(kind, solver="lbfgs")
    comp = getattr(fastbp, type(ref).__name__).from_sklearn(ref)
    assert not hasattr(comp, "_optimizer")
    assert all(a.flags.c_contiguous and a.base is None for a in comp.coefs_)
    assert_alike(comp, ref, samples(kind)[0])
    assert_alike(comp, comp.to_sklearn(), samples(kind)[0])


def test_float32_with_targets_of_float64(theirs, samples):
    """There, the moments are of float64."""
    ref = theirs("regression", "partial_fit", dtype=np.float32)
    comp = MLPRegressor.from_sklearn(ref)
    X, y = samples("regression", np.float32)
    for model in (ref, comp):
        model.partial_fit(X, y)
    assert comp._optimizer.moments["ms"][0].dtype == np.float32
    for a, b in zip(comp.coefs_, ref.coefs_, strict=True):
        assert_allclose(a, b, atol=1e-6)


def test_moments_go_into_pickles_if_they_may_be_needed(theirs):
    for stage, kept in (("partial_fit", True), ("fit", False)):
        comp = MLPClassifier.from_sklearn(theirs("integers", stage))
        assert comp._optimizer.moments
        assert bool(pickle.loads(pickle.dumps(comp))._optimizer.moments) == kept


def test_names_and_requests_come_along(samples):
    pandas = pytest.importorskip("pandas")
    X, y = samples("strings")
    frame = pandas.DataFrame(X, columns=list("abcdef"))
    with config_context(enable_metadata_routing=True):
        ref = sklearn.neural_network.MLPClassifier(max_iter=1, tol=1e9).set_fit_request(sample_weight=True)
    quietly(ref.fit, frame, y)
    comp = MLPClassifier.from_sklearn(ref)
    assert comp.feature_names_in_.tolist() == list("abcdef")
    assert repr(comp._metadata_request) == repr(ref._metadata_request)
    assert comp.to_sklearn().feature_names_in_.tolist() == list("abcdef")


def test_only_theirs_of_the_same_kind(theirs, make):
    with pytest.raises(TypeError, match=r"takes a fitted sklearn.neural_network.MLPClassifier, got .*MLPRegressor"):
        MLPClassifier.from_sklearn(theirs("regression"))
    with pytest.raises(TypeError, match=r"MLPRegressor.from_sklearn takes .*, got an object of type fastbp"):
        MLPRegressor.from_sklearn(make("regression"))
    with pytest.raises(NotFittedError):
        MLPRegressor.from_sklearn(theirs("regression", "unfitted"))
    with pytest.raises(NotFittedError):
        MLPRegressor().to_sklearn()


@pytest.mark.parametrize("stage", ["fit", "partial_fit"])
def test_ours_goes_there(make, samples, assert_untouched, kind, solver, stage):
    if kind == "poisson" and not POISSON:
        with pytest.raises(ValueError, match="has no loss='poisson'"):
            make(kind).to_sklearn()
        return
    comp = make(kind, stage, solver=solver, n_jobs=2)
    with assert_untouched(comp):
        ref = comp.to_sklearn()
    assert type(ref) is getattr(sklearn.neural_network, type(comp).__name__)
    assert {**ref.get_params(), "n_jobs": 2, "weight_decay": 0.01, "loss": 0} == {**comp.get_params(), "loss": 0}
    for name in PUBLIC:
        assert getattr(ref, name) == getattr(comp, name), name
    X, y = samples(kind)
    assert_alike(comp, ref, X)
    # There with fresh moments, here too.
    kept = copy.deepcopy(comp)
    del comp._optimizer
    for model in (ref, comp):
        model.partial_fit(X, y)
    assert_alike(comp, ref, X)
    assert all(a is not b for a, b in zip(ref.coefs_, kept.coefs_, strict=True))


@pytest.mark.parametrize("early_stopping", [False, True])
def test_warm_starts_go_on_there(make, samples, early_stopping):
    comp = make("numbers", warm_start=True, early_stopping=early_stopping)
    ref = comp.to_sklearn()
    X, y = samples("numbers")
    for model in (ref, comp):
        quietly(model.fit, X, y)
    assert_alike(comp, ref, X)


def test_patched_names_do_not_matter(theirs, samples):
    ref = theirs("integers")
    own = type(ref)
    fastbp.patch_sklearn(verbose=False)
    try:
        comp = MLPClassifier.from_sklearn(ref)
        assert type(comp.to_sklearn()) is own
    finally:
        fastbp.unpatch_sklearn()
    assert_alike(comp, ref, samples("integers")[0])


def test_subclasses(theirs):
    class Special(MLPClassifier):
        def __init__(self, hidden_layer_sizes=3, note=None):
            super().__init__(hidden_layer_sizes=hidden_layer_sizes)
            self.note = note

    class Plain(MLPClassifier):
        pass

    ref = theirs("integers")
    assert type(Plain.from_sklearn(ref)) is Plain
    model = Special(note=1).partial_fit(np.ones((2, 2)), [0, 1], classes=[0, 1])
    assert type(model.to_sklearn()) is type(ref)


@pytest.mark.parametrize("params", [{"activation": "gelu"}, {"solver": "adamw"}], ids=str)
def test_what_scikit_learn_does_not_have_stays_here(make, params):
    ((name, value),) = params.items()
    with pytest.raises(ValueError, match=f"scikit-learn has no {name}='{value}'"):
        make("regression", **params).to_sklearn()
