"""Errors of the vector functions in units of the last place, special values, and the code they compile to."""

import math
import os
import platform
import re
import subprocess
import sys

import numba
import numpy as np
import pytest
from llvmlite import binding as llvm
from numba import types

from fastbp.compiler.target import TARGET
from fastbp.kernels.vectors import elementary, vmath
from fastbp.kernels.vectors.simd import first_lanes, lanes_of, load, load_where, pointer, store, store_where
from support.limits import HANG_SECONDS

FUNCTIONS = ("exp", "log", "tanh", "logistic")
DTYPES = (np.float32, np.float64)
# What vmath promises. The largest errors seen are 1.08, 1.47, 1.50 and 1.79, the last three in float64 without a fused
# multiply-add.
BOUND = 2.0
OTHER_TARGETS = {
    "haswell": "+sse4.1,+sse4.2,+avx,+avx2,+fma,+bmi,+bmi2",
    "generic": "",
}

each_function = pytest.mark.parametrize("name", FUNCTIONS)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def array_form(function):
    """Return the function as one of arrays (results, arguments), with a masked tail."""

    @numba.njit(error_model="numpy")
    def apply(out, x):
        target, source = pointer(out), pointer(x)
        lanes = lanes_of(source)
        whole = x.size // lanes * lanes
        for i in range(0, whole, lanes):
            store(target, i, function(load(source, i)))
        tail = first_lanes(x.size - whole, source)
        store_where(target, whole, function(load_where(source, whole, tail)), tail)

    return apply


APPLY = {name: array_form(getattr(vmath, f"v{name}")) for name in FUNCTIONS}


def computed(name, x, apply=None):
    out = np.full_like(x, np.nan)
    (apply or APPLY[name])(out, x)
    return out


def exact(name, x):
    """Return the function of `x` in a wider type."""
    with np.errstate(all="ignore"):
        wide = x.astype(np.float64 if x.dtype == np.float32 else np.longdouble)
        if name != "logistic":
            return getattr(np, name)(wide)
        e = np.exp(-np.abs(wide))
        return np.where(wide < 0, e, 1 - 0 * e) / (1 + e)


def ulp_errors(result, reference):
    """Return abs(result - reference) in units of the last place of `result`'s type at the reference.

    0 where both are the same infinity or NaN, inf where only one of them is.
    """
    info = np.finfo(result.dtype)
    with np.errstate(all="ignore"):
        exponent = np.frexp(np.abs(reference))[1].astype(np.int64) - 1
        unit = np.clip(exponent, info.minexp, info.maxexp - 1) - info.nmant
        error = np.ldexp(np.abs(result.astype(reference.dtype) - reference), -unit.astype(np.int32))
        rounded = reference.astype(result.dtype)
    same = (rounded == result) | (np.isnan(rounded) & np.isnan(result))
    special = ~(np.isfinite(rounded) & np.isfinite(result))
    return np.where(special, np.where(same, 0.0, np.inf), error.astype(np.float64))


def breakpoints(name):
    """Return where the formula changes its branch, power of two or kind of result."""
    if name == "log":
        return [*np.ldexp(0.75, np.arange(-125, 126)).tolist(), 1.0, 2.0**-126, 2.0**-1022]
    steps = ((np.arange(-1080, 1026) + 0.5) * math.log(2)).tolist()
    if name == "tanh":
        return [*(step / 2 for step in steps if 0 < step < 45), 9.01, 19.06, 20.0]
    return [*steps, 40.0, 88.7228, -87.3365, -103.972, 709.7827, -708.3964, -745.1332, 2.0**-25, 2.0**-54]


def neighbors(value, dtype, count):
    """Return the `count` numbers before and after `value`, in order."""
    center = np.array(abs(value), dtype)
    bits = center.view(f"i{center.itemsize}") + np.arange(-count, count + 1)
    x = bits[bits >= 0].astype(f"i{center.itemsize}").view(dtype)
    return x if value >= 0 else -x[::-1]


def edges(dtype):
    info = np.finfo(dtype)
    powers = np.ldexp(dtype(1), np.arange(info.minexp - info.nmant, info.maxexp)).astype(dtype)
    x = np.concatenate([[0, info.max, np.inf], powers, np.nextafter(powers, 0), np.nextafter(powers, dtype(np.inf))])
    return np.concatenate([x, -x, [np.nan]]).astype(dtype)


def sample(name, dtype):
    """Return arguments from all over the range, dense where the function is neither constant nor linear."""
    rng = np.random.default_rng(20)
    if dtype == np.float32:
        patterns = np.arange(0, 2**32, 997, dtype=np.uint64).astype(np.uint32)
    else:
        patterns = rng.integers(0, 2**64, 100_000, dtype=np.uint64)
        if np.finfo(np.longdouble).nmant < 63:
            pytest.skip("no wider type than float64 here")
    ranges = [(-750, 720), (-110, 90), (-3, 3), (0.5, 2)]
    dense = np.concatenate([rng.uniform(low, high, 100_000) for low, high in ranges])
    near = np.concatenate([neighbors(value, dtype, 8) for value in breakpoints(name)])
    return np.concatenate([patterns.view(dtype), dense.astype(dtype), near, edges(dtype)])


@each_dtype
@each_function
def test_error_is_below_the_bound_over_the_whole_range(name, dtype):
    x = sample(name, dtype)
    errors = ulp_errors(computed(name, x), exact(name, x))
    worst = np.argmax(errors)
    assert errors[worst] <= BOUND, f"{name}({x[worst]!r}): {errors[worst]} ulp"
    assert np.count_nonzero(errors) > 100_000  # the reference is not the function itself


SPECIAL = {
    "exp": [(0.0, 1.0), (-0.0, 1.0), (np.inf, np.inf), (-np.inf, 0.0), (-1e30, 0.0), (1e30, np.inf)],
    "log": [
        (0.0, -np.inf),
        (-0.0, -np.inf),
        (1.0, 0.0),
        (np.inf, np.inf),
        (-np.inf, np.nan),
        (-1e-45, np.nan),
    ],
    "tanh": [(0.0, 0.0), (-0.0, -0.0), (np.inf, 1.0), (-np.inf, -1.0), (25.0, 1.0), (-1e30, -1.0)],
    "logistic": [(0.0, 0.5), (-0.0, 0.5), (np.inf, 1.0), (-np.inf, 0.0), (50.0, 1.0), (-1e30, 0.0)],
}


@each_dtype
@each_function
def test_special_values_are_exact(name, dtype):
    arguments, expected = np.array([*SPECIAL[name], (np.nan, np.nan)], dtype).T
    result = computed(name, arguments.copy())
    np.testing.assert_array_equal(result, expected)
    numbers = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(result[numbers]), np.signbit(expected[numbers]))


@each_dtype
@each_function
def test_nan_of_any_payload_stays_nan(name, dtype):
    infinity = np.array(np.inf, dtype).view(f"u{dtype().itemsize}")
    payloads = 2 ** np.arange(np.finfo(dtype).nmant, dtype=infinity.dtype)
    x = (infinity + np.concatenate([payloads, payloads - 1 + payloads])).view(dtype)
    x = np.concatenate([x, -x])
    assert np.isnan(x).all()
    assert np.isnan(computed(name, x)).all()


@pytest.mark.parametrize(
    ("dtype", "finite", "infinite", "denormal", "zero"),
    [
        (np.float32, 88.7228, 88.7229, -103.9720, -103.9722),
        (np.float64, 709.782712893384, 709.7827128933841, -745.1332191019411, -745.1332191019412),
    ],
)
def test_exp_overflows_and_underflows_where_it_should(dtype, finite, infinite, denormal, zero):
    result = computed("exp", np.array([finite, infinite, denormal, zero], dtype))
    assert np.isfinite(result[0])
    assert result[1] == np.inf
    assert result[2] == np.finfo(dtype).smallest_subnormal
    assert result[3] == 0


@each_dtype
def test_tanh_of_tiny_arguments_is_the_argument(dtype):
    info = np.finfo(dtype)
    x = np.ldexp(dtype(1), np.arange(info.minexp - info.nmant, -info.nmant // 2)).astype(dtype) * dtype(1.25)
    np.testing.assert_array_equal(computed("tanh", x), x)


@each_dtype
def test_tanh_is_odd_and_bounded(dtype):
    x = np.linspace(0, 25, 20_001).astype(dtype)
    result = computed("tanh", x)
    np.testing.assert_array_equal(computed("tanh", -x), -result)
    assert result.max() == 1


@each_dtype
@each_function
def test_results_do_not_fall_back_at_breakpoints(name, dtype):
    with np.errstate(over="ignore"):
        groups = [neighbors(value, dtype, 200) for value in breakpoints(name)]
    for x in groups:
        result = computed(name, x)
        with np.errstate(invalid="ignore"):
            fall = result[:-1] - result[1:]
        # The logistic function grows by a quarter of a unit from one number to the next: it may step back.
        allowed = 2 * np.spacing(result[1:]) if name == "logistic" else 0
        assert not (fall > allowed).any(), f"near {x[0]!r}"


@each_dtype
@each_function
def test_lanes_do_not_see_each_other(name, dtype):
    x = edges(dtype)
    for shift in (1, 5):
        rolled = computed(name, np.roll(x, shift))
        np.testing.assert_array_equal(np.roll(rolled, -shift), computed(name, x))


# ---- the test of the test ----------------------------------------------------------------------------------


@pytest.mark.parametrize("units", [-2, 2])
@each_dtype
def test_checker_sees_two_units(dtype, units):
    x = np.linspace(0.5, 3, 1000).astype(dtype)
    wrong = computed("exp", x)
    wrong[77] += units * np.spacing(wrong[77])
    errors = ulp_errors(wrong, exact("exp", x))
    assert np.argmax(errors) == 77
    assert errors[77] > 1


def test_checker_knows_infinities_denormals_and_nan():
    reference = np.array([1e300, 1e300, np.nan, np.nan, 1.5 * 2.0**-149, -np.inf, 1.0])
    result = np.array([np.inf, 1e38, np.nan, 1.0, 2.0**-149, np.inf, 1.0 + 2.0**-23], np.float32)
    np.testing.assert_array_equal(ulp_errors(result, reference), [0, np.inf, 0, np.inf, 0.5, np.inf, 1.0])


WRONG_CONSTANTS = {
    # Arguments for which the constant counts.
    "exp-expm1": (-0.34, 0.34),
    "tanh-expm1": (-0.17, 0.17),
    "logistic-expm1": (-0.34, 0.34),
    "log-log": (0.75, 1.4),
    "exp-ln2_low": (50, 80),
    "log-ln2_low": (4, 100),
}


@pytest.mark.parametrize("case", WRONG_CONSTANTS)
@each_dtype
def test_a_wrong_constant_is_detected(monkeypatch, case, dtype):
    name, field = case.split("-")
    key = types.float32 if dtype == np.float32 else types.float64
    constants = elementary._CONSTANTS[key]
    value = getattr(constants, field)
    eps = float(np.finfo(dtype).eps)
    wrong = value + 4 * eps if field == "ln2_low" else (value[0] * (1 + 200 * eps), *value[1:])
    monkeypatch.setitem(elementary._CONSTANTS, key, constants._replace(**{field: wrong}))
    x = np.linspace(*WRONG_CONSTANTS[case], 20_001).astype(dtype)
    apply = array_form(getattr(vmath, f"v{name}"))
    assert ulp_errors(computed(name, x, apply), exact(name, x)).max() > BOUND


# ---- compiled code -----------------------------------------------------------------------------------------

LIBM = re.compile(r"\$_?(exp|log|tanh|fma|rint|nearbyint|roundeven|floor|ldexp)f?\b")


def assembly(apply, dtype):
    computed(None, np.ones(3, dtype), apply)
    return apply.inspect_asm((types.Array(numba.from_dtype(np.dtype(dtype)), 1, "C"),) * 2)


@each_dtype
@each_function
def test_code_is_of_whole_registers_and_calls_nothing(name, dtype):
    code = assembly(APPLY[name], dtype)
    assert not LIBM.search(code)
    if TARGET.name == "avx512":
        letter = "s" if dtype == np.float32 else "d"
        widths = re.findall(rf"\bvfn?m\w+p{letter}\b.*%(\w)mm", code)
        assert len(widths) > 5
        assert set(widths) == {"z"}


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="how the symbol is spelled")
def test_a_call_of_libm_would_be_seen():
    @numba.njit(error_model="numpy")
    def apply(out, x):
        for i in range(x.size):
            out[i] = math.exp(x[i])

    assert LIBM.search(assembly(apply, np.float64))


@pytest.mark.skipif("FASTBP_VMATH_TARGET" in os.environ, reason="this is the run for the other target")
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="targets of x86")
@pytest.mark.parametrize("target", OTHER_TARGETS)
def test_other_targets(target):
    features = OTHER_TARGETS[target]
    available = llvm.get_host_cpu_features()
    if not all(available.get(feature[1:]) for feature in features.split(",") if feature):
        pytest.skip(f"this machine cannot run code for {target}")
    env = {
        **os.environ,
        "NUMBA_CPU_NAME": target,
        "NUMBA_CPU_FEATURES": features,
        "FASTBP_VMATH_TARGET": target,
    }
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-k", "not detected", __file__]
    run = subprocess.run(command, env=env, capture_output=True, text=True, timeout=HANG_SECONDS)
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]


@pytest.mark.skipif("FASTBP_VMATH_TARGET" not in os.environ, reason="only in the runs of test_other_targets")
def test_the_other_target_is_in_effect():
    expected = {"haswell": ("avx2", True), "generic": ("generic", False)}
    assert (TARGET.name, TARGET.has_fma) == expected[os.environ["FASTBP_VMATH_TARGET"]]
