"""Forward pass of many rows, a chunk at a time."""

from fastbp.jit import jit
from fastbp.kernels.codes import Activation
from fastbp.kernels.layout import DZ, N_IN, N_OUT, H, entry
from fastbp.kernels.microkernel import MR, panel_width
from fastbp.kernels.output import softmax_rows
from fastbp.kernels.panels import gather_rows, unpack_rows
from fastbp.kernels.run import view_network
from fastbp.kernels.simd import address_pointer, at, pointer
from fastbp.kernels.step import forward_rows

__all__ = ["predict_rows"]

SOFTMAX = int(Activation.SOFTMAX)


@jit
def predict_rows(network, params, workspace, scratch, x, x_row, x_column, order, result, first, end):
    """Outputs of the rows ``first:end`` of `x`.

    Parameters
    ----------
    network : Network
        Its `batch` is the size of a chunk.
    params : array, [read]
        Weights in panel order.
    workspace : array, [write]
        Activations of a chunk; not shared with other threads.
    scratch : array, (plan.scratch,), [write]
        Likewise.
    x : int
        Address of the samples, [read]; `x_row` and `x_column` are their strides in elements.
    order : array of int64, (batch,), [read]
        0, 1, 2, ...
    result : array, (n, n_out), [write]
        C-contiguous.
    first, end : int
        Rows.
    """
    net = view_network(network)
    weights, work, rows_in_order = pointer(params), pointer(workspace), pointer(order)
    samples, targets = address_pointer(x, work), pointer(result)
    h = at(work, entry(net.table, 0, H))
    output = at(work, entry(net.table, net.layers - 1, DZ))
    n_in, n_out = entry(net.table, 0, N_IN), entry(net.table, net.layers - 1, N_OUT)
    stride = net.row_capacity * panel_width(h)
    for row in range(first, end, net.batch):
        rows = min(net.batch, end - row)
        padded = (rows + MR - 1) // MR * MR
        gather_rows(n_in, at(samples, row * x_row), x_row, x_column, rows_in_order, rows, h, stride, 0, padded)
        forward_rows(net, weights, work, 0, padded)
        if net.output == SOFTMAX:
            softmax_rows(n_out, output, stride, pointer(scratch), 0, padded)
        unpack_rows(rows, n_out, output, stride, at(targets, row * n_out), n_out)
