"""The fused kernels as functions on NumPy arrays.

=========================  =========================================================================
`matmul`                   ``a @ b``
`linear`                   ``act(x @ w + b)``
`linear_backward`          dx, dw and db of a dense layer, activation gradient and weight decay fused
`linear_backward_update`   the same, with the optimizer's step in place of dw and db
=========================  =========================================================================

All take float32 or float64 arrays, run on any number of threads with the same result bit
by bit, and refuse what does not fit before they touch memory.

The layers below, downwards: `step` (one minibatch of a network) and `predict`; `gemm`,
`panels`, `epilogue`, `output`, `update`, `transpose` (loops over panels and tiles);
`microkernel` (the register tile); `vmath` and `simd` (vectors); `barrier` and `atomics`.
"""

from fastbp.kernels.layers.backward import linear_backward, linear_backward_update
from fastbp.kernels.layers.dense import linear, matmul
from fastbp.kernels.layers.state import LinearState

__all__ = ["LinearState", "linear", "linear_backward", "linear_backward_update", "matmul"]
