"""Columns of the layout table: where compiled code finds the parts of each layer.

All weights of a network share one buffer in panel order. Their moments have two more
buffers of the same layout, and the transposed weights have another. The activations and
deltas of a minibatch share a workspace. Offsets count elements from the start of the
buffer named.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastbp.kernels.vectors.types import INT64, emit_address

__all__ = [
    "ACTIVATION",
    "BIAS_ROW",
    "COLUMNS",
    "DZ",
    "FIRST_TILE",
    "N_IN",
    "N_OUT",
    "SLOPES",
    "TILES",
    "WT",
    "WT_ROWS",
    "W_ROWS",
    "H",
    "W",
    "entry",
]

N_IN, N_OUT = 0, 1  # shape of the weights
W, W_ROWS = 2, 3  # weights and moments: offset, rows that a panel has room for
BIAS_ROW = 4  # row of each panel of W that holds the biases
WT, WT_ROWS = 5, 6  # transposed weights
H = 7  # workspace: the layer's input activations
DZ = 8  # workspace: the gradient with respect to z; the output layer's activations before that
FIRST_TILE, TILES = 9, 10  # number of the layer's first tile of dW, tiles in a panel (the last is the bias)
SLOPES = 11  # workspace: act'(z), where the network is trained and needs it
ACTIVATION = 12  # code of the layer's activation
COLUMNS = 13


@intrinsic
def entry(typingctx, table, layer, column):
    """Element of the table, given as a pointer to int64.

    An intrinsic: the columns are constants, and an ordinary function would be compiled once for each of them.
    """
    if table.dtype != types.int64:
        return None

    def codegen(context, builder, sig, args):
        index = builder.add(builder.mul(args[1], ir.Constant(INT64, COLUMNS)), args[2])
        return builder.load(emit_address(builder, table.dtype, args[0], index), typ=INT64)

    return types.int64(table, types.int64, types.int64), codegen
