"""Formulas of activations and of optimizers, each compiled alone, against refbp; and faults planted in them."""

from collections.abc import Callable
from dataclasses import replace

import numba
import numpy as np
import pytest

import refbp
from fastbp.kernels.functions import activations
from fastbp.kernels.functions.activations import ACTIVATIONS, CODES, HIDDEN
from fastbp.kernels.functions.optimizers import RULE_CODES, RULES
from fastbp.kernels.tiles import epilogue, update
from fastbp.kernels.vectors.elementary import exp, log, tanh
from fastbp.kernels.vectors.simd import first_lanes, lanes_of, load, pointer
from fastbp.kernels.vectors.types import emit_store
from support.bounds import assert_within, check_reference, function_error, wide
from support.error_analysis import CURVATURE, SLOPE_ERROR
from support.lattice import DTYPES, panel_width
from support.networks import OPTIMIZERS, make_optimizer, reference_of

each_dtype = pytest.mark.parametrize("dtype", DTYPES)


# ---- activations -------------------------------------------------------------------------------------------


def activate(name: str, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the value and the slope of an activation, computed by freshly compiled code."""
    code = CODES[name]

    @numba.njit(error_model="numpy")
    def apply(h, slopes):
        c = pointer(h)
        lanes = lanes_of(c)
        zero = load(pointer(slopes), 0)
        epilogue._activate_column(True, code, c, pointer(slopes), zero, first_lanes(lanes, c), 0, h.size, lanes)

    h, slopes = z.copy(), np.zeros_like(z)
    apply(h, slopes)
    return h, slopes


def arguments(dtype: type) -> np.ndarray:
    """Return arguments from everywhere: around 0, in the tails, far away; a whole number of vectors of them."""
    largest = float(np.finfo(dtype).max) / 2
    near = np.concatenate([np.linspace(-4, 4, 2001), np.linspace(-110, 110, 2001), np.geomspace(1e-30, 1, 500)])
    far = np.array([0.0, 700.0, 710.0, 745.0, 800.0, 1e4, 1e30, largest, np.inf])
    z = np.concatenate([near, -near, far, -far])
    return np.resize(z, -(-z.size // 64) * 64).astype(dtype)


def check_activation(name: str, z: np.ndarray) -> None:
    """Check values relative to themselves, and slopes, which may cancel, relative to 1."""
    reference = refbp.ACTIVATIONS[name]
    check_reference(reference.forward)
    h, slope = activate(name, z)
    eps, tiny = np.finfo(z.dtype).eps, np.finfo(z.dtype).smallest_normal
    ref = reference.forward(wide(z))
    finite = np.isfinite(ref)
    np.testing.assert_array_equal(h[~finite], ref[~finite])
    # Below the normal numbers there are fewer digits, in a result and in what is multiplied by z.
    size = np.maximum(np.abs(ref[finite]), np.clip(np.abs(wide(z[finite])), 1, 1e4) * tiny)
    assert_within(h[finite], ref[finite], function_error(name) * eps * size, f"value of {name}")
    ref_slope = reference.backward(np.ones_like(ref), reference.kept(wide(z), ref))
    own = SLOPE_ERROR if name in CURVATURE else 2 * function_error(name) + 2
    assert_within(slope, ref_slope, np.full_like(ref_slope, own * eps), f"slope of {name}")


@each_dtype
@pytest.mark.parametrize("name", HIDDEN)
def test_activation(name, dtype):
    check_activation(name, arguments(dtype))


def rough_gelu(z):
    inner = (z * z * z * 0.044715 + z) * 0.7978845608028654
    return z * (tanh(inner) + 1.0) * 0.5, activations._gelu(z)[1]


def first_term_of_gelu(z, h, slope):
    return slope - exp(z * z * -0.5) * z * 0.3989422804014327


def rough_softplus(z):
    return z.at_least(0.0) + log(exp(-z.magnitude()) + 1.0), activations._softplus(z)[1]


def rough_elu(z):
    return z.compare(">", 0.0).select(z, exp(z.at_most(0.0)) - 1.0, like=z), activations._ELU(z)[1]


def swapped_sides(z):
    return activations._leaky_relu(z)[0], activations._leaky_relu(-z)[1]


def slope_of(name: str, change: Callable) -> Callable:
    def both(z):
        value, slope = ACTIVATIONS[name].both(z)
        return value, change(z, value, slope)

    return both


ACTIVATION_FAULTS = {
    "gelu with a hyperbolic tangent": ("gelu", rough_gelu),
    "gelu's slope without its second term": ("gelu", slope_of("gelu", first_term_of_gelu)),
    "silu's slope without its second term": (
        "silu",
        slope_of("silu", lambda z, h, s: activations._logistic_pair(z)[0]),
    ),
    "mish's slope without its second term": ("mish", slope_of("mish", lambda z, h, s: h / z)),
    "softplus with a sum that rounds": ("softplus", rough_softplus),
    "softplus with a slope of 1": ("softplus", slope_of("softplus", lambda z, h, s: z.like(1.0))),
    "elu with a difference that cancels": ("elu", rough_elu),
    "elu's slope without the 1": ("elu", slope_of("elu", lambda z, h, s: z.compare(">", 0.0).select(s, h, like=z))),
    "selu with another alpha": ("selu", activations._exponential_unit(activations._SELU_SCALE, 1.67326)),
    "selu without its scale": ("selu", activations._exponential_unit(1.0, activations._SELU_ALPHA)),
    "leaky_relu with a slope of 0": ("leaky_relu", slope_of("leaky_relu", lambda z, h, s: s - 0.01)),
    "leaky_relu with the slopes of -z": ("leaky_relu", swapped_sides),
}


@each_dtype
@pytest.mark.parametrize("fault", ACTIVATION_FAULTS)
def test_planted_fault_of_an_activation_is_caught(fault, dtype, monkeypatch):
    name, both = ACTIVATION_FAULTS[fault]
    # Without zeros and infinities: a fault must not be found by its NaN alone.
    z = np.linspace(-30, 30, 2048).astype(dtype)
    check_activation(name, z)
    monkeypatch.setitem(epilogue._ALL, CODES[name], replace(ACTIVATIONS[name], value_and_slope=both))
    with pytest.raises(AssertionError, match=f"of {name}"):
        check_activation(name, z)


def slopes_stored(change: Callable) -> Callable:
    """Return an `emit_store` that stores every slope as `change` has it: each comes just before its output."""
    calls = []

    def store(builder, vec, pointer, index, value):
        calls.append(index)
        if len(calls) % 2 == 0:
            emit_store(builder, vec, pointer, index, value)
        else:
            change(builder, vec, pointer, index, value)

    return store


def of_the_first_vector(builder, vec, pointer, index, value):
    emit_store(builder, vec, pointer, index.type(0), value)


@each_dtype
@pytest.mark.parametrize("change", [lambda *parts: None, of_the_first_vector], ids=["not at all", "in one place"])
@pytest.mark.parametrize("name", ["gelu", "tanh"])
def test_slopes_that_are_not_where_they_belong_are_noticed(name, change, dtype, monkeypatch):
    z = np.linspace(-30, 30, 2048).astype(dtype)
    monkeypatch.setattr(epilogue, "emit_store", slopes_stored(emit_store))
    check_activation(name, z)
    monkeypatch.setattr(epilogue, "emit_store", slopes_stored(change))
    with pytest.raises(AssertionError, match=f"slope of {name}"):
        check_activation(name, z)


# ---- optimizers --------------------------------------------------------------------------------------------

ROWS = 4


def step(state, total, params, moments, inverse, weight_decay, decays) -> None:
    """Apply one tile of a gradient, with freshly compiled code."""
    code, settings, t = RULE_CODES[state.optimizer.rule], state.settings(), state.t + 1
    vectors = total.shape[1] * total.itemsize // update_vector_bytes(total.dtype)

    @numba.njit(error_model="numpy")
    def apply(settings, total, params, first, second):
        scalars = update.step_scalars(code, pointer(settings), t)
        arrays = pointer(total), pointer(params), pointer(first), pointer(second)
        update._apply(code, ROWS, vectors, *arrays, scalars, inverse, weight_decay * decays, decays)

    apply(settings, total, params, moments[0], moments[-1])


def update_vector_bytes(dtype: np.dtype) -> int:
    """Bytes of a vector: a panel has NV of them."""
    return panel_width(dtype.type) * dtype.itemsize // update.NV


def check_rule(name: str, dtype: type) -> None:
    """Check a step of weights and one of biases against refbp, in mid-training and at its beginning."""
    rng = np.random.default_rng(0)
    shape = (ROWS, panel_width(dtype))
    eps = np.finfo(dtype).eps
    for t, decays in [(0, 1.0), (4, 1.0), (4, 0.0)]:
        state = make_optimizer(name, 0.05)
        if hasattr(state.optimizer, "epsilon"):
            state.optimizer = replace(state.optimizer, epsilon=0.1)
        state.t = t
        total, params = rng.standard_normal(shape).astype(dtype), rng.standard_normal(shape).astype(dtype)
        moments = [rng.uniform(0.1, 1.0, shape).astype(dtype) for _ in state.rule.moments]
        inverse, weight_decay = 0.25, 0.4
        ref = reference_of(state)
        check_reference(type(ref).step)
        # Matrices are decayed, vectors are not.
        flat = (lambda a: a) if decays else np.ravel
        for moment, array in zip(state.rule.moments, moments, strict=True):
            setattr(ref, moment, [flat(wide(array))])
        ref_params = [flat(wide(params).copy())]
        gradient = (wide(total) + weight_decay * decays * wide(params)) * inverse
        ref.step(ref_params, [flat(gradient)])
        step(state, total, params, moments, inverse, weight_decay, decays)
        results = [params, *moments]
        refs = [ref_params[0], *(getattr(ref, moment)[0] for moment in state.rule.moments)]
        for what, comp, r in zip(("params", *state.rule.moments), results, refs, strict=True):
            scale = 1 + np.abs(gradient) ** (2 if what == "vs" else 1)
            # A few operations, on terms no larger than the parameter, the moment and the gradient.
            assert_within(comp, r.reshape(shape), 12 * eps * np.maximum(scale, np.abs(params)), f"{what} of {name}")


@each_dtype
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_rule(name, dtype):
    check_rule(name, dtype)


def decay_of_everything(scalars, decays, *arrays):
    return RULES["adamw"].update(scalars, decays * 0.0 + 1.0, *arrays)


def decay_after_the_step(scalars, decays, w, *rest):
    new, m, v = RULES["adam"].update(scalars, decays, w, *rest)
    return new - new * scalars[6] * decays, m, v


def decay_through_the_moments(scalars, decays, w, g, m, v):
    return RULES["adam"].update(scalars, decays, w, g + w * scalars[6] * decays, m, v)


def no_decay(scalars, decays, *arrays):
    return RULES["adam"].update(scalars, decays, *arrays)


def no_correction_of_epsilon(settings, t):
    *scalars, _, decay = RULES["adamw"].scalars(settings, t)
    return *scalars, settings[3], decay


def decay_without_the_rate(settings, t):
    *scalars, _ = RULES["adamw"].scalars(settings, t)
    return *scalars, settings[4]


def decay_by_the_corrected_rate(settings, t):
    rate, *scalars, _ = RULES["adamw"].scalars(settings, t)
    return rate, *scalars, rate * settings[4]


def one_step_ahead(rule: str) -> Callable:
    return lambda settings, t: RULES[rule].scalars(settings, t + 1.0)


def uncorrected_rate(settings, t):
    _, *scalars = RULES["adam"].scalars(settings, t)
    return settings[0], *scalars


def square_of_the_moment(scalars, decays, w, g, m, v):
    new, m, _ = RULES["adam"].update(scalars, decays, w, g, m, v)
    return new, m, v * scalars[3] + m * m * scalars[4]


def swapped_moments(scalars, decays, w, g, m, v):
    new, m, v = RULES["adam"].update(scalars, decays, w, g, v, m)
    return new, v, m


def no_look_ahead(scalars, decays, *arrays):
    return RULES["sgd"].update(scalars, decays, *arrays)


def look_ahead_along_the_old_velocity(scalars, decays, w, g, velocity):
    rate, momentum, *_ = scalars
    return w + momentum * velocity - rate * g, momentum * velocity - rate * g


RULE_FAULTS = {
    "AdamW decays biases": ("AdamW", "adamw", {"update": decay_of_everything}),
    "AdamW decays after the step": ("AdamW", "adamw", {"update": decay_after_the_step}),
    "AdamW decays through the moments": ("AdamW", "adamw", {"update": decay_through_the_moments}),
    "AdamW does not decay": ("AdamW", "adamw", {"update": no_decay}),
    "AdamW's epsilon is not corrected": ("AdamW", "adamw", {"scalars": no_correction_of_epsilon}),
    "AdamW's decay lacks the rate": ("AdamW", "adamw", {"scalars": decay_without_the_rate}),
    "AdamW's decay is corrected for bias": ("AdamW", "adamw", {"scalars": decay_by_the_corrected_rate}),
    "AdamW counts one step more": ("AdamW", "adamw", {"scalars": one_step_ahead("adamw")}),
    "Adam counts one step more": ("Adam", "adam", {"scalars": one_step_ahead("adam")}),
    "Adam does not correct for bias": ("Adam", "adam", {"scalars": uncorrected_rate}),
    "Adam squares the moment": ("Adam", "adam", {"update": square_of_the_moment}),
    "Adam swaps the moments": ("Adam", "adam", {"update": swapped_moments}),
    "Nesterov does not look ahead": ("Nesterov", "nesterov", {"update": no_look_ahead}),
    "Nesterov looks along the old velocity": ("Nesterov", "nesterov", {"update": look_ahead_along_the_old_velocity}),
}


@each_dtype
@pytest.mark.parametrize("fault", RULE_FAULTS)
def test_planted_fault_of_a_rule_is_caught(fault, dtype, monkeypatch):
    name, rule, changes = RULE_FAULTS[fault]
    monkeypatch.setitem(update._RULES, RULE_CODES[rule], replace(RULES[rule], **changes))
    with pytest.raises(AssertionError, match=f"of {name}"):
        check_rule(name, dtype)
