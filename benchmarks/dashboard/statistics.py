"""How sure medians are, and how values scatter. No more of statistics is needed here."""

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median


def interval(samples: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Return an interval that holds the true median with at least this probability, whatever the distribution.

    The k-th smallest and the k-th largest sample, with the largest k for which the binomial distribution allows it. Of
    fewer than six samples 95 % cannot be had: then it is all that they span.
    """
    ordered = sorted(samples)
    n = len(ordered)
    tail, k = 0.0, 0
    while 2 * (tail + math.comb(n, k) / 2**n) <= 1 - confidence:
        tail += math.comb(n, k) / 2**n
        k += 1
    k = max(k, 1)
    return ordered[k - 1], ordered[n - k]


def spread(values: Sequence[float]) -> float:
    """Return how far values scatter around a level that may drift: a standard deviation, relative, from neighbours."""
    steps = [abs(math.log(b / a)) for a, b in pairwise(values)]
    return 1.4826 * median(steps) / math.sqrt(2) if steps else 0.0
