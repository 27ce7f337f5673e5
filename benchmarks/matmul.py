"""`kernels.matmul` as a fraction of the FMA peak of one core, compared with NumPy; then its speed-up on more threads.

    OPENBLAS_NUM_THREADS=1 python -m benchmarks.matmul
    OPENBLAS_NUM_THREADS=1 python -m benchmarks.matmul --avx2

The peak is measured before and after each product, and the products are checked before they are timed. With `--avx2`,
kernels and peak are compiled for that instruction set, even if the machine has a newer one; NumPy is not restricted.
"""

import argparse
import os
import sys

import numpy as np

from benchmarks.common import cpus, seconds
from fastbp.kernels import matmul
from fastbp.machine import fma_peak
from fastbp.threads.cpus import allowed_cpus

SQUARES = tuple((n, n, n) for n in (64, 384, 512, 768, 1024, 1536, 2048))
SHAPES = ((200, 784, 100), (128, 256, 256), (333, 517, 211), *SQUARES)
LEAST_FOR_THREADS = 512

# Environment variables that Numba reads before it compiles anything.
AVX2 = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+sse4.1,+sse4.2,+avx,+avx2,+fma,+bmi,+bmi2"}


class Product:
    """Operands of a product whose result has been checked."""

    def __init__(self, shape: tuple[int, int, int], dtype: type) -> None:
        m, k, n = shape
        rng = np.random.default_rng(0)
        self.a, self.b = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)
        self.out = np.empty((m, n), dtype)
        self.flops = 2 * m * k * n
        self.calls = max(5, int(6e9 / self.flops))  # about as long as the peak is measured
        self.name = f"{np.dtype(dtype).name} {m:5} x {k:5} x {n:5}"
        bound = k * np.finfo(dtype).eps * (abs(self.a) @ abs(self.b))
        exact = self.a.astype(np.float64) @ self.b.astype(np.float64)
        assert (abs(matmul(self.a, self.b) - exact) <= bound).all()

    def ours(self, threads: int) -> float:
        """Best time of a few calls."""
        return min(seconds(lambda: matmul(self.a, self.b, out=self.out, n_threads=threads)) for _ in range(self.calls))

    def theirs(self) -> float:
        """NumPy's best time of a few calls."""
        return min(seconds(lambda: np.matmul(self.a, self.b, out=self.out)) for _ in range(self.calls))


def print_fraction(product: Product, rounds: int) -> None:
    """Print the fraction of the peak: medians over the rounds."""
    fractions, rivals, dtype = [], [], product.out.dtype
    for _ in range(rounds):
        peak = fma_peak(dtype, seconds=0.02)
        ours, theirs = product.ours(1), product.theirs()
        peak = max(peak, fma_peak(dtype, seconds=0.02))
        fractions.append(product.flops / ours / peak / 1e9)
        rivals.append(theirs / ours)
    print(
        f"{product.name}   {np.median(fractions):6.1%} of peak (best {max(fractions):.1%})   "
        f"{np.median(rivals):5.2f} times NumPy",
        flush=True,
    )


def print_scaling(product: Product, threads: int, rounds: int) -> None:
    """Print the speed-up of several threads over one: the median over the rounds."""
    ratios = [product.ours(1) / product.ours(threads) for _ in range(rounds)]
    print(f"{product.name}   {threads} threads {np.median(ratios):.2f} times one (best {max(ratios):.2f})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--avx2", action="store_true", help="compile for AVX2")
    options = parser.parse_args()
    if options.avx2 and os.environ.items().isdisjoint(AVX2.items()):
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks.matmul", *sys.argv[1:]], {**os.environ, **AVX2})
    with cpus(1):
        for dtype in (np.float32, np.float64):
            for shape in SHAPES:
                print_fraction(Product(shape, dtype), options.rounds)
    for dtype in (np.float32, np.float64):
        for shape in SHAPES:
            if min(shape) >= LEAST_FOR_THREADS:
                print_scaling(Product(shape, dtype), allowed_cpus(), options.rounds)


if __name__ == "__main__":
    main()
