"""The epoch loop by itself: `train`, `History`, `watch`."""

import threading

import numpy as np
import pytest

from fastbp import SGD, Adam, EpochReport, watch
from fastbp.network.optimizer_state import OptimizerState
from fastbp.network.prediction import predict
from fastbp.network.spec import Network, Recipe, Samples
from fastbp.training.fit import History, Stopping, train

pytestmark = pytest.mark.smoke


def _network(dtype=float):
    rng = np.random.RandomState(0)
    weights = [rng.uniform(-1, 1, (3, 4)).astype(dtype), rng.uniform(-1, 1, (4, 1)).astype(dtype)]
    return weights, [np.zeros(4, dtype), np.zeros(1, dtype)]


def _run(weights, biases, state=None, history=None, **options):
    rng = np.random.RandomState(1)
    x = rng.standard_normal((20, 3)).astype(weights[0].dtype)
    y, sample_weight = x.sum(axis=1, keepdims=True), options.pop("sample_weight", None)
    settings = {
        "max_epochs": 4,
        "rng": np.random.RandomState(2),
        "stopping": Stopping(),
        **options,
    }
    history = History() if history is None else history
    network = Network.of(weights, "tanh", "squared_error")
    state = state or OptimizerState(Adam(0.01))
    train(network, weights, biases, state, Samples(x, y, sample_weight), Recipe(6), history=history, **settings)
    return history


def test_training_is_in_place_and_recorded():
    weights, biases = _network()
    before = [p.copy() for p in (*weights, *biases)]
    history = _run(weights, biases)
    assert all((p != q).any() for p, q in zip((*weights, *biases), before, strict=True))
    assert history.n_iter == len(history.loss_curve) == 4
    assert history.t == 80
    assert history.loss == history.loss_curve[-1] == history.best_loss
    assert history.stop_reason == "max_epochs"
    assert history.loss_curve[-1] < history.loss_curve[0]


def test_history_is_carried_on():
    weights, biases = _network()
    state, rng = OptimizerState(Adam(0.01)), np.random.RandomState(2)
    history = _run(weights, biases, state, rng=rng, max_epochs=2)
    _run(weights, biases, state, history, rng=rng, max_epochs=1)
    assert (history.n_iter, history.t, len(history.loss_curve)) == (1, 60, 3)
    assert state.t == 12


def test_no_rng_means_no_shuffling():
    nets = [_network() for _ in range(2)]

    class Identity:
        def shuffle(self, order):
            assert order.tolist() == list(range(20))

    _run(*nets[0], rng=None)
    _run(*nets[1], rng=Identity())
    for a, b in zip(nets[0][0], nets[1][0], strict=True):
        np.testing.assert_array_equal(a, b)


def test_stops_for_lack_of_improvement():
    history = _run(*_network(), stopping=Stopping(tol=1e9, n_iter_no_change=3), max_epochs=100)
    assert history.stop_reason == "tol"
    # The first epoch improves on infinity; then one bad epoch more than the patience.
    assert history.n_iter == 1 + 3 + 1
    assert history.no_improvement_count == 4


def test_infinite_patience():
    history = _run(*_network(), stopping=Stopping(tol=1e9, n_iter_no_change=np.inf), max_epochs=30)
    assert history.stop_reason == "max_epochs"
    assert history.no_improvement_count == 29


def test_adaptive_schedule_goes_on_with_smaller_steps(capsys):
    state = OptimizerState(SGD(1e-5, schedule="adaptive"))
    history = _run(
        *_network(),
        state,
        stopping=Stopping(tol=1e9, n_iter_no_change=1),
        max_epochs=100,
        verbose=True,
    )
    assert history.stop_reason == "tol"
    assert state.learning_rate == pytest.approx(1e-5 / 25)
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("Iteration")]
    bad = "Training loss did not improve more than tol=1000000000.000000 for 1 consecutive epochs."
    assert lines == [
        bad + " Setting learning rate to 0.000002",
        bad + " Setting learning rate to 0.000000",
        bad + " Learning rate too small. Stopping.",
    ]


def test_best_weights_by_validation():
    weights, biases = _network()
    scores = iter([0.1, 0.9, 0.3, 0.2])
    seen = []

    def evaluate(weights, biases):
        seen.append([p.copy() for p in (*weights, *biases)])
        return next(scores)

    history = _run(weights, biases, evaluate=evaluate)
    assert history.validation_scores == [0.1, 0.9, 0.3, 0.2]
    assert history.best_validation_score == 0.9
    assert history.best_loss is None
    assert (seen[0][0] != seen[1][0]).any()
    for best, result in zip(seen[1], (*weights, *biases), strict=True):
        np.testing.assert_array_equal(best, result)


def test_validation_scores_that_are_nan_never_win():
    weights, biases = _network()
    before = [p.copy() for p in (*weights, *biases)]
    history = _run(weights, biases, evaluate=lambda weights, biases: np.nan)
    assert history.stop_reason == "max_epochs"
    for initial, result in zip(before, (*weights, *biases), strict=True):
        np.testing.assert_array_equal(initial, result)


def test_weights_of_zero_are_refused():
    with pytest.raises(ValueError, match="sample_weight is zero for every training sample"):
        _run(*_network(), sample_weight=np.zeros(20))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predict_reads_what_train_writes(dtype):
    weights, biases = _network(dtype)
    _run(weights, biases, max_epochs=2)
    x = np.random.RandomState(5).standard_normal((7, 3)).astype(dtype)
    ref = np.tanh(x @ weights[0] + biases[0]) @ weights[1] + biases[1]
    comp = predict(weights, biases, x, activation="tanh", output="identity")
    assert comp.dtype == dtype
    np.testing.assert_allclose(comp, ref, rtol=1e-5 if dtype == np.float32 else 1e-12)


def test_watch_reports_each_epoch():
    reports = []
    with watch(reports.append):
        history = _run(*_network(), max_epochs=3)
    _run(*_network())
    assert [r.epoch for r in reports] == [1, 2, 3]
    assert [r.loss for r in reports] == history.loss_curve
    for report in reports:
        assert isinstance(report, EpochReport)
        assert (report.max_epochs, report.n_samples, report.validation_score) == (3, 20, None)
        assert report.seconds > 0
        with pytest.raises(AttributeError):
            report.loss = 0


def test_watch_sees_validation_scores_and_what_it_reports_is_final():
    history, reports = History(), []

    def callback(report):
        assert report.loss == history.loss_curve[-1]
        reports.append(report)

    scores = iter([0.5, 0.25, 0.125, 0.0])
    with watch(callback):
        _run(*_network(), history=history, evaluate=lambda weights, biases: next(scores))
    assert [r.validation_score for r in reports] == [0.5, 0.25, 0.125, 0.0]


def test_watch_nests_and_ends_with_its_block():
    calls = []
    with watch(lambda report: calls.append("outer")):
        with watch(lambda report: calls.append("inner")):
            _run(*_network(), max_epochs=1)
        _run(*_network(), max_epochs=1)
    _run(*_network(), max_epochs=1)
    assert calls == ["outer", "inner", "outer"]
    with pytest.raises(RuntimeError), watch(lambda report: calls.append("failed")):
        raise RuntimeError
    _run(*_network(), max_epochs=1)
    assert len(calls) == 3


def test_watch_is_of_its_own_thread():
    reports = []
    with watch(reports.append):
        other = threading.Thread(target=lambda: _run(*_network(), max_epochs=1))
        other.start()
        other.join()
    assert reports == []


def test_interrupt_in_the_loop():
    weights, biases = _network()

    def interrupt(report):
        if report.epoch == 2:
            raise KeyboardInterrupt

    with watch(interrupt), pytest.warns(UserWarning, match="Training interrupted by user."):
        history = _run(weights, biases)
    assert history.stop_reason == "interrupted"
    assert history.n_iter == 2
    expected, _ = _network()
    _run(expected, _network()[1], max_epochs=2)
    np.testing.assert_array_equal(weights[0], expected[0])
