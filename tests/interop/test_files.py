"""`save` and `load`: everything comes back, bit for bit, and a file is written whole or not at all."""

import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from sklearn import config_context

from fastbp import MLPClassifier, MLPRegressor

pytest.importorskip("safetensors")

STAGES = ("unfitted", "fit", "partial_fit")


def saved(model, folder):
    path = folder / "model.any"
    model.save(path)
    return type(model).load(path)


def outputs(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_everything_comes_back(
    make, go_on, samples, assert_same, assert_untouched, tmp_path, kind, solver, stage, dtype
):
    import pickle

    model = make(kind, stage, solver=solver, dtype=dtype)
    with assert_untouched(model):
        again = saved(model, tmp_path)
    assert_same(vars(again), vars(pickle.loads(pickle.dumps(model))))
    if stage == "unfitted":
        return
    X, _ = samples(kind, dtype)
    assert_same(outputs(again, X), outputs(model, X))
    if not kind.startswith("sparse"):
        assert_same(again.predict(X), model.predict(X))
    if stage == "partial_fit":
        go_on(kind, model, again)
        assert_same(vars(again), vars(model))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lbfgs_comes_back(make, samples, assert_same, tmp_path, kind, dtype):
    model = make(kind, solver="lbfgs", dtype=dtype)
    again = saved(model, tmp_path)
    assert_same(vars(again), vars(model))
    assert_same(outputs(again, samples(kind, dtype)[0]), outputs(model, samples(kind, dtype)[0]))


@pytest.mark.parametrize(
    "params",
    [
        {"hidden_layer_sizes": ()},
        {"hidden_layer_sizes": 7},
        {"hidden_layer_sizes": [np.int64(3), 2]},
        {"hidden_layer_sizes": np.array([3, 2])},
        {"n_iter_no_change": np.inf, "n_jobs": 2, "batch_size": 5},
        {"alpha": np.float32(0.1), "tol": np.float64(1e-3), "momentum": 1, "shuffle": np.bool_(False)},
        {"random_state": np.random.RandomState(5)},
        {"random_state": None, "verbose": 0},
        {"early_stopping": True},
        {"solver": "sgd", "learning_rate": "adaptive", "warm_start": True},
    ],
    ids=str,
)
def test_every_parameter_comes_back(make, assert_same, tmp_path, params):
    model = make("integers", **params)
    again = saved(model, tmp_path)
    assert_same(again.get_params(), model.get_params())
    assert_same(
        {name: value for name, value in vars(again).items() if name != "_optimizer"},
        {name: value for name, value in vars(model).items() if name != "_optimizer"},
    )


def test_generators_of_random_numbers_go_on(make, go_on, assert_same, tmp_path):
    model = make("regression", "partial_fit", random_state=np.random.RandomState(5))
    model.random_state.standard_normal()
    again = saved(model, tmp_path)
    go_on("regression", model, again)
    assert_same(vars(again), vars(model))


def test_names_of_features_come_back(samples, assert_same, tmp_path):
    pandas = pytest.importorskip("pandas")
    X, y = samples("strings")
    frame = pandas.DataFrame(X, columns=["a", "ß", *"cdef"])
    model = MLPClassifier(max_iter=1, tol=1e9).partial_fit(frame, y, classes=np.unique(y))
    again = saved(model, tmp_path)
    assert_same(vars(again), vars(model))
    again.predict(frame)
    with pytest.raises(ValueError, match="feature names should match"):
        again.predict(frame.rename(columns={"a": "b"}))


def test_metadata_requests_come_back(tmp_path):
    with config_context(enable_metadata_routing=True):
        model = MLPClassifier().set_fit_request(sample_weight=True).set_score_request(sample_weight="weight")
    again = saved(model, tmp_path)
    assert repr(again._metadata_request) == repr(model._metadata_request)


def test_callbacks_stay_behind(samples, tmp_path):
    callback = pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks since 1.9")
    model = MLPRegressor(hidden_layer_sizes=3).set_callbacks(callback.ScoringMonitor(scoring="r2"))
    model.partial_fit(*samples("regression"))
    again = saved(model, tmp_path)
    assert vars(model).keys() - vars(again).keys() == {"_skl_callbacks"}


def test_losses_that_are_not_finite_come_back(make, assert_same, tmp_path):
    model = make("poisson", "partial_fit")
    model.loss_curve_[0], model.best_loss_ = np.float64("inf"), np.float64("nan")
    model.validation_scores_ = [0.5, float("nan")]
    assert_same(vars(saved(model, tmp_path)), vars(model))


class Special(MLPRegressor):
    """Has its own parameter, and few others."""

    def __init__(self, alpha=0.1, note=None):
        super().__init__(hidden_layer_sizes=3, alpha=alpha)
        self.note = note


def test_subclasses(samples, assert_same, tmp_path):
    model = Special(note=("a", 1.5), alpha=0.25).partial_fit(*samples("regression"))
    assert_same(vars(saved(model, tmp_path)), vars(model))
    with pytest.raises(ValueError, match="class Special, not MLPRegressor"):
        MLPRegressor.load(tmp_path / "model.any")
    model.set_params(note=None).momentum = 0.5
    with pytest.raises(ValueError, match="no place in a file for momentum"):
        model.save(tmp_path / "model.any")


def test_estimators_with_more_than_a_file_can_hold(samples, tmp_path):
    model = MLPRegressor(hidden_layer_sizes=3).partial_fit(*samples("regression"))
    path = tmp_path / "model"
    model.note = "mine"
    with pytest.raises(ValueError, match=r"MLPRegressor cannot be saved: there is no place in a file for note"):
        model.save(path)
    del model.note
    with pytest.raises(ValueError, match=r"cannot be saved: alpha: a value of type dict"):
        model.set_params(alpha={}).save(path)
    with pytest.raises(ValueError, match=r"cannot be saved: The 'alpha' parameter"):
        model.set_params(alpha=-1).save(path)
    loop = []
    loop.append(loop)
    with pytest.raises(ValueError, match=r"cannot be saved: .*recursion"):
        model.set_params(alpha=1, hidden_layer_sizes=loop).save(path)
    model.set_params(hidden_layer_sizes=3).coefs_[0][0, 0] = np.nan
    with pytest.raises(ValueError, match=r"cannot be saved: coefs_.0 has values that are not finite"):
        model.save(path)
    assert list(tmp_path.iterdir()) == []


def test_the_other_class_is_an_error(make, tmp_path):
    path = tmp_path / "model"
    make("regression").save(path)
    with pytest.raises(ValueError, match=r"model is damaged or no file of MLPClassifier.save: .*class MLPRegressor"):
        MLPClassifier.load(path)
    make("integers").save(path)
    with pytest.raises(ValueError, match=r"class MLPClassifier, not MLPRegressor"):
        MLPRegressor.load(path)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"):
        MLPRegressor.load(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        MLPRegressor().save(tmp_path / "nowhere" / "model")
    with pytest.raises(IsADirectoryError):
        MLPRegressor.load(tmp_path)
    with pytest.raises(OSError, match="not a regular file"):
        MLPRegressor().save(tmp_path)


def test_the_same_model_is_the_same_file(make, tmp_path):
    paths = [tmp_path / str(number) for number in range(5)]
    model = make("objects", "partial_fit")
    for path in paths:
        model.save(path)
    assert len({path.read_bytes() for path in paths}) == 1


def test_the_header_is_json_for_everyone(make, tmp_path):
    from safetensors import safe_open

    path = tmp_path / "model.safetensors"
    model = make("strings", "partial_fit", dtype=np.float32)
    model.save(path)
    with safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()["fastbp"])
        assert header["class"] == "MLPClassifier"
        assert header["fitted"]["layers"] == [6, 5, 4, 1]
        assert header["fitted"]["labels"]["classes"] == {"array": "str3", "values": ["no", "yes"]}
        assert np.array_equal(file.get_tensor("coefs_.1"), model.coefs_[1])
        assert len(file.keys()) == 3 * 6


def test_a_failure_leaves_the_old_file(make, tmp_path, monkeypatch):
    path = tmp_path / "model"
    make("regression").save(path)
    before = path.read_bytes()

    def fail(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(KeyboardInterrupt):
        make("regression", "partial_fit").save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file(tmp_path):
    """Run in a new process that may write only so many bytes to a file."""
    program = """
import resource, sys
from pathlib import Path
import numpy as np
from fastbp import MLPRegressor

path = Path(sys.argv[1])
model = MLPRegressor(hidden_layer_sizes=3).partial_fit(np.ones((9, 2)), np.arange(9))
model.save(path)
before = path.read_bytes()
resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, len(before) + 100))
model = MLPRegressor(hidden_layer_sizes=300).partial_fit(np.ones((9, 2)), np.arange(9))
try:
    model.save(path)
except OSError as error:
    print(error.strerror)
assert path.read_bytes() == before
print(*[file.name for file in path.parent.iterdir()])
"""
    command = [sys.executable, "-c", program, str(tmp_path / "model")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["File too large", "model"]


def test_many_may_write_the_same_file(make, tmp_path, assert_same):
    path = tmp_path / "model"
    model = make("regression", "partial_fit")
    threads = [threading.Thread(target=model.save, args=(path,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_same(vars(MLPRegressor.load(path)), vars(model))
    assert list(tmp_path.iterdir()) == [path]
