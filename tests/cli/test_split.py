"""Held-out rows."""

import numpy as np
import pytest

from fastbp.cli._errors import CommandError
from fastbp.cli._split import can_validate, hold_out

Y = np.array(["a"] * 60 + ["b"] * 35 + ["c"] * 4 + ["d"], dtype=object)


def test_every_class_gives_its_share():
    training, test = hold_out(Y, 0.2, seed=0, stratify=True)
    assert sorted([*training, *test]) == list(range(len(Y)))
    counts = {label: int(np.sum(Y[test] == label)) for label in "abcd"}
    assert counts == {"a": 12, "b": 7, "c": 1, "d": 0}


def test_numbers_are_held_out_at_random():
    y = np.linspace(0.0, 1.0, 100)
    training, test = hold_out(y, 0.25, seed=0, stratify=False)
    assert (len(training), len(test)) == (75, 25)
    assert not np.array_equal(test, hold_out(y, 0.25, seed=1, stratify=False)[1])
    np.testing.assert_array_equal(test, hold_out(y, 0.25, seed=0, stratify=False)[1])


def test_nothing_is_held_out_for_a_fraction_of_zero():
    assert len(hold_out(Y, 0.0, seed=0, stratify=True)[1]) == 0


@pytest.mark.parametrize(("n", "fraction", "message"), [(3, 0.0, "too few"), (6, 0.01, "--test-fraction 0")])
def test_too_few_rows_are_refused(n, fraction, message):
    with pytest.raises(CommandError, match=message):
        hold_out(np.arange(float(n)), fraction, seed=0, stratify=False)


def test_a_validation_set_needs_rows_of_both_classes():
    assert can_validate(np.array([0, 0, 1, 1] * 5), 0.1, is_classes=True)
    assert not can_validate(np.array([0] * 19 + [1]), 0.1, is_classes=True)
    assert can_validate(np.array([0] * 18 + [1, 2]), 0.1, is_classes=True)
    assert not can_validate(np.arange(10.0), 0.1, is_classes=False)
    assert can_validate(np.arange(20.0), 0.1, is_classes=False)
