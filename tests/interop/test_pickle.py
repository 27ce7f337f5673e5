"""What pickles, copies, joblib and skops keep of an estimator, and what they leave out."""

import copy
import pickle
import re

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import InconsistentVersionWarning

from fastbp import Adam, MLPClassifier, MLPRegressor

STAGES = ("unfitted", "fit", "partial_fit")


def pickled(model):
    return pickle.loads(pickle.dumps(model))


def moments(model):
    """The optimizer's moments, an empty list before the first step."""
    return list(model._optimizer.moments.values())


def arrays(model):
    return [*model.coefs_, *model.intercepts_]


@pytest.mark.parametrize("stage", ["partial_fit", "fit partial_fit"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_half_trained_goes_on_exactly(make, go_on, assert_same, kind, solver, stage, dtype):
    model = make(kind, stage, solver=solver, dtype=dtype)
    again = pickled(model)
    assert_same(vars(again), vars(model))
    go_on(kind, model, again)
    assert_same(vars(again), vars(model))


@pytest.mark.parametrize("stage", ["fit", "partial_fit"])
def test_warm_start_keeps_moments(make, go_on, assert_same, solver, stage):
    model = make("integers", stage, solver=solver, warm_start=True, random_state=np.random.RandomState(3))
    again = pickled(model)
    assert_same(vars(again), vars(model))
    go_on("integers", model, again)
    assert_same(vars(again), vars(model))


def test_a_pickle_of_version_0_5_goes_on(make, go_on, assert_same):
    """It has no `weight_decay`, and Adam's learning rate of the last step, after bias correction."""
    model = make("integers", "partial_fit", warm_start=True)
    state = model.__getstate__()
    del state["weight_decay"]
    state["_optimizer"]["learning_rate"] /= 3
    again = MLPClassifier.__new__(MLPClassifier)
    again.__setstate__(state)
    assert_same(vars(again), vars(model))
    go_on("integers", model, again)
    assert_same(vars(again), vars(model))


def test_after_fit_all_is_kept_but_the_moments(make, assert_same, kind, solver):
    model = make(kind, solver=solver, learning_rate="invscaling")
    again = pickled(model)
    assert moments(again) == []
    assert moments(model) != []
    expected, got = dict(vars(model)), dict(vars(again))
    theirs, ours = expected.pop("_optimizer"), got.pop("_optimizer")
    assert_same(got, expected)
    assert ours.optimizer == theirs.optimizer
    assert ours.t == 0
    assert ours.learning_rate == theirs.learning_rate
    assert (ours.learning_rate < ours.optimizer.learning_rate) == (solver == "sgd")


def test_after_fit_a_pickle_goes_on_with_fresh_moments(make, go_on, solver):
    """As an estimator does that has the same weights and no optimizer."""
    model = make("integers", solver=solver)
    again, bare = pickled(model), pickled(model)
    del bare._optimizer
    go_on("integers", again, bare, model)
    for a, b, c in zip(arrays(again), arrays(bare), arrays(model), strict=True):
        assert_array_equal(a, b)
        assert not np.array_equal(a, c)


def test_in_memory_partial_fit_after_fit_has_the_moments(make, go_on):
    """scikit-learn's behaviour, which a pickle in between would change."""
    model = make("integers")
    kept = copy.deepcopy(model)
    go_on("integers", model)
    assert moments(model)[0][0].any()
    assert not np.array_equal(model.coefs_[0], kept.coefs_[0])
    assert model._optimizer.t == kept._optimizer.t + 5 + 2


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
@pytest.mark.parametrize("stage", ["unfitted", "fit", "partial_fit"])
def test_copies_keep_everything(make, go_on, assert_same, assert_untouched, solver, stage, copied):
    model = make("objects", stage, solver=solver, random_state=np.random.RandomState(1))
    with assert_untouched(model):
        again = copied(model)
    assert_same(vars(again), vars(model))
    if stage != "unfitted":
        assert (again.coefs_ is model.coefs_) == (copied is copy.copy)
        if copied is copy.deepcopy:
            assert not any(np.shares_memory(a, b) for a, b in zip(arrays(again), arrays(model), strict=True))
            assert not np.shares_memory(moments(again)[0][0], moments(model)[0][0])
            with assert_untouched(model):
                go_on("objects", again)


def test_deepcopy_keeps_shared_and_circular_references(make):
    model = make("integers")
    model.friends = [model, model.coefs_]
    again = copy.deepcopy(model)
    assert again.friends[0] is again
    assert again.friends[1] is again.coefs_


def test_clone_is_unchanged(make):
    model = make("integers", "partial_fit")
    again = clone(model)
    assert again.get_params() == model.get_params()
    assert not [name for name in vars(again) if name.endswith("_") or name == "_optimizer"]


@pytest.mark.parametrize("stage", STAGES)
def test_joblib_and_cloudpickle_do_as_pickle(make, assert_same, tmp_path, stage):
    cloudpickle = pytest.importorskip("cloudpickle")
    model = make("multilabel", stage)
    joblib.dump(model, tmp_path / "model")
    expected = pickled(model)
    assert_same(vars(joblib.load(tmp_path / "model")), vars(expected))
    assert_same(vars(pickle.loads(cloudpickle.dumps(model))), vars(expected))


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_size_is_that_of_the_weights(estimator, solver, early_stopping):
    rng = np.random.default_rng(0)
    X, y = rng.random((60, 300), dtype=np.float32), rng.integers(0, 3, 60)
    model = estimator(hidden_layer_sizes=(200,), solver=solver, early_stopping=early_stopping, max_iter=2, tol=1e3)
    with pytest.warns(Warning, match="Maximum iterations"):
        model.fit(X, y)
    weights = sum(a.nbytes for a in arrays(model))
    assert weights < len(pickle.dumps(model)) < 1.1 * weights
    model.set_params(early_stopping=False).partial_fit(X, y)
    copies = 3 if solver == "adam" else 2
    assert copies * weights < len(pickle.dumps(model)) < 1.1 * copies * weights


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lbfgs_has_no_moments(make, assert_same, kind, dtype):
    model = make(kind, solver="lbfgs", dtype=dtype)
    assert_same(vars(pickled(model)), vars(model))
    assert_same(vars(copy.deepcopy(model)), vars(model))


def leaves(value):
    yield value
    if isinstance(value, dict):
        value = list(value.values())
    elif hasattr(value, "__getstate__") and not isinstance(value, np.ndarray | np.generic):
        state = value.__getstate__()
        value = list(state.values()) if isinstance(state, dict) else []
    if isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item)


STATES = [*((solver, stage) for solver in ("adam", "sgd") for stage in STAGES), ("lbfgs", "fit")]


@pytest.mark.parametrize(("solver", "stage"), STATES)
def test_state_is_of_common_types(make, kind, solver, stage):
    state = make(kind, stage, solver=solver, random_state=np.random.RandomState(0)).__getstate__()
    modules = {type(value).__module__.partition(".")[0] for value in leaves(state)}
    assert modules <= {"builtins", "numpy", "sklearn"}


@pytest.mark.parametrize(("solver", "stage"), STATES)
def test_skops_has_one_type_to_trust(make, go_on, assert_same, kind, solver, stage):
    io = pytest.importorskip("skops.io")
    model = make(kind, stage, solver=solver, n_iter_no_change=np.inf)
    data = io.dumps(model)
    trusted = io.get_untrusted_types(data=data)
    name = type(model).__name__
    assert trusted == [f"fastbp.estimators._{name.removeprefix('MLP').lower()}.{name}"]
    again = io.loads(data, trusted=trusted)
    assert_same(vars(again), vars(pickled(model)))
    if stage == "partial_fit":
        go_on(kind, model, again)
        assert_same(vars(again), vars(model))


def test_versions_of_scikit_learn_are_compared(make):
    import sklearn

    data = pickle.dumps(make("regression"), protocol=0)
    version = sklearn.__version__
    assert data.count(f"V{version}\n".encode()) == 1
    other = data.replace(f"V{version}\n".encode(), b"V1.0.7\n")
    with pytest.warns(InconsistentVersionWarning, match=re.escape("MLPRegressor from version 1.0.7")) as caught:
        model = pickle.loads(other)
    assert len(caught) == 1
    assert not hasattr(model, "_sklearn_version")


class Special(MLPClassifier):
    """Has its own state, part of which must not be pickled."""

    def __init__(self, note="", **params):
        super().__init__(**params)
        self.note = note

    def __getstate__(self):
        state = super().__getstate__()
        state.pop("lock", None)
        return state


@pytest.mark.parametrize("copied", [copy.deepcopy, pickled])
def test_subclasses_have_their_say(samples, copied):
    X, y = samples("integers")
    model = Special(note="x", hidden_layer_sizes=(3,)).partial_fit(X, y, classes=np.unique(y))
    model.lock, model.extra = (_ for _ in ()), 1
    again = copied(model)
    assert type(again) is Special
    assert (again.note, again.extra) == ("x", 1)
    assert not hasattr(again, "lock")
    assert isinstance(again._optimizer.optimizer, Adam)


def test_a_loaded_estimator_learns_something_else(tmp_path):
    """scikit-learn's test of its defect 19626."""
    model = MLPRegressor(hidden_layer_sizes=(42,), random_state=42, learning_rate_init=0.01, max_iter=200)
    model.fit([[2]], [4])
    joblib.dump(model, tmp_path / "mlp.pkl")
    again = joblib.load(tmp_path / "mlp.pkl")
    for _ in range(200):
        again.partial_fit([[2]], [1])
    np.testing.assert_allclose(again.predict([[2]]), [1], rtol=1e-4)
