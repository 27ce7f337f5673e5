"""The fused kernels as functions on NumPy arrays.

=========================  =========================================================================
`matmul`                   ``a @ b``
`linear`                   ``act(x @ w + b)``
`linear_backward`          dx, dw and db of a dense layer, activation gradient and weight decay fused
`linear_backward_update`   the same, with the optimizer's step in place of dw and db
=========================  =========================================================================

All take float32 or float64 arrays. The results are the same, bit by bit, for any number of
threads. Arguments are checked before any memory is touched.

The folders, from the top: `layers` (these functions), `passes` (a training step, prediction),
`tiles` (loops over panels and tiles, and the microkernel), `vectors` (vector operations and
elementary functions). `functions` has a record for each activation, loss and optimizer.
"""

from fastbp.kernels.layers.backward import linear_backward, linear_backward_update
from fastbp.kernels.layers.dense import linear, matmul
from fastbp.kernels.layers.state import LinearState

__all__ = ["LinearState", "linear", "linear_backward", "linear_backward_update", "matmul"]
