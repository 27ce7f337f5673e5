"""Atomic operations on the elements of an int64 array, and ways to pass the time."""

import os

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastbp.jit import jit

__all__ = ["atomic_add", "atomic_load", "atomic_store", "nap", "spin_hint", "yield_processor"]

_INT64 = ir.IntType(64)


def _element(context, builder, array, value, index):
    data = context.make_array(array)(context, builder, value).data
    return builder.gep(data, [index], source_etype=_INT64)


@intrinsic
def atomic_load(typingctx, array, index):
    """Element of `array`, read in sequentially consistent order.

    A plain load of a flag that another thread sets may be moved out of the loop that waits for it.
    """

    def codegen(context, builder, sig, args):
        return builder.load_atomic(_element(context, builder, array, *args), "seq_cst", 8, typ=_INT64)

    return types.int64(array, types.intp), codegen


@intrinsic
def atomic_store(typingctx, array, index, value):
    """Set an element of `array` in sequentially consistent order."""

    def codegen(context, builder, sig, args):
        builder.store_atomic(args[2], _element(context, builder, array, *args[:2]), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.int64), codegen


@intrinsic
def atomic_add(typingctx, array, index, value):
    """Add to an element of `array`; returns what it was before."""

    def codegen(context, builder, sig, args):
        return builder.atomic_rmw("add", _element(context, builder, array, *args[:2]), args[2], "seq_cst")

    return types.int64(array, types.intp, types.int64), codegen


@intrinsic
def spin_hint(typingctx):
    """Tell the core that this is a waiting loop."""

    def codegen(context, builder, sig, args):
        if "x86" in builder.module.triple:
            fnty = ir.FunctionType(ir.VoidType(), [])
            name = "llvm.x86.sse2.pause"
            builder.call(builder.module.globals.get(name) or ir.Function(builder.module, fnty, name), [])
        return context.get_dummy_value()

    return types.void(), codegen


if os.name == "nt":
    _yield = types.ExternalFunction("SwitchToThread", types.int32())
    _sleep_ms = types.ExternalFunction("Sleep", types.void(types.uint32))

    @jit
    def nap():
        """Sleep for about a tenth of a millisecond, or the shortest time that the system knows."""
        _sleep_ms(1)
else:
    _yield = types.ExternalFunction("sched_yield", types.int32())
    _usleep = types.ExternalFunction("usleep", types.int32(types.uint32))

    @jit
    def nap():
        """Sleep for about a tenth of a millisecond, or the shortest time that the system knows."""
        _usleep(100)


@jit
def yield_processor():
    """Let another thread run on this core."""
    _yield()
