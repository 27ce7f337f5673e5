"""The ``fastbp`` command: train, predict and look around without writing Python.

This file imports next to nothing, so that Ctrl-C is soon listened to, ``fastbp --help`` is quick, and a missing
optional dependency ends in one line of advice and not in a traceback.  Every command imports what it needs when it
runs.
"""

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
    from importlib.util import find_spec

    from fastbp.cli._streams import guard

    guard()
    missing = [name for name in EXTRAS if find_spec(name) is None]
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
    print(f"fastbp: error: {error}", file=sys.stderr)
