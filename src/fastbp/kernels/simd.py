"""A vocabulary of vector operations for kernels.

A `Vec` is a Numba type that stands for one vector register (``<16 x float>`` with
AVX-512). Kernels written with it are vector code whatever LLVM's auto-vectorizer
thinks, and stay in registers. Each word is a few lines of LLVM IR; the operators
``+ - * /``, ``<`` ... work lane by lane. Memory is reached through typed pointers:
``p = pointer(array)``, ``at(p, i)``, ``load(p, i)``, with `i` counted in elements.
Nothing here checks bounds: that is the duty of the entry points that own the buffers.
"""

import operator

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.extending import register_model
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, models

from fastbp.target import TARGET

__all__ = ["LANES", "VecType"]


class VecType(types.Type):
    """Numba type of a vector register of `lanes` elements of `dtype`."""

    def __init__(self, dtype: types.Type, lanes: int) -> None:
        self.dtype = dtype
        self.lanes = lanes
        super().__init__(name=f"Vec({dtype}, {lanes})")

    @property
    def key(self):
        return self.dtype, self.lanes


LANES = {
    types.float32: TARGET.vector_bytes // 4,
    types.float64: TARGET.vector_bytes // 8,
}
_INT_OF = {types.float32: types.int32, types.float64: types.int64}
_FLOAT_OF = {ints: floats for floats, ints in _INT_OF.items()}
_LLVM_OF = {
    types.float32: ir.FloatType(),
    types.float64: ir.DoubleType(),
    types.int32: ir.IntType(32),
    types.int64: ir.IntType(64),
    types.boolean: ir.IntType(1),
}
_INT64 = ir.IntType(64)


@register_model(VecType)
class _VecModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, ir.VectorType(_LLVM_OF[fe_type.dtype], fe_type.lanes))


def lanes(dtype) -> int:
    """Return the number of lanes of a vector of the NumPy dtype float32 or float64."""
    return TARGET.vector_bytes // np.dtype(dtype).itemsize


def vec_of(dtype: types.Type) -> VecType:
    """Return the vector type of `dtype` on this target."""
    return VecType(dtype, LANES[dtype])


def mask_of(vec: VecType) -> VecType:
    """Return the type of a comparison's result: one bit a lane."""
    return VecType(types.boolean, vec.lanes)


def is_float(vec) -> bool:
    return isinstance(vec, VecType) and vec.dtype in LANES


# ---- emitting IR ------------------------------------------------------------------------------------------------


def llvm_type(vec: VecType) -> ir.VectorType:
    return ir.VectorType(_LLVM_OF[vec.dtype], vec.lanes)


def suffix(vec: VecType) -> str:
    letter = {types.float32: "f32", types.float64: "f64", types.int32: "i32", types.int64: "i64"}[vec.dtype]
    return f"v{vec.lanes}{letter}"


def emit_call(builder, name, result, operands):
    """Call the LLVM intrinsic `name`; `declare_intrinsic` does not know how to mangle vectors."""
    fnty = ir.FunctionType(result, [operand.type for operand in operands])
    function = builder.module.globals.get(name) or ir.Function(builder.module, fnty, name)
    return builder.call(function, operands)


def emit_splat(builder, vec: VecType, scalar):
    llty = llvm_type(vec)
    head = builder.insert_element(ir.Constant(llty, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), vec.lanes), None)
    return builder.shuffle_vector(head, ir.Constant(llty, ir.Undefined), zeros)


def emit_fma(builder, vec: VecType, a, b, c):
    if TARGET.has_fma:
        return emit_call(builder, f"llvm.fma.{suffix(vec)}", llvm_type(vec), [a, b, c])
    return builder.fadd(builder.fmul(a, b), c)


def emit_address(builder, dtype: types.Type, pointer, index):
    return builder.gep(pointer, [index], source_etype=_LLVM_OF[dtype])


def emit_load(builder, vec: VecType, pointer, index):
    address = emit_address(builder, vec.dtype, pointer, index)
    address = builder.bitcast(address, llvm_type(vec).as_pointer())
    # Rows of a caller's array are aligned to an element and no more.
    return builder.load(address, align=vec.dtype.bitwidth // 8)


def emit_store(builder, vec: VecType, pointer, index, value):
    address = emit_address(builder, vec.dtype, pointer, index)
    address = builder.bitcast(address, llvm_type(vec).as_pointer())
    builder.store(value, address, align=vec.dtype.bitwidth // 8)


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
def get(typingctx, p, index):
    """Element `index` of `p`."""

    def codegen(context, builder, sig, args):
        return builder.load(emit_address(builder, p.dtype, *args), typ=_LLVM_OF[p.dtype])

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
    """Ask for the cache line of element `index` of `p`, which need not exist: nothing is read."""

    def codegen(context, builder, sig, args):
        where = emit_address(builder, p.dtype, args[0], args[1])
        flags = [ir.Constant(ir.IntType(32), flag) for flag in (0, 3, 1)]  # for reading, into all caches, data
        emit_call(builder, "llvm.prefetch.p0", ir.VoidType(), [where, *flags])
        return context.get_dummy_value()

    return types.void(p, types.intp), codegen


def _emit_masked(builder, vec, operation, result, operands):
    name = f"llvm.masked.{operation}.{suffix(vec)}.p0"
    return emit_call(builder, name, result, operands)


@intrinsic
def load_where(typingctx, p, index, mask):
    """Vector of the elements of `p` from `index` on where `mask` is set, 0 elsewhere; unset lanes are not read."""
    vec = vec_of(p.dtype)

    def codegen(context, builder, sig, args):
        where = emit_address(builder, p.dtype, args[0], args[1])
        llty = llvm_type(vec)
        return _emit_masked_load(builder, vec, where, args[2], ir.Constant(llty, None))

    return vec(p, types.intp, mask), codegen


@intrinsic
def store_where(typingctx, p, index, value, mask):
    """Write the lanes of `value` where `mask` is set; the others are not touched."""

    def codegen(context, builder, sig, args):
        where = emit_address(builder, p.dtype, args[0], args[1])
        _emit_masked_store(builder, value, args[2], where, args[3])
        return context.get_dummy_value()

    return types.void(p, types.intp, value, mask), codegen


def _align_operand(vec):
    return ir.Constant(ir.IntType(32), vec.dtype.bitwidth // 8)


def _emit_masked_load(builder, vec, where, mask, passthrough):
    operands = [where, _align_operand(vec), mask, passthrough]
    return _emit_masked(builder, vec, "load", llvm_type(vec), operands)


def _emit_masked_store(builder, vec, value, where, mask):
    _emit_masked(builder, vec, "store", ir.VoidType(), [value, where, _align_operand(vec), mask])


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
def lanes_of(typingctx, p):
    """Number of lanes of a vector of the element type of the pointer or vector `p`."""
    lanes = LANES[p.dtype]

    def codegen(context, builder, sig, args):
        return ir.Constant(_INT64, lanes)

    return types.intp(p), codegen


@intrinsic
def first_lanes(typingctx, count, p):
    """Mask of the lanes below `count`, which may be negative (no lane) or too large (all lanes)."""
    vec = vec_of(p.dtype)
    ints = VecType(_INT_OF[p.dtype], vec.lanes)

    def codegen(context, builder, sig, args):
        narrow = _LLVM_OF[ints.dtype]
        top = ir.Constant(_INT64, vec.lanes)
        # Clamped first: a count of more than 31 bits must not wrap in the 32-bit lanes of float32.
        count = builder.select(builder.icmp_signed("<", args[0], top), args[0], top)
        bottom = ir.Constant(_INT64, 0)
        count = builder.select(builder.icmp_signed(">", count, bottom), count, bottom)
        count = builder.trunc(count, narrow) if narrow.width < 64 else count
        iota = ir.Constant(llvm_type(ints), [ir.Constant(narrow, lane) for lane in range(vec.lanes)])
        return builder.icmp_signed("<", iota, emit_splat(builder, ints, count))

    return mask_of(vec)(types.intp, p), codegen


# ---- arithmetic -------------------------------------------------------------------------------------------------


@intrinsic
def fma(typingctx, a, b, c):
    """a * b + c, rounded once where the target can."""

    def codegen(context, builder, sig, args):
        return emit_fma(builder, a, *args)

    return a(a, a, a), codegen


def _unary(name, doc):
    @intrinsic
    def operation(typingctx, a):
        def codegen(context, builder, sig, args):
            return emit_call(builder, f"llvm.{name}.{suffix(a)}", llvm_type(a), args)

        return a(a), codegen

    operation.__doc__ = doc
    return operation


vsqrt = _unary("sqrt", "Square root, correctly rounded.")
vabs = _unary("fabs", "Absolute value.")


def _extremum(predicate, doc):
    @intrinsic
    def operation(typingctx, a, b):
        def codegen(context, builder, sig, args):
            chosen = builder.fcmp_ordered(predicate, args[0], args[1])
            return builder.select(chosen, args[0], args[1])

        return a(a, a), codegen

    operation.__doc__ = doc
    return operation


# The form that one x86 instruction has: a comparison with NaN is false, so the second operand is returned.
vmax = _extremum(">", "a > b ? a : b. A NaN on either side gives b.")
vmin = _extremum("<", "a < b ? a : b. A NaN on either side gives b.")


@intrinsic
def select(typingctx, mask, a, b):
    """Lanes of `a` where `mask` is set, of `b` elsewhere."""

    def codegen(context, builder, sig, args):
        return builder.select(*args)

    return a(mask, a, a), codegen


@infer_global(operator.add)
@infer_global(operator.sub)
@infer_global(operator.mul)
@infer_global(operator.truediv)
class _Arithmetic(AbstractTemplate):
    def generic(self, args, kws):
        if len(args) == 2 and isinstance(args[0], VecType) and args[0] == args[1]:
            return signature(args[0], *args)
        return None


@infer_global(operator.neg)
class _Negation(AbstractTemplate):
    def generic(self, args, kws):
        return signature(args[0], *args) if len(args) == 1 and is_float(args[0]) else None


@infer_global(operator.lt)
@infer_global(operator.le)
@infer_global(operator.gt)
@infer_global(operator.ge)
@infer_global(operator.eq)
@infer_global(operator.ne)
class _Comparison(AbstractTemplate):
    def generic(self, args, kws):
        if len(args) == 2 and is_float(args[0]) and args[0] == args[1]:
            return signature(mask_of(args[0]), *args)
        return None


@infer_global(operator.and_)
@infer_global(operator.or_)
class _Logic(AbstractTemplate):
    def generic(self, args, kws):
        if len(args) == 2 and isinstance(args[0], VecType) and args[0] == args[1] and not is_float(args[0]):
            return signature(args[0], *args)
        return None


def _lower_binary(op, float_instruction, int_instruction):
    @lower_builtin(op, VecType, VecType)
    def lower(context, builder, sig, args):
        name = float_instruction if is_float(sig.args[0]) else int_instruction
        return getattr(builder, name)(*args)


_lower_binary(operator.add, "fadd", "add")
_lower_binary(operator.sub, "fsub", "sub")
_lower_binary(operator.mul, "fmul", "mul")
_lower_binary(operator.truediv, "fdiv", "sdiv")
_lower_binary(operator.and_, "", "and_")
_lower_binary(operator.or_, "", "or_")


@lower_builtin(operator.neg, VecType)
def _lower_neg(context, builder, sig, args):
    return builder.fneg(args[0])


def _lower_comparison(op, predicate):
    @lower_builtin(op, VecType, VecType)
    def lower(context, builder, sig, args):
        # != is true for NaN, as in IEEE 754; every other comparison with NaN is false.
        compare = builder.fcmp_unordered if predicate == "!=" else builder.fcmp_ordered
        return compare(predicate, *args)


for _op, _predicate in (
    (operator.lt, "<"),
    (operator.le, "<="),
    (operator.gt, ">"),
    (operator.ge, ">="),
    (operator.eq, "=="),
    (operator.ne, "!="),
):
    _lower_comparison(_op, _predicate)


# ---- bits -------------------------------------------------------------------------------------------------------


@intrinsic
def bits(typingctx, a):
    """The bits of a float vector as a vector of integers of the same width."""
    result = VecType(_INT_OF[a.dtype], a.lanes)

    def codegen(context, builder, sig, args):
        return builder.bitcast(args[0], llvm_type(result))

    return result(a), codegen


@intrinsic
def from_bits(typingctx, a):
    """The float vector with the bits of the integer vector `a`."""
    result = VecType(_FLOAT_OF[a.dtype], a.lanes)

    def codegen(context, builder, sig, args):
        return builder.bitcast(args[0], llvm_type(result))

    return result(a), codegen


@intrinsic
def isplat(typingctx, scalar, like):
    """Integer vector with `scalar` in every lane, of the type of the integer vector `like`."""

    def codegen(context, builder, sig, args):
        return emit_splat(builder, like, context.cast(builder, args[0], scalar, like.dtype))

    return like(scalar, like), codegen


@intrinsic
def shift_left(typingctx, a, count):
    """Shift the lanes of the integer vector `a` left by `count` bits."""

    def codegen(context, builder, sig, args):
        return builder.shl(args[0], emit_splat(builder, a, context.cast(builder, args[1], count, a.dtype)))

    return a(a, count), codegen


@intrinsic
def shift_right(typingctx, a, count):
    """Shift the lanes of the integer vector `a` right by `count` bits, with the sign."""

    def codegen(context, builder, sig, args):
        return builder.ashr(args[0], emit_splat(builder, a, context.cast(builder, args[1], count, a.dtype)))

    return a(a, count), codegen


@intrinsic
def to_float(typingctx, a):
    """The integer vector `a` converted to floats of the same width."""
    result = VecType(_FLOAT_OF[a.dtype], a.lanes)

    def codegen(context, builder, sig, args):
        return builder.sitofp(args[0], llvm_type(result))

    return result(a), codegen


# ---- across lanes -----------------------------------------------------------------------------------------------


def _reduce(builder, vec, value, combine):
    """Fold the upper half onto the lower one until a lane is left: the order is the same on every run."""
    index = ir.IntType(32)
    lanes = vec.lanes
    while lanes > 1:
        lanes //= 2
        order = [ir.Constant(index, lanes + (lane % lanes)) for lane in range(vec.lanes)]
        mask = ir.Constant(ir.VectorType(index, vec.lanes), order)
        value = combine(value, builder.shuffle_vector(value, value, mask))
    return builder.extract_element(value, ir.Constant(index, 0))


@intrinsic
def hsum(typingctx, a):
    """Sum of the lanes, in a fixed order."""

    def codegen(context, builder, sig, args):
        return _reduce(builder, a, args[0], builder.fadd)

    return a.dtype(a), codegen


@intrinsic
def hmax(typingctx, a):
    """Largest lane. NaN lanes are passed over or returned, as they fall."""

    def codegen(context, builder, sig, args):
        def larger(x, y):
            return builder.select(builder.fcmp_ordered(">", x, y), x, y)

        return _reduce(builder, a, args[0], larger)

    return a.dtype(a), codegen
