"""Vector operations for kernels.

A `Vec` stands for one vector register. Kernels written with it do not depend on LLVM's
auto-vectorizer, and their values stay in registers. Each function here is a few
instructions; the operators ``+ - * /`` and ``!=`` work lane by lane. Memory is accessed
through typed pointers: ``p = pointer(array)``, ``at(p, i)``, ``load(p, i)``, with `i` in
elements. Nothing here checks bounds; the entry points that own the buffers must do that.
"""

import operator

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, lower_builtin, type_callable

from fastbp.kernels.vectors.types import (
    INT64,
    INT_OF,
    LANES,
    LLVM_OF,
    VecType,
    emit_address,
    emit_call,
    emit_fma,
    emit_load,
    emit_load_where,
    emit_splat,
    emit_store,
    emit_store_where,
    is_float,
    llvm_type,
    mask_of,
    suffix,
    vec_of,
)

__all__ = [
    "address_of",
    "address_pointer",
    "at",
    "epsilon",
    "first_lanes",
    "fma",
    "get",
    "hsum",
    "lanes_of",
    "line_of",
    "load",
    "load_where",
    "pointer",
    "pointer_to",
    "prefetch",
    "put",
    "select",
    "splat",
    "store",
    "store_where",
    "vmax",
    "vmin",
    "vsqrt",
    "zeros",
]

# ---- memory -----------------------------------------------------------------------------------------------------


@intrinsic
def pointer(typingctx, array):
    """Pointer to the first element of `array`."""
    if not isinstance(array, types.Array):
        return None

    def codegen(context, builder, sig, args):
        return context.make_array(array)(context, builder, args[0]).data

    return types.CPointer(array.dtype)(array), codegen


@intrinsic
def at(typingctx, p, index):
    """Pointer to element `index` of `p`."""

    def codegen(context, builder, sig, args):
        return emit_address(builder, p.dtype, args[0], args[1])

    return p(p, types.intp), codegen


@intrinsic
def address_pointer(typingctx, address, like):
    """Pointer with `like`'s element type to the integer `address`."""

    def codegen(context, builder, sig, args):
        return builder.inttoptr(args[0], context.get_value_type(like))

    return like(types.intp, like), codegen


@intrinsic
def pointer_to(typingctx, address, element):
    """Pointer to elements of the type of `element` at the integer `address`."""

    def codegen(context, builder, sig, args):
        return builder.inttoptr(args[0], context.get_value_type(sig.return_type))

    return types.CPointer(element)(types.intp, element), codegen


@intrinsic
def address_of(typingctx, p):
    """Address that `p` points to, as an integer."""

    def codegen(context, builder, sig, args):
        return builder.ptrtoint(args[0], INT64)

    return types.intp(p), codegen


@intrinsic
def get(typingctx, p, index):
    """Element `index` of `p`."""

    def codegen(context, builder, sig, args):
        return builder.load(emit_address(builder, p.dtype, *args), typ=LLVM_OF[p.dtype])

    return p.dtype(p, types.intp), codegen


@intrinsic
def put(typingctx, p, index, value):
    """Set element `index` of `p`."""

    def codegen(context, builder, sig, args):
        builder.store(args[2], emit_address(builder, p.dtype, args[0], args[1]))
        return context.get_dummy_value()

    return types.void(p, types.intp, p.dtype), codegen


@intrinsic
def load(typingctx, p, index):
    """Vector of the elements of `p` from `index` on."""
    vec = vec_of(p.dtype)

    def codegen(context, builder, sig, args):
        return emit_load(builder, vec, args[0], args[1])

    return vec(p, types.intp), codegen


@intrinsic
def store(typingctx, p, index, value):
    """Write the vector `value` to the elements of `p` from `index` on."""

    def codegen(context, builder, sig, args):
        emit_store(builder, value, args[0], args[1], args[2])
        return context.get_dummy_value()

    return types.void(p, types.intp, value), codegen


@intrinsic
def prefetch(typingctx, p, index):
    """Prefetch the cache line of element `index` of `p` into L2; the address need not be valid."""

    def codegen(context, builder, sig, args):
        where = emit_address(builder, p.dtype, args[0], args[1])
        flags = [ir.Constant(ir.IntType(32), flag) for flag in (0, 2, 1)]  # for reading, not into L1, data
        emit_call(builder, "llvm.prefetch.p0", ir.VoidType(), [where, *flags])
        return context.get_dummy_value()

    return types.void(p, types.intp), codegen


@intrinsic
def line_of(typingctx, p):
    """Number of elements of the type that `p` points to in a cache line of 64 bytes."""
    length = 512 // p.dtype.bitwidth

    def codegen(context, builder, sig, args):
        return ir.Constant(INT64, length)

    return types.intp(p), codegen


@intrinsic
def load_where(typingctx, p, index, mask):
    """Vector of the elements of `p` from `index` on where `mask` is set, 0 elsewhere; unset lanes are not read."""
    vec = vec_of(p.dtype)

    def codegen(context, builder, sig, args):
        where = emit_address(builder, p.dtype, args[0], args[1])
        return emit_load_where(builder, vec, where, args[2])

    return vec(p, types.intp, mask), codegen


@intrinsic
def store_where(typingctx, p, index, value, mask):
    """Write the lanes of `value` where `mask` is set; the others are not touched."""

    def codegen(context, builder, sig, args):
        where = emit_address(builder, p.dtype, args[0], args[1])
        emit_store_where(builder, value, where, args[2], args[3])
        return context.get_dummy_value()

    return types.void(p, types.intp, value, mask), codegen


# ---- making vectors ---------------------------------------------------------------------------------------------


@intrinsic
def splat(typingctx, scalar, p):
    """Vector with `scalar` in every lane, of the element type of the pointer or vector `p`."""
    vec = vec_of(p.dtype)

    def codegen(context, builder, sig, args):
        value = context.cast(builder, args[0], scalar, p.dtype)
        return emit_splat(builder, vec, value)

    return vec(scalar, p), codegen


@intrinsic
def zeros(typingctx, p):
    """Vector of zeros, of the element type of the pointer or vector `p`."""
    vec = vec_of(p.dtype)

    def codegen(context, builder, sig, args):
        return ir.Constant(llvm_type(vec), None)

    return vec(p), codegen


@intrinsic
def epsilon(typingctx, p):
    """Vector with the spacing of floats at 1 in every lane, of the element type of the pointer or vector `p`."""
    vec = vec_of(p.dtype)
    value = np.finfo(str(p.dtype)).eps

    def codegen(context, builder, sig, args):
        return emit_splat(builder, vec, ir.Constant(LLVM_OF[p.dtype], float(value)))

    return vec(p), codegen


@intrinsic
def lanes_of(typingctx, p):
    """Number of lanes of a vector of the element type of the pointer or vector `p`."""
    lanes = LANES[p.dtype]

    def codegen(context, builder, sig, args):
        return ir.Constant(INT64, lanes)

    return types.intp(p), codegen


@intrinsic
def first_lanes(typingctx, count, p):
    """Mask of the lanes below `count`, which may be negative (no lane) or too large (all lanes)."""
    vec = vec_of(p.dtype)
    ints = VecType(INT_OF[p.dtype], vec.lanes)

    def codegen(context, builder, sig, args):
        narrow = LLVM_OF[ints.dtype]
        top = ir.Constant(INT64, vec.lanes)
        # Clamped first: a count of more than 31 bits must not wrap in the 32-bit lanes of float32.
        count = builder.select(builder.icmp_signed("<", args[0], top), args[0], top)
        bottom = ir.Constant(INT64, 0)
        count = builder.select(builder.icmp_signed(">", count, bottom), count, bottom)
        count = builder.trunc(count, narrow) if narrow.width < 64 else count
        iota = ir.Constant(llvm_type(ints), [ir.Constant(narrow, lane) for lane in range(vec.lanes)])
        return builder.icmp_signed("<", iota, emit_splat(builder, ints, count))

    return mask_of(vec)(types.intp, p), codegen


# ---- arithmetic -------------------------------------------------------------------------------------------------


@intrinsic
def fma(typingctx, a, b, c):
    """a * b + c, rounded once if the target has FMA instructions."""

    def codegen(context, builder, sig, args):
        return emit_fma(builder, a, *args)

    return a(a, a, a), codegen


@intrinsic
def vsqrt(typingctx, a):
    """Square root, correctly rounded."""

    def codegen(context, builder, sig, args):
        return emit_call(builder, f"llvm.sqrt.{suffix(a)}", llvm_type(a), args)

    return a(a), codegen


def _extremum(predicate, doc):
    @intrinsic
    def operation(typingctx, a, b):
        def codegen(context, builder, sig, args):
            chosen = builder.fcmp_ordered(predicate, args[0], args[1])
            return builder.select(chosen, args[0], args[1])

        return a(a, a), codegen

    operation.__doc__ = doc
    return operation


# As in the x86 instruction: a comparison with NaN is false, so the second operand is returned.
vmax = _extremum(">", "a > b ? a : b. A NaN on either side gives b.")
vmin = _extremum("<", "a < b ? a : b. A NaN on either side gives b.")


@intrinsic
def select(typingctx, mask, a, b):
    """Lanes of `a` where `mask` is set, of `b` elsewhere."""

    def codegen(context, builder, sig, args):
        return builder.select(*args)

    return a(mask, a, a), codegen


def _define_arithmetic(operation, instruction):
    @type_callable(operation)
    def resolve(context):
        return lambda a, b: a if is_float(a) and a == b else None

    @lower_builtin(operation, VecType, VecType)
    def lower(context, builder, sig, args):
        return getattr(builder, instruction)(*args)


_define_arithmetic(operator.add, "fadd")
_define_arithmetic(operator.sub, "fsub")
_define_arithmetic(operator.mul, "fmul")
_define_arithmetic(operator.truediv, "fdiv")


@type_callable(operator.neg)
def _resolve_negation(context):
    return lambda a: a if is_float(a) else None


@type_callable(operator.ne)
def _resolve_comparison(context):
    return lambda a, b: mask_of(a) if is_float(a) and a == b else None


@lower_builtin(operator.neg, VecType)
def _lower_negation(context, builder, sig, args):
    return builder.fneg(args[0])


@lower_builtin(operator.ne, VecType, VecType)
def _lower_comparison(context, builder, sig, args):
    # True for NaN, as in IEEE 754.
    return builder.fcmp_unordered("!=", *args)


# ---- across lanes -----------------------------------------------------------------------------------------------


@intrinsic
def hsum(typingctx, a):
    """Sum of the lanes, always in the same order: the upper half is added to the lower one until one lane is left."""

    def codegen(context, builder, sig, args):
        index = ir.IntType(32)
        value, lanes = args[0], a.lanes
        while lanes > 1:
            lanes //= 2
            order = [ir.Constant(index, lanes + (lane % lanes)) for lane in range(a.lanes)]
            mask = ir.Constant(ir.VectorType(index, a.lanes), order)
            value = builder.fadd(value, builder.shuffle_vector(value, value, mask))
        return builder.extract_element(value, ir.Constant(index, 0))

    return a.dtype(a), codegen
