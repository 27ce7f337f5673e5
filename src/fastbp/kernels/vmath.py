"""Exponential, logarithm, tanh and logistic function of whole vectors.

Each function is one intrinsic that emits its formula as vector instructions: no call
of libm, no branch, no table. Errors are below 1.7 units in the last place over the whole
range, with a fused multiply-add or without, denormal arguments and results included;
signed zeros and infinities give what IEEE 754 recommends, and NaN gives NaN.

The formulas are ordinary Python functions on `_Lanes`, a vector under construction
whose operators emit instructions. They run while the kernel is being compiled, so that
the compiler's front end sees one call for each function, and constants come in the
precision of the vector.

Polynomials are minimax fits of the relative error of the finished function, computed by
the Remez exchange with 50 digits and then rounded to the element type.
"""

import math
from collections.abc import Callable, Sequence
from functools import partialmethod
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastbp.kernels.vectors import VecType, emit_fma, is_float, llvm_type, mask_of

__all__ = ["vexp", "vlog", "vlogistic", "vtanh"]


class _Format(NamedTuple):
    """An IEEE 754 format and the constants that depend on its precision.

    Attributes
    ----------
    float_type, int_type : numba type
        The float, and the integer of the same width.
    mantissa : int
        Explicit bits of the mantissa.
    bias : int
        Bias of the exponent.
    smallest_normal : float
        Below it numbers are denormal.
    ln2_high, ln2_low : float
        ln 2 in two parts (Cody and Waite). `ln2_high` ends in so many zero bits that its product with
        any exponent is exact, with a fused multiply-add or without.
    exp_below, exp_above : float
        Arguments at which exp is 0 and infinity already.
    expm1 : tuple of float
        q in ``exp(r) - 1 = r + r**2 * q(r)`` for abs(r) <= ln(2) / 2.
    log1p : tuple of float
        q in ``log(1 + f) = f + f**2 * q(f)`` for sqrt(1/2) <= 1 + f <= sqrt(2).
    """

    float_type: types.Type
    int_type: types.Type
    mantissa: int
    bias: int
    smallest_normal: float
    ln2_high: float
    ln2_low: float
    exp_below: float
    exp_above: float
    expm1: tuple[float, ...]
    log1p: tuple[float, ...]


# The splits of ln 2 are those of Cephes (logf.c) and fdlibm (e_exp.c).
_FORMATS = {
    types.float32: _Format(
        float_type=types.float32,
        int_type=types.int32,
        mantissa=23,
        bias=127,
        smallest_normal=2.0**-126,
        ln2_high=0.693359375,
        ln2_low=-2.12194440e-4,
        exp_below=-104.0,
        exp_above=89.0,
        expm1=(  # relative error 1.8e-8
            0.4999999701976776,
            0.1666654348373413,
            0.04166720062494278,
            0.008366579189896584,
            0.001388251199387014,
        ),
        log1p=(  # relative error 6.5e-9
            -0.5,
            0.3333333134651184,
            -0.2500081956386566,
            0.20001226663589478,
            -0.16623356938362122,
            0.14201757311820984,
            -0.13160181045532227,
            0.127615824341774,
            -0.0763450562953949,
        ),
    ),
    types.float64: _Format(
        float_type=types.float64,
        int_type=types.int64,
        mantissa=52,
        bias=1023,
        smallest_normal=2.0**-1022,
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
        log1p=(  # relative error 1.1e-17
            -0.5,
            0.3333333333333314,
            -0.24999999999987976,
            0.20000000000066614,
            -0.16666666669825764,
            0.14285714280092848,
            -0.12499999691451964,
            0.11111111147486613,
            -0.10000015205941958,
            0.09090923931093536,
            -0.08332913546255516,
            0.07691529835199365,
            -0.07149439466974497,
            0.06684588938938174,
            -0.06196678485509637,
            0.05668378576861271,
            -0.05677785276138751,
            0.06503489832644255,
            -0.059816988830690504,
            0.026150907753576334,
        ),
    ),
}


class _Lanes:
    """A vector in the course of compilation; Python's operators emit the instruction of that name.

    The other operand is a vector of the same type or a Python number, which becomes a constant.

    Parameters
    ----------
    builder : llvmlite.ir.IRBuilder
        Where instructions go.
    vec : VecType
        Type of the vector: floats, integers or a mask.
    value : llvmlite.ir.Value
        The vector.
    form : _Format
        Float format of the function that is being emitted.
    """

    def __init__(self, builder: Any, vec: VecType, value: Any, form: _Format) -> None:
        self.builder = builder
        self.vec = vec
        self.value = value
        self.form = form

    def _wrap(self, value: Any, vec: VecType | None = None) -> "_Lanes":
        return _Lanes(self.builder, vec or self.vec, value, self.form)

    def _lift(self, other: "_Lanes | float") -> "_Lanes":
        if isinstance(other, _Lanes):
            return other
        vector = llvm_type(self.vec)
        return self._wrap(ir.Constant(vector, [ir.Constant(vector.element, other)] * self.vec.lanes))

    def _binary(self, other: "_Lanes | float", for_floats: str, for_ints: str) -> "_Lanes":
        name = for_floats if is_float(self.vec) else for_ints
        return self._wrap(getattr(self.builder, name)(self.value, self._lift(other).value))

    __add__ = partialmethod(_binary, for_floats="fadd", for_ints="add")
    __sub__ = partialmethod(_binary, for_floats="fsub", for_ints="sub")
    __mul__ = partialmethod(_binary, for_floats="fmul", for_ints="mul")
    __truediv__ = partialmethod(_binary, for_floats="fdiv", for_ints="")
    __and__ = partialmethod(_binary, for_floats="", for_ints="and_")
    __or__ = partialmethod(_binary, for_floats="", for_ints="or_")
    __lshift__ = partialmethod(_binary, for_floats="", for_ints="shl")
    # Without the sign: AVX2 has no arithmetic shift of 64-bit lanes.
    __rshift__ = partialmethod(_binary, for_floats="", for_ints="lshr")

    def __neg__(self) -> "_Lanes":
        return self._wrap(self.builder.fneg(self.value))

    def __rsub__(self, other: float) -> "_Lanes":
        return self._lift(other) - self

    def compare(self, predicate: str, other: "_Lanes | float") -> "_Lanes":
        """Mask of the lanes where the comparison holds, which it never does for NaN."""
        mask = self.builder.fcmp_ordered(predicate, self.value, self._lift(other).value)
        return self._wrap(mask, mask_of(self.vec))

    def select(self, chosen: "_Lanes | float", other: "_Lanes | float", like: "_Lanes") -> "_Lanes":
        """`chosen` where this mask is set, `other` elsewhere; `like` gives constants their type."""
        return like._wrap(self.builder.select(self.value, like._lift(chosen).value, like._lift(other).value))

    def at_least(self, bound: float) -> "_Lanes":
        """max(self, bound); NaN stays."""
        return self.compare("<", bound).select(bound, self, like=self)

    def at_most(self, bound: float) -> "_Lanes":
        """min(self, bound); NaN stays."""
        return self.compare(">", bound).select(bound, self, like=self)

    def fma(self, factor: "_Lanes | float", term: "_Lanes | float") -> "_Lanes":
        """self * factor + term, rounded once where the target can."""
        operands = (self.value, self._lift(factor).value, self._lift(term).value)
        return self._wrap(emit_fma(self.builder, self.vec, *operands))

    def polynomial(self, coefficients: Sequence[float]) -> "_Lanes":
        """Polynomial with the given coefficients, lowest power first.

        Even and odd powers go by Horner's rule side by side: half the latency for one more product.
        """
        square = self * self
        even, odd = (square.horner(coefficients[first::2]) for first in (0, 1))
        return odd.fma(self, even)

    def horner(self, coefficients: Sequence[float]) -> "_Lanes":
        """Polynomial with the given coefficients, lowest power first, by Horner's rule."""
        result = self._lift(coefficients[-1])
        for coefficient in coefficients[-2::-1]:
            result = result.fma(self, coefficient)
        return result

    def bits(self) -> "_Lanes":
        """The bits of floats as integers."""
        ints = VecType(self.form.int_type, self.vec.lanes)
        return self._wrap(self.builder.bitcast(self.value, llvm_type(ints)), ints)

    def floats(self) -> "_Lanes":
        """The floats that have these integers as their bits."""
        floats = VecType(self.form.float_type, self.vec.lanes)
        return self._wrap(self.builder.bitcast(self.value, llvm_type(floats)), floats)


def _sign_bit(form: _Format) -> int:
    return _float_bits(-0.0, form)


def _negative_magnitude(x: _Lanes) -> _Lanes:
    return (x.bits() | _sign_bit(x.form)).floats()


def _float_bits(value: float, form: _Format) -> int:
    """Return the bits of `value`, rounded to the format, as an integer."""
    return int(np.array(value, dtype=str(form.float_type)).view(str(form.int_type)))


# ---- exponentials ------------------------------------------------------------------------------------------


def _reduce_exp(x: _Lanes, offset: int) -> tuple[_Lanes, _Lanes, _Lanes]:
    """Split x = k ln 2 + r, abs(r) <= ln(2) / 2.

    Returns an integer vector with ``k + offset`` in its low bits (one more than an exponent has), r, and
    c = exp(r) - 1 - r.
    """
    form = x.form
    # Where floats are spaced by 1, adding rounds to an integer, and leaves that integer in the low bits.
    shift = 1.5 * 2.0**form.mantissa + offset
    shifted = x.fma(1.0 / math.log(2.0), shift)
    k = shifted - shift
    r = k.fma(-form.ln2_low, k.fma(-form.ln2_high, x))
    return shifted.bits(), r, r * r * r.polynomial(form.expm1)


def _exponent(n: _Lanes) -> _Lanes:
    """Power of two whose exponent, with its bias, is in the low bits of `n`; the bits above drop out."""
    return (n << n.form.mantissa).floats()


def _exp_factors(x: _Lanes) -> tuple[_Lanes, _Lanes, _Lanes]:
    """Return u and two powers of two for which exp(x) = (1 + u) * first * second.

    The power of two comes in halves, so that neither overflows and the product with the second one rounds
    once to a denormal result, to 0 or to infinity.
    """
    n, r, c = _reduce_exp(x, 2 * x.form.bias)
    half = n >> 1
    return r + c, _exponent(half), _exponent(n - half)


def _emit_exp(x: _Lanes) -> _Lanes:
    """exp(x) = 2**k exp(r) with x = k ln 2 + r."""
    u, first, second = _exp_factors(x.at_least(x.form.exp_below).at_most(x.form.exp_above))
    return (u + 1.0) * first * second


def _emit_logistic(x: _Lanes) -> _Lanes:
    """1 / (1 + exp(-x)).

    With e = exp(-abs(x)) it is g = e / (1 + e) for x < 0, so that small results keep their relative
    accuracy, and 1 - g for x >= 0. The quotient inherits the rounding of e and of 1 + e: a step of Newton's
    method, g + (e - g - e g) (1 - g), with the first e not yet rounded, sheds both.
    """
    u, first, second = _exp_factors(_negative_magnitude(x).at_least(x.form.exp_below))
    scaled = (u + 1.0) * first  # e is this, and g the quotient, times `second`
    e = scaled * second
    quotient = scaled / (e + 1.0)
    rest = (-e).fma(quotient, u.fma(first, first - quotient))
    g = rest.fma((-quotient).fma(second, 1.0), quotient) * second
    return x.compare("<", 0.0).select(g, 1.0 - g, like=x)


def _emit_tanh(x: _Lanes) -> _Lanes:
    """tanh(x).

    With h = (1 - exp(-2 abs(x))) / 2 it is sign(x) t, t = h / (1 - h), where
    h = ((1 - 2**k) - 2**k r - 2**k c) / 2 keeps the relative accuracy of small x. The quotient inherits the
    rounding of h and of 1 - h: a step of Newton's method, t + (h - t + h t) (1 + t), with the first h not yet
    rounded, sheds both.
    """
    form = x.form
    twice = _negative_magnitude(x) * 2.0
    # From 20 on the result is 1 in both formats.
    n, r, c = _reduce_exp(twice.at_least(-40.0), form.bias - 1)
    half_power = _exponent(n)
    start = 0.5 - half_power
    lead = (-r).fma(half_power, start)
    # What the rounding of `lead` dropped goes to the tail (Dekker's sum of two terms, the larger one first).
    tail = c.fma(half_power, r.fma(half_power, lead - start))
    h = lead - tail
    t = h / (1.0 - h)
    rest = h.fma(t, lead - t) - tail
    t = rest.fma(t + 1.0, t)
    return (t.bits() | (x.bits() & _sign_bit(form))).floats()


# ---- logarithm ---------------------------------------------------------------------------------------------


def _emit_log(x: _Lanes) -> _Lanes:
    """log(x): -inf for 0, NaN below.

    log(x) = e ln 2 + log(1 + f) with x = 2**e (1 + f) and sqrt(1/2) <= 1 + f < sqrt(2). Denormal arguments
    are scaled by a power of two first.
    """
    form = x.form
    one, root = _float_bits(1.0, form), _float_bits(math.sqrt(0.5), form)
    denormal = x.compare("<", form.smallest_normal)
    scaled = denormal.select(x * 2.0**form.mantissa, x, like=x)
    # The exponent field of n is that of x, one more where the mantissa is sqrt(2) or above.
    n = scaled.bits() + (one - root)
    f = ((n & ((1 << form.mantissa) - 1)) + root).floats() - 1.0
    # An integer in the mantissa of 2**mantissa is that much above it: AVX2 cannot convert 64-bit integers.
    zero = 2.0**form.mantissa + form.bias
    e = (n >> form.mantissa | _float_bits(2.0**form.mantissa, form)).floats()
    e = e - denormal.select(zero + form.mantissa, zero, like=x)
    tail = (f * f).fma(f.polynomial(form.log1p), e * form.ln2_low)
    result = e.fma(form.ln2_high, f + tail)
    result = x.compare("<", math.inf).select(result, x, like=x)
    result = x.compare("<", 0.0).select(math.nan, result, like=x)
    return x.compare("==", 0.0).select(-math.inf, result, like=x)


# ---- the words of the vocabulary ---------------------------------------------------------------------------


def _vector_function(formula: Callable[[_Lanes], _Lanes], doc: str) -> Any:
    @intrinsic
    def function(typingctx, a):
        if not is_float(a):
            return None

        def codegen(context, builder, sig, args):
            return formula(_Lanes(builder, a, args[0], _FORMATS[a.dtype])).value

        return a(a), codegen

    function.__doc__ = doc
    return function


vexp = _vector_function(_emit_exp, "exp of each lane.")
vlog = _vector_function(_emit_log, "Natural logarithm of each lane: -inf for 0, NaN for negative arguments.")
vtanh = _vector_function(_emit_tanh, "Hyperbolic tangent of each lane.")
vlogistic = _vector_function(_emit_logistic, "Logistic function 1 / (1 + exp(-x)) of each lane.")
