"""Switching the processor between exact denormal numbers and flushing them to zero."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastbp.compiler.target import IS_X86
from fastbp.kernels.vectors.types import emit_call

__all__ = ["flush_denormals", "restore_denormals"]

# Bits of MXCSR: results that are denormal become 0 (FTZ), operands that are denormal count as 0 (DAZ).
_FLUSH = 0x8040
_INT32 = ir.IntType(32)


def _slot(builder):
    """Emit a stack slot, in the entry block so that a loop does not allocate it again."""
    with builder.goto_entry_block():
        return builder.alloca(_INT32)


@intrinsic
def flush_denormals(typingctx):
    """Treat denormals as zeros in this thread from now on; returns the previous mode, for `restore_denormals`.

    This does nothing on other processors than x86, which are not slow with denormals.
    """

    def codegen(context, builder, sig, args):
        if not IS_X86:
            return ir.Constant(_INT32, 0)
        slot = _slot(builder)
        emit_call(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), [slot])
        mode = builder.load(slot)
        builder.store(builder.or_(mode, ir.Constant(_INT32, _FLUSH)), slot)
        emit_call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), [slot])
        return mode

    return types.int32(), codegen


@intrinsic
def restore_denormals(typingctx, mode):
    """Restore the mode that `flush_denormals` returned."""

    def codegen(context, builder, sig, args):
        if IS_X86:
            slot = _slot(builder)
            builder.store(args[0], slot)
            emit_call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), [slot])
        return context.get_dummy_value()

    return types.void(types.int32), codegen
