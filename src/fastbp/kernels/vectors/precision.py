"""Loads that convert: samples of one precision for a network of another."""

from numba import types
from numba.extending import intrinsic

from fastbp.kernels.vectors.types import VecType, emit_address, emit_load, emit_load_where, llvm_type, vec_of

__all__ = ["load_like", "load_where_like"]


def _emit_converted(builder, source, target, value):
    """Convert a vector of `source`'s type to `target`'s, with the same number of lanes."""
    if source.dtype == target.dtype:
        return value
    widens = source.dtype.bitwidth < target.dtype.bitwidth
    return getattr(builder, "fpext" if widens else "fptrunc")(value, llvm_type(target))


@intrinsic
def load_like(typingctx, p, index, like):
    """The elements of `p` from `index` on as a vector of the element type of the pointer `like`."""
    vec = vec_of(like.dtype)
    source = VecType(p.dtype, vec.lanes)

    def codegen(context, builder, sig, args):
        return _emit_converted(builder, source, vec, emit_load(builder, source, args[0], args[1]))

    return vec(p, types.intp, like), codegen


@intrinsic
def load_where_like(typingctx, p, index, mask, like):
    """The same where `mask` is set, 0 elsewhere; unset lanes are not read."""
    vec = vec_of(like.dtype)
    source = VecType(p.dtype, vec.lanes)

    def codegen(context, builder, sig, args):
        where = emit_address(builder, p.dtype, args[0], args[1])
        return _emit_converted(builder, source, vec, emit_load_where(builder, source, where, args[2]))

    return vec(p, types.intp, mask, like), codegen
