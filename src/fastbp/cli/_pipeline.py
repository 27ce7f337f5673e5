"""From columns to predictions: the scikit-learn pipeline that is trained and saved.

Numbers are imputed and standardized, categories one-hot encoded, everything cast to the network's precision.
Built from scikit-learn's own parts around one fastbp estimator, so that the saved file can be loaded by
trusting nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

import fastbp
from fastbp.cli._columns import Column

DTYPES = {"float32": np.float32, "float64": np.float64}
MISSING_CATEGORY = "(missing)"
# Categories rarer than this share one input: too few rows to learn a weight from.
MIN_ROWS_PER_CATEGORY = 10
# In small tables a category counts from this share of the rows on.
MIN_SHARE_PER_CATEGORY = 0.005
# The most frequent categories of a column have inputs of their own, the rest share one.
MAX_INPUTS_PER_COLUMN = 128


@dataclass(frozen=True)
class Settings:
    """The network and its training; the names are the command line's.

    Attributes
    ----------
    hidden : tuple of int
        Widths of the hidden layers; empty for a linear model.
    epochs : int
        At most this many passes over the training rows.
    patience : int
        Stop after this many epochs without improvement.
    batch_size : int or "auto"
    learning_rate : float
    weight_decay : float
        Strength of the L2 penalty: the estimators' `alpha`.
    activation : str
    dtype : "float32" or "float64"
    validation_fraction : float
        Share of the training rows that scores the epochs; 0 for none.
    seed : int
    n_threads : int or None
        None lets fastbp choose.
    """

    hidden: tuple[int, ...] = (256, 256)
    epochs: int = 20
    patience: int = 10
    batch_size: int | str = "auto"
    learning_rate: float = 0.001
    weight_decay: float = 0.0001
    activation: str = "relu"
    dtype: str = "float32"
    validation_fraction: float = 0.1
    seed: int = 0
    n_threads: int | None = None


def build_pipeline(columns: Sequence[Column], task: str, settings: Settings, n_rows: int) -> Pipeline:
    """Assemble the unfitted pipeline.

    Parameters
    ----------
    columns : sequence of Column
        Those of kind "ignored" are left out.
    task : "classification" or "regression"
    settings : Settings
    n_rows : int
        Training rows: what counts as a rare category depends on them.
    """
    dtype = DTYPES[settings.dtype]
    categories = [column.name for column in columns if column.kind == "category"]
    numbers = [column.name for column in columns if column.kind not in ("category", "ignored")]
    branches = []
    if numbers:
        branches.append(("numbers", _number_branch(), numbers))
    if categories:
        branches.append(("categories", _category_branch(dtype, n_rows), categories))
    return Pipeline(
        [
            ("columns", _column_branches(branches)),
            # The type itself is the function: it casts arrays, and it is on skops' own list of trusted types.
            ("cast", FunctionTransformer(dtype, feature_names_out="one-to-one")),
            ("model", _model(task, settings)),
        ]
    )


def network(pipeline: Pipeline) -> Any:
    """Return the fitted fastbp estimator inside a pipeline."""
    model = pipeline["model"]
    return model.regressor_ if isinstance(model, TransformedTargetRegressor) else model


def unseen_categories(pipeline: Pipeline, features: pd.DataFrame) -> list[str]:
    """Say which categories of new rows the pipeline has not met.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted.
    features : DataFrame of shape (n_rows, n_used)
    """
    transformer = pipeline["columns"]
    notes = []
    for branch, steps, names in transformer.transformers_:
        if branch != "categories":
            continue
        for name, known in zip(names, steps["encode"].categories_, strict=True):
            unseen = features[name].dropna()
            unseen = unseen[~unseen.isin(known)]
            if len(unseen):
                notes.append(f"{len(unseen)} values in {name!r} did not occur in training, e.g. {unseen.iloc[0]!r}")
    return notes


def _column_branches(branches: list) -> ColumnTransformer:
    transformer = ColumnTransformer(branches, sparse_threshold=0.0)
    # scikit-learn 1.6 would keep the names of unused columns in a type of its own, which no saved file may hold.
    if getattr(transformer, "force_int_remainder_cols", None) is True:
        transformer.set_params(force_int_remainder_cols=False)
    return transformer


def _number_branch() -> Pipeline:
    impute = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    return Pipeline([("impute", impute), ("scale", StandardScaler())])


def _category_branch(dtype: type, n_rows: int) -> Pipeline:
    encode = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        min_frequency=min(MIN_ROWS_PER_CATEGORY, max(2, int(MIN_SHARE_PER_CATEGORY * n_rows))),
        max_categories=MAX_INPUTS_PER_COLUMN,
        sparse_output=False,
        dtype=dtype,
    )
    impute = SimpleImputer(strategy="constant", fill_value=MISSING_CATEGORY, keep_empty_features=True)
    return Pipeline([("impute", impute), ("encode", encode)])


def _model(task: str, settings: Settings) -> Any:
    estimator = fastbp.MLPClassifier if task == "classification" else fastbp.MLPRegressor
    model = estimator(
        hidden_layer_sizes=settings.hidden,
        activation=settings.activation,
        alpha=settings.weight_decay,
        batch_size=settings.batch_size,
        learning_rate_init=settings.learning_rate,
        max_iter=settings.epochs,
        random_state=settings.seed,
        early_stopping=settings.validation_fraction > 0.0,
        validation_fraction=settings.validation_fraction,
        n_iter_no_change=settings.patience,
        n_jobs=settings.n_threads,
    )
    if task == "classification":
        return model
    # Outputs of order one train well whatever the unit of the target.  The inverse of a standardization
    # needs no check, and in float32 the check would warn.
    return TransformedTargetRegressor(model, transformer=StandardScaler(), check_inverse=False)
