"""`kernels.matmul` as a fraction of the machine's FMA peak, on one core; NumPy beside it.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.matmul

The peak is measured before and after each product, and the products are checked before they are timed.
"""

import argparse

import numpy as np

from benchmarks.common import cpus, seconds
from fastbp.kernels import matmul
from fastbp.machine import fma_peak

SQUARES = tuple((n, n, n) for n in (64, 384, 512, 768, 1024))
SHAPES = ((200, 784, 100), (128, 256, 256), (333, 517, 211), *SQUARES)


def measure(shape: tuple[int, int, int], dtype: type, rounds: int) -> None:
    """Print the figures of one product: medians over rounds of the best of a few calls."""
    m, k, n = shape
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)
    out = np.empty((m, n), dtype)
    bound = k * np.finfo(dtype).eps * (abs(a) @ abs(b))
    assert (abs(matmul(a, b, n_threads=1) - a.astype(np.float64) @ b.astype(np.float64)) <= bound).all()
    flops = 2 * m * k * n
    calls = max(5, int(6e9 / flops))  # about as long as the peak is measured
    fractions, rivals = [], []
    for _ in range(rounds):
        peak = fma_peak(dtype, seconds=0.02) * 1e9
        ours = min(seconds(lambda: matmul(a, b, out=out, n_threads=1)) for _ in range(calls))
        theirs = min(seconds(lambda: np.matmul(a, b, out=out)) for _ in range(calls))
        peak = max(peak, fma_peak(dtype, seconds=0.02) * 1e9)
        fractions.append(flops / ours / peak)
        rivals.append(theirs / ours)
    print(
        f"{np.dtype(dtype).name} {m:5} x {k:5} x {n:5}   {np.median(fractions):6.1%} of peak "
        f"(best {max(fractions):.1%})   {np.median(rivals):5.2f} times NumPy",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with cpus(1):
        for dtype in (np.float32, np.float64):
            for shape in SHAPES:
                measure(shape, dtype, options.rounds)


if __name__ == "__main__":
    main()
