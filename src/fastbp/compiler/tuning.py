"""Numbers found by measurement: block sizes, thresholds and waiting times.

They suit every processor measured so far. What differs from processor to processor, the register tile, is in `target`.
`benchmarks/ladder` has the measurements. None of these numbers changes a result, except for the KC and `MOST_ROWS`,
which set the order of sums.
"""

# Products (kernels.layers.dense). Rows of x taken at a time: as many as fill a quarter of an L2 of 2 MB, but enough to
# be worth reading the panels of w again.
DENSE_BLOCK_BYTES = 1 << 19
DENSE_MC = 192
# Panels of w packed at a time: packing a single one would read short pieces, a page or more apart.
DENSE_GROUP_BYTES = 1 << 20
# Block of the sum, rounded down to whole panels.
DENSE_KC = 528
# Shares of the panels of w for each thread, where there are few rows.
DENSE_SHARES = 2
# Most multiply-adds of a product of kernels.layers.small: up to that, packing does not pay.
SMALL_PRODUCT = 1 << 20

# The backward pass of one layer (kernels.layers.backward_phases): rows whose share of dx is in cache at a time, block
# of the sum, shares of a phase for each thread.
BACKWARD_ROWS = 192
BACKWARD_KC = 192
BACKWARD_SHARES = 2

# Training (network.plan). Block of the sum: a panel of B with so many rows stays in L1.
TRAINING_KC = 144
# A thread computes as many rows at a time as have activations and deltas of this size, half of an L2 of 1 MB, but at
# least so many rows. With fewer, the weights are read again too often: every network measured was slower.
TRAINING_BLOCK_BYTES = 1 << 19
TRAINING_LEAST_ROWS = 128
# Most rows of a block. The gradient of a larger minibatch is summed over blocks, so that neither the workspace nor the
# rounding errors of float32 grow with the minibatch, and a panel of deltas stays in L2. The gradient is written to
# memory and read back for each block, which is a small part of the time that so many rows take.
MOST_ROWS = 2048

# Prediction (network.prediction). Up to this many rows, packing the weights costs more than it saves.
FEW_ROWS = 32
# A tile takes equally long for one row and for MR rows, and about as long as this many rows one by one.
ROWS_OF_A_TILE = 3
# Shares of the rows for each thread, if there are enough chunks.
PREDICTION_SHARES = 8
# How many tiles ahead of the computation rows of x are fetched from memory.
FETCHED_TILES = 4
# Cache lines to prefetch per row of a minibatch; the hardware prefetcher continues longer rows by itself.
PREFETCHED_LINES = 8

# Memory that a thread keeps for its next product. Products that need more take so long that the cost of fresh pages is
# negligible.
MOST_BYTES_KEPT = 1 << 25

# Threads. Work that justifies another thread: about ten microseconds of multiply-adds, ten times the cost of a barrier.
FLOPS_PER_THREAD = 1_000_000.0
# Polls before a waiting thread yields its core: at a barrier of training, and at the end of a product.
BARRIER_SPINS = 2_000
SHARES_SPINS = 4_000  # about a tenth of a millisecond
# Polls at which it yields its core, before it sleeps between polls.
YIELDS = 2_000

# Slices of training (training.pace, training.engine). Seconds that compiled code may run before Python looks for
# signals.
SLICE_SECONDS = 0.04
# A low estimate of a core's speed: tells whether a minibatch may take longer than a slice, before any has been timed.
SLOW_FLOPS_PER_SECOND = 2e10
# Minibatches with more work than this are always faster on several threads, on whatever cores these run.
MOST_FLOPS_ALONE = 1e8
# The trial of one thread against all: seconds before it, number of its slices, and seconds of each slice.
TRIAL_AFTER = 0.01
TRIAL_SLICES = 12
TRIAL_SECONDS = 0.0005
