"""What training and prediction allocate: their workspace is that of a minibatch, however many rows there are."""

import tracemalloc

import numpy as np
import pytest

from fastbp import MLP, MLPClassifier
from fastbp.network.prediction import predict
from support.error_analysis import check_one_step
from support.lattice import DTYPES
from support.networks import LOSSES, check_training, make_optimizer, make_problem, open_session

SIZES = (6, 90, 70, 10)
BATCH = 50
ROWS = (1_000, 4_000, 16_000)
# So many that a second result would be larger than the workspace, which may be gone by then.
MANY = (1_000, 200_000)
# Bytes of Python's own objects: tuples, threads. An array of bool for the last 12000 rows would be larger.
SMALL = 8_000

each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_loss = pytest.mark.parametrize("loss", LOSSES)


def peak_of(work):
    """Bytes that a call has allocated at most, all that it returns included, and what it returns."""
    work()  # loads compiled code and fills caches
    tracemalloc.start()
    result = work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak, result


def kept_by(problem):
    """Bytes that a session keeps, and the sizes of its buffers."""
    kept = []
    # The interpreter's own tables, of weak references say, grow now and then: by more than a session's small objects.
    for _ in range(3):
        tracemalloc.start()
        session = open_session(problem, make_optimizer("Adam"))
        kept.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        sizes = [buffer.size for buffer in session.engine.buffers]
        session.engine.close()
    return min(kept), sizes


@each_loss
@each_dtype
def test_a_session_keeps_the_order_of_the_rows_and_at_most_their_classes(dtype, loss, rng):
    # Targets are the caller's own array, but for classes: their numbers take the place of the one-hot rows.
    bytes_of_a_row = np.dtype(np.int64).itemsize + (np.dtype(dtype).itemsize if loss == "log_loss" else 0)
    problems = [make_problem(rng, SIZES, n=n, batch_size=BATCH, loss=loss, dtype=dtype) for n in ROWS]
    open_session(problems[0], make_optimizer("Adam")).engine.close()  # loads compiled code and fills caches
    kept, buffers = zip(*(kept_by(problem) for problem in problems), strict=True)
    assert buffers[0] == buffers[1] == buffers[2]
    for growth, rows in zip(np.diff(kept), np.diff(ROWS), strict=True):
        assert abs(growth - bytes_of_a_row * rows) < SMALL


@each_loss
@each_dtype
def test_an_epoch_allocates_nothing(dtype, loss, rng):
    problem = make_problem(rng, SIZES, n=ROWS[-1], batch_size=BATCH, loss=loss, dtype=dtype)
    with open_session(problem, make_optimizer("Adam")) as session:
        peak, _ = peak_of(lambda: session.epoch(problem.orders[0]))
    assert peak < SMALL


@pytest.mark.parametrize("output", ["identity", "exp", "logistic", "softmax"])
@each_dtype
def test_a_prediction_allocates_its_result_and_the_workspace_of_a_chunk(dtype, output, rng):
    # With one thread: it is undetermined how many of several work at the same time, each in its own workspace.
    above = []
    for n in MANY:
        problem = make_problem(rng, SIZES, n=n, dtype=dtype)
        peak, result = peak_of(
            lambda p=problem: predict(p.weights, p.biases, p.x, activation="relu", output=output, n_threads=1)
        )
        assert result.shape == (n, SIZES[-1])
        above.append(peak - result.nbytes)
    assert above[1] - above[0] < SMALL


@each_dtype
def test_a_network_allocates_as_little(dtype, rng):
    network = MLP(SIZES, loss="log_loss", dtype=dtype, seed=0)
    above = []
    for n in MANY:
        x = rng.standard_normal((n, SIZES[0])).astype(dtype)
        peak, result = peak_of(lambda x=x: network.predict(x, n_threads=1))
        above.append(peak - result.nbytes)
    assert above[1] - above[0] < SMALL


@pytest.mark.parametrize(("classes", "values"), [(2, 2), (3, 0), (10, 0)])
@each_dtype
def test_probabilities_take_their_own_memory_alone(dtype, classes, values, rng):
    # Two classes have one output: it and its complement, a value for a row each, are put together in the end.
    x = rng.standard_normal((MANY[-1], SIZES[0])).astype(dtype)
    model = MLPClassifier(SIZES[1:-1], solver="sgd", max_iter=50, tol=1.0, n_jobs=1, random_state=0)
    model.fit(x[:BATCH], np.arange(BATCH) % classes)
    above = []
    for n in MANY:
        peak, result = peak_of(lambda n=n: model.predict_proba(x[:n]))
        assert result.shape == (n, classes)
        above.append(peak - result.nbytes)
    assert above[1] - above[0] < values * x.itemsize * (MANY[1] - MANY[0]) + SMALL


@each_loss
@pytest.mark.parametrize("n_out", [1, 2, 10, 100, 1000])
def test_outputs(n_out, loss, rng):
    problem = make_problem(rng, (5, 9, n_out), n=30, batch_size=30, loss=loss)
    # The softmax of one class is 1 and its gradient 0.
    check_training(problem, make_optimizer("Adam"), all_move=n_out > 1 or loss != "log_loss")


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("optimizer", ["Nesterov", "Adam"])
def test_twenty_hidden_layers(optimizer, activation, rng):
    problem = make_problem(rng, (7, *[33] * 20, 3), n=40, batch_size=40, activation=activation, loss="log_loss")
    check_training(problem, make_optimizer(optimizer))


@each_dtype
def test_twenty_hidden_layers_stay_within_their_rounding_errors(dtype, rng):
    problem = make_problem(rng, (7, *[9] * 20, 3), n=20, batch_size=20, loss="log_loss", dtype=dtype)
    check_one_step(problem, make_optimizer("Nesterov"))
