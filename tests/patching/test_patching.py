"""`patch_sklearn` replaces every name that scikit-learn has for the classes, and leaves nothing behind."""

import itertools
import pickle
import re
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import sklearn.neural_network
import sklearn.utils.estimator_checks  # has tables whose keys are classes
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils.discovery import all_estimators

import fastbp
from fastbp.patching import original
from support.processes import environment

NAMES = ["MLPClassifier", "MLPRegressor"]
OURS = {name: getattr(fastbp, name) for name in NAMES}
THEIRS = {name: getattr(sklearn.neural_network, name) for name in NAMES}


@pytest.fixture(autouse=True)
def _restored():
    yield
    fastbp.unpatch_sklearn()


@pytest.fixture
def patched():
    fastbp.patch_sklearn(verbose=False)


@pytest.fixture
def data(rng):
    x = rng.standard_normal((60, 4))
    return x, (x[:, 0] > 0).astype(int)


def small(kind):
    return kind(hidden_layer_sizes=(5,), max_iter=5, tol=10.0, n_iter_no_change=2, random_state=0)


def snapshot():
    """All that scikit-learn's modules hold at top level: objects by identity, tables by their content."""
    held = {}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "sklearn":
            for key, value in vars(module).items():
                held[name, key] = dict(value) if isinstance(value, dict) and not key.startswith("__") else id(value)
    return held


def places(kind):
    """Return where scikit-learn's modules hold a class, as a value or as the key of a table."""
    found = set()
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "sklearn":
            for key, value in vars(module).items():
                if value is kind or (isinstance(value, dict) and kind in value):
                    found.add((name, key))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_place_but_the_definition_is_taken(name):
    before = places(THEIRS[name])
    assert ("sklearn.neural_network", name) in before
    fastbp.patch_sklearn(verbose=False)
    assert places(THEIRS[name]) == {(THEIRS[name].__module__, name)}
    assert places(OURS[name]) == before - {(THEIRS[name].__module__, name)}
    assert getattr(sklearn.neural_network, name) is OURS[name]


def test_tables_keep_their_settings():
    held = {place: vars(sys.modules[place[0]])[place[1]] for place in places(THEIRS["MLPClassifier"])}
    tables = {place: value for place, value in held.items() if isinstance(value, dict)}
    before = {place: table[THEIRS["MLPClassifier"]] for place, table in tables.items()}
    assert before, "there is no such table in this scikit-learn"
    fastbp.patch_sklearn(verbose=False)
    assert {place: table[OURS["MLPClassifier"]] for place, table in tables.items()} == before


@pytest.mark.parametrize("back", [*itertools.permutations(NAMES), [None], [NAMES], [str.lower(n) for n in NAMES]])
@pytest.mark.parametrize("there", [*itertools.permutations(NAMES), [None], ["MLPRegressor", None]])
def test_nothing_is_left_behind(there, back):
    before = snapshot()
    for name in there:
        fastbp.patch_sklearn(name, verbose=False)
    assert snapshot() != before
    for name in back:
        fastbp.unpatch_sklearn(name)
    assert snapshot() == before


def test_one_class_alone():
    fastbp.patch_sklearn("mlpregressor", verbose=False)
    assert sklearn.neural_network.MLPRegressor is fastbp.MLPRegressor
    assert sklearn.neural_network.MLPClassifier is THEIRS["MLPClassifier"]
    assert fastbp.sklearn_is_patched("MLPRegressor")
    assert not fastbp.sklearn_is_patched("MLPClassifier")
    assert not fastbp.sklearn_is_patched(NAMES)
    assert not fastbp.sklearn_is_patched()
    fastbp.patch_sklearn(["MLPClassifier"], verbose=False)
    assert fastbp.sklearn_is_patched()


def test_patching_twice_is_patching_once():
    before = snapshot()
    fastbp.patch_sklearn(verbose=False)
    once = snapshot()
    fastbp.patch_sklearn(verbose=False)
    assert snapshot() == once
    assert fastbp.sklearn_is_patched()
    for _ in range(2):
        fastbp.unpatch_sklearn()
        assert snapshot() == before
    assert not fastbp.sklearn_is_patched()


def test_names():
    assert fastbp.get_patch_names() == NAMES


@pytest.mark.parametrize("call", [fastbp.patch_sklearn, fastbp.unpatch_sklearn, fastbp.sklearn_is_patched])
@pytest.mark.parametrize("name", ["SVC", "", ["MLPClassifier", "SVC"], [3]])
def test_unknown_names(call, name, capsys):
    before = snapshot()
    with pytest.raises(ValueError, match=r"fastbp has no patch for .*; it has MLPClassifier and MLPRegressor"):
        call(name)
    assert snapshot() == before
    assert capsys.readouterr() == ("", "")


def test_what_is_said(capsys, monkeypatch):
    fastbp.patch_sklearn()
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "fastbp: MLPClassifier and MLPRegressor of sklearn.neural_network replaced by fastbp's\n"
    fastbp.patch_sklearn(verbose=False)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys, "stderr", None)  # as under pythonw
    fastbp.patch_sklearn()


def test_original(patched):
    assert {name: original(name) for name in NAMES} == THEIRS
    fastbp.unpatch_sklearn()
    assert {name: original(name) for name in NAMES} == THEIRS


def test_modules_loaded_in_between_are_restored(patched, monkeypatch):
    late = ModuleType("sklearn.late")
    late.Network = sklearn.neural_network.MLPClassifier
    monkeypatch.setitem(sys.modules, "sklearn.late", late)
    fastbp.unpatch_sklearn()
    assert late.Network is THEIRS["MLPClassifier"]


def test_other_patches_are_left_alone(monkeypatch):
    class Another:
        pass

    before = snapshot()
    fastbp.patch_sklearn(verbose=False)
    with monkeypatch.context() as another:
        another.setattr(sklearn.neural_network, "MLPClassifier", Another)
        assert not fastbp.sklearn_is_patched("MLPClassifier")
        fastbp.unpatch_sklearn()
        assert sklearn.neural_network.MLPClassifier is Another
    fastbp.unpatch_sklearn()
    assert snapshot() == before
    monkeypatch.setattr(sklearn.neural_network, "MLPClassifier", Another)
    fastbp.patch_sklearn(verbose=False)
    assert original("MLPClassifier") is Another
    fastbp.unpatch_sklearn()
    assert sklearn.neural_network.MLPClassifier is Another


def test_threads():
    """Calls at the same time have the outcome of one of them, in all places alike."""
    plain = places(THEIRS["MLPClassifier"])
    barrier = threading.Barrier(2)

    def at_the_same_time(call):
        barrier.wait()
        call()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(40):
            calls = (partial(fastbp.patch_sklearn, verbose=False), fastbp.unpatch_sklearn)
            threads = [threading.Thread(target=at_the_same_time, args=(call,)) for call in calls]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            home = {(THEIRS["MLPClassifier"].__module__, "MLPClassifier")}
            assert places(THEIRS["MLPClassifier"]) in (plain, home)
            fastbp.unpatch_sklearn()
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.filterwarnings("ignore")  # of modules that all_estimators imports
def test_all_estimators_finds_ours(patched):
    found = dict(all_estimators())
    assert {name: found[name] for name in NAMES} == OURS


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", NAMES)
def test_pickles_of_scikit_learn_stay_what_they_are(name, data):
    x, y = data
    model = small(THEIRS[name]).fit(x, y)
    before = pickle.dumps(model)
    fastbp.patch_sklearn(verbose=False)
    loaded = pickle.loads(before)
    assert type(loaded) is THEIRS[name]
    np.testing.assert_array_equal(loaded.predict(x), model.predict(x))
    # A pickle of this estimator is the same while scikit-learn is patched, so it can be read without fastbp.
    assert pickle.dumps(model) == before


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_pickles_made_patched_load_unpatched(data, patched, tmp_path):
    x, y = data
    models = [small(getattr(sklearn.neural_network, name)).fit(x, y) for name in NAMES]
    path = tmp_path / "models.pickle"
    path.write_bytes(pickle.dumps((models, x, [model.predict(x) for model in models])))
    program = f"""
import pickle
import numpy as np
models, x, expected = pickle.load(open({str(path)!r}, "rb"))
for model, labels in zip(models, expected, strict=True):
    assert type(model).__module__.startswith("fastbp."), type(model)
    np.testing.assert_array_equal(model.predict(x), labels)
"""
    subprocess.run([sys.executable, "-c", program], env=environment(), check=True)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_clone_and_search_in_worker_processes(data, patched, recwarn):
    from sklearn.neural_network import MLPClassifier

    x, y = data
    model = small(MLPClassifier)
    assert type(clone(model)) is fastbp.MLPClassifier
    found = GridSearchCV(model, {"alpha": [1e-4, 1.0]}, n_jobs=2, cv=2, error_score="raise").fit(x, y)
    assert type(found.best_estimator_) is fastbp.MLPClassifier
    fastbp.unpatch_sklearn()
    ref = GridSearchCV(small(fastbp.MLPClassifier), {"alpha": [1e-4, 1.0]}, cv=2, error_score="raise").fit(x, y)
    np.testing.assert_array_equal(found.cv_results_["mean_test_score"], ref.cv_results_["mean_test_score"])
    np.testing.assert_array_equal(found.predict_proba(x), ref.predict_proba(x))


@pytest.mark.parametrize("module", ["sklearnex", "program"])
def test_modules_outside_of_scikit_learn_keep_what_they_have(module, monkeypatch):
    early = ModuleType(module)
    early.MLPClassifier = sklearn.neural_network.MLPClassifier
    monkeypatch.setitem(sys.modules, module, early)
    fastbp.patch_sklearn(verbose=False)
    assert early.MLPClassifier is THEIRS["MLPClassifier"]


def test_the_page_tells_the_truth(capsys):
    page = (Path(__file__).parents[2] / "docs" / "patching.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    exec(compile(program, "patching.md", "exec"), {})
    assert capsys.readouterr().out.split() == re.findall(r"^print\(.*\)  # (.*)$", program, re.MULTILINE) == ["True"]
