"""Forward pass of many rows, a chunk at a time."""

from fastbp.jit import jit
from fastbp.kernels.layout import DZ, N_IN, N_OUT, H
from fastbp.kernels.microkernel import MR, panel_width
from fastbp.kernels.panels import gather_rows, unpack_rows
from fastbp.kernels.simd import address_pointer, at, pointer
from fastbp.kernels.step import forward_rows

__all__ = ["predict_rows"]


@jit
def predict_rows(network, params, workspace, x, x_row, x_column, order, result, first, end):
    """Outputs of the rows ``first:end`` of `x`.

    Parameters
    ----------
    network : Network
        Its `batch` is the size of a chunk.
    params : array, [read]
        Weights in panel order.
    workspace : array, [write]
        Activations of a chunk; not shared with other threads.
    x : int
        Address of the samples, [read]; `x_row` and `x_column` are their strides in elements.
    order : array of int64, (batch,), [read]
        0, 1, 2, ...
    result : array, (n, n_out), [write]
        C-contiguous.
    first, end : int
        Rows.
    """
    table = network.table
    last = table.shape[0] - 1
    h = at(pointer(workspace), table[0, H])
    output = at(pointer(workspace), table[last, DZ])
    stride = network.row_capacity * panel_width(h)
    n_out = table[last, N_OUT]
    samples = address_pointer(x, h)
    for row in range(first, end, network.batch):
        rows = min(network.batch, end - row)
        padded = (rows + MR - 1) // MR * MR
        gather_rows(table[0, N_IN], at(samples, row * x_row), x_row, x_column, order[:rows], h, stride, 0, padded)
        forward_rows(network, pointer(params), pointer(workspace), 0, padded)
        unpack_rows(rows, n_out, output, stride, at(pointer(result), row * n_out), n_out)
