"""`Lanes`: vectors whose operators emit instructions. Formulas are written with them.

A formula is an ordinary Python function on `Lanes`. It runs while a kernel is being
compiled. So Numba's front end sees just one call for each function, and constants have the
precision of the vector.
"""

import math
from collections.abc import Sequence
from functools import partialmethod
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types

from fastbp.compiler.target import TARGET
from fastbp.kernels.vectors.types import VecType, emit_call, emit_fma, is_float, llvm_type, mask_of, suffix

__all__ = ["FORMATS", "Format", "Lanes"]

# AVX-512 splits numbers into mantissa and exponent, and scales them by powers of two, in one instruction each,
# denormal ones too.
HAS_EXPONENTS = TARGET.name == "avx512"


class Format(NamedTuple):
    """An IEEE 754 format.

    Attributes
    ----------
    dtype, int_dtype : numba type
        The float, and the integer of the same width.
    mantissa : int
        Explicit bits of the mantissa.
    bias : int
        Bias of the exponent.
    """

    dtype: types.Type
    int_dtype: types.Type
    mantissa: int
    bias: int

    def bits(self, value: float) -> int:
        """Return the bits of `value`, rounded to the format, as an integer."""
        return int(np.array(value, dtype=str(self.dtype)).view(str(self.int_dtype)))

    def shift(self, offset: int) -> float:
        """Return a number around which floats are spaced by 1, so that adding it rounds to an integer.

        The low bits of the sum are that integer plus `offset`.
        """
        return 1.5 * 2.0**self.mantissa + offset


FORMATS = {
    types.float32: Format(types.float32, types.int32, mantissa=23, bias=127),
    types.float64: Format(types.float64, types.int64, mantissa=52, bias=1023),
}


class Lanes:
    """A vector in code that is being compiled; each Python operator emits the corresponding instruction.

    The other operand is a vector of the same type or a Python number, which becomes a constant.

    Parameters
    ----------
    builder : llvmlite.ir.IRBuilder
        Receives the instructions.
    vec : VecType
        Type of the vector: floats, integers or a mask.
    value : llvmlite.ir.Value
        The vector.
    form : Format
        Float format of the function that is being emitted.
    """

    def __init__(self, builder: Any, vec: VecType, value: Any, form: Format) -> None:
        self.builder = builder
        self.vec = vec
        self.value = value
        self.form = form

    def _wrap(self, value: Any, vec: VecType | None = None) -> "Lanes":
        return Lanes(self.builder, vec or self.vec, value, self.form)

    def _lift(self, other: "Lanes | float") -> "Lanes":
        if isinstance(other, Lanes):
            return other
        vector = llvm_type(self.vec)
        return self._wrap(ir.Constant(vector, [ir.Constant(vector.element, other)] * self.vec.lanes))

    def _binary(self, other: "Lanes | float", for_floats: str, for_ints: str) -> "Lanes":
        name = for_floats if is_float(self.vec) else for_ints
        return self._wrap(getattr(self.builder, name)(self.value, self._lift(other).value))

    __add__ = partialmethod(_binary, for_floats="fadd", for_ints="add")
    __sub__ = partialmethod(_binary, for_floats="fsub", for_ints="sub")
    __mul__ = partialmethod(_binary, for_floats="fmul", for_ints="mul")
    __truediv__ = partialmethod(_binary, for_floats="fdiv", for_ints="")
    __and__ = partialmethod(_binary, for_floats="", for_ints="and_")
    __or__ = partialmethod(_binary, for_floats="", for_ints="or_")
    __lshift__ = partialmethod(_binary, for_floats="", for_ints="shl")
    # Unsigned: AVX2 has no arithmetic shift of 64-bit lanes.
    __rshift__ = partialmethod(_binary, for_floats="", for_ints="lshr")

    def __neg__(self) -> "Lanes":
        return self._wrap(self.builder.fneg(self.value))

    def __rsub__(self, other: float) -> "Lanes":
        return self._lift(other) - self

    def __rtruediv__(self, other: float) -> "Lanes":
        return self._lift(other) / self

    def compare(self, predicate: str, other: "Lanes | float") -> "Lanes":
        """Mask of the lanes where the comparison is true; it is false for NaN."""
        mask = self.builder.fcmp_ordered(predicate, self.value, self._lift(other).value)
        return self._wrap(mask, mask_of(self.vec))

    def select(self, chosen: "Lanes | float", other: "Lanes | float", like: "Lanes") -> "Lanes":
        """`chosen` where this mask is set, `other` elsewhere; `like` gives constants their type."""
        return like._wrap(self.builder.select(self.value, like._lift(chosen).value, like._lift(other).value))

    def differs_from(self, other: "Lanes | float") -> "Lanes":
        """Mask of the lanes that differ; NaN differs from everything."""
        mask = self.builder.fcmp_unordered("!=", self.value, self._lift(other).value)
        return self._wrap(mask, mask_of(self.vec))

    def like(self, constant: float) -> "Lanes":
        """A constant in every lane."""
        return self._lift(constant)

    def magnitude(self) -> "Lanes":
        """abs(self)."""
        return (self.bits() & ~self.form.bits(-0.0)).floats()

    def at_least(self, bound: float) -> "Lanes":
        """max(self, bound); NaN stays NaN."""
        return self.compare("<", bound).select(bound, self, like=self)

    def at_most(self, bound: float) -> "Lanes":
        """min(self, bound); NaN stays NaN."""
        return self.compare(">", bound).select(bound, self, like=self)

    def fma(self, factor: "Lanes | float", term: "Lanes | float") -> "Lanes":
        """self * factor + term, rounded once if the target has FMA instructions."""
        operands = (self.value, self._lift(factor).value, self._lift(term).value)
        return self._wrap(emit_fma(self.builder, self.vec, *operands))

    def sqrt(self) -> "Lanes":
        """Square root, correctly rounded."""
        return self._call("sqrt")

    def power(self, exponent: "Lanes") -> "Lanes":
        """self**exponent, by the C library: for scalars."""
        return self._call("pow", exponent)

    def _call(self, name: str, *others: "Lanes") -> "Lanes":
        operands = [self.value, *(other.value for other in others)]
        return self._wrap(emit_call(self.builder, f"llvm.{name}.{suffix(self.vec)}", llvm_type(self.vec), operands))

    def polynomial(self, coefficients: Sequence[float]) -> "Lanes":
        """Polynomial with the given coefficients, lowest power first.

        Even and odd powers are evaluated by Horner's rule side by side: half the latency for one more product.
        """
        square = self * self
        even, odd = (square.horner(coefficients[first::2]) for first in (0, 1))
        return odd.fma(self, even)

    def horner(self, coefficients: Sequence[float]) -> "Lanes":
        """Polynomial with the given coefficients, lowest power first, by Horner's rule."""
        result = self._lift(coefficients[-1])
        for coefficient in coefficients[-2::-1]:
            result = result.fma(self, coefficient)
        return result

    def bits(self) -> "Lanes":
        """The bits of floats as integers."""
        ints = VecType(self.form.int_dtype, self.vec.lanes)
        return self._wrap(self.builder.bitcast(self.value, llvm_type(ints)), ints)

    def floats(self) -> "Lanes":
        """The floats with these integers as their bits."""
        floats = VecType(self.form.dtype, self.vec.lanes)
        return self._wrap(self.builder.bitcast(self.value, llvm_type(floats)), floats)

    # ---- exponents -----------------------------------------------------------------------------------------

    def power_of_two(self) -> "Lanes":
        """Power of two whose biased exponent is in the low bits of an integer; the bits above are shifted out."""
        return (self << self.form.mantissa).floats()

    def ldexp(self, k: "Lanes") -> "Lanes":
        """self * 2**k, rounded once; k is a whole number below twice the bias in magnitude."""
        if HAS_EXPONENTS:
            return self._exponent_instruction("scalef", k.value)
        # k is split in halves: neither factor overflows, and only the second product can round.
        n = (k + self.form.shift(2 * self.form.bias)).bits()
        half = n >> 1
        return self * half.power_of_two() * (n - half).power_of_two()

    def split_exponent(self) -> "tuple[Lanes, Lanes]":
        """Return e and m with self = 2**e m, 3/4 <= m < 3/2; e is infinite or NaN where log(self) is."""
        if HAS_EXPONENTS:
            m = self._exponent_instruction("getmant", ir.Constant(ir.IntType(32), 0b1111))
            return self._exponent_instruction("getexp") - m._exponent_instruction("getexp"), m
        form = self.form
        one, low = form.bits(1.0), form.bits(0.75)
        denormal = self.compare("<", 2.0 ** (1 - form.bias))
        scaled = denormal.select(self * 2.0**form.mantissa, self, like=self)
        # The exponent field of n is that of the number, or one more if the mantissa is 3/2 or above.
        n = scaled.bits() + (one - low)
        m = ((n & ((1 << form.mantissa) - 1)) + low).floats()
        # AVX2 cannot convert 64-bit integers: put the integer into the mantissa of 2**mantissa, which adds it.
        zero = 2.0**form.mantissa + form.bias
        e = (n >> form.mantissa | form.bits(2.0**form.mantissa)).floats()
        e = e - denormal.select(zero + form.mantissa, zero, like=self)
        e = self.compare("<", math.inf).select(e, self, like=self)
        e = self.compare("<", 0.0).select(math.nan, e, like=self)
        return self.compare("==", 0.0).select(-math.inf, e, like=self), m

    def _exponent_instruction(self, name: str, *operands: Any) -> "Lanes":
        vector = llvm_type(self.vec)
        form = "ps" if self.form.dtype == types.float32 else "pd"
        every_lane = ir.Constant(ir.IntType(self.vec.lanes), -1)
        rounding = ir.Constant(ir.IntType(32), 4)  # as set
        operands = (self.value, *operands, ir.Constant(vector, ir.Undefined), every_lane, rounding)
        return self._wrap(emit_call(self.builder, f"llvm.x86.avx512.mask.{name}.{form}.512", vector, operands))
