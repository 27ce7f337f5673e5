"""Label binarizers as plain values, and back: what a classifier's outputs stand for."""

from typing import Any

import numpy as np
from sklearn.preprocessing import LabelBinarizer

__all__ = ["as_state", "check_classes", "from_state", "make_binarizer"]


def make_binarizer(classes: np.ndarray, *, multilabel: bool = False, sparse: bool = False) -> LabelBinarizer:
    """Return a binarizer as fitting would leave it.

    Fitting one to the classes alone would warn that there are as many classes as samples.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Different labels in ascending order; for multilabel targets the numbers of the labels.
    multilabel : bool
        Whether a sample has any number of labels.
    sparse : bool
        Whether labels were given as a sparse matrix, so that predictions are, too.
    """
    binarizer = LabelBinarizer()
    binarizer.classes_ = classes
    binarizer.sparse_input_ = sparse
    if multilabel:
        binarizer.y_type_ = "multilabel-indicator"
    else:
        binarizer.y_type_ = "binary" if len(classes) <= 2 else "multiclass"
    return binarizer


def as_state(binarizer: LabelBinarizer) -> dict[str, Any]:
    """Return the state of a fitted binarizer."""
    return {
        "classes": binarizer.classes_,
        "multilabel": binarizer.y_type_ == "multilabel-indicator",
        "sparse": binarizer.sparse_input_,
    }


def from_state(state: Any, *, n_outputs: int, out_activation: str) -> LabelBinarizer:
    """Return the binarizer that `as_state` has described.

    Parameters
    ----------
    state : dict
        The description.
    n_outputs : int
        Units of the network's output layer.
    out_activation : str
        Their activation.

    Raises
    ------
    ValueError
        If the classes are not in ascending order, or do not belong to such an output layer.
    """
    if not isinstance(state, dict) or state.keys() != {"classes", "multilabel", "sparse"}:
        raise ValueError(f"a description of classes is wrong: {state!r}")
    classes, multilabel, sparse = state["classes"], state["multilabel"], state["sparse"]
    if not (isinstance(multilabel, bool) and isinstance(sparse, bool)):
        raise ValueError(f"a description of classes is wrong: {state!r}")
    check_classes(classes)
    binarizer = make_binarizer(classes, multilabel=multilabel, sparse=sparse)
    outputs = 1 if binarizer.y_type_ == "binary" else len(classes)
    activation = "softmax" if binarizer.y_type_ == "multiclass" else "logistic"
    if (outputs, activation) != (n_outputs, out_activation):
        raise ValueError(
            f"{len(classes)} classes ({binarizer.y_type_}) do not fit {n_outputs} {out_activation} outputs"
        )
    return binarizer


def check_classes(classes: Any) -> None:
    """Raise if `classes` is not an array of different labels in ascending order."""
    if not (isinstance(classes, np.ndarray) and classes.ndim == 1 and classes.size):
        raise ValueError(f"classes must be an array, got {classes!r}")
    if not np.array_equal(np.unique(classes), classes):
        raise ValueError("classes must be different and in ascending order")
