"""The output layer: softmax, loss, and dz = gradient * weight, which overwrites the output.

Output layers are narrow: a row of three classes fills three lanes of sixteen, and its
maximum and sum run across lanes. So NR rows at a time are transposed, into a block whose
lanes are rows and whose rows are output units. Each vector exponential then serves as many
rows as there are lanes, and maxima and sums combine whole vectors.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastbp.compiler.jit import inner
from fastbp.kernels.functions.losses import LOSS_RECORDS, ONE_HOT_LOG_LOSS, clip_probability
from fastbp.kernels.tiles.gemm import column_offset, panel_count
from fastbp.kernels.tiles.microkernel import MR, panel_width
from fastbp.kernels.tiles.transpose import transpose_tile
from fastbp.kernels.vectors import elementary
from fastbp.kernels.vectors.formula import FORMATS, Lanes
from fastbp.kernels.vectors.loops import emit_cases
from fastbp.kernels.vectors.simd import (
    at,
    first_lanes,
    get,
    lanes_of,
    load,
    load_where,
    put,
    select,
    splat,
    store,
    vmax,
    zeros,
)
from fastbp.kernels.vectors.vmath import vexp

__all__ = ["add_loss", "loss_gradient_rows", "output_scratch", "softmax_rows"]


def output_scratch(columns: int, width: int) -> int:
    """Return how many elements of scratch an output layer of `columns` units needs, with panels `width` wide.

    They form NR x NR squares: one for each panel of the transposed outputs, one for transposed targets of some columns,
    one for rows before or after transposition; and two rows of NR for losses and weights.
    """
    return (-(-columns // width) + 2) * width * width + 2 * width


@inner
def _scratch_square(columns, scratch, number):
    """Square `number` after those of the outputs: 0 for targets, 1 for rows, 2 (only two rows) for losses, weights."""
    width = panel_width(scratch)
    return at(scratch, (panel_count(columns, scratch) + number) * width * width)


@inner
def _transpose_output(columns, z, stride, height, transposed):
    """Transpose the `height` rows at `z` of a panel matrix: transposed[c * NR + r] = z[r, c]."""
    width, lanes = panel_width(z), lanes_of(z)
    for column in range(0, columns, lanes):
        source = at(z, column_offset(column, stride, z))
        for row in range(0, height, MR):
            transpose_tile(1, at(source, row * width), at(transposed, column * width + row))


@inner
def _transpose_targets(first, columns, y, order, height, live, rows, transposed):
    """Transpose one vector's width of target columns, from `first` on; rows from `live` on become zeros."""
    width = panel_width(y)
    inside = first_lanes(columns - first, y)
    for row in range(live):
        store(rows, row * width, load_where(at(y, get(order, row) * columns), first, inside))
    for row in range(live, height):
        store(rows, row * width, zeros(y))
    for row in range(0, height, MR):
        transpose_tile(1, at(rows, row * width), at(transposed, row))


@inner
def _look_up_classes(y, order, live, height, classes):
    """Look up the classes of `height` rows; rows from `live` on get -1, which is no class."""
    for row in range(live):
        put(classes, row, get(y, get(order, row)))
    for row in range(live, height):
        put(classes, row, -1.0)


@inner
def _mark_classes(first, count, classes, vectors, targets):
    """Write the transposed one-hot targets of `count` columns from `first` on."""
    width, lanes = panel_width(targets), lanes_of(targets)
    for v in range(0, vectors * lanes, lanes):
        own = load(classes, v)
        for column in range(count):
            hot = select(own != splat(first + column, targets), zeros(targets), splat(1.0, targets))
            store(targets, column * width + v, hot)


@inner
def _restore_output(columns, transposed, height, rows, z, stride):
    """Undo `_transpose_output`, with `rows` as scratch; padding becomes 0."""
    width, lanes = panel_width(z), lanes_of(z)
    vectors = (height + lanes - 1) // lanes
    for panel in range(panel_count(columns, z)):
        left = min(columns - panel * width, width)
        for column in range(0, left, MR):
            transpose_tile(vectors, at(transposed, (panel * width + column) * width), at(rows, column))
        for row in range(height):
            place = at(z, panel * stride + row * width)
            for j in range(0, left, lanes):
                store(place, j, select(first_lanes(left - j, z), load(rows, row * width + j), zeros(z)))


@inner
def _softmax_columns(columns, z, vectors):
    """z := exp(z - max z) / sum exp(z - max z), on a transposed block."""
    width, lanes = panel_width(z), lanes_of(z)
    for v in range(0, vectors * lanes, lanes):
        top = load(z, v)
        for column in range(1, columns):
            top = vmax(top, load(z, column * width + v))
        total = zeros(z)
        for column in range(columns):
            e = vexp(load(z, column * width + v) - top)
            store(z, column * width + v, e)
            total = total + e
        for column in range(columns):
            store(z, column * width + v, load(z, column * width + v) / total)


@inner
def softmax_rows(columns, z, stride, scratch, first_row, end_row):
    """Softmax of the rows ``first_row:end_row`` of a panel matrix, in place.

    `first_row` and `end_row` are multiples of MR, and `scratch` has `output_scratch` elements, [write].
    """
    width, lanes = panel_width(z), lanes_of(z)
    rows = _scratch_square(columns, scratch, 1)
    for row in range(first_row, end_row, width):
        height = min(width, end_row - row)
        block = at(z, row * width)
        _transpose_output(columns, block, stride, height, scratch)
        _softmax_columns(columns, scratch, (height + lanes - 1) // lanes)
        _restore_output(columns, scratch, height, rows, block, stride)


@intrinsic
def add_loss(typingctx, loss, total, y, output):
    """Add the losses of a vector of elements to `total`; returns the sum and dz. See `functions.losses`."""

    def codegen(context, builder, sig, args):
        before, form = builder.block, FORMATS[output.dtype]
        total, target, out = (Lanes(builder, output, value, form) for value in args[1:])
        results = [(args[1], ir.Constant(args[1].type, None), before)]

        def one(record):
            added, gradient = record.add(total, target, out), record.gradient(target, out)
            results.append((added.value, gradient.value, builder.block))

        emit_cases(builder, args[0], LOSS_RECORDS, one)
        pair = []
        for number in range(2):
            phi = builder.phi(args[1].type)
            for result in results:
                phi.add_incoming(result[number], result[2])
            pair.append(phi)
        return context.make_tuple(builder, sig.return_type, pair)

    return types.UniTuple(output, 2)(types.intp, output, output, output), codegen


@intrinsic
def _clipped_log(typingctx, p):
    """The logarithm of clipped probabilities."""

    def codegen(context, builder, sig, args):
        return elementary.log(clip_probability(Lanes(builder, p, args[0], FORMATS[p.dtype]))).value

    return p(p), codegen


@inner
def _loss_gradient_columns(loss, columns, output, y, sums, factors, vectors):
    """Overwrite some columns of a transposed output with dz, and add to the rows' losses (see `add_loss`)."""
    width, lanes = panel_width(output), lanes_of(output)
    for v in range(0, vectors * lanes, lanes):
        total, factor = load(sums, v), load(factors, v)
        for place in range(v, columns * width, width):
            out, target = load(output, place), load(y, place)
            total, gradient = add_loss(loss, total, target, out)
            store(output, place, gradient * factor)
        store(sums, v, total)


@inner
def _store_losses(loss, scale, sums, factors, vectors, live, losses):
    """Write the losses of rows, from the sums over their columns."""
    lanes = lanes_of(sums)
    if loss == ONE_HOT_LOG_LOSS:
        for v in range(0, vectors * lanes, lanes):
            store(sums, v, -_clipped_log(load(sums, v)))
    for row in range(live):
        put(losses, row, scale * get(sums, row) * get(factors, row))


@inner
def loss_gradient_rows(
    loss,
    scale,
    softmax,
    columns,
    output,
    stride,
    y,
    order,
    weights,
    weighted,
    losses,
    scratch,
    first_row,
    end_row,
    rows,
):
    """Compute the losses of a minibatch's rows, and overwrite the output with dz = gradient * weight.

    If the output layer's activation is softmax, it is applied here first: until then the output is z.

    Parameters
    ----------
    loss : int
        Code of the loss.
    scale : float
        Factor of the reported loss.
    softmax : bool
        Whether the output layer's activation is softmax.
    columns : int
        Width of the output layer.
    output : pointer, [read+write]
        Panel matrix of the outputs (of z if the activation is softmax), then of dz.
    stride : int
        Elements from one panel to the next.
    y : pointer, [read]
        Targets, (n, columns), C-contiguous; for ONE_HOT_LOG_LOSS the numbers of the classes, (n,).
    order : pointer to int64, [read]
        Row of `y` for each row of the minibatch.
    weights : pointer to float64, [read]
        A weight for each row of `y`; not read unless `weighted`.
    weighted : bool
    losses : pointer to float64, [write]
        Weighted loss of each row of the minibatch.
    scratch : pointer, [write]
        `output_scratch` elements.
    first_row, end_row : int
        Multiples of MR.
    rows : int
        Rows of the minibatch. Rows of the last tile beyond that have no targets.
    """
    width, lanes = panel_width(output), lanes_of(output)
    targets, row_square = _scratch_square(columns, scratch, 0), _scratch_square(columns, scratch, 1)
    sums = _scratch_square(columns, scratch, 2)
    factors = at(sums, width)
    for row in range(first_row, end_row, width):
        height = min(width, end_row - row)
        live = min(height, rows - row)
        vectors = (height + lanes - 1) // lanes
        block = at(output, row * width)
        _transpose_output(columns, block, stride, height, scratch)
        if softmax:
            _softmax_columns(columns, scratch, vectors)
        for v in range(0, vectors * lanes, lanes):
            store(sums, v, zeros(output))
            store(factors, v, splat(1.0, output))
        if weighted:
            for r in range(live):
                put(factors, r, get(weights, get(order, row + r)))
        if loss == ONE_HOT_LOG_LOSS:
            _look_up_classes(y, at(order, row), live, vectors * lanes, row_square)
        for column in range(0, columns, lanes):
            count = min(lanes, columns - column)
            if loss == ONE_HOT_LOG_LOSS:
                _mark_classes(column, count, row_square, vectors, targets)
            else:
                _transpose_targets(column, columns, y, at(order, row), height, live, row_square, targets)
            part = at(scratch, column * width)
            _loss_gradient_columns(loss, count, part, targets, sums, factors, vectors)
        _store_losses(loss, scale, sums, factors, vectors, live, at(losses, row))
        _restore_output(columns, scratch, height, row_square, block, stride)
