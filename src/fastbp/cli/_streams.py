"""Standard streams that may be closed or full."""

import errno
import io
import os
import sys
from collections.abc import Callable
from typing import TextIO

__all__ = ["GuardedStream", "guard"]


class GuardedStream(io.TextIOBase):
    """A standard stream that never fails: what cannot be written is dropped.

    Nothing that happens to the report may cost a model or change the exit status of finished work.

    Parameters
    ----------
    stream : TextIO or None
        None if it was closed from the beginning.

    Attributes
    ----------
    failure : OSError or None
        Why something was dropped.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self.failure = None if stream else OSError(errno.EBADF, "it is closed")
        self._stream = stream or os.fdopen(_nowhere(), "w", encoding="utf-8", closefd=False)
        if isinstance(self._stream, io.TextIOWrapper):
            self._stream.reconfigure(errors="replace")  # a column name must not crash an ASCII terminal

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream."""
        return self._stream.encoding

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the number of the stream."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write a text, or drop it."""
        self._attempt(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush the stream, or drop what it holds."""
        self._attempt(self._stream.flush)

    def _attempt(self, act: Callable[[], object]) -> None:
        try:
            act()
        except OSError as error:
            self.failure = error
            # The stream tries to write what it holds once more, at the end of the program, too.
            nowhere = _nowhere()
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


def _nowhere() -> int:
    return os.open(os.devnull, os.O_WRONLY)


def guard() -> None:
    """Guard standard output and standard error."""
    sys.stdout, sys.stderr = GuardedStream(sys.stdout), GuardedStream(sys.stderr)
