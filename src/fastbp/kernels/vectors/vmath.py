"""Exponential, logarithm, tanh and logistic function of whole vectors.

Each function is one intrinsic that emits its formula as vector instructions: no call
of libm, no branch, no table. Errors are below 2 units in the last place over the whole
range, with a fused multiply-add or without, denormal arguments and results included;
signed zeros and infinities give what IEEE 754 recommends, and NaN gives NaN.

Polynomials are minimax fits of the relative error of the finished function, computed by
the Remez exchange with 50 digits and then rounded to the element type.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from numba import types
from numba.extending import intrinsic

from fastbp.kernels.vectors.formula import FORMATS, Lanes
from fastbp.kernels.vectors.types import is_float

__all__ = ["vexp", "vlog", "vlogistic", "vtanh"]


class _Constants(NamedTuple):
    """What depends on the precision.

    Attributes
    ----------
    ln2_high, ln2_low : float
        ln 2 in two parts (Cody and Waite). `ln2_high` ends in so many zero bits that its product with
        any exponent is exact, with a fused multiply-add or without.
    exp_below, exp_above : float
        Arguments at which exp is 0 and infinity already.
    expm1 : tuple of float
        q in ``exp(r) - 1 = r + r**2 * q(r)`` for abs(r) <= ln(2) / 2.
    log : tuple of float
        p in ``log((1 + s) / (1 - s)) = 2 * s + s * z * p(z)``, z = s**2, for abs(s) <= 1 / 5.
    """

    ln2_high: float
    ln2_low: float
    exp_below: float
    exp_above: float
    expm1: tuple[float, ...]
    log: tuple[float, ...]


# The split of ln 2 for float64 is that of fdlibm (e_exp.c).
_CONSTANTS = {
    types.float32: _Constants(
        ln2_high=45426 / 2**16,
        ln2_low=1.4286068203094173e-06,
        exp_below=-104.0,
        exp_above=89.0,
        expm1=(  # relative error 1.8e-8
            0.4999999701976776,
            0.1666654348373413,
            0.04166720062494278,
            0.008366579189896584,
            0.001388251199387014,
        ),
        log=(  # relative error 2.8e-9
            0.666669487953186,
            0.39957910776138306,
            0.3035906255245209,
        ),
    ),
    types.float64: _Constants(
        ln2_high=6.93147180369123816490e-01,
        ln2_low=1.90821492927058770002e-10,
        exp_below=-746.0,
        exp_above=710.0,
        expm1=(  # relative error 3.2e-17
            0.5000000000000006,
            0.16666666666666588,
            0.041666666666576126,
            0.008333333333389948,
            0.001388888893178885,
            0.00019841269718360327,
            2.480150498673533e-05,
            2.7557407856871396e-06,
            2.7626158143527687e-07,
            2.505377600710493e-08,
        ),
        log=(  # relative error 1.5e-17
            0.6666666666667268,
            0.3999999999617694,
            0.2857142939282475,
            0.2222213868472823,
            0.18186349185701323,
            0.15250315862292793,
            0.15367270666988797,
        ),
    ),
}


# ---- exponentials ------------------------------------------------------------------------------------------


def _reduce_exp(x: Lanes, offset: int) -> tuple[Lanes, Lanes, Lanes]:
    """Split x = k ln 2 + r, abs(r) <= ln(2) / 2.

    Returns k, an integer vector with ``k + offset`` in its low bits (one more than an exponent has), and r.
    """
    constants = _CONSTANTS[x.form.dtype]
    shift = x.form.shift(offset)
    shifted = x.fma(1.0 / math.log(2.0), shift)
    k = shifted - shift
    return k, shifted.bits(), k.fma(-constants.ln2_low, k.fma(-constants.ln2_high, x))


def _expm1(r: Lanes) -> Lanes:
    """exp(r) - 1 for a reduced r."""
    return r.polynomial(_CONSTANTS[r.form.dtype].expm1).fma(r * r, r)


def _emit_exp(x: Lanes) -> Lanes:
    """exp(x) = 2**k exp(r) with x = k ln 2 + r."""
    constants = _CONSTANTS[x.form.dtype]
    k, _, r = _reduce_exp(x.at_least(constants.exp_below).at_most(constants.exp_above), 0)
    return (_expm1(r) + 1.0).ldexp(k)


def _emit_logistic(x: Lanes) -> Lanes:
    """1 / (1 + exp(-x)) = 1 / (1 + p + p u) with p = 2**k and -x = k ln 2 + r, u = exp(r) - 1.

    The product p u is exact, so that the last sum is the only one to round, once p u has been given what
    1 + p lost (Dekker). All terms are scaled by 2**-c: then p does not overflow, and it is the division
    that rounds to a denormal result.
    """
    form = x.form
    c = 2 * form.mantissa
    scale = 2.0**-c
    # From 40 on the result is 1 in both formats.
    _, n, r = _reduce_exp((-x).at_most(-_CONSTANTS[form.dtype].exp_below).at_least(-40.0), form.bias - c)
    power = n.power_of_two()
    lead = power + scale
    lost = scale - (lead - power)
    return scale / (_expm1(r).fma(power, lost) + lead)


def _emit_tanh(x: Lanes) -> Lanes:
    """tanh(x).

    With h = (1 - exp(-2 abs(x))) / 2 it is sign(x) t, t = h / (1 - h), where
    h = ((1 - 2**k) - 2**k r - 2**k c) / 2, c = exp(r) - 1 - r, keeps the relative accuracy of small x. The
    quotient inherits the rounding of h and of 1 - h: a step of Newton's method, t + (h - t + h t) (1 + t), with
    the first h not yet rounded, sheds both.
    """
    form = x.form
    sign = form.bits(-0.0)
    twice = (x.bits() | sign).floats() * 2.0
    # From 20 on the result is 1 in both formats.
    _, n, r = _reduce_exp(twice.at_least(-40.0), form.bias - 1)
    c = r * r * r.polynomial(_CONSTANTS[form.dtype].expm1)
    half_power = n.power_of_two()
    start = 0.5 - half_power
    lead = (-r).fma(half_power, start)
    # What the rounding of `lead` dropped goes to the tail (Dekker's sum of two terms, the larger one first).
    tail = c.fma(half_power, r.fma(half_power, lead - start))
    h = lead - tail
    t = h / (1.0 - h)
    rest = h.fma(t, lead - t) - tail
    t = rest.fma(t + 1.0, t)
    return (t.bits() | (x.bits() & sign)).floats()


# ---- logarithm ---------------------------------------------------------------------------------------------


def _emit_log(x: Lanes) -> Lanes:
    """log(x) = e ln 2 + log(1 + f) with x = 2**e (1 + f): -inf for 0, NaN below.

    With s = f / (2 + f) and z = s**2 it is log(1 + f) = 2 s + s z p(z) = f - s (f - z p(z)): f is exact, and
    of the roundings of s a fifth or less is seen (fdlibm, e_log.c).
    """
    constants = _CONSTANTS[x.form.dtype]
    e, m = x.split_exponent()
    f = m - 1.0
    s = f / (m + 1.0)
    z = s * s
    rest = (-z).fma(z.horner(constants.log), f)
    # The low part of ln 2 is positive: with e infinite both sums are infinite with its sign.
    return e.fma(constants.ln2_high, (-s).fma(rest, e.fma(constants.ln2_low, f)))


# ---- the words of the vocabulary ---------------------------------------------------------------------------


def _vector_function(formula: Callable[[Lanes], Lanes], doc: str) -> Any:
    @intrinsic
    def function(typingctx, a):
        if not is_float(a):
            return None

        def codegen(context, builder, sig, args):
            return formula(Lanes(builder, a, args[0], FORMATS[a.dtype])).value

        return a(a), codegen

    function.__doc__ = doc
    return function


vexp = _vector_function(_emit_exp, "exp of each lane.")
vlog = _vector_function(_emit_log, "Natural logarithm of each lane: -inf for 0, NaN for negative arguments.")
vtanh = _vector_function(_emit_tanh, "Hyperbolic tangent of each lane.")
vlogistic = _vector_function(_emit_logistic, "Logistic function 1 / (1 + exp(-x)) of each lane.")
