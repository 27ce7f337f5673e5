"""The ``fastbp`` command: train, predict and look around without writing Python.

This file imports nothing but the standard library, so that ``fastbp --help`` is quick and a missing
optional dependency ends in one line of advice and not in a traceback.  Every command imports what it needs
when it runs.
"""

import contextlib
import importlib.util
import io
import sys

from fastbp.cli import _interrupts

EXTRAS = ("click", "rich", "pandas", "duckdb", "skops", "sklearn")


def main() -> None:
    """Run the command line; the entry point behind ``fastbp``.

    Exits with status 0 after success, 1 after an error that nobody has foreseen, 2 after any other error (one line on
    stderr), and 130 after Ctrl-C.
    """
    try:
        _interrupts.listen()
        status = _run()
    except KeyboardInterrupt:
        _say("interrupted")
        status = 130
    finally:
        _interrupts.ignore()
    sys.exit(status)


def _run() -> int:
    """Run a command; returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a column name must not crash an ASCII terminal
    missing = [name for name in EXTRAS if importlib.util.find_spec(name) is None]
    if missing:
        from fastbp.interop.libraries import install_command

        _say(f"the command line needs {', '.join(missing)}: {install_command('cli')}")
        return 2
    import click

    from fastbp.cli._app import app

    try:
        # By itself, click would call Ctrl-C an error like any other.
        return app(prog_name="fastbp", standalone_mode=False) or 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort as error:
        raise KeyboardInterrupt from error


def _say(error: str) -> None:
    """Print an error, if there is anyone to read it."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(f"fastbp: error: {error}", file=sys.stderr)
