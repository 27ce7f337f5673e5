"""What is said when an optional library is not installed."""

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["needed_libraries"]


@contextmanager
def needed_libraries() -> Iterator[None]:
    """Around imports: a missing library is an error that says how to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ImportError(f'this needs {error.name}: pip install "fastbp[interop]"') from error
