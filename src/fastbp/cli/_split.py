"""Which rows are held out for the report."""

import numpy as np
import pandas as pd

from fastbp.cli._errors import CommandError

# With fewer training rows a network is not worth its name, and scikit-learn's own splits fail.
MIN_TRAINING_ROWS = 4


def hold_out(y: np.ndarray, fraction: float, seed: int, stratify: bool) -> tuple[np.ndarray, np.ndarray]:
    """Split rows at random into training and test rows.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Targets.
    fraction : float
        The share of test rows; 0 holds nothing out.
    seed : int
    stratify : bool
        Take the share from every class (rounded), so that a class with a single row stays in training.

    Returns
    -------
    training, test : ndarray of int
        Row numbers in ascending order.
    """
    n = len(y)
    order = np.random.default_rng(seed).permutation(n)
    strata = pd.Series(y[order] if stratify else np.zeros(n))
    groups = strata.groupby(strata)
    rank = groups.cumcount().to_numpy()
    size = groups.transform("size").to_numpy()
    is_test = rank < np.round(fraction * size)
    training, test = np.sort(order[~is_test]), np.sort(order[is_test])
    if len(training) < MIN_TRAINING_ROWS:
        raise CommandError(f"{len(training)} rows are left for training: too few")
    if fraction and not len(test):
        raise CommandError(f"{n} rows are too few to hold out {fraction:.0%} of them; try --test-fraction 0")
    return training, test


def can_validate(y: np.ndarray, fraction: float, is_classes: bool) -> bool:
    """Tell whether the estimator can split a validation set off ``y`` (its own, stratified if binary)."""
    n_validation = int(np.ceil(fraction * len(y)))
    if n_validation < 2 or len(y) - n_validation < 2:
        return False
    if not is_classes:
        return True
    counts = np.unique(y, return_counts=True)[1]
    return len(counts) > 2 or counts.min() >= 2
