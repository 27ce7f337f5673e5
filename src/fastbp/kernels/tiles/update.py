"""The optimizer as the epilogue of the weight gradient: a tile of dW is applied to the weights while it is in L1.

In the equations, `acc` is a tile of H^T dZ summed over the minibatch, S is the weight of
the minibatch (its number of rows if there are no sample weights), and

    g = (acc + weight_decay * w) / S

is the gradient of the mean loss plus weight_decay / (2 S) * sum(w^2), scikit-learn's
convention. Biases are updated in the same way, without decay. The loops over a tile are
emitted once for each rule of `functions.optimizers`, behind one switch.
"""

from typing import NamedTuple

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastbp.compiler.jit import inner
from fastbp.kernels.functions.optimizers import MOST_SCALARS, RULE_CODES, RULES
from fastbp.kernels.tiles.microkernel import NV, panel_width
from fastbp.kernels.vectors.formula import FORMATS, Lanes
from fastbp.kernels.vectors.loops import emit_cases, emit_loop
from fastbp.kernels.vectors.simd import fma, hsum, lanes_of, load, store, zeros
from fastbp.kernels.vectors.types import INT64, LLVM_OF, VecType, emit_load, emit_splat, emit_store, vec_of

__all__ = ["Step", "carry_tile", "step_scalars", "sum_of_squares", "sum_rows", "update_tile"]

_RULES = {RULE_CODES[name]: rule for name, rule in RULES.items()}
_DOUBLE = VecType(types.float64, 1)


class Step(NamedTuple):
    """The inputs of an update other than the gradient.

    Attributes
    ----------
    rule : int
        Code of a rule of `functions.optimizers`.
    scalars : tuple of float64
        The numbers that this step uses, see `step_scalars`.
    inverse_weight : float64
        1 / S.
    weight_decay : float64
        Strength of the L2 penalty.
    """

    rule: int
    scalars: tuple[float, ...]
    inverse_weight: float
    weight_decay: float


@intrinsic
def step_scalars(typingctx, rule, settings, t):
    """The numbers that step `t` of a rule uses, from the rule's code and a pointer to its settings."""

    def codegen(context, builder, sig, args):
        code, settings, t = args
        before, results = builder.block, []
        form = FORMATS[types.float64]

        def numbers(rule):
            values = [
                Lanes(builder, _DOUBLE, emit_load(builder, _DOUBLE, settings, ir.Constant(INT64, index)), form)
                for index in range(len(rule.settings))
            ]
            step = emit_splat(builder, _DOUBLE, builder.sitofp(t, LLVM_OF[types.float64]))
            step = Lanes(builder, _DOUBLE, step, form)
            results.append(([scalar.value for scalar in rule.scalars(values, step)], builder.block))

        emit_cases(builder, code, _RULES, numbers)
        zero = ir.Constant(ir.VectorType(LLVM_OF[types.float64], 1), None)
        scalars = []
        for index in range(MOST_SCALARS):
            phi = builder.phi(zero.type)
            phi.add_incoming(zero, before)
            for values, block in results:
                phi.add_incoming(values[index] if index < len(values) else zero, block)
            scalars.append(phi)
        first = ir.Constant(ir.IntType(32), 0)
        return context.make_tuple(builder, sig.return_type, [builder.extract_element(s, first) for s in scalars])

    return types.UniTuple(types.float64, MOST_SCALARS)(types.intp, settings, types.intp), codegen


@intrinsic
def _apply(typingctx, rule, rows, vectors, acc, w, m, v, scalars, inverse_weight, weight_decay, decays):
    """The body of `update_tile`."""
    vec = vec_of(w.dtype)
    lanes, width = vec.lanes, NV * vec.lanes

    def codegen(context, builder, sig, args):
        code, rows, vectors, acc, w, m, v, scalars, *numbers = args

        def splat(value):
            value = context.cast(builder, value, types.float64, vec.dtype)
            return Lanes(builder, vec, emit_splat(builder, vec, value), FORMATS[vec.dtype])

        inverse, decay, decays = (splat(number) for number in numbers)

        def tile(rule):
            constants = [splat(builder.extract_value(scalars, index)) for index in range(MOST_SCALARS)]
            buffers = [m, v][: len(rule.moments)]

            def vector(index):
                old, total, *moments = (
                    Lanes(builder, vec, emit_load(builder, vec, p, index), FORMATS[vec.dtype])
                    for p in (w, acc, *buffers)
                )
                g = decay.fma(old, total) * inverse
                new = rule.update(constants, decays, old, g, *moments)
                for p, value in zip((w, *buffers), new, strict=True):
                    if value is not old:
                        emit_store(builder, vec, p, index, value.value)

            def row(first):
                end = builder.add(first, builder.mul(vectors, ir.Constant(INT64, lanes)))
                emit_loop(builder, first, end, ir.Constant(INT64, lanes), vector)

            end = builder.mul(rows, ir.Constant(INT64, width))
            emit_loop(builder, ir.Constant(INT64, 0), end, ir.Constant(INT64, width), row)

        emit_cases(builder, code, _RULES, tile)
        return context.get_dummy_value()

    number = types.float64
    return types.void(types.intp, types.intp, types.intp, acc, w, m, v, scalars, number, number, number), codegen


@inner
def update_tile(step, rows, vectors, acc, w, m, v, decays):
    """Apply one tile of the gradient to the weights.

    Parameters
    ----------
    step : Step
    rows, vectors : int
        Size of the tile.
    acc : pointer, [read]
        Tile of H^T dZ, row stride NR.
    w : pointer, [read+write]
        The same tile of the weights.
    m, v : pointer, [read+write]
        The same tile of the moments, as many as the rule has; for "store" the gradient, [write].
    decays : float64
        1 for weights, 0 for biases.
    """
    weight_decay = step.weight_decay * decays
    _apply(step.rule, rows, vectors, acc, w, m, v, step.scalars, step.inverse_weight, weight_decay, decays)


@inner
def sum_of_squares(rows, vectors, w):
    """Sum of the squares of a tile, in a fixed order."""
    total = zeros(w)
    for row in range(rows):
        for j in range(row * panel_width(w), row * panel_width(w) + vectors * lanes_of(w), lanes_of(w)):
            x = load(w, j)
            total = fma(x, x, total)
    return hsum(total)


@inner
def sum_rows(rows, vectors, dz, acc):
    """acc := sum of the rows of a panel: the gradient of the biases."""
    lanes, width = lanes_of(dz), panel_width(dz)
    for j in range(0, vectors * lanes, lanes):
        # Four independent chains, because each addition in a chain waits for the one before it.
        first, second, third, fourth = zeros(dz), zeros(dz), zeros(dz), zeros(dz)
        whole = rows // 4 * 4
        for row in range(0, whole, 4):
            first = first + load(dz, row * width + j)
            second = second + load(dz, (row + 1) * width + j)
            third = third + load(dz, (row + 2) * width + j)
            fourth = fourth + load(dz, (row + 3) * width + j)
        for row in range(whole, rows):
            first = first + load(dz, row * width + j)
        store(acc, j, (first + second) + (third + fourth))


@inner
def carry_tile(rows, vectors, acc, gradient, first, last):
    """Add a tile of the gradient to the sum over the blocks so far in `gradient`; for the last block, into `acc`."""
    for row in range(rows):
        for j in range(row * panel_width(acc), row * panel_width(acc) + vectors * lanes_of(acc), lanes_of(acc)):
            total = load(acc, j)
            if not first:
                total = load(gradient, j) + total
            if last:
                store(acc, j, total)
            else:
                store(gradient, j, total)
