"""The product of a sparse row and a panel: a weighted sum of a few of the panel's rows."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastbp.kernels.tiles.microkernel import NV, emit_switch
from fastbp.kernels.vectors.types import (
    INT64,
    LANES,
    LLVM_OF,
    emit_address,
    emit_fma,
    emit_load,
    emit_splat,
    emit_store,
    llvm_type,
    vec_of,
)

__all__ = ["weighted_rows"]


def _constant(value):
    return ir.Constant(INT64, value)


class _Emitter:
    """Emits the sum over the elements of a sparse row, for a fixed number of vectors."""

    def __init__(self, builder, sig, vectors):
        _, _, values, indices, panel, _ = sig.args
        self.builder = builder
        self.vectors = vectors
        self.value_type, self.index_type, self.dtype = values.dtype, indices.dtype, panel.dtype
        self.vec = vec_of(self.dtype)

    def element(self, pointer, dtype, number):
        return self.builder.load(emit_address(self.builder, dtype, pointer, number), typ=LLVM_OF[dtype])

    def factor(self, values, number):
        """A value of the sparse row, broadcast to all lanes, in the precision of the panel."""
        value = self.element(values, self.value_type, number)
        if self.value_type.bitwidth < self.dtype.bitwidth:
            value = self.builder.fpext(value, LLVM_OF[self.dtype])
        elif self.value_type.bitwidth > self.dtype.bitwidth:
            value = self.builder.fptrunc(value, LLVM_OF[self.dtype])
        return emit_splat(self.builder, self.vec, value)

    def row(self, indices, panel, number):
        """Address of the panel's row that a value is multiplied with."""
        index = self.element(indices, self.index_type, number)
        if self.index_type.bitwidth < 64:
            index = self.builder.sext(index, INT64)
        width = NV * LANES[self.dtype]
        return emit_address(self.builder, self.dtype, panel, self.builder.mul(index, _constant(width)))

    def offset(self, j):
        return _constant(j * self.vec.lanes)

    def sum(self, count, values, indices, panel):
        """The vectors of the sum; zeros if there are no elements."""
        builder = self.builder
        zero = ir.Constant(llvm_type(self.vec), None)
        before = builder.block
        loop, after = builder.append_basic_block("element"), builder.append_basic_block("element.end")
        builder.cbranch(builder.icmp_signed(">", count, _constant(0)), loop, after)

        builder.position_at_end(loop)
        number = builder.phi(INT64)
        totals = [builder.phi(zero.type) for _ in range(self.vectors)]
        factor, row = self.factor(values, number), self.row(indices, panel, number)
        updated = [
            emit_fma(builder, self.vec, factor, emit_load(builder, self.vec, row, self.offset(j)), total)
            for j, total in enumerate(totals)
        ]
        following = builder.add(number, _constant(1))
        builder.cbranch(builder.icmp_signed("<", following, count), loop, after)

        builder.position_at_end(after)
        number.add_incoming(_constant(0), before)
        number.add_incoming(following, loop)
        results = [builder.phi(zero.type) for _ in totals]
        for total, result, new in zip(totals, results, updated, strict=True):
            for phi in (total, result):
                phi.add_incoming(zero, before)
                phi.add_incoming(new, loop)
        return results

    def write(self, c, results):
        for j, result in enumerate(results):
            emit_store(self.builder, self.vec, c, self.offset(j), result)


@intrinsic
def weighted_rows(typingctx, vectors, count, values, indices, panel, c):
    """c := sum of ``values[e] * panel[indices[e]]`` over e < count, term by term in that order.

    Parameters
    ----------
    vectors : int
        Number of vectors of a row that are computed, 1 to NV; the rest of `c` is not touched.
    count : int
        Number of elements; 0 gives zeros.
    values : pointer to float32 or float64, [read]
        Converted to the precision of the panel.
    indices : pointer to int32 or int64, [read]
        Rows of the panel.
    panel : pointer, [read]
    c : pointer, [write]
        One row, of the type of the panel.
    """

    def codegen(context, builder, sig, args):
        wanted, count, values, indices, panel, c = args

        def emit(vectors_in_row):
            emitter = _Emitter(builder, sig, vectors_in_row)
            emitter.write(c, emitter.sum(count, values, indices, panel))

        emit_switch(builder, wanted, NV, emit)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, values, indices, panel, c), codegen
