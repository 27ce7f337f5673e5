"""What `fastbp.MLP` takes and refuses, its validation pair, and what may not be replaced."""

import numpy as np
import pytest

import fastbp
import refbp
from fastbp import MLP, SGD, Adam, AdamW, Stopping
from fastbp.kernels.functions.losses import LOSSES
from fastbp.kernels.passes.loss import mean_loss

WRONG = {
    "sizes that are no integers": (lambda: MLP((2.7, 3)), TypeError, "layer_sizes"),
    "a single number": (lambda: MLP(5), TypeError, "layer_sizes"),
    "a string of sizes": (lambda: MLP("23"), TypeError, "layer_sizes"),
    "a boolean among the sizes": (lambda: MLP((2, True)), TypeError, "layer_sizes"),
    "a size of zero": (lambda: MLP((2, 0)), ValueError, "layer_sizes"),
    "one size": (lambda: MLP((2,)), ValueError, "layer_sizes"),
    "a tolerance that is no number": (lambda: Stopping(tol="a"), TypeError, "tol must be a number"),
    "a tolerance of NaN": (lambda: Stopping(tol=np.nan), ValueError, "tol must be at least 0"),
    "no patience": (lambda: Stopping(n_iter_no_change=0), ValueError, "n_iter_no_change must be at least 1"),
    "a rate that is no number": (lambda: Adam("fast"), TypeError, "learning_rate must be a number"),
    "an integer type": (lambda: MLP((2, 3), dtype="int32"), ValueError, "dtype"),
}

X, Y = np.random.default_rng(0).standard_normal((60, 2)), np.random.default_rng(1).standard_normal((60, 3))

WRONG_FITS = {
    "an optimizer by name": ({"optimizer": "adam"}, TypeError, "optimizer must be SGD, Adam or AdamW"),
    "a class for an optimizer": ({"optimizer": Adam}, TypeError, "optimizer must be SGD, Adam or AdamW"),
    "a number for stopping": ({"stopping": 5}, TypeError, "stopping must be a Stopping or None, got 5"),
    "no pair": ({"validation": X}, TypeError, r"validation must be a pair \(x, y\)"),
    "another width": ({"validation": (X[:, :1], Y)}, ValueError, "x of validation must have shape"),
    "targets of another length": ({"validation": (X, Y[:3])}, ValueError, "y of validation must have shape"),
    "a boolean for epochs": ({"epochs": True}, ValueError, "epochs"),
    "a negative decay": ({"weight_decay": -1.0}, ValueError, "weight_decay"),
    "an infinite decay": ({"weight_decay": np.inf}, ValueError, "weight_decay"),
    "a decay that is no number": ({"weight_decay": "a"}, TypeError, "weight_decay must be a number"),
    "complex weights of samples": ({"sample_weight": np.ones(60) * 1j}, TypeError, "sample_weight must be real"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_networks_are_refused(case):
    make, error, text = WRONG[case]
    with pytest.raises(error, match=text):
        make()


@pytest.mark.parametrize("case", WRONG_FITS)
def test_wrong_arguments_change_nothing(case):
    arguments, error, text = WRONG_FITS[case]
    net = MLP((2, 4, 3), seed=0).fit(X, Y, epochs=2)
    before, history = [w.copy() for w in net.weights], len(net.history.loss_curve)
    with pytest.raises(error, match=text):
        net.fit(X, Y, **arguments)
    for old, new in zip(before, net.weights, strict=True):
        np.testing.assert_array_equal(old, new)
    assert len(net.history.loss_curve) == history


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_complex_arrays_are_refused(method):
    net = MLP((2, 3), seed=0)
    for arguments in [(X + 1j, Y), (X, Y + 1j)]:
        with pytest.raises(TypeError, match="must be real, got complex128"):
            getattr(net, method)(*arguments)
    with pytest.raises(TypeError, match="x must be real"):
        net.predict(X + 1j)


@pytest.mark.parametrize("name", ["layer_sizes", "weights", "biases", "activation", "loss", "dtype", "optimizer"])
def test_what_kernels_rely_on_cannot_be_replaced(name):
    net = MLP((2, 3), seed=0)
    with pytest.raises(AttributeError):
        setattr(net, name, getattr(net, name))


@pytest.mark.parametrize("optimizer", [Adam(0.01), SGD(0.01, schedule="adaptive"), AdamW(0.01)], ids=repr)
def test_an_optimizer_serves_many_fits(optimizer):
    first, second = (MLP((2, 8, 3), seed=0).fit(X, Y, epochs=5, optimizer=optimizer) for _ in range(2))
    wide = MLP((2, 8, 3), seed=0, dtype="float64").fit(X, Y, epochs=5, optimizer=optimizer)
    fresh = MLP((2, 8, 3), seed=0, dtype="float64").fit(
        X,
        Y,
        epochs=5,
        optimizer=type(optimizer)(
            0.01, **{name: value for name, value in vars(optimizer).items() if name != "learning_rate"}
        ),
    )
    for a, b in [(first, second), (wide, fresh)]:
        for left, right in zip((*a.weights, *a.biases), (*b.weights, *b.biases), strict=True):
            np.testing.assert_array_equal(left, right)


def test_partial_fit_of_several_epochs():
    one, other = MLP((2, 8, 3), seed=0), MLP((2, 8, 3), seed=0)
    one.partial_fit(X, Y, epochs=3, shuffle=False)
    for _ in range(3):
        other.partial_fit(X, Y, shuffle=False)
    np.testing.assert_array_equal(one.weights[0], other.weights[0])
    assert one.history.loss_curve == other.history.loss_curve


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (64, 4), (33, 17)])
def test_mean_loss(loss, shape):
    rng = np.random.default_rng(3)
    output = rng.uniform(0.05, 0.95, shape)
    if loss == "log_loss":
        output /= output.sum(axis=1, keepdims=True)
    y = rng.integers(0, 2, shape).astype(float)
    expected = refbp.LOSSES[loss].reported(y, output)
    np.testing.assert_allclose(mean_loss(loss, y, output), expected, rtol=1e-13)


def test_the_best_weights_on_the_validation_pair_remain():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((40, 2)), rng.standard_normal((40, 3))
    held_out = rng.standard_normal((40, 2)), rng.standard_normal((40, 3))
    net = MLP((2, 30, 3), seed=0, dtype="float64")
    net.fit(x, y, epochs=80, optimizer=Adam(0.02), validation=held_out, stopping=Stopping(n_iter_no_change=20))
    scores = net.history.validation_scores
    assert len(scores) == len(net.history.loss_curve) < 80, "noise cannot be learned"
    assert net.history.stop_reason == "tol"
    best = -mean_loss("squared_error", held_out[1], net.predict(held_out[0]))
    np.testing.assert_allclose(best, max(scores), rtol=1e-12)
    assert scores[-1] < best


def test_exports():
    assert fastbp.Stopping is Stopping
    assert {"Stopping", "AdamW", "History"} <= {*fastbp.__all__}
