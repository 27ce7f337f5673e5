"""Time and memory of an epoch on a large sparse matrix, compared with scikit-learn, each in its own process.

    python -m benchmarks.sparse
    python -m benchmarks.sparse --rows 20000 --columns 50000 --elements 100 --hidden 32

The matrix is CSR, float64, with elements at random positions. Both start from the same weights, with the same order of
rows, and the losses of the epoch are compared. Memory is the peak during the call, less what was resident before it
(including the data).
"""

import argparse
import importlib
import warnings

import numpy as np
import scipy.sparse

from benchmarks.common import in_process, seconds
from benchmarks.memory import MB, MODULES, memory_above, watch_memory


def make_data(rows: int, columns: int, elements: int) -> tuple[scipy.sparse.csr_matrix, np.ndarray]:
    """Return a matrix with about `elements` elements per row, and two classes that depend on them."""
    rng = np.random.default_rng(0)
    starts = np.concatenate([[0], np.cumsum(rng.poisson(elements, rows))])
    indices = rng.integers(columns, size=starts[-1], dtype=np.int32)
    x = scipy.sparse.csr_matrix((rng.random(indices.size), indices, starts.astype(np.int32)), shape=(rows, columns))
    x.sum_duplicates()
    return x, x @ rng.standard_normal(columns) > 0


def fit_process(package: str, rows: int, columns: int, elements: int, hidden: int) -> dict:
    """Fit one epoch, twice with fastbp, whose first fit loads compiled code. Returns seconds and bytes."""
    warnings.simplefilter("ignore")
    model = importlib.import_module(MODULES[package]).MLPClassifier((hidden,), max_iter=1, random_state=0)
    x, y = make_data(rows, columns, elements)
    fits = []
    for _ in range(2 if package == "fastbp" else 1):
        before = watch_memory()
        fits.append((seconds(lambda: model.fit(x, y)), memory_above(before)))
    return {"fits": fits, "data": x.data.nbytes + x.indices.nbytes + x.indptr.nbytes, "loss": model.loss_}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--columns", type=int, default=20_000)
    parser.add_argument("--elements", type=int, default=20, help="in a row, on average")
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    shape = options.rows, options.columns, options.elements, options.hidden
    in_process("sparse", "fit_process", "fastbp", *shape)  # compiles
    ratios = []
    for _ in range(options.rounds):
        ours, theirs = (in_process("sparse", "fit_process", package, *shape) for package in MODULES)
        np.testing.assert_allclose(ours["loss"], theirs["loss"], rtol=1e-9)
        (first, memory), (again, _) = ours["fits"]
        ((their_time, their_memory),) = theirs["fits"]
        ratios.append(their_time / first)
        print(
            f"fastbp {first:6.2f} s (again {again:.2f}), {memory / MB:5.0f} MB;  scikit-learn {their_time:6.2f} s, "
            f"{their_memory / MB:5.0f} MB;  data {ours['data'] / MB:.0f} MB;  ratio {ratios[-1]:.1f}",
            flush=True,
        )
    print(f"median ratio {np.median(ratios):.1f}")


if __name__ == "__main__":
    main()
