"""The samples of a network: a dense matrix, the elements of a sparse one, or blocks of rows made on demand."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fastbp.kernels.memory import addressable
from fastbp.kernels.passes.sparse import SparseSamples

__all__ = ["RowSource", "SamplesLike", "SparseRows", "kernel_samples", "place", "readable"]

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
# Size of a block of rows: small beside the rest of a process, large beside what starting to train on it costs.
_BYTES_OF_A_BLOCK = 1 << 25


@dataclass(frozen=True)
class SparseRows:
    """A sparse matrix by rows (CSR). Its arrays are checked once, here; kernels rely on that.

    The elements of a row need not be sorted, and duplicates are added up.

    Parameters
    ----------
    values : ndarray, (elements,)
        float32 or float64.
    indices : ndarray, (elements,)
        Column of each element; int32 or int64.
    starts : ndarray, (n + 1,)
        First element of each row, and the end of the last one.
    n_columns : int

    Raises
    ------
    TypeError
        If `values` are not floats or `indices` and `starts` not integers.
    ValueError
        If a row begins or ends outside the elements, or an element is outside the matrix.
    """

    values: np.ndarray
    indices: np.ndarray
    starts: np.ndarray
    n_columns: int

    def __post_init__(self) -> None:
        if self.values.dtype.newbyteorder("=") not in _FLOATS:
            raise TypeError(f"values must be float32 or float64, got {self.values.dtype}")
        for name in ("indices", "starts"):
            if getattr(self, name).dtype.kind not in "iu":
                raise TypeError(f"{name} must be integers, got {getattr(self, name).dtype}")
        if any(array.ndim != 1 for array in (self.values, self.indices, self.starts)):
            raise ValueError("values, indices and starts must have one dimension")
        if self.starts.size == 0 or self.values.size != self.indices.size:
            raise ValueError(
                f"values, indices and starts of sizes {self.values.size}, {self.indices.size} and {self.starts.size} "
                "do not make a matrix"
            )
        # Kernels read them through pointers. SciPy uses int32 for fewer than 2^31 elements.
        narrow = self.indices.dtype in (np.int8, np.int16, np.int32, np.uint8, np.uint16)
        types = {
            "values": self.values.dtype.newbyteorder("="),
            "indices": np.dtype(np.int32 if narrow else np.int64),
            "starts": np.dtype(np.int64),
        }
        for name, dtype in types.items():
            array = np.ascontiguousarray(getattr(self, name), dtype=dtype)
            object.__setattr__(self, name, array if array.flags.aligned else array.copy())
        self._check_bounds()

    def _check_bounds(self) -> None:
        starts, indices = self.starts, self.indices
        if starts[0] < 0 or starts[-1] > self.values.size or (np.diff(starts) < 0).any():
            raise ValueError("starts must not decrease, and must be between 0 and the number of elements")
        if indices.size and not (indices.min() >= 0 and indices.max() < self.n_columns):
            raise ValueError(f"indices must be in [0, {self.n_columns}), got {indices.min()} to {indices.max()}")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.starts.size - 1, self.n_columns

    @property
    def dtype(self) -> np.dtype:
        """Type of the values."""
        return self.values.dtype

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.starts.size - 1


SamplesLike = np.ndarray | SparseRows


class RowSource(ABC):
    """Samples that are made a block of rows at a time, because one matrix of all would not fit into memory.

    Attributes
    ----------
    shape : (n, n_in)
    """

    shape: tuple[int, int]

    @abstractmethod
    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """Return the rows of these numbers, (m,), as a matrix (m, n_in)."""

    def blocks(self, batch_size: int) -> Iterator[slice]:
        """Yield ranges that cover the rows: each has whole minibatches, and the last one a shorter one in addition."""
        n, width = self.shape
        step = batch_size * max(1, _BYTES_OF_A_BLOCK // (8 * width * batch_size))
        # A range of a short minibatch alone would be laid out differently, and its sums rounded differently.
        starts = range(0, max(n - batch_size, 0) + 1, step)
        for start in starts:
            yield slice(start, n if start == starts[-1] else start + step)


def readable(x: SamplesLike, dtype: np.dtype) -> SamplesLike:
    """Return samples that kernels of a network of type `dtype` can read: of either precision, see `addressable`."""
    if isinstance(x, SparseRows):
        return x
    return addressable(x, x.dtype if x.dtype in _FLOATS and x.dtype.isnative else dtype)


def _most_elements(x: SparseRows, rows: int) -> int:
    """Return the largest number of elements that any `rows` rows can have together."""
    lengths = np.diff(x.starts)
    if rows < lengths.size:
        lengths = np.partition(lengths, lengths.size - rows)[lengths.size - rows :]
    return int(lengths.sum())


def place(x: SamplesLike) -> tuple[int, int, int]:
    """Return the address of dense samples and their strides in elements; zeros for sparse ones."""
    if isinstance(x, SparseRows):
        return 0, 0, 0
    row, column = (stride // x.itemsize for stride in x.strides)
    return x.ctypes.data, row, column


def kernel_samples(x: SamplesLike, rows: int, n_threads: int) -> SparseSamples | None:
    """Return sparse samples as kernels need them, with room for threads to sort `rows` rows; None for dense ones."""
    if not isinstance(x, SparseRows):
        return None
    most = _most_elements(x, rows) if rows > 0 else 0
    return SparseSamples(
        x.values,
        x.indices,
        x.starts,
        np.zeros((n_threads, x.n_columns + 2), dtype=np.int64),
        np.zeros((n_threads, most), dtype=x.indices.dtype),
        np.zeros((n_threads, most), dtype=x.values.dtype),
    )
