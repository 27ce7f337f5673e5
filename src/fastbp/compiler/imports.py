"""Imports of large packages, without two costs that are none of theirs.

Python's collector of garbage looks through all objects there are whenever a few more have
come: with scikit-learn loaded, 0.07 of 0.18 s of importing Numba go there. And Python 3.11
and later keep frames in pieces of 16 KB, and ask the system for a new one, and give it
back, at every call that crosses the end of a piece: where a loop in a deeply nested import
happens to stand there, it takes 0.1 s instead of 0.005.
"""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module

__all__ = ["importing"]


def _import(package: str) -> None:
    # Whoever needs it is told what is wrong with it.
    with suppress(Exception):
        import_module(package)


def _call_all_old() -> None:
    """Have what was imported counted as old, as it is: the collector would look through all of it at once."""
    if gc.get_freeze_count() == 0:  # otherwise the program has put objects aside, who shall stay there
        try:
            gc.freeze()
        finally:
            gc.unfreeze()


@contextmanager
def importing(package: str) -> Iterator[None]:
    """Import a package ahead, on the empty stack of another thread, and leave the collector off for more imports."""
    collects = gc.isenabled()
    gc.disable()
    try:
        thread = threading.Thread(target=_import, args=[package], name="fastbp import", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # there can be no more threads
            _import(package)
        else:
            thread.join()
        yield
    finally:
        if collects:
            _call_all_old()
            gc.enable()
