"""`fastbp.MLP`: training against refbp, errors, saving."""

import copy
import json
import math
import pickle

import numpy as np
import pytest

import refbp
from fastbp import MLP, SGD, Adam
from fastbp.kernels.functions.activations import HIDDEN
from fastbp.kernels.functions.optimizers import AdamW
from fastbp.training.fit import Stopping

TARGETS = {
    "squared_error": lambda rng, n: rng.standard_normal((n, 3)),
    "poisson": lambda rng, n: rng.poisson(2.0, (n, 3)).astype(float),
    "log_loss": lambda rng, n: np.eye(3)[rng.integers(3, size=n)],
    "binary_log_loss": lambda rng, n: rng.integers(2, size=(n, 3)).astype(float),
}


@pytest.fixture
def x():
    return np.random.default_rng(3).standard_normal((83, 5))


def make_targets(loss: str, n: int) -> np.ndarray:
    return TARGETS[loss](np.random.default_rng(4), n)


@pytest.mark.smoke
@pytest.mark.parametrize("loss", TARGETS)
@pytest.mark.parametrize("activation", HIDDEN)
def test_training_follows_the_reference(loss, activation, x):
    y = make_targets(loss, len(x))
    comp = MLP((5, 9, 4, 3), activation=activation, loss=loss, dtype="float64", seed=11)
    ref_weights, ref_biases = [w.copy() for w in comp.weights], [b.copy() for b in comp.biases]
    rng = np.random.RandomState(11)
    refbp.initialize([5, 9, 4, 3], activation, rng)  # the draws that come before the first shuffle
    history = refbp.History()
    refbp.train(
        ref_weights,
        ref_biases,
        refbp.Adam(0.01),
        x,
        y,
        activation=activation,
        loss=loss,
        weight_decay=0.1,
        batch_size=16,
        max_epochs=4,
        rng=rng,
        history=history,
    )
    comp.fit(x, y, epochs=4, batch_size=16, optimizer=Adam(0.01), weight_decay=0.1)
    for ref, got in zip((*ref_weights, *ref_biases), (*comp.weights, *comp.biases), strict=True):
        np.testing.assert_allclose(got, ref, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(comp.history.loss_curve, history.loss_curve, rtol=1e-12)
    ref_output = refbp.predict(ref_weights, ref_biases, x, activation=activation, output=comp.output)
    np.testing.assert_allclose(comp.predict(x), ref_output, rtol=1e-10)


def test_weights_are_views_into_one_buffer(x):
    net = MLP((5, 4, 3), seed=0)
    whole = net.weights[0].base
    assert all(array.base is whole for array in (*net.weights, *net.biases))
    before = net.predict(x)
    net.biases[-1][...] += 1.0
    np.testing.assert_allclose(net.predict(x), before + 1.0, rtol=1e-5, atol=1e-5)


def test_a_seed_means_one_network_for_any_number_of_threads(x):
    y = make_targets("log_loss", len(x))
    networks = [MLP((5, 33, 3), loss="log_loss", seed=7).fit(x, y, epochs=3, n_threads=n) for n in (1, 2, 3, 7)]
    for other in networks[1:]:
        for a, b in zip(networks[0].weights, other.weights, strict=True):
            np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(networks[0].weights, MLP((5, 33, 3), seed=8).weights, strict=True))


def test_class_numbers_are_targets(x):
    numbers = np.random.default_rng(0).integers(3, size=len(x))
    fits = [MLP((5, 8, 3), loss="log_loss", seed=0).fit(x, y, epochs=2) for y in (numbers, np.eye(3)[numbers])]
    np.testing.assert_array_equal(fits[0].weights[0], fits[1].weights[0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", [Adam(0.01), AdamW(0.01), SGD(0.05), SGD(0.05, schedule="adaptive")])
def test_an_optimizer_may_be_used_again(optimizer, dtype, x):
    """It holds settings only: neither moments nor a learning rate of one training get into the next."""
    y = make_targets("squared_error", len(x))
    one, other = (MLP((5, 8, 3), dtype=dtype, seed=0) for _ in range(2))
    stopping = Stopping(tol=10.0, n_iter_no_change=1)
    one.fit(x, y, epochs=6, optimizer=optimizer, stopping=stopping)
    once = [p.copy() for p in (*one.weights, *one.biases)]
    one.fit(x, y, epochs=6, optimizer=optimizer, stopping=stopping)
    other.fit(x, y, epochs=6, optimizer=optimizer, stopping=stopping)
    for net in (one, other):
        for first, again in zip(once, (*net.weights, *net.biases), strict=True):
            np.testing.assert_array_equal(again, first)
    assert one.history == other.history


def test_partial_fit_is_an_epoch(x):
    y = make_targets("squared_error", len(x))
    whole = MLP((5, 8, 3), seed=0).fit(x, y, epochs=3, shuffle=False)
    parts = MLP((5, 8, 3), seed=0)
    for _ in range(3):
        parts.partial_fit(x, y, shuffle=False)
    np.testing.assert_array_equal(whole.weights[0], parts.weights[0])
    assert parts._state.t == whole._state.t == 3


@pytest.mark.parametrize("optimizer", [Adam(0.01), AdamW(0.01), SGD(0.05, schedule="invscaling")])
def test_a_saved_network_goes_on_as_the_one_in_memory(tmp_path, x, optimizer):
    y = make_targets("squared_error", len(x))
    net = MLP((5, 8, 3), activation="tanh", dtype="float64", seed=0).fit(x, y, epochs=2, optimizer=optimizer)
    net.save(tmp_path / "net.npz")
    loaded = MLP.load(tmp_path / "net.npz")
    np.testing.assert_array_equal(loaded.predict(x), net.predict(x))
    assert loaded.history == net.history
    for each in (net, loaded):
        each.partial_fit(x, y, shuffle=False)
    for a, b in zip((*net.weights, *net.biases), (*loaded.weights, *loaded.biases), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [path.name for path in tmp_path.iterdir()] == ["net.npz"]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_a_copy_is_saved_as_it_was_trained(tmp_path, x, copied):
    """Its weights are views into one buffer, as the original's are."""
    y = make_targets("squared_error", len(x))
    net = MLP((5, 8, 3), seed=0).fit(x, y, epochs=2)
    before = net.predict(x)
    again = copied(net).partial_fit(x, y)
    again.save(tmp_path / "net.npz")
    np.testing.assert_array_equal(MLP.load(tmp_path / "net.npz").predict(x), again.predict(x))
    np.testing.assert_array_equal(net.predict(x), before)


@pytest.mark.parametrize("optimizer", [Adam(0.01), SGD(0.05, schedule="invscaling")])
def test_a_file_of_the_first_format_goes_on(tmp_path, x, optimizer):
    """Version 0.5 stored the learning rate of Adam's last step, after bias correction, as the current one."""
    y = make_targets("squared_error", len(x))
    path = tmp_path / "net.npz"
    net = MLP((5, 8, 3), seed=0).fit(x, y, epochs=2, optimizer=optimizer)
    net.save(path)
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(str(arrays["header"]))
    header["format"] = "fastbp.MLP 1"
    state = header.pop("optimizer")
    rate, t, kind, initial = (state.pop(name) for name in ("learning_rate", "t", "kind", "learning_rate_init"))
    if kind == "Adam":
        rate *= math.sqrt(1 - state["beta_2"] ** t) / (1 - state["beta_1"] ** t)
    current = {"learning_rate": rate, "t": t} if kind == "Adam" else {"learning_rate": rate}
    header["optimizer"] = {"kind": kind, "learning_rate_init": initial, "settings": state, "state": current}
    np.savez(path, **{**arrays, "header": np.array(json.dumps(header))})
    loaded = MLP.load(path)
    for each in (net, loaded):
        each.partial_fit(x, y, shuffle=False)
    np.testing.assert_array_equal(loaded._parameters, net._parameters)


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch, x):
    path = tmp_path / "net.npz"
    net = MLP((5, 3), seed=0)
    net.save(path)
    old = path.read_bytes()

    def full_disk(*_args, **_arrays):
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="No space"):
        net.save(path)
    assert path.read_bytes() == old
    assert [entry.name for entry in tmp_path.iterdir()] == ["net.npz"]


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 nor this"])
def test_loading_something_else(tmp_path, content):
    path = tmp_path / "other.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"other\.npz is not a network"):
        MLP.load(path)


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("settings", {"dtype": 0}),
        ("settings", {"dtype": "float16"}),
        ("settings", {"unknown": 1}),
        ("settings", {"seed": "a"}),
        ("settings", {"layer_sizes": [10**9, 10**9]}),
        ("history", {"loss_curve": "abc"}),
        ("history", {"loss": "abc"}),
        ("history", {"t": "x"}),
    ],
)
def test_a_header_that_cannot_be_is_refused(tmp_path, part, change):
    path = tmp_path / "other.npz"
    MLP((5, 3), seed=0).save(path)
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(str(arrays["header"]))
    header[part] |= change
    np.savez(path, **{**arrays, "header": np.array(json.dumps(header))})
    with pytest.raises(ValueError, match=r"other\.npz is not a network"):
        MLP.load(path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layer_sizes": (5,)}, "layer_sizes"),
        ({"layer_sizes": (5, 0, 3)}, "layer_sizes"),
        ({"activation": "softmax"}, "activation"),
        ({"loss": "hinge"}, "loss"),
        ({"dtype": "float16"}, "dtype"),
    ],
)
def test_bad_settings_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        MLP(**({"layer_sizes": (5, 3)} | arguments))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.zeros((83, 4))}, "x must have shape"),
        ({"x": np.zeros((0, 5)), "y": np.zeros((0, 3))}, "at least one row"),
        ({"x": np.full((83, 5), np.nan)}, "x must be finite"),
        ({"y": np.zeros((83, 2))}, "y must have shape"),
        ({"y": np.zeros((82, 3))}, "y must have shape"),
        ({"y": np.full((83, 3), np.inf)}, "y must be finite"),
        ({"sample_weight": np.ones(82)}, "sample_weight must have shape"),
        ({"sample_weight": np.full(83, np.nan)}, "sample_weight must be finite"),
        ({"sample_weight": np.zeros(83)}, "sample_weight is zero"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"n_threads": 0}, "n_threads"),
    ],
)
def test_bad_data_is_named_and_changes_nothing(change, message, x):
    net = MLP((5, 4, 3), seed=0).fit(x, make_targets("squared_error", len(x)), epochs=2)
    before = [w.copy() for w in net.weights]
    arguments = {"x": x, "y": make_targets("squared_error", len(x))} | change
    with pytest.raises(ValueError, match=message):
        net.fit(**arguments)
    for old, now in zip(before, net.weights, strict=True):
        np.testing.assert_array_equal(old, now)
    assert len(net.history.loss_curve) == 2


def test_negative_counts(x):
    with pytest.raises(ValueError, match="y must not be below 0"):
        MLP((5, 3), loss="poisson").fit(x, -np.ones((83, 3)))


def test_divergence_is_an_error(x):
    with pytest.raises(ValueError, match="non-finite"), np.errstate(all="ignore"):
        MLP((5, 50, 3), seed=0).fit(x, 1e6 * make_targets("squared_error", 83), optimizer=SGD(10.0), epochs=50)


def test_stopping(x):
    net = MLP((5, 3), seed=0).fit(x, np.zeros((83, 3)), epochs=5000, stopping=Stopping(tol=1.0, n_iter_no_change=2))
    assert net.history.stop_reason == "tol"
    assert net.history.n_iter < 5000


@pytest.mark.parametrize("make", [np.asfortranarray, lambda x: x[::-1], lambda x: np.repeat(x, 2, 1)[:, ::2], list])
def test_any_layout_of_the_samples(make, x):
    y = make_targets("squared_error", len(x))
    like = MLP((5, 4, 3), dtype="float64", seed=0).fit(np.array(make(x)), y, epochs=2)
    comp = MLP((5, 4, 3), dtype="float64", seed=0).fit(make(x), y, epochs=2)
    np.testing.assert_array_equal(comp.weights[0], like.weights[0])
    np.testing.assert_array_equal(comp.predict(make(x)), like.predict(np.array(make(x))))
