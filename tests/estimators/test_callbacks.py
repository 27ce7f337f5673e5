"""scikit-learn's callbacks: what they receive per epoch, and that nothing else changes."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastbp import MLPClassifier, MLPRegressor, watch
from fastbp.training.session import Session

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn 1.9 brought callbacks")


class Recorder:
    """Records its calls, and does not ask for a fitted estimator."""

    def __init__(self):
        self.events = []

    def setup(self, estimator, context):
        self.events.append(("setup", context.task_name, context.task_id))

    def teardown(self, estimator, context):
        self.events.append(("teardown", context.task_name, context.task_id))

    def on_fit_task_begin(self, estimator, context):
        self.events.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context):
        self.events.append(("end", context.task_name, context.task_id))


class Propagated(Recorder):
    """The same, handed down to estimators inside of estimators."""

    max_propagation_depth = None


class Asking(Recorder):
    """Keeps everything that a callback may ask for."""

    def __init__(self):
        super().__init__()
        self.begun, self.ended = [], []

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
        super().on_fit_task_begin(estimator, context)
        self.begun.append((context, X, y, metadata, fitted_estimator))

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
        super().on_fit_task_end(estimator, context)
        self.ended.append((context, X, y, metadata, fitted_estimator))


class Acting(Recorder):
    """Does something in one of its hooks."""

    def __init__(self, hook, act, *, epoch=2):
        super().__init__()
        self.hook, self.act, self.epoch = hook, act, epoch

    def setup(self, estimator, context):
        super().setup(estimator, context)
        if self.hook == "setup":
            self.act()

    def teardown(self, estimator, context):
        super().teardown(estimator, context)
        if self.hook == "teardown":
            self.act()

    def on_fit_task_begin(self, estimator, context):
        super().on_fit_task_begin(estimator, context)
        if self.events[-1] == (self.hook, "epoch", self.epoch):
            self.act()

    def on_fit_task_end(self, estimator, context):
        super().on_fit_task_end(estimator, context)
        return self.act() if self.events[-1] == (self.hook, "epoch", self.epoch) else None


def _fail():
    raise RuntimeError("disk full")


def _interrupt():
    raise KeyboardInterrupt


def _epochs(name, count, *, stopped=False):
    """Return the events of a call with so many epochs."""
    events = [("setup", name, 0), ("begin", name, 0)]
    events += [(kind, "epoch", i) for i in range(count) for kind in ("begin", "end")]
    return [*events, ("end", name, 0), ("teardown", name, 0)]


def _make(kind, **params):
    return (MLPRegressor if kind == "regression" else MLPClassifier)(hidden_layer_sizes=5, random_state=0, **params)


def _assert_same_state(one, other):
    """Compare two fitted estimators bit for bit, moments of the optimizer included."""
    attributes = {name for name in vars(one) if name.endswith("_")} - {"classes_"}
    assert attributes == {name for name in vars(other) if name.endswith("_")} - {"classes_"}
    for name in attributes - {"coefs_", "intercepts_"}:
        assert getattr(one, name) == getattr(other, name), name
    assert one._no_improvement_count == other._no_improvement_count
    moments, others = one._optimizer.moments, other._optimizer.moments
    assert moments
    assert moments.keys() == others.keys()
    assert one._optimizer.t == other._optimizer.t
    assert one._optimizer.learning_rate == other._optimizer.learning_rate
    pairs = [(one.coefs_, other.coefs_), (one.intercepts_, other.intercepts_)]
    pairs += [(moments[name], others[name]) for name in moments]
    for arrays, others in pairs:
        for a, b in zip(arrays, others, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "regression"])
@pytest.mark.parametrize("params", [{}, {"solver": "sgd", "learning_rate": "invscaling"}, {"early_stopping": True}])
def test_a_fitted_estimator_is_what_training_would_leave_after_the_epoch(kind, params, small_data, quietly):
    X, y = small_data(kind)
    asking = Asking()
    model = _make(kind, max_iter=4, learning_rate_init=0.02, **params).set_callbacks(asking)
    quietly(model.fit, X, y)
    *ended, whole = [fitted for *_, fitted in asking.ended]
    assert len(ended) == 4
    for epochs, fitted in enumerate(ended, 1):
        shorter = _make(kind, learning_rate_init=0.02, **params).set_params(max_iter=epochs)
        quietly(shorter.fit, X, y)
        _assert_same_state(fitted, shorter)
        np.testing.assert_array_equal(fitted.predict(X), shorter.predict(X))
    _assert_same_state(whole, model)
    before_fit, *begun = [fitted for *_, fitted in asking.begun]
    assert before_fit is None
    for earlier, later in zip(ended, begun[1:], strict=False):
        _assert_same_state(earlier, later)
    assert begun[0].n_iter_ == 0
    assert begun[0].predict(X).shape == y.shape


@pytest.mark.parametrize("kind", ["multiclass", "regression"])
@pytest.mark.parametrize("params", [{}, {"solver": "sgd", "momentum": 0.5}, {"early_stopping": True}, {"n_jobs": 2}])
def test_results_do_not_depend_on_callbacks(kind, params, small_data, quietly):
    X, y = small_data(kind)
    weights = np.linspace(0.5, 2, len(X))
    alone, told, asked = (_make(kind, max_iter=6, warm_start=True, **params) for _ in range(3))
    told.set_callbacks(Recorder())
    asked.set_callbacks(Asking(), Asking())
    for _ in range(2):
        warned = [quietly(model.fit, X, y, weights)[1] for model in (alone, told, asked)]
        assert warned[0] == warned[1] == warned[2]
        _assert_same_state(alone, told)
        _assert_same_state(alone, asked)
    for model in (alone, told, asked):
        model.set_params(early_stopping=False).partial_fit(X, y, weights)
    _assert_same_state(alone, told)
    _assert_same_state(alone, asked)


def test_tasks_are_the_epochs_of_each_call(small_data, quietly):
    X, y = small_data("regression")
    asking = Asking()
    model = _make("regression", max_iter=3).set_callbacks(asking)
    quietly(model.fit, X, y)
    assert asking.events == _epochs("fit", 3)
    contexts = [context for context, *_ in asking.begun]
    assert [context.max_subtasks for context in contexts] == [3, 0, 0, 0]
    assert contexts[0].parent is None
    assert all(context.parent is contexts[0] for context in contexts[1:])
    assert {context.estimator_name for context in contexts} == {"MLPRegressor"}
    model.partial_fit(X, y)
    assert asking.events == [*_epochs("fit", 3), *_epochs("partial_fit", 1)]
    assert asking.begun[4][0].max_subtasks == 1
    asking.events.clear()
    quietly(model.set_params(tol=1e9, n_iter_no_change=1, max_iter=50).fit, X, y)
    assert asking.events == _epochs("fit", 3)
    asking.events.clear()
    quietly(model.set_callbacks().fit, X, y)
    assert asking.events == []
    assert {name for name in vars(model) if "callback" in name or "skl" in name} == set()


def test_warnings_point_to_the_line_that_trains(small_data):
    X, y = small_data("regression")
    model = _make("regression", max_iter=1, batch_size=99).set_callbacks(Recorder())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y)
    assert [w.filename for w in caught] == [__file__] * 2


def test_data_are_told_as_they_were_passed(small_data, quietly):
    X, y = small_data("binary")
    X, y = X.tolist(), y.tolist()
    asking = Asking()
    model = _make("binary", max_iter=2, early_stopping=True).set_callbacks(asking)
    quietly(model.fit, X, y)
    for _, told_x, told_y, metadata, _ in (*asking.begun, *asking.ended):
        assert told_x is X
        assert told_y is y
        assert metadata is None
    model.set_params(early_stopping=False).partial_fit(X, y, 2.0)
    _, _, _, metadata, _ = asking.ended[-1]
    np.testing.assert_array_equal(metadata["sample_weight"], np.full(43, 2.0))


def test_weights_leave_the_engine_only_when_asked_for(small_data, quietly, monkeypatch):
    X, y = small_data("regression")
    calls = []
    sync = Session.sync

    def counted(self):
        calls.append(self)
        sync(self)

    monkeypatch.setattr(Session, "sync", counted)
    for model, expected in (
        (_make("regression"), 1),
        (_make("regression").set_callbacks(Recorder()), 1),
        # Asked at the beginning and the end of three epochs, by two callbacks that share the answer.
        (_make("regression").set_callbacks(Asking(), Asking()), 1 + 2 * 3),
    ):
        calls.clear()
        quietly(model.set_params(max_iter=3).fit, X, y)
        assert len(calls) == expected


def test_without_callbacks_there_are_no_tasks(small_data, quietly, monkeypatch):
    X, y = small_data("regression")
    monkeypatch.setattr("fastbp.estimators._base.EpochTasks", _fail)
    quietly(_make("regression", max_iter=2).fit, X, y)
    with pytest.raises(TypeError, match="_fail"):
        _make("regression").set_callbacks(Recorder()).fit(X, y)


@pytest.mark.parametrize("kind", ["binary", "regression"])
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("epoch", [0, 2, 4])
def test_a_callback_may_end_the_training(kind, early_stopping, epoch, small_data, quietly):
    X, y = small_data(kind)
    stopping = Acting("end", lambda: True, epoch=epoch)
    model = _make(kind, max_iter=5, early_stopping=early_stopping).set_callbacks(Recorder(), stopping, Recorder())
    _, caught = quietly(model.fit, X, y)
    assert caught == []
    assert stopping.events == _epochs("fit", epoch + 1)
    shorter = _make(kind, max_iter=epoch + 1, early_stopping=early_stopping)
    quietly(shorter.fit, X, y)
    _assert_same_state(model, shorter)


@pytest.mark.parametrize("hook", ["setup", "begin", "end", "teardown"])
@pytest.mark.parametrize("fitted", [False, True])
def test_an_error_in_a_callback_leaves_the_estimator(hook, fitted, small_data, quietly, assert_unchanged):
    X, y = small_data("binary")
    failing, other = Acting(hook, _fail), Recorder()
    model = _make("binary", max_iter=5)
    if fitted:
        quietly(model.fit, X, y)
    model.set_callbacks(other, failing)
    with assert_unchanged(model, RuntimeError, "disk full"):
        quietly(model.fit, X, y)
    for recorder in (failing, other):
        assert [event for event, *_ in recorder.events].count("teardown") == 1
    epochs = {"setup": 0, "begin": 3, "end": 3, "teardown": 5}[hook]
    assert other.events.count(("begin", "epoch", epochs - 1)) == (epochs > 0)
    assert ("begin", "epoch", epochs) not in other.events
    quietly(model.set_callbacks().fit, X, y)


def test_callbacks_hear_nothing_of_input_that_is_refused(small_data):
    X, y = small_data("regression")
    recorder = Recorder()
    model = _make("regression").set_callbacks(recorder)
    with pytest.raises(ValueError, match="inconsistent numbers"):
        model.fit(X, y[:-1])
    with pytest.raises(ValueError, match="'alpha' parameter"):
        model.set_params(alpha=-1).fit(X, y)
    assert recorder.events == []


@pytest.mark.parametrize("hook", ["begin", "end"])
def test_interrupt_in_a_callback_keeps_the_weights_so_far(hook, small_data, quietly):
    X, y = small_data("regression")
    interrupting = Acting(hook, _interrupt)
    model = _make("regression", max_iter=50).set_callbacks(interrupting)
    _, caught = quietly(model.fit, X, y)
    assert caught == [(UserWarning, "Training interrupted by user.")]
    assert interrupting.events[-2:] == [("end", "fit", 0), ("teardown", "fit", 0)]
    shorter = _make("regression", max_iter=3 if hook == "end" else 2)
    quietly(shorter.fit, X, y)
    _assert_same_state(model, shorter)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_an_epoch_that_diverges(early_stopping, toy_data, quietly):
    X, y = toy_data("diabetes")
    asking = Asking()
    params = {"activation": "identity", "solver": "sgd", "learning_rate_init": 1.0}
    model = _make("regression", early_stopping=early_stopping, **params).set_callbacks(asking)
    if early_stopping:
        _, caught = quietly(model.fit, X, y)
        assert "loss was not finite" in caught[-1][1]
        assert asking.events == _epochs("fit", model.n_iter_)
        assert all(np.isfinite(fitted.predict(X)).all() for *_, fitted in asking.ended)
    else:
        with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
            quietly(model.fit, X, y)
        *_, last = asking.events
        assert last[0] == "teardown"
        assert len(asking.begun) == len(asking.ended) + 2


def test_watch_and_callbacks_hear_of_the_same_epochs(small_data, quietly):
    X, y = small_data("regression")
    asking, reports = Asking(), []
    model = _make("regression", max_iter=4).set_callbacks(asking)
    with watch(reports.append):
        quietly(model.fit, X, y)
    assert [report.loss for report in reports] == [fitted.loss_ for *_, fitted in asking.ended[:-1]]


def test_scoring_monitor(small_data, quietly):
    pandas = pytest.importorskip("pandas")
    X, y = small_data("binary")
    X = pandas.DataFrame(X, columns=list("abcdef"))
    weights = np.linspace(0.5, 2, len(X))
    monitor = callback.ScoringMonitor(scoring=["accuracy", "neg_log_loss"])
    model = _make("binary", max_iter=5, learning_rate_init=0.05).set_callbacks(monitor)
    _, caught = quietly(model.fit, X, y, weights)
    assert ["hasn't converged" in message for _, message in caught] == [True]
    log = monitor.get_logs()
    assert isinstance(log, callback.ScoringMonitorLog)
    rows = [row for row in log.data if row["task_name"] == "epoch"]
    assert [row["task_id_path"] for row in rows] == [(0, i) for i in range(5)]
    assert len({row["accuracy"] for row in rows}) > 1
    for row in rows:
        shorter = _make("binary", max_iter=row["task_id"] + 1, learning_rate_init=0.05)
        quietly(shorter.fit, X, y, weights)
        assert row["accuracy"] == accuracy_score(y, shorter.predict(X), sample_weight=weights)
    assert log.data_as_pandas.shape[0] == 6


def test_progress_bar_of_a_pipeline(small_data, quietly, capsys):
    pytest.importorskip("rich")
    X, y = small_data("binary")
    plain = make_pipeline(StandardScaler(), _make("binary", max_iter=5))
    pipeline = clone(plain).set_callbacks(callback.ProgressBar())
    for model in (plain, pipeline):
        quietly(model.fit, X, y)
    _assert_same_state(plain[-1], pipeline[-1])
    lines = capsys.readouterr().out
    assert "MLPClassifier - fit" in lines
    assert "100%" in lines.split("MLPClassifier - fit")[1]


def test_a_pipeline_hands_its_callbacks_down(small_data, quietly):
    X, y = small_data("binary")
    recorder = Propagated()
    pipeline = make_pipeline(StandardScaler(), _make("binary", max_iter=2)).set_callbacks(recorder)
    quietly(pipeline.fit, X, y)
    # The fit of the last step is one task of both the pipeline and the network.
    steps = [("begin", "fit", 1), *_epochs("fit", 2)[2:-2], ("end", "fit", 1)]
    assert recorder.events == [
        *(("setup", "fit", 0), ("begin", "fit", 0), ("begin", "fit", 0), ("end", "fit", 0)),
        *steps,
        *(("end", "fit", 0), ("teardown", "fit", 0)),
    ]


@pytest.mark.parametrize("backend", ["sequential", "threading", "loky"])
def test_scoring_monitor_in_a_search(backend, small_data, quietly):
    joblib = pytest.importorskip("joblib")
    X, y = small_data("binary")
    grid = {"mlpclassifier__alpha": [0, 1]}
    monitor = callback.ScoringMonitor(scoring="accuracy")
    plain, told = (_make("binary", max_iter=3) for _ in range(2))
    told.set_callbacks(monitor)
    results = []
    for network in (plain, told):
        search = GridSearchCV(make_pipeline(StandardScaler(), network), grid, cv=2, n_jobs=2)
        with joblib.parallel_backend(backend):
            quietly(search.fit, X, y)
        results.append(search)
    np.testing.assert_array_equal(*(search.cv_results_["mean_test_score"] for search in results))
    _assert_same_state(*(search.best_estimator_[-1] for search in results))
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    # Two values on two parts, and the fit on all samples.
    assert len(rows) == (2 * 2 + 1) * 3
    assert len({row["parent_task_id_path"] for row in rows}) == 5


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lbfgs_tells_of_its_iterations(dtype, small_data):
    X, y = small_data("multiclass")
    X = X.astype(dtype)
    asking = Asking()
    model = _make("multiclass", solver="lbfgs", max_iter=4).set_callbacks(asking).fit(X, y)
    assert asking.events == _epochs("fit", 4)
    iterations = [fitted for context, *_, fitted in asking.ended if context.task_name == "epoch"]
    assert [fitted.n_iter_ for fitted in iterations] == [1, 2, 3, 4]
    for fitted in iterations:
        shorter = _make("multiclass", solver="lbfgs", max_iter=fitted.n_iter_).fit(X, y)
        assert fitted.loss_ == shorter.loss_
        for p, q in zip(fitted.coefs_ + fitted.intercepts_, shorter.coefs_ + shorter.intercepts_, strict=True):
            assert p.dtype == dtype
            np.testing.assert_array_equal(p, q)
    plain = _make("multiclass", solver="lbfgs", max_iter=4).fit(X, y)
    for p, q in zip(model.coefs_, plain.coefs_, strict=True):
        np.testing.assert_array_equal(p, q)


def test_lbfgs_can_be_stopped(small_data):
    X, y = small_data("regression")
    stopped = _make("regression", solver="lbfgs").set_callbacks(Acting("end", lambda: True)).fit(X, y)
    assert stopped.n_iter_ == 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shorter = _make("regression", solver="lbfgs", max_iter=3).fit(X, y)
    for p, q in zip(stopped.coefs_, shorter.coefs_, strict=True):
        np.testing.assert_array_equal(p, q)
