"""DuckDB, so that Ctrl-C ends a query at once, and what goes wrong is one line."""

import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from fastbp.tabular.errors import TableError
from fastbp.threads.pool import Call, submit

__all__ = ["Connection", "QueryError"]

# Seconds between two looks whether there was a signal, and between two attempts to stop a query.
_PAUSE = 0.05
# Errors in the text of a query, or in DuckDB: neither a table nor the machine is to blame.
_MISTAKES = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ParserException,
    duckdb.InternalException,
    duckdb.FatalException,
)


class QueryError(TableError):
    """DuckDB has failed at a query, for a reason that is not the query; its error is the cause of this one."""


class Connection:
    """A connection to DuckDB, or a cursor of one; the methods are DuckDB's.

    In the thread that asks for it, a query would notice Ctrl-C late or never. So it runs in another one.

    Parameters
    ----------
    connection : DuckDBPyConnection
    failing : str
        How errors begin: "cannot read 'table.csv'".

    Raises
    ------
    QueryError
        By the methods that execute and fetch, if the table is damaged, or if there is too little memory, or too little
        space for temporary files.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, failing: str) -> None:
        self._connection, self._failing = connection, failing

    def cursor(self) -> "Connection":
        """Return another connection to the same tables."""
        return Connection(self._connection.cursor(), self._failing)

    def register(self, name: str, frame: Any) -> None:
        """Make a data frame a view."""
        self._connection.register(name, frame)

    def unregister(self, name: str) -> None:
        """Remove the view of a data frame."""
        self._connection.unregister(name)

    def execute(self, query: str, parameters: Sequence[Any] | None = None) -> "Connection":
        """Run a query; the methods that fetch return its rows."""
        self._call(lambda: self._connection.execute(query, parameters))
        return self

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the next row, None after the last one."""
        return self._call(self._connection.fetchone)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return all rows."""
        return self._call(self._connection.fetchall)

    def fetchnumpy(self) -> dict[str, np.ndarray]:
        """Return all rows as arrays, masked where a value is missing, by the names of the columns."""
        return self._call(self._connection.fetchnumpy)

    def df(self) -> pd.DataFrame:
        """Return all rows as a data frame."""
        return self._call(self._connection.df)

    def fetch_df_chunk(self, vectors: int) -> pd.DataFrame:
        """Return the next rows as a data frame, 2,048 in each vector."""
        return self._call(lambda: self._connection.fetch_df_chunk(vectors))

    def _call(self, work: Callable[[], Any]) -> Any:
        """Call a method of DuckDB in another thread, and stop it if this one is interrupted."""
        results: list[Any] = []
        call = Call(lambda _: results.append(work()), 0)
        try:
            if not submit([call]):
                return work()
            # Not at a stretch: another thread may have received the signal, and this one sleeps on.
            while not call.wait(_PAUSE):
                continue
            if call.error is not None:
                raise call.error
            return results[0]
        except _MISTAKES:
            raise
        except duckdb.Error as error:
            raise QueryError(f"{self._failing}: {_told(error)}") from error
        finally:
            # More than once: a query that is just about to begin takes no notice.
            while not call.withdraw() and not call.wait(_PAUSE):
                self._connection.interrupt()


def _told(error: duckdb.Error) -> str:
    """Return in a line what is wrong."""
    line = str(error).splitlines()[0]
    if not isinstance(error, duckdb.OutOfMemoryException):
        return line
    short = f"space for temporary files in {tempfile.gettempdir()}" if "offload" in line else "memory"
    return f"there is too little {short}: {line.partition(': ')[2]}"
