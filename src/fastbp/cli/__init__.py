"""The ``fastbp`` command: train, predict and look around without writing Python.

This file imports nothing but the standard library, so that ``fastbp --help`` is quick and a missing
optional dependency ends in one line of advice and not in a traceback.  Every command imports what it needs
when it runs.
"""

import importlib.util
import io
import sys

EXTRAS = ("click", "rich", "pandas", "pyarrow", "skops", "sklearn")


def main() -> None:
    """Run the command line; the entry point behind ``fastbp``.

    Exits with status 0 after success, 2 after an error (one line on stderr), 130 after Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a column name must not crash an ASCII terminal
    missing = [name for name in EXTRAS if importlib.util.find_spec(name) is None]
    if missing:
        print(
            f'fastbp: error: the command line needs {", ".join(missing)}: pip install "fastbp[cli]"',
            file=sys.stderr,
        )
        sys.exit(2)
    from fastbp.cli._app import app

    app(prog_name="fastbp")
