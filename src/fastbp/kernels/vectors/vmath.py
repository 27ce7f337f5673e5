"""Exponential, logarithm, tanh and logistic function of whole vectors, for kernels to call."""

from collections.abc import Callable
from typing import Any

from numba.extending import intrinsic

from fastbp.kernels.vectors import elementary
from fastbp.kernels.vectors.formula import FORMATS, Lanes
from fastbp.kernels.vectors.types import is_float

__all__ = ["vexp", "vlog", "vlogistic", "vtanh"]


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


vexp = _vector_function(elementary.exp, "exp of each lane.")
vlog = _vector_function(elementary.log, "Natural logarithm of each lane: -inf for 0, NaN for negative arguments.")
vtanh = _vector_function(elementary.tanh, "Hyperbolic tangent of each lane.")
vlogistic = _vector_function(elementary.logistic, "Logistic function 1 / (1 + exp(-x)) of each lane.")
