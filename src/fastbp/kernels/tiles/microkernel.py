"""The register tile: C (MR x NV vectors) := or += A (MR x kc) . B (kc x NV vectors).

::

               NR = 3 vectors                 B: one row of NR per k, contiguous
             +----+----+----+
             | b0 | b1 | b2 |                 A: MR scalars per k, broadcast
             +----+----+----+
      +---+  +----+----+----+
      | a0|  |c00 |c01 |c02 |                 C: MR rows of NR, in registers while k
   MR | a1|  |c10 |c11 |c12 |                    runs, then written to memory once
      | : |  | :  | :  | :  |
      +---+  +----+----+----+

All matrices that training touches are kept in *panels*: a matrix (rows, columns) is
cut into column panels NR wide, each stored row after row, so that a row of a panel is
NR contiguous elements. So one tile serves all products of training:

- B and C are read and written in place, without packing;
- the stride between the rows of A is the constant NR, so the MR broadcasts of a k
  are one address register and MR displacements. Addressing by rows (`A` itself, in the
  forward pass and for dX) and by columns (`A` transposed, for dW) differ only in
  constants, and activations are never transposed in memory.

On machines that compute a vector in two halves (`Target.parts`), the tile can compute just
half of the last vector of a row: 100 columns are 12 and a half vectors of 8, not 13.

MR and NR are compile-time constants. The tile is unrolled here, in Python, while the IR is
emitted; the only loop at run time is the one over k.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastbp.compiler.target import TARGET
from fastbp.kernels.vectors.types import (
    LANES,
    VecType,
    emit_address,
    emit_fma,
    emit_load,
    emit_load_where,
    emit_splat,
    emit_store,
    emit_store_where,
    llvm_type,
    vec_of,
)

__all__ = [
    "MR",
    "NV",
    "PARTS",
    "emit_switch",
    "gemm_tile",
    "gemm_tile_in_place",
    "gemm_tile_rows",
    "gemm_tile_transposed",
    "panel_width",
]

MR = TARGET.mr
NV = TARGET.nv
PARTS = TARGET.parts
_INT64 = ir.IntType(64)


@intrinsic
def panel_width(typingctx, p):
    """NR, the width of a panel in elements of the type that `p` points to."""
    width = NV * LANES[p.dtype]

    def codegen(context, builder, sig, args):
        return ir.Constant(_INT64, width)

    return types.intp(p), codegen


def _constant(value):
    return ir.Constant(_INT64, value)


class _TileEmitter:
    """Emits the loop over k for one element type, number of vector parts and way of addressing A."""

    def __init__(self, builder, dtype, parts, a_row, a_k):
        self.builder = builder
        self.dtype = dtype
        self.vec = vec_of(dtype)
        self.count = -(-parts // PARTS)
        part = VecType(dtype, self.vec.lanes // PARTS)
        self.vecs = [self.vec] * (parts // PARTS) + [part] * (parts % PARTS)
        self.a_row = a_row
        self.a_k = a_k
        self.width = NV * self.vec.lanes
        self.b_k = _constant(self.width)

    def cells(self):
        return [(i, j) for i in range(MR) for j in range(self.count)]

    def offset(self, i, j):
        return _constant(i * self.width + j * self.vec.lanes)

    def start(self, c, accumulate):
        """Zeros, or the tile that an earlier block of k left in C (which otherwise is not read: it may hold NaN)."""
        builder = self.builder
        before = builder.block
        with builder.if_then(accumulate):
            loaded = [emit_load(builder, self.vecs[j], c, self.offset(i, j)) for i, j in self.cells()]
            inside = builder.block
        accumulators = []
        for value in loaded:
            phi = builder.phi(value.type)
            phi.add_incoming(ir.Constant(value.type, None), before)
            phi.add_incoming(value, inside)
            accumulators.append(phi)
        return accumulators

    def place(self, a, i):
        """Address of A's element in row `i` of the tile, for the k that `a` points to."""
        return emit_address(self.builder, self.dtype, a, _constant(i * self.a_row))

    def advance(self, a):
        """The value of `a` for the next k."""
        return emit_address(self.builder, self.dtype, a, _constant(self.a_k))

    def load_row(self, b):
        """The vectors of a row of B."""
        return [emit_load(self.builder, vec, b, self.offset(0, j)) for j, vec in enumerate(self.vecs)]

    def rank_one(self, a, b, accumulators):
        """One k: the outer product of a column of A and a row of B."""
        builder = self.builder
        columns = self.load_row(b)
        updated = []
        for i in range(MR):
            scalar = builder.load(self.place(a, i), typ=llvm_type(self.vec).element)
            for j, vec in enumerate(self.vecs):
                old = accumulators[i * self.count + j]
                updated.append(emit_fma(builder, vec, emit_splat(builder, vec, scalar), columns[j], old))
        return updated

    def loop(self, name, start, body):
        """Repeat `body` on a list of values, from `start` on, while the first of its results is positive."""
        builder = self.builder
        before = builder.block
        loop = builder.append_basic_block(name)
        after = builder.append_basic_block(f"{name}.end")
        builder.branch(loop)
        builder.position_at_end(loop)
        phis = [builder.phi(value.type) for value in start]
        following = body(*phis)
        for phi, value, new in zip(phis, start, following, strict=True):
            phi.add_incoming(value, before)
            phi.add_incoming(new, builder.block)
        builder.cbranch(builder.icmp_signed(">", following[0], _constant(0)), loop, after)
        builder.position_at_end(after)
        return following

    def run(self, count, a, b, accumulators):
        """`count` > 0 steps of k from `a` and `b`; returns the advanced b and the accumulators."""

        def step(left, a_k, b_k, *tile):
            tile = self.rank_one(a_k, b_k, tile)
            b_next = emit_address(self.builder, self.dtype, b_k, self.b_k)
            return [self.builder.sub(left, _constant(1)), self.advance(a_k), b_next, *tile]

        _, _, b, *tile = self.loop("k", [count, a, b, *accumulators], step)
        return b, tile

    def run_panels(self, count, a, panel_stride, b, accumulators):
        """Like `run`, but k runs along the columns of A: NR of them, then those of A's next panel."""
        width = _constant(self.width)

        def step(left, a_panel, b_k, *tile):
            now = self.builder.select(self.builder.icmp_signed("<", left, width), left, width)
            b_k, tile = self.run(now, a_panel, b_k, tile)
            a_next = emit_address(self.builder, self.dtype, a_panel, panel_stride)
            return [self.builder.sub(left, now), a_next, b_k, *tile]

        return self.loop("panel", [count, a, b, *accumulators], step)[3:]

    def whole(self, value):
        """Extend a part of a vector to a whole one, with zeros."""
        if value.type == llvm_type(self.vec):
            return value
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), self.vec.lanes), list(range(self.vec.lanes)))
        return self.builder.shuffle_vector(value, ir.Constant(value.type, None), lanes)

    def write(self, c, accumulators):
        for (i, j), value in zip(self.cells(), accumulators, strict=True):
            emit_store(self.builder, self.vec, c, self.offset(i, j), self.whole(value))


class _RowEmitter(_TileEmitter):
    """The same, for rows of A at arbitrary addresses: `a` is the index k within the rows."""

    def __init__(self, builder, dtype, parts, rows):
        super().__init__(builder, dtype, parts, a_row=0, a_k=1)
        self.rows = rows

    def place(self, a, i):
        return emit_address(self.builder, self.dtype, self.rows[i], a)

    def advance(self, a):
        return self.builder.add(a, _constant(1))


class _InPlaceEmitter(_RowEmitter):
    """The same, with B and C in place, too: rows of B `b_stride` apart, and `mask` for the last vector of a row."""

    def __init__(self, builder, dtype, vectors, rows, b_stride, mask):
        super().__init__(builder, dtype, vectors * PARTS, rows)
        self.b_k = b_stride
        self.mask = mask

    def load_row(self, b):
        whole = [emit_load(self.builder, self.vec, b, self.offset(0, j)) for j in range(self.count - 1)]
        last = emit_address(self.builder, self.dtype, b, self.offset(0, self.count - 1))
        return [*whole, emit_load_where(self.builder, self.vec, last, self.mask)]

    def write_rows(self, rows, accumulators):
        for (i, j), value in zip(self.cells(), accumulators, strict=True):
            if j < self.count - 1:
                emit_store(self.builder, self.vec, rows[i], self.offset(0, j), value)
            else:
                last = emit_address(self.builder, self.dtype, rows[i], self.offset(0, j))
                emit_store_where(self.builder, self.vec, last, value, self.mask)


def emit_switch(builder, wanted, most, emit):
    """Emit a switch that runs the code of `emit(wanted)`, where `wanted` in 1..most is known at run time only."""
    after = builder.append_basic_block("tile.end")
    switch = builder.switch(wanted, after)
    for count in range(1, most + 1):
        case = builder.append_basic_block(f"tile.{count}")
        switch.add_case(_constant(count), case)
        builder.position_at_end(case)
        emit(count)
        builder.branch(after)
    builder.position_at_end(after)


@intrinsic
def gemm_tile(typingctx, parts, kc, a, panel_stride, b, c, accumulate):
    """C := or += A . B for MR rows of A.

    Parameters
    ----------
    parts : int
        Number of vector parts in a row of C that are computed, 1 to NV * PARTS. The rest of the last vector becomes
        zero; the rest of the row is not touched.
    kc : int
        Length of the sum, > 0.
    a : pointer, [read]
        First of MR rows of a panel of A. Beyond the panel's width, k continues in the next panel, `panel_stride`
        elements further: (ii, k) is ``a[k // NR * panel_stride + ii * NR + k % NR]``.
    panel_stride : int
        Elements from one panel of A to the next.
    b : pointer, [read]
        kc rows of a panel: (k, j) is ``b[k * NR + j]``.
    c : pointer, [write] or [read+write]
        MR rows of a panel: (ii, j) is ``c[ii * NR + j]``.
    accumulate : bool
        Whether to add to C. If not, C is not read: it may hold NaN.
    """
    dtype = a.dtype

    def codegen(context, builder, sig, args):
        wanted, kc, a, panel_stride, b, c, accumulate = args

        def emit(parts):
            emitter = _TileEmitter(builder, dtype, parts, a_row=NV * LANES[dtype], a_k=1)
            tile = emitter.start(c, accumulate)
            emitter.write(c, emitter.run_panels(kc, a, panel_stride, b, tile))

        emit_switch(builder, wanted, NV * PARTS, emit)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, a, types.intp, b, c, types.boolean), codegen


@intrinsic
def gemm_tile_transposed(typingctx, parts, kc, a, b, c, accumulate):
    """C := or += A^T . B for MR columns of A.

    The parameters are those of `gemm_tile`, but k runs down the rows of a panel of A:
    (ii, k) is ``a[k * NR + ii]``.
    """
    dtype = a.dtype

    def codegen(context, builder, sig, args):
        wanted, kc, a, b, c, accumulate = args

        def emit(parts):
            emitter = _TileEmitter(builder, dtype, parts, a_row=1, a_k=NV * LANES[dtype])
            tile = emitter.start(c, accumulate)
            emitter.write(c, emitter.run(kc, a, b, tile)[1])

        emit_switch(builder, wanted, NV * PARTS, emit)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, a, b, c, types.boolean), codegen


def _row_places(builder, dtype, p, row_stride, count):
    """Addresses of MR rows; if there are only `count`, the last one is repeated."""
    last = builder.sub(count, _constant(1))
    places = []
    for i in range(MR):
        row = builder.select(builder.icmp_signed("<", _constant(i), last), _constant(i), last)
        places.append(emit_address(builder, dtype, p, builder.mul(row, row_stride)))
    return places


@intrinsic
def gemm_tile_rows(typingctx, parts, kc, a, row_stride, rows, b, c, accumulate):
    """C := or += A . B for up to MR rows of a matrix in the caller's memory, without packing.

    The parameters are those of `gemm_tile`, but (ii, k) of A is ``a[ii * row_stride + k]``. If `rows` < MR, the last
    row is read again in place of the missing ones; their results are meaningless.
    """
    dtype = a.dtype

    def codegen(context, builder, sig, args):
        wanted, kc, a, row_stride, count, b, c, accumulate = args
        places = _row_places(builder, dtype, a, row_stride, count)

        def emit(parts):
            emitter = _RowEmitter(builder, dtype, parts, places)
            tile = emitter.start(c, accumulate)
            emitter.write(c, emitter.run(kc, _constant(0), b, tile)[1])

        emit_switch(builder, wanted, NV * PARTS, emit)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, a, types.intp, types.intp, b, c, types.boolean), codegen


@intrinsic
def gemm_tile_in_place(typingctx, vectors, kc, a, a_stride, rows, b, b_stride, c, c_stride, mask):
    """C := A . B for up to MR rows, with all three matrices in the caller's memory, without packing.

    The stride of each matrix is the distance between its rows. `mask` selects the lanes of a row's last vector that are
    inside B and C. If `rows` < MR, the last row is computed and written again in place of the missing ones.
    """
    dtype = a.dtype

    def codegen(context, builder, sig, args):
        wanted, kc, a, a_stride, count, b, b_stride, c, c_stride, mask = args
        a_rows = _row_places(builder, dtype, a, a_stride, count)
        c_rows = _row_places(builder, dtype, c, c_stride, count)

        def emit(vectors_in_row):
            emitter = _InPlaceEmitter(builder, dtype, vectors_in_row, a_rows, b_stride, mask)
            zero = [ir.Constant(llvm_type(emitter.vec), None)] * (MR * vectors_in_row)
            emitter.write_rows(c_rows, emitter.run(kc, _constant(0), b, zero)[1])

        emit_switch(builder, wanted, NV, emit)
        return context.get_dummy_value()

    signature = types.void(types.intp, types.intp, a, types.intp, types.intp, b, types.intp, c, types.intp, mask)
    return signature, codegen
