"""The row phase of a step: each thread computes everything that belongs to its rows of the minibatch.

That is: gather, forward pass through all layers, loss and output delta, deltas of all
hidden layers. A thread only reads the old weights and only writes its own rows, so no
synchronization is needed, however deep the network is.
"""

from fastbp.compiler.jit import inner
from fastbp.kernels.functions.activations import CODES
from fastbp.kernels.passes.barrier import STOP_REQUEST
from fastbp.kernels.passes.layout import ACTIVATION, BIAS_ROW, DZ, N_IN, N_OUT, SLOPES, W_ROWS, WT, WT_ROWS, H, W, entry
from fastbp.kernels.passes.output import loss_gradient_rows
from fastbp.kernels.passes.sparse import first_layer_rows
from fastbp.kernels.passes.views import slopes_from, slopes_of
from fastbp.kernels.tiles.epilogue import activation_gradient_panel, bias_activation_panel
from fastbp.kernels.tiles.gemm import gemm_panel, panel_count, panel_parts
from fastbp.kernels.tiles.microkernel import MR, panel_width
from fastbp.kernels.tiles.panels import gather_rows, prefetch_rows
from fastbp.kernels.vectors.atomics import atomic_load
from fastbp.kernels.vectors.simd import at

__all__ = ["forward_rows", "row_phase"]

SOFTMAX = CODES["softmax"]


@inner
def forward_rows(network, params, workspace, slopes, first_layer, first_row, end_row):
    """Forward pass of some rows of the minibatch through the layers, without softmax, which needs whole rows.

    `first_row` and `end_row` are multiples of MR. Slopes are written unless `slopes` is None.
    """
    table = network.table
    width = panel_width(params)
    stride = network.row_capacity * width
    last = network.layers - 1
    for layer in range(first_layer, network.layers):
        n_out = entry(table, layer, N_OUT)
        target = at(workspace, entry(table, layer + 1, H) if layer < last else entry(table, layer, DZ))
        for panel in range(panel_count(n_out, params)):
            w = at(params, entry(table, layer, W) + panel * entry(table, layer, W_ROWS) * width)
            z = at(target, panel * stride)
            gemm_panel(
                entry(table, layer, N_IN),
                panel_parts(n_out, panel, params),
                at(workspace, entry(table, layer, H)),
                stride,
                w,
                z,
                first_row,
                end_row,
                network.kc,
            )
            bias = at(w, entry(table, layer, BIAS_ROW) * width)
            bias_activation_panel(
                network.smooth,
                entry(table, layer, ACTIVATION),
                n_out - panel * width,
                z,
                slopes_from(slopes, entry(table, layer, SLOPES) + panel * stride),
                width,
                bias,
                first_row,
                end_row,
            )


@inner
def _backward_rows(network, transposed, workspace, slopes, first_row, end_row):
    """Deltas of the hidden layers: dz = (dz_next . W_next^T) * act'(z)."""
    table = network.table
    width = panel_width(transposed)
    stride = network.row_capacity * width
    for layer in range(network.layers - 1, 0, -1):
        n_in = entry(table, layer, N_IN)
        for panel in range(panel_count(n_in, transposed)):
            dz = at(workspace, entry(table, layer - 1, DZ) + panel * stride)
            gemm_panel(
                entry(table, layer, N_OUT),
                panel_parts(n_in, panel, transposed),
                at(workspace, entry(table, layer, DZ)),
                stride,
                at(transposed, entry(table, layer, WT) + panel * entry(table, layer, WT_ROWS) * width),
                dz,
                first_row,
                end_row,
                network.kc,
            )
            activation_gradient_panel(
                entry(table, layer - 1, ACTIVATION),
                n_in - panel * width,
                dz,
                at(workspace, entry(table, layer, H) + panel * stride),
                slopes_from(slopes, entry(table, layer - 1, SLOPES) + panel * stride),
                first_row,
                end_row,
            )


@inner
def _first_layer(network, view, sparse, order, rows, following, row, stop):
    """Gather the samples of some rows of the minibatch; sparse ones go straight through the first layer.

    Returns the number of the next layer.
    """
    if sparse is not None:
        slopes = slopes_of(network.smooth, view.workspace)
        first_layer_rows(network, view.params, view.workspace, slopes, sparse, order, rows, row, stop)
        return 1
    n_in = entry(network.table, 0, N_IN)
    samples = at(view.workspace, entry(network.table, 0, H))
    stride = network.row_capacity * panel_width(view.params)
    gather_rows(n_in, view.x, view.x_row, view.x_column, order, rows, samples, stride, row, stop)
    if view.x_column == 1:
        prefetch_rows(n_in, view.x, view.x_row, at(order, rows), row, min(stop, following))
    return 0


@inner
def row_phase(network, view, sparse, order, rows, following, control, thread, n_threads):
    """Compute this thread's share of the `rows` rows of a minibatch, a chunk at a time.

    `following` rows come after these in `order`: those of the next minibatch are prefetched meanwhile.
    """
    table = network.table
    last = network.layers - 1
    stride = network.row_capacity * panel_width(view.params)
    output = at(view.workspace, entry(table, last, DZ))
    slopes = slopes_of(network.smooth, view.workspace)
    blocks = (rows + MR - 1) // MR
    end = blocks * (thread + 1) // n_threads * MR
    for row in range(blocks * thread // n_threads * MR, end, network.row_chunk):
        if atomic_load(control, STOP_REQUEST) != 0:
            return
        stop = min(row + network.row_chunk, end)
        layer = _first_layer(network, view, sparse, order, rows, following, row, stop)
        forward_rows(network, view.params, view.workspace, slopes, layer, row, stop)
        loss_gradient_rows(
            network.loss,
            network.loss_scale,
            entry(table, last, ACTIVATION) == SOFTMAX,
            entry(table, last, N_OUT),
            output,
            stride,
            view.y,
            order,
            view.weights,
            view.weighted,
            view.losses,
            at(view.scratch, thread * network.scratch),
            row,
            stop,
            rows,
        )
        _backward_rows(network, view.transposed, view.workspace, slopes, row, stop)
