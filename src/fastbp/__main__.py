"""``python -m fastbp script.py``: run an unmodified program with fastbp's MLPs in place of scikit-learn's.

The program runs as under ``python script.py`` or ``python -m module``: with its own arguments, its own folder first in
``sys.path``, ``__name__ == "__main__"``, its own exit status and only its own frames in a traceback.
"""

import os
import pkgutil
import runpy
import sys
from typing import NoReturn

USAGE = """\
usage: python -m fastbp script.py [arguments]
       python -m fastbp -m module [arguments]

Run a script (a file, or a folder or zip archive with a __main__.py) or a module with
scikit-learn patched: MLPClassifier and MLPRegressor of sklearn.neural_network are fastbp's.

The command line that trains on tables is "fastbp", without "python -m".
"""
# Subcommands of the command "fastbp", for a hint to users who meant that command.
COMMANDS = ("demo", "example", "evaluate", "info", "predict", "train", "warmup")


def main() -> None:
    """Run the script or module named on the command line.

    The exit status is the program's own, 2 if nothing was named, or 1 if there is no such module.
    """
    arguments = sys.argv[1:]
    if arguments and arguments[0] in ("-h", "--help"):
        sys.stdout.write(USAGE)
        return
    as_module = arguments[:1] == ["-m"]
    program = arguments[1:] if as_module else arguments
    if not program or (program[0].startswith("-") and not as_module):
        sys.stderr.write(USAGE)
        sys.exit(2)
    if not as_module and not os.path.exists(program[0]):
        _fail(f"there is no file {program[0]!r}", program[0], 2)

    try:
        from fastbp import patch_sklearn
    except ImportError as error:
        _fail(str(error), program[0], 2)
    patch_sklearn()
    sys.argv = program
    try:
        names = _run_module(program[0]) if as_module else _run_script(program[0])
    except BaseException as error:
        _hide_own_frames(error, program[0])
        raise
    # Threads and exit handlers that outlive the program, and `python -i`, look up its global names here.
    vars(sys.modules["__main__"]).update(names)


def _run_module(name: str) -> dict[str, object]:
    return runpy.run_module(name, run_name="__main__", alter_sys=True)


def _run_script(script: str) -> dict[str, object]:
    if not sys.flags.safe_path:
        # `python -m` puts the working folder first in sys.path, `python script.py` the script's folder.
        del sys.path[0]
        if pkgutil.get_importer(script) is None:
            sys.path.insert(0, os.path.dirname(os.path.realpath(script)))
    # Absolute, as in Python, so that `__file__` stays valid if the program changes the working folder.
    return runpy.run_path(os.path.abspath(script), run_name="__main__")


def _hide_own_frames(error: BaseException, target: str) -> None:
    """Let the traceback begin with the program's first frame; exit at once if the program was never reached."""
    frames = error.__traceback__
    while frames is not None and any(frames.tb_frame.f_globals is own for own in (globals(), vars(runpy))):
        frames = frames.tb_next
    if frames is None and isinstance(error, ImportError):
        _fail(str(error), target, 1)
    # The program has ended: call its excepthook, if it set one, with its own frames.
    show = sys.excepthook
    sys.excepthook = lambda kind, value, _: show(kind, value.with_traceback(frames), frames)


def _fail(message: str, program: str, status: int) -> NoReturn:
    hint = f'; did you mean the command "fastbp {program}", without "python -m"?' if program in COMMANDS else ""
    sys.stderr.write(f"python -m fastbp: error: {message}{hint}\n")
    sys.exit(status)


if __name__ == "__main__":
    main()
