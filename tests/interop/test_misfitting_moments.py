"""Pickles, skops files and archives whose moments do not fit: floats are converted, all else is refused by name."""

import pickle

import numpy as np
import pytest

from fastbp import MLP, MLPRegressor

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((30, 5)), RNG.standard_normal((30, 2))


def by_pickle(model):
    return pickle.loads(pickle.dumps(model))


def by_skops(model):
    io = pytest.importorskip("skops.io")
    data = io.dumps(model)
    return io.loads(data, trusted=io.get_untrusted_types(data=data))


each_way = pytest.mark.parametrize("travel", [by_pickle, by_skops])
# In "adam", each of the two has one array for every matrix, and then one for every vector.
WRONG = {
    "integers": (lambda arrays: [a.astype(int) for a in arrays], TypeError),
    "complex": (lambda arrays: [a.astype(complex) for a in arrays], TypeError),
    "one less": (lambda arrays: arrays[:-1], ValueError),
    "one more": (lambda arrays: [*arrays, arrays[-1]], ValueError),
    "none": (lambda arrays: [], ValueError),
    "shorter": (lambda arrays: [a[:-1] for a in arrays], ValueError),
    "transposed": (lambda arrays: [a.T for a in arrays], ValueError),
    "flat": (lambda arrays: [a.ravel() for a in arrays], ValueError),
    "another order": (lambda arrays: arrays[::-1], ValueError),
}


def half_trained(dtype=np.float64):
    model = MLPRegressor(hidden_layer_sizes=(40, 30), random_state=0, shuffle=False)
    return model.partial_fit(X.astype(dtype), Y)


def parts(model):
    return [*model.coefs_, *model.intercepts_, *(a for arrays in model._optimizer.moments.values() for a in arrays)]


@each_way
@pytest.mark.parametrize("name", ["ms", "vs"])
@pytest.mark.parametrize("wrong", WRONG)
def test_other_moments_are_refused_by_name(wrong, name, travel):
    change, error = WRONG[wrong]
    model = half_trained()
    model._optimizer.moments[name] = change(model._optimizer.moments[name])
    again = travel(model)
    before = [part.copy() for part in parts(again)]
    with pytest.raises(error, match=rf"moments\['{name}'\] of (weights|biases)"):
        again.partial_fit(X, Y)
    for part, old in zip(parts(again), before, strict=True):
        np.testing.assert_array_equal(part, old)


@each_way
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_moments_of_another_precision_are_converted(dtype, travel):
    other = np.float32 if dtype == np.float64 else np.float64
    model = half_trained(dtype)
    moments = model._optimizer.moments
    rounded = {name: [a.astype(np.float32) for a in arrays] for name, arrays in moments.items()}
    model._optimizer.moments = {name: [a.astype(dtype) for a in arrays] for name, arrays in rounded.items()}
    ref = travel(model).partial_fit(X.astype(dtype), Y)
    model._optimizer.moments = {name: [a.astype(other) for a in arrays] for name, arrays in rounded.items()}
    comp = travel(model).partial_fit(X.astype(dtype), Y)
    for c, r in zip(parts(comp), parts(ref), strict=True):
        assert c.dtype == dtype
        np.testing.assert_array_equal(c, r)


def forge(path, change):
    """Save a network with changed moments."""
    MLP((5, 40, 30, 2), dtype="float64", seed=0).fit(X, Y, epochs=1).save(path)
    with np.load(path) as file:
        arrays = dict(file)
    names = [f"ms_{index}" for index in range(6)]
    changed = change([arrays.pop(name) for name in names])
    np.savez(path, **arrays, **dict(zip(names, changed, strict=False)))


@pytest.mark.parametrize("wrong", sorted(WRONG.keys() - {"integers", "complex", "one more", "none"}))
def test_archives_with_other_shapes_are_refused(wrong, tmp_path):
    path = tmp_path / "net.npz"
    forge(path, WRONG[wrong][0])
    with pytest.raises(
        ValueError, match=r"net\.npz is not a network that fastbp has saved \(ms do not have the shapes"
    ):
        MLP.load(path)


@pytest.mark.parametrize("wrong", ["integers", "complex", "none"])
def test_archives_with_other_moments_are_refused_in_training(wrong, tmp_path):
    path = tmp_path / "net.npz"
    forge(path, WRONG[wrong][0])
    with pytest.raises(TypeError, match=r"^moments\['ms'\]"):
        MLP.load(path).partial_fit(X, Y)
