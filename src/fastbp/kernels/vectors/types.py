"""The Numba type of a vector register, and functions that emit instructions on it.

`VecType` is a Numba type backed by an LLVM vector (``<16 x float>`` with AVX-512). The
functions here run while a kernel is being compiled and emit its instructions; `simd`
wraps them into functions that jitted code can call.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import models, register_model

from fastbp.compiler.target import TARGET

__all__ = [
    "INT64",
    "INT_OF",
    "LANES",
    "LLVM_OF",
    "VecType",
    "emit_address",
    "emit_call",
    "emit_fma",
    "emit_load",
    "emit_load_where",
    "emit_splat",
    "emit_store",
    "emit_store_where",
    "is_float",
    "lanes",
    "llvm_type",
    "mask_of",
    "suffix",
    "vec_of",
]


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
INT_OF = {types.float32: types.int32, types.float64: types.int64}
LLVM_OF = {
    types.float32: ir.FloatType(),
    types.float64: ir.DoubleType(),
    types.int32: ir.IntType(32),
    types.int64: ir.IntType(64),
    types.boolean: ir.IntType(1),
}
INT64 = ir.IntType(64)


@register_model(VecType)
class _VecModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, ir.VectorType(LLVM_OF[fe_type.dtype], fe_type.lanes))


def lanes(dtype) -> int:
    """Return the number of lanes of a vector of the NumPy dtype float32 or float64."""
    return TARGET.vector_bytes // np.dtype(dtype).itemsize


def vec_of(dtype: types.Type) -> VecType:
    """Return the vector type of `dtype` on this target."""
    return VecType(dtype, LANES[dtype])


def mask_of(vec: VecType) -> VecType:
    """Return the type of a comparison's result: one bit per lane."""
    return VecType(types.boolean, vec.lanes)


def is_float(vec) -> bool:
    """Return whether a Numba type is a vector of float32 or float64."""
    return isinstance(vec, VecType) and vec.dtype in LANES


# ---- emitting IR ------------------------------------------------------------------------------------------------


def llvm_type(vec: VecType) -> ir.VectorType:
    """Return LLVM's type of a vector."""
    return ir.VectorType(LLVM_OF[vec.dtype], vec.lanes)


def suffix(vec: VecType) -> str:
    """Return the suffix of LLVM intrinsics for such vectors, such as "v16f32"."""
    letter = {types.float32: "f32", types.float64: "f64", types.int32: "i32", types.int64: "i64"}[vec.dtype]
    return f"v{vec.lanes}{letter}"


def emit_call(builder, name, result, operands):
    """Call the LLVM intrinsic `name`; llvmlite's `declare_intrinsic` cannot mangle vector types."""
    fnty = ir.FunctionType(result, [operand.type for operand in operands])
    function = builder.module.globals.get(name) or ir.Function(builder.module, fnty, name)
    return builder.call(function, operands)


def emit_splat(builder, vec: VecType, scalar):
    """Emit a vector of `scalar` in every lane."""
    llty = llvm_type(vec)
    head = builder.insert_element(ir.Constant(llty, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), vec.lanes), None)
    return builder.shuffle_vector(head, ir.Constant(llty, ir.Undefined), zeros)


def emit_fma(builder, vec: VecType, a, b, c):
    """Emit a * b + c: one instruction and one rounding where the target has it, two of each elsewhere."""
    if TARGET.has_fma:
        return emit_call(builder, f"llvm.fma.{suffix(vec)}", llvm_type(vec), [a, b, c])
    return builder.fadd(builder.fmul(a, b), c)


def emit_address(builder, dtype: types.Type, pointer, index):
    """Emit the address of element `index` from `pointer` on."""
    return builder.gep(pointer, [index], source_etype=LLVM_OF[dtype])


def emit_load(builder, vec, pointer, index):
    """Emit a load of the vector that starts at element `index`."""
    address = emit_address(builder, vec.dtype, pointer, index)
    address = builder.bitcast(address, llvm_type(vec).as_pointer())
    # Rows of a caller's array are aligned to an element only.
    return builder.load(address, align=vec.dtype.bitwidth // 8)


def emit_store(builder, vec, pointer, index, value):
    """Emit a store of the vector that starts at element `index`."""
    address = emit_address(builder, vec.dtype, pointer, index)
    address = builder.bitcast(address, llvm_type(vec).as_pointer())
    builder.store(value, address, align=vec.dtype.bitwidth // 8)


def _emit_masked(builder, vec, operation, result, operands):
    return emit_call(builder, f"llvm.masked.{operation}.{suffix(vec)}.p0", result, operands)


def _alignment(vec):
    return ir.Constant(ir.IntType(32), vec.dtype.bitwidth // 8)


def emit_load_where(builder, vec, address, mask):
    """Emit a load of the vector at `address` where `mask` is set: 0 elsewhere, and those lanes are not read."""
    operands = [address, _alignment(vec), mask, ir.Constant(llvm_type(vec), None)]
    return _emit_masked(builder, vec, "load", llvm_type(vec), operands)


def emit_store_where(builder, vec, address, value, mask):
    """Emit a store of the lanes of `value` where `mask` is set; the others are not touched."""
    _emit_masked(builder, vec, "store", ir.VoidType(), [value, address, _alignment(vec), mask])
