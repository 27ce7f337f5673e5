"""Coordinates with gaps and short lines, against all that there are."""

from itertools import product

import numpy as np
import pytest

from refbp.draw.solve import longest_paths, solve


def problem(seed):
    """Draw a problem of five items with gaps from earlier to later ones."""
    rng = np.random.default_rng(seed)
    pairs = [(a, b) for b in range(5) for a in range(b)]
    gaps = [(a, b, int(rng.integers(0, 3))) for a, b in pairs if rng.random() < 0.4]
    pulls = [(a, b, int(rng.integers(1, 4))) for a, b in pairs if rng.random() < 0.5]
    return gaps, pulls


def cost(x, pulls):
    return sum(w * abs(x[a] - x[b]) for a, b, w in pulls)


@pytest.mark.parametrize("seed", range(40))
def test_gaps_are_kept_and_lines_are_short(seed):
    gaps, pulls = problem(seed)
    x = solve(5, gaps, pulls)
    assert min(x) == 0
    assert all(x[b] - x[a] >= g for a, b, g in gaps)
    everything = np.array(list(product(range(9), repeat=5)))
    for a, b, g in gaps:
        everything = everything[everything[:, b] - everything[:, a] >= g]
    assert cost(x, pulls) == np.min(cost(everything.T, pulls))


def test_a_circle_of_gaps():
    with pytest.raises(ValueError, match="circle"):
        longest_paths(2, [(0, 1, 1), (1, 0, 0)])


def test_nothing():
    assert solve(0, [], []) == []
