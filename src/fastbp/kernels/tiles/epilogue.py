"""The epilogue of a product: bias, activation and slope, applied to a panel while it is in cache.

Each function works in place on the rows of one panel (row stride NR). Columns beyond
the matrix are set to exact zeros: they are the padding of the next product, and zeros
there keep the padded weights at zero.

The loops over rows are emitted once for each activation, behind one switch. Networks whose
slopes can all be computed from the outputs have a smaller switch (`smooth` is None), so
they do not compile the other activations. For all others `smooth` is True.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastbp.compiler.jit import inner
from fastbp.kernels.functions.activations import ACTIVATIONS, CODES
from fastbp.kernels.tiles.microkernel import panel_width
from fastbp.kernels.vectors.formula import FORMATS, Lanes
from fastbp.kernels.vectors.loops import emit_cases, emit_loop
from fastbp.kernels.vectors.simd import first_lanes, lanes_of, load_where
from fastbp.kernels.vectors.types import emit_load, emit_store, llvm_type, vec_of

__all__ = ["activation_gradient_panel", "bias_activation_panel"]

_ALL = {CODES[name]: record for name, record in ACTIVATIONS.items()}
_FROM_OUTPUT = {code: record for code, record in _ALL.items() if not record.needs_slopes}


def _lanes(builder, vec, value):
    return Lanes(builder, vec, value, FORMATS[vec.dtype])


@intrinsic
def _activate_column(typingctx, smooth, code, c, slopes, bias, inside, first, end, stride):
    """h = act(z + b) for the vectors at ``first:end:stride`` of `c`; writes the slopes unless `slopes` is None."""
    vec = vec_of(c.dtype)
    records = _FROM_OUTPUT if smooth == types.none else _ALL

    def codegen(context, builder, sig, args):
        _, code, c, slopes, bias, inside, first, end, stride = args
        zeros = ir.Constant(llvm_type(vec), None)

        def column(record):
            def row(index):
                z = _lanes(builder, vec, builder.fadd(emit_load(builder, vec, c, index), bias))
                if sig.args[3] == types.none:
                    h = record.value(z)
                else:
                    h, slope = record.both(z)
                    emit_store(builder, vec, slopes, index, builder.select(inside, slope.value, zeros))
                emit_store(builder, vec, c, index, builder.select(inside, h.value, zeros))

            emit_loop(builder, first, end, stride, row)

        emit_cases(builder, code, records, column)
        return context.get_dummy_value()

    return types.void(smooth, types.intp, c, slopes, vec, inside, types.intp, types.intp, types.intp), codegen


@inner
def bias_activation_panel(smooth, code, columns, c, slopes, row_stride, bias, first_row, end_row):
    """h = act(z + b) for the rows ``first_row:end_row`` of one panel.

    Parameters
    ----------
    smooth : None or True
        True if the network has activations whose slopes cannot be computed from their outputs.
    code : int
        Code of the activation. Softmax is not applied here: its code gives z + b.
    columns : int
        Number of columns of the matrix in this panel and those after it.
    c : pointer, [read+write]
        Panel that holds z, and h afterwards.
    slopes : pointer or None, [write]
        The same panel of act'(z), for training a `smooth` network.
    row_stride : int
        Elements from one row of `c` to the next; NR in a panel matrix.
    bias : pointer, [read]
        Biases of the columns.
    first_row, end_row : int
        Rows.
    """
    lanes = lanes_of(c)
    for j in range(0, min(panel_width(c), columns), lanes):
        inside = first_lanes(columns - j, c)
        first, end = first_row * row_stride + j, end_row * row_stride + j
        _activate_column(smooth, code, c, slopes, load_where(bias, j, inside), inside, first, end, row_stride)


@intrinsic
def _backward_column(typingctx, code, c, h, first, end, stride):
    """dz = backward(dh, h) for the vectors at ``first:end:stride`` of `c` and `h`."""
    vec = vec_of(c.dtype)
    records = {code: record for code, record in _FROM_OUTPUT.items() if record.hidden and record.name != "identity"}

    def codegen(context, builder, sig, args):
        code, c, h, first, end, stride = args

        def column(record):
            def row(index):
                dh, out = (_lanes(builder, vec, emit_load(builder, vec, p, index)) for p in (c, h))
                emit_store(builder, vec, c, index, record.backward(dh, out).value)

            emit_loop(builder, first, end, stride, row)

        emit_cases(builder, code, records, column)
        return context.get_dummy_value()

    return types.void(types.intp, c, h, types.intp, types.intp, types.intp), codegen


@intrinsic
def _multiply_column(typingctx, c, slopes, first, end, stride):
    """dz = dh * slope for the vectors at ``first:end:stride`` of `c`."""
    vec = vec_of(c.dtype)

    def codegen(context, builder, sig, args):
        c, slopes, first, end, stride = args

        def row(index):
            product = builder.fmul(*(emit_load(builder, vec, p, index) for p in (c, slopes)))
            emit_store(builder, vec, c, index, product)

        emit_loop(builder, first, end, stride, row)
        return context.get_dummy_value()

    return types.void(c, slopes, types.intp, types.intp, types.intp), codegen


@inner
def activation_gradient_panel(code, columns, c, h, slopes, first_row, end_row):
    """dz = dh * act'(z) for the rows ``first_row:end_row`` of one panel.

    Parameters
    ----------
    code : int
        Code of a hidden layer's activation.
    columns : int
        Number of columns of the matrix in this panel and those after it.
    c : pointer, [read+write]
        Panel that holds dh, and dz afterwards.
    h : pointer, [read]
        The same panel of the activation's output.
    slopes : pointer or None, [read]
        The same panel of act'(z); None if it is computed from h.
    first_row, end_row : int
        Rows.
    """
    width = panel_width(c)
    for j in range(0, min(width, columns), lanes_of(c)):
        first, end = first_row * width + j, end_row * width + j
        if slopes is None:
            _backward_column(code, c, h, first, end, width)
        else:
            _multiply_column(c, slopes, first, end, width)
