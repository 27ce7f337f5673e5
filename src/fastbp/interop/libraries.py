"""The error if an optional library is not installed."""

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["needed_libraries"]


@contextmanager
def needed_libraries() -> Iterator[None]:
    """Use it around imports: the error for a missing library says how to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        extra = "files" if (error.name or "").startswith("safetensors") else "interop"
        raise ImportError(f'this needs {error.name}: pip install "fastbp[{extra}]"') from error
