"""The machine's peak speed: fused multiply-adds per second, without memory accesses."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastbp.compiler.jit import jit
from fastbp.kernels.tiles.microkernel import MR, NV
from fastbp.kernels.vectors import simd
from fastbp.kernels.vectors import types as vectors

__all__ = ["flops_per_round", "fma_rounds"]

# As many independent chains as the register tile has accumulators: enough to hide the latency of any FMA unit.
_CHAINS = MR * NV


@intrinsic
def _fma_chains(typingctx, rounds, start, factor):
    """Sum of `_CHAINS` vectors, each carried through `rounds` steps of x := x * factor + factor."""

    def codegen(context, builder, sig, args):
        rounds, first, factor = args
        element = vectors.llvm_type(start).element
        # Different start values: otherwise LLVM would compute one chain and copy it.
        shifts = [vectors.emit_splat(builder, start, ir.Constant(element, chain)) for chain in range(_CHAINS)]
        begins = [builder.fadd(first, shift) for shift in shifts]
        before = builder.block
        loop = builder.append_basic_block("fma")
        after = builder.append_basic_block("fma.end")
        builder.branch(loop)
        builder.position_at_end(loop)
        count = builder.phi(rounds.type)
        count.add_incoming(rounds, before)
        chains = [builder.phi(first.type) for _ in begins]
        for chain, begin in zip(chains, begins, strict=True):
            chain.add_incoming(begin, before)
        updated = [vectors.emit_fma(builder, start, chain, factor, factor) for chain in chains]
        left = builder.sub(count, ir.Constant(rounds.type, 1))
        count.add_incoming(left, loop)
        for chain, value in zip(chains, updated, strict=True):
            chain.add_incoming(value, loop)
        builder.cbranch(builder.icmp_signed(">", left, ir.Constant(rounds.type, 0)), loop, after)
        builder.position_at_end(after)
        total = updated[0]
        for value in updated[1:]:
            total = builder.fadd(total, value)
        return total

    return start(types.intp, start, start), codegen


@jit
def fma_rounds(rounds, one):
    """Run `rounds` > 0 rounds of FMAs in the type of the array `one`; returns a number that depends on all of them."""
    p = simd.pointer(one)
    start = simd.splat(one[0], p)
    return simd.hsum(_fma_chains(rounds, start, start))


def flops_per_round(dtype) -> int:
    """Return the floating-point operations of one round for a Numba float type: two for every lane of every chain."""
    return 2 * _CHAINS * vectors.LANES[dtype]
