"""The inputs of the network for all rows, in little memory.

A category takes one byte for each row instead of an input for each of its values.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from fastbp.network.samples import RowSource

__all__ = ["Inputs", "compact_inputs"]

# The code of a category without an input: all inputs of its column are 0.
_NONE = 255


class Inputs(RowSource):
    """The inputs of a network, some of them as codes.

    Parameters
    ----------
    plain : ndarray, (n, n_plain)
        Inputs as they are, float32 or float64.
    places : ndarray of int, (n_plain,)
        Which inputs these are.
    codes : ndarray of uint8, (n, n_coded)
        Each stands for a group of inputs: one of them is 1, the others are 0. 255: all are 0.
    starts : ndarray of int, (n_coded,)
        The first input of each group.
    width : int
        Number of inputs.
    """

    def __init__(
        self, plain: np.ndarray, places: np.ndarray, codes: np.ndarray, starts: np.ndarray, width: int
    ) -> None:
        self._plain, self._places = plain, places
        self._codes, self._starts = codes, starts
        self.shape = len(plain), width

    @property
    def nbytes(self) -> int:
        """Size of the inputs as one matrix."""
        return self.shape[0] * self.shape[1] * self._plain.itemsize

    def part(self, rows: slice) -> "Inputs":
        """Return the inputs of some rows, without a copy."""
        return Inputs(self._plain[rows], self._places, self._codes[rows], self._starts, self.shape[1])

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """Return the inputs of the rows of these numbers, (m, width)."""
        result = np.zeros((len(numbers), self.shape[1]), dtype=self._plain.dtype)
        result[:, self._places] = self._plain[numbers]
        codes = self._codes[numbers]
        for column, start in zip(codes.T, self._starts, strict=True):
            present = np.flatnonzero(column != _NONE)
            result[present, start + column[present].astype(np.intp)] = 1
        return result


def compact_inputs(preprocessing: Pipeline, pieces: Iterable[tuple[np.ndarray, pd.DataFrame]], n_rows: int) -> Inputs:
    """Return the inputs for the features of some rows.

    Parameters
    ----------
    preprocessing : Pipeline
        Fitted, see `pipeline.build_preprocessing`.
    pieces : iterable of (ndarray of int, DataFrame)
        Where the rows are in the result, and their features. Together they are all rows.
    n_rows : int
    """
    branches = preprocessing["columns"]
    outputs = branches.output_indices_
    width = max(part.stop for part in outputs.values())
    groups: list[slice] = []
    if "categories" in outputs:
        start = outputs["categories"].start
        for size in _group_sizes(branches.named_transformers_["categories"]):
            groups.append(slice(start, start + size))
            start += size
    coded = np.zeros(width, dtype=bool)
    for group in groups:
        coded[group] = True
    places = np.flatnonzero(~coded)
    plain = codes = None
    for where, features in pieces:
        values = preprocessing.transform(features)
        if plain is None or codes is None:
            plain = np.empty((n_rows, len(places)), dtype=values.dtype)
            codes = np.empty((n_rows, len(groups)), dtype=np.uint8)
        plain[where] = values[:, places]
        for index, group in enumerate(groups):
            found = values[:, group]
            codes[where, index] = np.where(found.any(axis=1), found.argmax(axis=1), _NONE)
    assert plain is not None
    assert codes is not None
    return Inputs(plain, places, codes, np.array([group.start for group in groups], dtype=np.intp), width)


def _group_sizes(encoder: OneHotEncoder) -> list[int]:
    """Return the number of inputs of each column of categories."""
    sizes = []
    for known, rare in zip(encoder.categories_, encoder.infrequent_categories_, strict=True):
        sizes.append(len(known) if rare is None else len(known) - len(rare) + 1)
    return sizes
