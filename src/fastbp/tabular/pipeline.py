"""From features to the network: the scikit-learn pipeline that is trained and saved.

Built from scikit-learn's own parts around one fastbp estimator, so that loading a saved file means trusting nothing
else.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from fastbp.tabular.columns import Column
from fastbp.tabular.errors import counted
from fastbp.tabular.features import feature_kinds

__all__ = ["DTYPES", "add_unseen", "build_preprocessing", "unseen_categories", "unseen_notes"]

DTYPES = {"float32": np.float32, "float64": np.float64}
# Categories rarer than this share one input: too few rows to learn a weight from.
MIN_ROWS_PER_CATEGORY = 10
# In small tables a category counts from this share of the rows on.
MIN_SHARE_PER_CATEGORY = 0.005
# The most frequent categories of a column have inputs of their own, the rest share one.
MAX_INPUTS_PER_COLUMN = 128
# Inputs of a column of free text: the largest components of its n-grams.
INPUTS_OF_A_TEXT = 30


def build_preprocessing(columns: Sequence[Column], dtype: str, n_rows: int) -> Pipeline:
    """Assemble the unfitted steps before the network.

    Parameters
    ----------
    columns : sequence of Column
    dtype : "float32" or "float64"
    n_rows : int
        Training rows: what counts as a rare category depends on them.
    """
    type_ = DTYPES[dtype]
    names: dict[str, list[str]] = {"number": [], "category": [], "text": []}
    for name, kind in feature_kinds(columns).items():
        names[kind].append(name)
    branches: list[tuple[str, Any, Any]] = []
    if names["number"]:
        branches.append(("numbers", _number_branch(), names["number"]))
    if names["category"]:
        branches.append(("categories", _category_branch(type_, n_rows), names["category"]))
    # The vectorizer takes one column, and is given its name rather than a list.
    branches += [(f"text {index}", _text_branch(n_rows), name) for index, name in enumerate(names["text"])]
    # The type itself is the function: it casts arrays, and it is on skops' own list of trusted types.
    cast = FunctionTransformer(type_, feature_names_out="one-to-one")
    return Pipeline([("columns", _column_branches(branches)), ("cast", cast)])


def unseen_categories(preprocessing: Pipeline, features: pd.DataFrame) -> dict[str, tuple[int, str]]:
    """Return, for every column with categories that did not occur in training, how many values, and an example.

    Parameters
    ----------
    preprocessing : Pipeline
        Fitted.
    features : DataFrame of shape (n_rows, n_features)
    """
    found = {}
    for branch, encoder, names in preprocessing["columns"].transformers_:
        if branch != "categories":
            continue
        for name, known in zip(names, encoder.categories_, strict=True):
            unseen = features[name][~features[name].isin(known)]
            if len(unseen):
                found[name] = len(unseen), str(unseen.iloc[0])
    return found


def add_unseen(total: dict[str, tuple[int, str]], found: dict[str, tuple[int, str]]) -> None:
    """Add what `unseen_categories` has found in a piece of a table to what it found before."""
    for name, (count, example) in found.items():
        total[name] = total.get(name, (0, example))[0] + count, example


def unseen_notes(found: dict[str, tuple[int, str]]) -> list[str]:
    """Say which categories did not occur in training."""
    return [
        f"{counted(count, 'value')} in {name!r} did not occur in training, e.g. {example!r}"
        for name, (count, example) in found.items()
    ]


def _column_branches(branches: list) -> ColumnTransformer:
    transformer = ColumnTransformer(branches, sparse_threshold=0.0)
    # scikit-learn 1.6 would keep the names of unused columns in a type of its own, which no saved file may hold.
    if getattr(transformer, "force_int_remainder_cols", None) is True:
        transformer.set_params(force_int_remainder_cols=False)
    return transformer


def _number_branch() -> Pipeline:
    impute = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    return Pipeline([("impute", impute), ("scale", StandardScaler())])


def _category_branch(dtype: type, n_rows: int) -> OneHotEncoder:
    return OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        min_frequency=min(MIN_ROWS_PER_CATEGORY, max(2, int(MIN_SHARE_PER_CATEGORY * n_rows))),
        max_categories=MAX_INPUTS_PER_COLUMN,
        sparse_output=False,
        dtype=dtype,
    )


def _text_branch(n_rows: int) -> Pipeline:
    grams = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 4), n_features=1 << 14, dtype=np.float32)
    components = TruncatedSVD(n_components=min(INPUTS_OF_A_TEXT, max(1, n_rows // 10)), random_state=0)
    return Pipeline([("grams", grams), ("components", components), ("scale", StandardScaler())])
