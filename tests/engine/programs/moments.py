"""Train on with moments that were made in another precision, many times: memory that is overrun ends the process.

Usage: moments.py NAME, with NAME one of PROGRAMS below. Each checks that the result is that of converted moments.
"""

import copy
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.neural_network import MLPRegressor as TheirRegressor

from fastbp import MLP, Adam, MLPRegressor

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((50, 5)), RNG.standard_normal((50, 2))
REPEATS = 20


def assert_same(one: list[np.ndarray], other: list[np.ndarray]) -> None:
    for a, b in zip(one, other, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def as_type(arrays: list[np.ndarray], dtype: type) -> list[np.ndarray]:
    return [array.astype(dtype) for array in arrays]


def convert_moments(model: MLPRegressor, dtype: type) -> None:
    state = model._optimizer
    state.moments = {name: as_type(arrays, dtype) for name, arrays in state.moments.items()}


def shared_optimizer(first: type, second: type) -> None:
    ref = MLP((5, 40, 30, 2), dtype=second, seed=0).fit(X, Y, epochs=2, optimizer=Adam())
    for _ in range(REPEATS):
        optimizer = Adam()
        MLP((5, 40, 30, 2), dtype=first, seed=1).fit(X, Y, epochs=1, optimizer=optimizer)
        net = MLP((5, 40, 30, 2), dtype=second, seed=0).fit(X, Y, epochs=2, optimizer=optimizer)
        assert_same([*net.weights, *net.biases], [*ref.weights, *ref.biases])


def go_on(model: MLPRegressor) -> list[np.ndarray]:
    model.partial_fit(X.astype(model.coefs_[0].dtype), Y)
    return [*model.coefs_, *model.intercepts_, *(a for part in model._optimizer.moments.values() for a in part)]


def check_many(model: MLPRegressor, dtype: type) -> None:
    """Compare going on from the model as it is, and from one whose moments are of the type of its weights."""
    expected = copy.deepcopy(model)
    convert_moments(expected, dtype)
    ref = go_on(expected)
    for _ in range(REPEATS):
        assert_same(go_on(copy.deepcopy(model)), ref)


def coefs_by_hand(first: type, second: type) -> None:
    for solver in ("adam", "adamw", "sgd"):
        model = MLPRegressor(hidden_layer_sizes=(40, 30), solver=solver, random_state=0).partial_fit(X.astype(first), Y)
        model.coefs_, model.intercepts_ = as_type(model.coefs_, second), as_type(model.intercepts_, second)
        check_many(model, second)


def from_sklearn(first: type, second: type) -> None:
    theirs = TheirRegressor(hidden_layer_sizes=(40, 30), random_state=0).partial_fit(X.astype(first), Y)
    theirs.coefs_, theirs.intercepts_ = as_type(theirs.coefs_, second), as_type(theirs.intercepts_, second)
    check_many(MLPRegressor.from_sklearn(theirs), second)


def forged_archive(first: type, second: type) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.npz"
        MLP((5, 40, 30, 2), dtype=second, seed=0).fit(X, Y, epochs=1).save(path)
        with np.load(path) as file:
            arrays = dict(file)
        assert json.loads(str(arrays["header"]))["settings"]["dtype"] == np.dtype(second).name
        moments = [name for name in arrays if name.startswith(("ms_", "vs_"))]
        assert len(moments) == 12
        forged = {**arrays, **{name: arrays[name].astype(first) for name in moments}}
        rounded = {**arrays, **{name: forged[name].astype(second) for name in moments}}
        nets = []
        for content in (rounded, *[forged] * REPEATS):
            np.savez(path, **content)
            net = MLP.load(path)
            for _ in range(3):
                net.partial_fit(X, Y, shuffle=False)
            nets.append([*net.weights, *net.biases])
        for net in nets[1:]:
            assert_same(net, nets[0])


PROGRAMS: dict[str, Callable[[type, type], None]] = {
    "shared optimizer": shared_optimizer,
    "coefs by hand": coefs_by_hand,
    "from_sklearn": from_sklearn,
    "forged archive": forged_archive,
}


if __name__ == "__main__":
    for types in ((np.float32, np.float64), (np.float64, np.float32)):
        PROGRAMS[sys.argv[1]](*types)
    print("done")
