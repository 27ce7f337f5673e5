"""Transposing a tile: MR rows of a panel become MR columns of another panel's rows."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastbp.compiler.jit import inner
from fastbp.kernels.tiles.microkernel import MR, NV, panel_width
from fastbp.kernels.vectors import types as vectors
from fastbp.kernels.vectors.simd import at, lanes_of

__all__ = ["transpose_tile"]


def _zip(builder, a, b, lanes):
    """Interleave the lanes of `a` and `b`, as two vectors: a0 b0 a1 b1 ..."""
    index = ir.IntType(32)

    def shuffle(first):
        order = [lane // 2 + first + lanes * (lane % 2) for lane in range(lanes)]
        mask = ir.Constant(ir.VectorType(index, lanes), [ir.Constant(index, lane) for lane in order])
        return builder.shuffle_vector(a, b, mask)

    return shuffle(0), shuffle(lanes // 2)


def _slice(builder, value, first, count):
    index = ir.IntType(32)
    order = [ir.Constant(index, first + lane) for lane in range(count)]
    return builder.shuffle_vector(value, value, ir.Constant(ir.VectorType(index, count), order))


@intrinsic
def _transpose_block(typingctx, source, target):
    """Transpose MR rows of one vector each: target[j * NR + i] = source[i * NR + j] for j below the lane count."""
    dtype = source.dtype
    vec = vectors.vec_of(dtype)
    lanes = vec.lanes
    width = NV * lanes
    chunk = min(lanes, MR)

    def codegen(context, builder, sig, args):
        source, target = args
        offsets = [ir.Constant(ir.IntType(64), i * width) for i in range(MR)]
        rows = [vectors.emit_load(builder, vec, source, offset) for offset in offsets]
        # After log2(MR) rounds of zipping row i with row i + MR/2 the columns follow each other, MR elements each.
        step = MR
        while step > 1:
            half = MR // 2
            pairs = [_zip(builder, rows[i], rows[i + half], lanes) for i in range(half)]
            rows = [row for pair in pairs for row in pair]
            step //= 2
        part = vectors.VecType(dtype, chunk)
        for position in range(0, MR * lanes, chunk):
            column, first = divmod(position, MR)
            value = _slice(builder, rows[position // lanes], position % lanes, chunk)
            where = ir.Constant(ir.IntType(64), column * width + first)
            vectors.emit_store(builder, part, target, where, value)
        return context.get_dummy_value()

    return types.void(source, target), codegen


@inner
def transpose_tile(vectors, source, target):
    """Write the transpose of an MR x `vectors`-vector tile.

    Parameters
    ----------
    vectors : int
        Vectors in a row of the tile.
    source : pointer, [read]
        MR rows of a panel.
    target : pointer, [write]
        ``vectors * lanes`` rows of a panel, of which MR elements each are written.
    """
    lanes = lanes_of(source)
    for j in range(vectors):
        _transpose_block(at(source, j * lanes), at(target, j * lanes * panel_width(source)))
