"""Fixtures of all tests.

Compiled code needs no care here: `fastbp.compiler.code_cache` keys entries by a hash of all sources, so that no test
runs code of sources that are no longer there.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

# Programs that tests run in new processes import `support` too, and have no conftest.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def rng() -> np.random.Generator:
    """A random number generator with the same seed in every test."""
    return np.random.default_rng(20240607)
