"""The formulas of the elementary functions: exponentials, logarithms, tanh, the logistic function, a Gaussian's tail.

A formula takes a vector under construction (`formula.Lanes`) and emits instructions: no
calls of libm, no branches, no tables. Errors of exp, log, tanh and logistic are below 2
units in the last place over the whole range, with or without a fused multiply-add, and for
denormal arguments and results too. Signed zeros and infinities give what IEEE 754
recommends, and NaN gives NaN.

The polynomials minimize the maximum relative error of the finished function. They were
computed by the Remez exchange with 50 digits and then rounded to the element type.
"""

import math
from typing import NamedTuple

from numba import types

from fastbp.kernels.vectors.formula import Lanes

__all__ = ["exp", "expm1", "gauss_tail", "log", "log1p", "logistic", "tanh"]


class _Constants(NamedTuple):
    """Constants that depend on the precision.

    Attributes
    ----------
    ln2_high, ln2_low : float
        ln 2 in two parts (Cody and Waite). `ln2_high` ends in enough zero bits that its product with
        any exponent is exact, with or without a fused multiply-add.
    exp_below, exp_above : float
        Arguments below and above which exp is 0 and infinity.
    expm1 : tuple of float
        q in ``exp(r) - 1 = r + r**2 * q(r)`` for abs(r) <= ln(2) / 2.
    log : tuple of float
        p in ``log((1 + s) / (1 - s)) = 2 * s + s * z * p(z)``, z = s**2, for abs(s) <= 1 / 5.
    half_erfcx : tuple of float
        p in ``exp(a**2) * erfc(a) / 2 = p(w) / (a + 4)``, w = (a - 4) / (a + 4), for a >= 0 until exp(-a**2) is 0.
    """

    ln2_high: float
    ln2_low: float
    exp_below: float
    exp_above: float
    expm1: tuple[float, ...]
    log: tuple[float, ...]
    half_erfcx: tuple[float, ...]


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
        half_erfcx=(  # relative error 2.4e-9
            0.5479978322982788,
            -0.48827436566352844,
            0.3866044282913208,
            -0.27042660117149353,
            0.16542433202266693,
            -0.08701173961162567,
            0.038195766508579254,
            -0.013141083531081676,
            0.0030895827803760767,
            -0.00022392206301447004,
            -0.0003896588459610939,
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
        half_erfcx=(  # relative error 5.7e-18
            0.5479978305002455,
            -0.48827436454044104,
            0.38660435113261876,
            -0.27042691565661037,
            0.16542579393899126,
            -0.08700546862021262,
            0.03819075745500321,
            -0.013185026666270618,
            0.0030560278238803713,
            -0.00014047946710117468,
            -0.00022752631763747392,
            8.840659375837425e-05,
            -1.8176694679327345e-06,
            -9.431070894375184e-06,
            2.347362945142594e-06,
            7.134531398219043e-07,
            -4.2322280948579846e-07,
            -3.9563948368233935e-08,
            6.204005492961768e-08,
            1.76325788665885e-09,
            -7.612423941843818e-09,
            -3.486588274091948e-10,
            4.446182541226937e-10,
        ),
    ),
}


# ---- exponentials ------------------------------------------------------------------------------------------


def _reduce_exp(x: Lanes, offset: int) -> tuple[Lanes, Lanes, Lanes]:
    """Split x = k ln 2 + r, abs(r) <= ln(2) / 2.

    Returns k, an integer vector with ``k + offset`` in its low bits (one bit more than an exponent has), and r.
    """
    constants = _CONSTANTS[x.form.dtype]
    shift = x.form.shift(offset)
    shifted = x.fma(1.0 / math.log(2.0), shift)
    k = shifted - shift
    return k, shifted.bits(), k.fma(-constants.ln2_low, k.fma(-constants.ln2_high, x))


def _reduced_expm1(r: Lanes) -> Lanes:
    """exp(r) - 1 for a reduced r."""
    return r.polynomial(_CONSTANTS[r.form.dtype].expm1).fma(r * r, r)


def exp(x: Lanes) -> Lanes:
    """exp(x) = 2**k exp(r) with x = k ln 2 + r."""
    constants = _CONSTANTS[x.form.dtype]
    k, _, r = _reduce_exp(x.at_least(constants.exp_below).at_most(constants.exp_above), 0)
    return (_reduced_expm1(r) + 1.0).ldexp(k)


def expm1(x: Lanes) -> Lanes:
    """exp(x) - 1 = (2**k - 1) + 2**k u for x <= 0, with x = k ln 2 + r and u = exp(r) - 1; nothing cancels."""
    _, n, r = _reduce_exp(x.at_least(-40.0), x.form.bias)
    power = n.power_of_two()
    return _reduced_expm1(r).fma(power, power - 1.0)


def logistic(x: Lanes) -> Lanes:
    """1 / (1 + exp(-x)) = 1 / (1 + p + p u) with p = 2**k and -x = k ln 2 + r, u = exp(r) - 1.

    The product p u is exact. The rounding error of 1 + p is added to it (Dekker), so only the last sum
    rounds. All terms are scaled by 2**-c, so that p does not overflow and the division is what rounds to
    a denormal result.
    """
    form = x.form
    c = 2 * form.mantissa
    scale = 2.0**-c
    # From 40 on the result is 1 in both formats.
    _, n, r = _reduce_exp((-x).at_most(-_CONSTANTS[form.dtype].exp_below).at_least(-40.0), form.bias - c)
    power = n.power_of_two()
    lead = power + scale
    lost = scale - (lead - power)
    return scale / (_reduced_expm1(r).fma(power, lost) + lead)


def tanh(x: Lanes) -> Lanes:
    """tanh(x).

    With h = (1 - exp(-2 abs(x))) / 2, tanh(x) = sign(x) t with t = h / (1 - h). Computing h as
    ((1 - 2**k) - 2**k r - 2**k c) / 2, c = exp(r) - 1 - r, keeps the relative accuracy for small x. The quotient
    inherits the rounding errors of h and of 1 - h. A step of Newton's method, t + (h - t + h t) (1 + t), whose
    first h is not yet rounded, removes both.
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
    # The rounding error of `lead` is added to the tail (Dekker's sum of two terms, the larger one first).
    tail = c.fma(half_power, r.fma(half_power, lead - start))
    h = lead - tail
    t = h / (1.0 - h)
    rest = h.fma(t, lead - t) - tail
    t = rest.fma(t + 1.0, t)
    return (t.bits() | (x.bits() & sign)).floats()


# ---- logarithm ---------------------------------------------------------------------------------------------


def log(x: Lanes) -> Lanes:
    """log(x) = e ln 2 + log(1 + f) with x = 2**e (1 + f): -inf for 0, NaN below.

    With s = f / (2 + f) and z = s**2, log(1 + f) = 2 s + s z p(z) = f - s (f - z p(z)). f is exact, and at
    most a fifth of the rounding error of s reaches the result (fdlibm, e_log.c).
    """
    constants = _CONSTANTS[x.form.dtype]
    e, m = x.split_exponent()
    f = m - 1.0
    s = f / (m + 1.0)
    z = s * s
    rest = (-z).fma(z.horner(constants.log), f)
    # The low part of ln 2 is positive: with e infinite both sums are infinite with its sign.
    return e.fma(constants.ln2_high, (-s).fma(rest, e.fma(constants.ln2_low, f)))


def log1p(x: Lanes) -> Lanes:
    """log(1 + x) for x >= 0, corrected for the rounding error of the sum (Kahan, HP-15C Advanced Functions)."""
    total = x + 1.0
    return log(total) + (x - (total - 1.0)) / total


# ---- Gaussian ----------------------------------------------------------------------------------------------


def gauss_tail(x: Lanes) -> tuple[Lanes, Lanes]:
    """Return Phi(-abs(x)), the standard normal distribution's tail beyond abs(x), and exp(-x**2 / 2).

    Phi(-abs(x)) = erfc(a) / 2 = exp(-a**2) (exp(a**2) erfc(a) / 2), a = abs(x) / sqrt(2). The second factor falls
    slowly, and one polynomial in (a - 4) / (a + 4) approximates it on the whole range (Shepherd and Laframboise,
    "Chebyshev approximation of (1 + 2x) exp(x**2) erfc(x)", Math. Comp. 36, 1981). The exponential is corrected for the
    rounding error of the square.
    """
    size = x.magnitude().at_most(40.0)
    square = size * size
    lost = size.fma(size, -square)
    bell = exp(square * -0.5)
    bell = bell - bell * lost * 0.5
    inverse = 1.0 / size.fma(math.sqrt(0.5), 4.0)
    w = (-inverse).fma(8.0, 1.0)
    return bell * inverse * w.polynomial(_CONSTANTS[x.form.dtype].half_erfcx), bell
