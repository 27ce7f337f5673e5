"""Forward pass of a few rows, without packing the weights.

Packing the weights pays if many rows use them. For a single row it would be most of the
work: every weight is used once.
"""

from fastbp.compiler.jit import inner, jit
from fastbp.compiler.tuning import ROWS_OF_A_TILE
from fastbp.kernels.functions.activations import CODES
from fastbp.kernels.passes.output import output_scratch, softmax_rows
from fastbp.kernels.tiles.epilogue import bias_activation_panel
from fastbp.kernels.tiles.gemm import column_offset, panel_count, panel_vectors
from fastbp.kernels.tiles.microkernel import MR, gemm_tile_in_place, panel_width
from fastbp.kernels.tiles.panels import unpack_rows
from fastbp.kernels.vectors.simd import (
    address_of,
    address_pointer,
    at,
    first_lanes,
    fma,
    get,
    lanes_of,
    load,
    load_where,
    pointer,
    splat,
    store,
    zeros,
)

__all__ = ["address", "few_rows_workspace", "predict_few_rows"]

SOFTMAX = CODES["softmax"]


@jit
def address(array):
    """Address of the first element of `array`, in a sixth of the time of ``array.ctypes.data``."""
    return address_of(pointer(array))


def few_rows_workspace(sizes: tuple[int, ...], width: int) -> tuple[int, int]:
    """Return the number of elements of MR rows of the widest layer, and of the workspace of `predict_few_rows`.

    The workspace holds MR rows twice (a layer's input and its output) and the scratch of the output layer. Panels are
    `width` wide.
    """
    rows = MR * max(-(-size // width) * width for size in sizes[1:])
    return rows, 2 * rows + output_scratch(sizes[-1], width)


@inner
def _row_times_matrix(k, columns, a, w, c, c_panel):
    """c := a . w for a single row: the weights are read once, in memory order, and no padding is computed.

    The sum over k is that of `gemm_tile`, term by term.
    """
    lanes = lanes_of(c)
    for j in range(0, columns, lanes):
        store(c, column_offset(j, c_panel, c), zeros(c))
    whole = k // 4 * 4
    for i in range(0, whole, 4):
        # Four rows of w at a time, so that c is read and written once for all four.
        w0, w1 = at(w, i * columns), at(w, (i + 1) * columns)
        w2, w3 = at(w, (i + 2) * columns), at(w, (i + 3) * columns)
        x0, x1 = splat(get(a, i), c), splat(get(a, i + 1), c)
        x2, x3 = splat(get(a, i + 2), c), splat(get(a, i + 3), c)
        full = columns // lanes * lanes
        for j in range(0, full, lanes):
            place = column_offset(j, c_panel, c)
            total = fma(x1, load(w1, j), fma(x0, load(w0, j), load(c, place)))
            store(c, place, fma(x3, load(w3, j), fma(x2, load(w2, j), total)))
        if full < columns:
            inside = first_lanes(columns - full, c)
            place = column_offset(full, c_panel, c)
            total = fma(x0, load_where(w0, full, inside), load(c, place))
            total = fma(x2, load_where(w2, full, inside), fma(x1, load_where(w1, full, inside), total))
            store(c, place, fma(x3, load_where(w3, full, inside), total))
    for i in range(whole, k):
        x0, w0 = splat(get(a, i), c), at(w, i * columns)
        for j in range(0, columns, lanes):
            place = column_offset(j, c_panel, c)
            store(c, place, fma(x0, load_where(w0, j, first_lanes(columns - j, c)), load(c, place)))


@inner
def _layer(smooth, code, k, columns, a, a_stride, rows, w, bias, c, c_stride, c_panel):
    """c := act(a . w + bias) for up to MR rows; panels of c begin `c_panel` elements apart."""
    width, lanes = panel_width(c), lanes_of(c)
    apart = rows < ROWS_OF_A_TILE
    if apart:
        for row in range(rows):
            _row_times_matrix(k, columns, at(a, row * a_stride), w, at(c, row * c_stride), c_panel)
    for panel in range(panel_count(columns, c)):
        first = panel * width
        vectors = panel_vectors(columns, panel, c)
        z = at(c, panel * c_panel)
        if not apart:
            inside = first_lanes(columns - first - (vectors - 1) * lanes, c)
            gemm_tile_in_place(vectors, k, a, a_stride, rows, at(w, first), columns, z, c_stride, inside)
        # Rows are padded to whole vectors, so whole vectors may be written.
        bias_activation_panel(smooth, code, columns - first, z, None, c_stride, at(bias, first), 0, rows)


@jit
def predict_few_rows(places, sizes, smooth, activation, output, x, x_row, workspace, half, result):
    """Outputs of a network for all rows of `x`, MR at a time.

    Parameters
    ----------
    places : array of int64, (2 * layers,), [read]
        For each layer, the addresses of its weights and biases, C-contiguous arrays.
    sizes : array of int64, (layers + 1,), [read]
        Units of the input and of each layer.
    smooth : None or True
        See `views.NetworkView`.
    activation, output : int
        Codes of the activations of the hidden layers and of the output layer.
    x : int
        Address of the samples, [read]; rows are contiguous and `x_row` elements apart.
    workspace : array, [write]
        `few_rows_workspace` elements.
    half : int
        Elements of the workspace that MR rows of a layer take.
    result : array, (n, n_out), [write]
        C-contiguous.
    """
    work, rows_of_result = pointer(workspace), pointer(result)
    width = panel_width(work)
    layers = sizes.size - 1
    n, n_out = result.shape
    scratch = at(work, 2 * half)
    for row in range(0, n, MR):
        rows = min(MR, n - row)
        a, a_stride = at(address_pointer(x, work), row * x_row), x_row
        for layer in range(layers):
            columns = sizes[layer + 1]
            c = at(work, layer % 2 * half)
            w, bias = address_pointer(places[2 * layer], work), address_pointer(places[2 * layer + 1], work)
            if layer < layers - 1:  # as rows: the next layer reads along the rows
                c_stride, c_panel, code = panel_count(columns, c) * width, width, activation
            else:  # as panels
                c_stride, c_panel, code = width, MR * width, output
            _layer(smooth, code, sizes[layer], columns, a, a_stride, rows, w, bias, c, c_stride, c_panel)
            a, a_stride = c, c_stride
        if output == SOFTMAX:
            softmax_rows(n_out, a, MR * width, scratch, 0, MR)
        unpack_rows(rows, n_out, a, MR * width, at(rows_of_result, row * n_out), n_out)
