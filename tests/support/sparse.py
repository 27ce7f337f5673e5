"""Sparse samples made of dense ones."""

import numpy as np

from fastbp.network.samples import SparseRows


def sparse_of(
    x: np.ndarray, index_type: type = np.int32, *, shuffled_by: np.random.Generator | None = None
) -> SparseRows:
    """Return a dense matrix as sparse rows, their elements in any order if a generator is given."""
    rows, columns = np.nonzero(x)
    starts = np.searchsorted(rows, np.arange(len(x) + 1))
    if shuffled_by is not None:
        order = np.lexsort((shuffled_by.permutation(rows.size), rows))
        rows, columns = rows[order], columns[order]
    return SparseRows(x[rows, columns], columns.astype(index_type), starts, x.shape[1])
