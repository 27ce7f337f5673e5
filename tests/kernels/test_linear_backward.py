"""linear_backward and linear_backward_update against refbp, each result by its own bound."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import refbp
from fastbp.kernels import LinearState, linear_backward, linear_backward_update
from fastbp.kernels.functions.activations import ACTIVATIONS as RECORDS
from fastbp.kernels.functions.optimizers import Adam, AdamW
from support.bounds import check_linear_backward, check_reference
from support.lattice import DTYPES, HIDDEN, LAYOUTS, PRIME, panel_width, random_problem, row_sizes, shapes
from support.networks import OPTIMIZERS as TRAINING_OPTIMIZERS

THREADS = (1, 2, 3, 7)
# Those whose slope follows from the output, which is all that `linear_backward` is given.
ACTIVATIONS = (None, *(name for name in HIDDEN if not RECORDS[name].needs_slopes))
OPTIMIZERS = {
    name: (kind, {**settings_, "epsilon": 1e-6} if issubclass(kind, Adam) else settings_)
    for name, (kind, settings_) in TRAINING_OPTIMIZERS.items()
}

each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_activation = pytest.mark.parametrize("activation", ACTIVATIONS)
each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS)


def make(rng, dtype, n, n_in, n_out, activation=None):
    """dz, x (what `activation` could have returned) and w."""
    z, w = random_problem(rng, dtype, n, n_in, n_out)
    x = refbp.ACTIVATIONS[activation or "identity"].forward(z).astype(dtype)
    return rng.standard_normal((n, n_out)).astype(dtype), x, w


def lattice(dtype):
    """(n, n_in, n_out) triples, with every size of the lattice in every place."""
    triples = shapes(dtype)
    return triples + [(k, m, n) for m, k, n in triples[::5]] + [(m, n, k) for m, k, n in triples[1::5]]


@pytest.mark.smoke
@each_dtype
def test_edge_lattice(dtype, rng):
    for i, (n, n_in, n_out) in enumerate(lattice(dtype)):
        activation = ACTIVATIONS[i % len(ACTIVATIONS)]
        dz, x, w = make(rng, dtype, n, n_in, n_out, activation)
        comp = linear_backward(dz, x, w, x_activation=activation, weight_decay=0.3)
        check_linear_backward(comp, dz, x, w, activation, 0.3)


@pytest.mark.smoke
@each_activation
@each_dtype
def test_activations(dtype, activation, rng):
    nr = panel_width(dtype)
    for n in row_sizes(dtype):
        dz, x, w = make(rng, dtype, n, nr + 1, PRIME, activation)
        for decay in (0.0, 0.7):
            comp = linear_backward(dz, x, w, x_activation=activation, weight_decay=decay)
            check_linear_backward(comp, dz, x, w, activation, decay)


@each_dtype
def test_threads_change_no_bit(dtype, rng):
    for n, n_in, n_out in [*lattice(dtype)[::7], (300, 50, 40)]:
        dz, x, w = make(rng, dtype, n, n_in, n_out, "tanh")
        one, *others = [
            linear_backward(dz, x, w, x_activation="tanh", weight_decay=0.1, n_threads=threads) for threads in THREADS
        ]
        for other in others:
            for a, b in zip(one, other, strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("layout", LAYOUTS)
@each_dtype
def test_layouts(dtype, layout, rng):
    nr = panel_width(dtype)
    for n, n_in, n_out in [(9, nr + 1, 3), (PRIME, 5, 2 * nr + 1)]:
        arrays = [LAYOUTS[layout](a) for a in make(rng, dtype, n, n_in, n_out, "tanh")]
        for threads in (1, 2):
            comp = linear_backward(*arrays, x_activation="tanh", weight_decay=0.2, n_threads=threads)
            check_linear_backward(comp, *arrays, "tanh", 0.2)


@each_dtype
def test_relu_has_derivative_zero_at_zero(dtype):
    x = np.array([[0.0, -0.0, 1.0]], dtype=dtype)
    dx, _, _ = linear_backward(np.ones((1, 2), dtype), x, np.ones((3, 2), dtype), x_activation="relu")
    np.testing.assert_array_equal(dx, [[0, 0, 2]])


def test_wide_layer():
    # Large enough that the memory of a temporary array is given back as soon as the array is gone.
    n_out = 200_000
    for dtype in DTYPES:
        dz, x, w = np.ones((1, n_out), dtype), np.ones((1, 1), dtype), np.ones((1, n_out), dtype)
        dx, dw, db = linear_backward(dz, x, w)
        assert dx.item() == n_out
        np.testing.assert_array_equal(dw, dz)
        np.testing.assert_array_equal(db, dz[0])


@each_dtype
def test_nan_in_one_row(dtype, rng):
    dz, x, w = make(rng, dtype, 20, 30, 7)
    dz[13, 4] = np.nan
    dx, dw, db = linear_backward(dz, x, w)
    np.testing.assert_array_equal(np.isnan(dx).any(axis=1), np.arange(20) == 13)
    np.testing.assert_array_equal(np.isnan(dw), np.broadcast_to(np.arange(7) == 4, (30, 7)))
    np.testing.assert_array_equal(np.isnan(db), np.arange(7) == 4)


def start(rng, dtype, n_in, n_out, optimizer):
    """w, b and a state in mid-training."""
    kind, settings_ = OPTIMIZERS[optimizer]
    w, b = rng.standard_normal((n_in, n_out)).astype(dtype), rng.standard_normal(n_out).astype(dtype)
    comp = kind(0.05, **settings_)
    state = LinearState.zeros(w, b, comp)
    for array in state.arrays().values():
        array[...] = rng.uniform(0.1, 1.0, array.shape)
    state.t = 3
    return w, b, state, comp


def ref_update(dw, db, w, b, state, optimizer, batch_weight):
    """One step of refbp's optimizer from a state; returns the new w, b and state."""
    kind, settings_ = OPTIMIZERS[optimizer]
    ref = getattr(refbp, kind.__name__)(0.05, **settings_)
    check_reference(type(ref).step)
    if issubclass(kind, Adam):
        ref.ms, ref.vs, ref.t = [state.m_w, state.m_b], [state.v_w, state.v_b], state.t
    else:
        ref.velocities = [state.m_w, state.m_b]
    params = [w.copy(), b.copy()]
    ref.step(params, [dw / batch_weight, db / batch_weight])
    moments = [*ref.ms, *ref.vs] if issubclass(kind, Adam) else ref.velocities
    return params, moments


def check_update(rng, dtype, n, n_in, n_out, optimizer, n_threads=None, comp=linear_backward_update):
    """The fused step against the unfused one: linear_backward, checked against refbp, and refbp's optimizer."""
    dz, x, _ = make(rng, dtype, n, n_in, n_out, "tanh")
    w, b, state, settings_ = start(rng, dtype, n_in, n_out, optimizer)
    unfused = linear_backward(dz, x, w, x_activation="tanh", weight_decay=0.4)
    check_linear_backward(unfused, dz, x, w, "tanh", 0.4)
    dx, dw, db = unfused
    before = copy.deepcopy(state)
    ref_params, ref_moments = ref_update(dw, db, w, b, before, optimizer, 1.7)
    old_w = w.copy()
    keywords = {"x_activation": "tanh", "weight_decay": 0.4, "batch_weight": 1.7, "n_threads": n_threads}
    comp_dx = comp(dz, x, w, b, state, optimizer=settings_, **keywords)
    np.testing.assert_array_equal(comp_dx, dx, err_msg="dx needs the weights from before the step")
    assert not np.array_equal(old_w, w)
    assert state.t == before.t + 1
    # The same gradient to the last bit, but for a product by the inverse in place of a division; then a few
    # operations of the optimizer, each with terms no larger than the parameter, the moment or the gradient.
    tolerance = 16 * np.finfo(dtype).eps
    scale = 1 + max(np.abs(dw).max(), np.abs(db).max())
    for name, result, ref in [
        ("w", w, ref_params[0]),
        ("b", b, ref_params[1]),
        *zip(state.arrays(), state.arrays().values(), ref_moments, strict=True),
    ]:
        assert result.dtype == dtype
        square = scale**2 if "v_" in name else scale
        np.testing.assert_allclose(result, ref, rtol=tolerance, atol=tolerance * square, err_msg=name)


@pytest.mark.smoke
@each_optimizer
@each_dtype
def test_fused_equals_unfused(dtype, optimizer, rng):
    for n, n_in, n_out in lattice(dtype)[::4]:
        check_update(rng, dtype, n, n_in, n_out, optimizer)


def with_arguments(**changes):
    """A linear_backward_update that gets other arguments than it was given."""

    def comp(dz, x, w, b, state, **keywords):
        return linear_backward_update(dz, x, w, b, state, **{**keywords, **changes})

    return comp


def with_the_next_step(dz, x, w, b, state, **keywords):
    state.t += 1
    dx = linear_backward_update(dz, x, w, b, state, **keywords)
    state.t -= 1
    return dx


def with_decayed_biases(dz, x, w, b, state, **keywords):
    b *= 1 - 1e-3
    return linear_backward_update(dz, x, w, b, state, **keywords)


def with_updated_weights(dz, x, w, b, state, **keywords):
    linear_backward_update(dz, x, w, b, state, **keywords)
    return linear_backward(dz, x, w, x_activation=keywords["x_activation"])[0]


def with_swapped_moments(dz, x, w, b, state, **keywords):
    state.m_w, state.v_w = state.v_w, state.m_w
    return linear_backward_update(dz, x, w, b, state, **keywords)


def with_transposed_weights(dz, x, w, b, state, **keywords):
    if w.shape[0] == w.shape[1]:
        w[...] = w.T.copy()
    return linear_backward_update(dz, x, w, b, state, **keywords)


FAULTS = {
    "batch weight": with_arguments(batch_weight=1.0),
    "weight decay": with_arguments(weight_decay=0.0),
    "activation gradient": with_arguments(x_activation=None),
    "optimizer": with_arguments(optimizer=Adam(0.05, beta_1=0.8, beta_2=0.94, epsilon=1e-6)),
    "step count": with_the_next_step,
    "decayed biases": with_decayed_biases,
    "dx from updated weights": with_updated_weights,
    "swapped moments": with_swapped_moments,
    "transposed weights": with_transposed_weights,
}


OTHER_ADAMW = {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-6}
ADAMW_FAULTS = {
    "no decay": with_arguments(optimizer=Adam(0.05, **OTHER_ADAMW)),
    "another decay": with_arguments(optimizer=AdamW(0.05, weight_decay=0.51, **OTHER_ADAMW)),
    "decay as a penalty": with_arguments(optimizer=Adam(0.05, **OTHER_ADAMW), weight_decay=0.4 + 0.5 * 1.7),
    "decayed biases": with_decayed_biases,
    "step count": with_the_next_step,
    "swapped moments": with_swapped_moments,
}


@pytest.mark.parametrize("name", ADAMW_FAULTS)
@each_dtype
def test_planted_faults_of_adamw_are_caught(dtype, name, rng):
    check_update(rng, dtype, 9, 11, 11, "AdamW")
    with pytest.raises(AssertionError):
        check_update(rng, dtype, 9, 11, 11, "AdamW", comp=ADAMW_FAULTS[name])


@pytest.mark.parametrize("name", FAULTS)
@each_dtype
def test_planted_faults_are_caught(dtype, name, rng):
    check_update(rng, dtype, 9, 11, 11, "Adam")
    with pytest.raises(AssertionError):
        check_update(rng, dtype, 9, 11, 11, "Adam", comp=FAULTS[name])


@each_dtype
def test_planted_faults_of_the_gradients_are_caught(dtype, rng):
    dz, x, w = make(rng, dtype, 9, 11, 11, "relu")
    right = linear_backward(dz, x, w, x_activation="relu", weight_decay=0.3)
    check_linear_backward(right, dz, x, w, "relu", 0.3)
    for i in range(3):
        wrong = [a.copy() for a in right]
        largest = np.unravel_index(np.abs(wrong[i]).argmax(), wrong[i].shape)
        wrong[i][largest] *= 1 + 64 * np.finfo(dtype).eps
        with pytest.raises(AssertionError):
            check_linear_backward(wrong, dz, x, w, "relu", 0.3)
    for faulty in (
        linear_backward(dz, x, w, x_activation=None, weight_decay=0.3),
        linear_backward(dz, x, w, x_activation="relu"),
        linear_backward(dz, x, w.T, x_activation="relu", weight_decay=0.3),
        linear_backward(dz[::-1], x, w, x_activation="relu", weight_decay=0.3),
    ):
        with pytest.raises(AssertionError):
            check_linear_backward(faulty, dz, x, w, "relu", 0.3)


@each_optimizer
@each_dtype
def test_update_threads_change_no_bit(dtype, optimizer, rng):
    nr = panel_width(dtype)
    for n, n_in, n_out in [(1, 1, 1), (9, 17, nr + 1), (100, 40, 10), (64, 3, 2 * nr)]:
        dz, x, _ = make(rng, dtype, n, n_in, n_out)
        w, b, state, settings_ = start(rng, dtype, n_in, n_out, optimizer)
        results = []
        for threads in THREADS:
            new_w, new_b, new_state = w.copy(), b.copy(), copy.deepcopy(state)
            dx = linear_backward_update(dz, x, new_w, new_b, new_state, optimizer=settings_, n_threads=threads)
            results.append([dx, new_w, new_b, *new_state.arrays().values()])
        for other in results[1:]:
            for a, c in zip(results[0], other, strict=True):
                np.testing.assert_array_equal(a, c)


@each_dtype
def test_biases_are_not_decayed(dtype, rng):
    w, b, state, optimizer = start(rng, dtype, 9, 5, "SGD")
    before = b.copy()
    dz, x = np.zeros((4, 5), dtype), np.ones((4, 9), dtype)
    old_w = w.copy()
    linear_backward_update(dz, x, w, b, state, optimizer=optimizer, weight_decay=0.5)
    np.testing.assert_array_equal(b, before)
    np.testing.assert_allclose(w, old_w * (1 - 0.05 * 0.5), rtol=4 * np.finfo(dtype).eps)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    shape=st.tuples(st.integers(1, 60), st.integers(1, 60), st.integers(1, 60)),
    optimizer=st.sampled_from(sorted(OPTIMIZERS)),
    dtype=st.sampled_from(DTYPES),
    threads=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_any_shape(shape, optimizer, dtype, threads, seed):
    check_update(np.random.default_rng(seed), dtype, *shape, optimizer, threads)
