"""Atomic operations on int64 in memory, and ways to wait."""

import os

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastbp.compiler.jit import inner
from fastbp.compiler.target import IS_X86
from fastbp.compiler.tuning import YIELDS
from fastbp.kernels.vectors.types import INT64, emit_address, emit_call

__all__ = ["atomic_add", "atomic_load", "atomic_store", "nap", "pause"]


@intrinsic
def atomic_load(typingctx, p, index):
    """Read element `index` of the pointer `p` in sequentially consistent order.

    A plain load of a flag that another thread sets may be moved out of the loop that waits for it.
    """

    def codegen(context, builder, sig, args):
        return builder.load_atomic(emit_address(builder, p.dtype, *args), "seq_cst", 8, typ=INT64)

    return types.int64(p, types.intp), codegen


@intrinsic
def atomic_store(typingctx, p, index, value):
    """Set element `index` of the pointer `p` in sequentially consistent order."""

    def codegen(context, builder, sig, args):
        builder.store_atomic(args[2], emit_address(builder, p.dtype, *args[:2]), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(p, types.intp, types.int64), codegen


@intrinsic
def atomic_add(typingctx, p, index, value):
    """Add to element `index` of the pointer `p`; returns its previous value."""

    def codegen(context, builder, sig, args):
        return builder.atomic_rmw("add", emit_address(builder, p.dtype, *args[:2]), args[2], "seq_cst")

    return types.int64(p, types.intp, types.int64), codegen


@intrinsic
def spin_hint(typingctx):
    """Tell the core that this is a spin loop."""

    def codegen(context, builder, sig, args):
        if IS_X86:
            emit_call(builder, "llvm.x86.sse2.pause", ir.VoidType(), [])
        return context.get_dummy_value()

    return types.void(), codegen


if os.name == "nt":
    _yield = types.ExternalFunction("SwitchToThread", types.int32())
    _sleep_ms = types.ExternalFunction("Sleep", types.void(types.uint32))

    @inner
    def nap():
        """Sleep for about a tenth of a millisecond, or the shortest time that the system knows."""
        _sleep_ms(1)
else:
    _yield = types.ExternalFunction("sched_yield", types.int32())
    _usleep = types.ExternalFunction("usleep", types.int32(types.uint32))

    @inner
    def nap():
        """Sleep for about a tenth of a millisecond, or the shortest time that the system knows."""
        _usleep(100)


@inner
def pause(looks, spins):
    """Wait for a moment before the next poll, after `looks` polls.

    A thread spins for `spins` polls, then yields its core, and after some milliseconds sleeps between polls.
    """
    if looks < spins:
        spin_hint()
    elif looks < spins + YIELDS:
        _yield()
    else:
        nap()
