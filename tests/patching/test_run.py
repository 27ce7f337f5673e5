"""`python -m fastbp` runs a program as Python would, but for the classes that it finds."""

import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fastbp.__main__ import COMMANDS
from fastbp.interop.libraries import install_command
from support.limits import HANG_SECONDS
from support.processes import environment

PLAIN = [sys.executable]
PATCHED = [sys.executable, "-m", "fastbp"]
CHILDREN = str(Path(__file__).parent / "programs" / "children.py")
SAID = "fastbp: MLPClassifier and MLPRegressor of sklearn.neural_network replaced by fastbp's\n"

# Python runs it first of all. The programs here are about how they are run: patching would take a second of each.
WITHOUT_SKLEARN = f"""
import sys, types

stub = types.ModuleType("fastbp.patching")
stub.patch_sklearn = lambda: sys.stderr.write({SAID!r})
sys.modules["fastbp.patching"] = stub
"""

# Prints what a program can see of how it was started.
PROGRAM = """
import json, os, sys
from fastbp.interop.libraries import install_command

try:
    from helper import VALUE
except ImportError:
    VALUE = "not found"
print(json.dumps({
    "name": __name__, "file": __file__, "doc": __doc__, "package": __package__ or None,
    "spec": __spec__ and __spec__.name, "main": vars(sys.modules["__main__"]) is globals(),
    "arguments": [os.path.abspath(sys.argv[0]), *sys.argv[1:]], "path": sys.path,
    "foreign": [name for name in ("runpy", "USAGE", "main") if name in globals()], "helper": VALUE,
}))
"""

ENDINGS = {
    "error": "raise ValueError('bad')",
    "chain of errors": """
def inner():
    try:
        1 / 0
    except ZeroDivisionError as error:
        raise KeyError("bad") from error
inner()
""",
    "exit": "import sys; sys.exit()",
    "status": "import sys; sys.exit(7)",
    "words": "import sys; sys.exit('words')",
    "at once": "import os; os._exit(3)",
    "interrupt": "raise KeyboardInterrupt",
    "not Python": "this is no Python",
    "failing import": "import nothing_like_it",
    "own hook": "import sys; sys.excepthook = lambda *error: print(error[0], error[2].tb_lineno); 1 / 0",
    "exit handler": "import atexit; atexit.register(lambda: print(value)); value = 5",
    "thread": """
import pickle, threading, time
def work():
    time.sleep(0.3)
    print(pickle.loads(pickle.dumps(work)) is work)
threading.Thread(target=work).start()
""",
}


@pytest.fixture
def folder(tmp_path):
    """Folders of programs, each with its own module `helper`."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    for name in ("program.py", "package/program.py", "package/__main__.py"):
        (tmp_path / name).write_text(PROGRAM)
    (tmp_path / "helper.py").write_text("VALUE = 'outer'")
    (tmp_path / "package" / "helper.py").write_text("VALUE = 'inner'")
    (tmp_path / "link.py").symlink_to(tmp_path / "package" / "program.py")
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.write(tmp_path / "program.py", "__main__.py")
        archive.writestr("helper.py", "VALUE = 'archived'")
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "sitecustomize.py").write_text(WITHOUT_SKLEARN)
    return tmp_path


def start(folder, *command):
    """Start a process in the folder, with patching stubbed where the folder has a stub."""
    path = os.pathsep.join([str(folder / "first"), environment()["PYTHONPATH"]])
    return subprocess.Popen(
        command, cwd=folder, env=environment(PYTHONPATH=path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def run(folder, *command):
    """Return exit status, stdout and stderr of a process."""
    process = start(folder, *command)
    out, err = process.communicate(timeout=HANG_SECONDS)
    return process.returncode, out, err


@pytest.mark.parametrize(
    ("flags", "program"),
    [
        ([], ["program.py", "-m", "--help", "-h"]),
        ([], ["package/program.py"]),
        (["-P"], ["package/program.py"]),
        ([], ["link.py", "a b"]),
        ([], ["package"]),
        ([], ["archive.zip", "--", "x"]),
        ([], ["-m", "program", "-x", "--help"]),
        ([], ["-m", "package", "1"]),
        ([], ["-m", "package.program"]),
    ],
    ids=lambda words: " ".join(words),
)
def test_a_program_sees_what_it_sees_without(flags, program, folder):
    code, expected, err = run(folder, *PLAIN, *flags, *program)
    assert (code, err) == (0, "")
    assert run(folder, PLAIN[0], *flags, *PATCHED[1:], *program) == (0, expected, SAID)
    assert json.loads(expected)["helper"] in ("outer", "inner", "archived") or flags


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_program_ends_as_it_ends_without(ending, folder):
    (folder / "ends.py").write_text(ENDINGS[ending])
    code, out, err = run(folder, *PLAIN, "ends.py")
    assert run(folder, *PATCHED, "ends.py") == (code, out, SAID + err)
    # Python does not hide what `-m` itself does.
    found = run(folder, *PATCHED, "-m", "ends")
    assert found[:2] == (code, out)
    assert found[2].endswith(err.removeprefix("Traceback (most recent call last):\n"))


def test_ctrl_c(folder):
    # A shell may have started the tests with the signal ignored.
    handler = "import signal, time; signal.signal(signal.SIGINT, signal.default_int_handler)"
    (folder / "waits.py").write_text(f"{handler}\nprint('ready', flush=True)\ntime.sleep({HANG_SECONDS})")
    process = start(folder, *PATCHED, "waits.py")
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == -signal.SIGINT
    assert err.startswith(SAID + "Traceback (most recent call last):\n" + f'  File "{folder}/waits.py", line ')
    assert err.endswith("KeyboardInterrupt\n")


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help(option, folder):
    code, out, err = run(folder, *PATCHED, option)
    assert (code, err) == (0, "")
    assert out.startswith("usage: python -m fastbp script.py [arguments]")


@pytest.mark.parametrize("arguments", [[], ["-m"], ["-c", "pass"], ["--patch", "program.py"]], ids=" ".join)
def test_nothing_to_run(arguments, folder):
    code, out, err = run(folder, *PATCHED, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("usage: python -m fastbp script.py [arguments]")


def test_no_such_program(folder):
    (folder / "info").mkdir()
    error = "python -m fastbp: error: "
    hint = '; did you mean the command "fastbp {}", without "python -m"?\n'
    assert run(folder, *PATCHED, "absent.py") == (2, "", error + "there is no file 'absent.py'\n")
    assert run(folder, *PATCHED, "train", "x.csv") == (2, "", error + "there is no file 'train'" + hint.format("train"))
    absent = "can't find '__main__' module in "
    assert run(folder, *PATCHED, "info") == (1, "", f"{SAID}{error}{absent}'{folder}/info'{hint.format('info')}")
    assert run(folder, *PATCHED, "-m", "absent") == (1, "", SAID + error + "No module named absent\n")
    (folder / "demo").write_text("print('a program of that name is run')")
    assert run(folder, *PATCHED, "demo") == (0, "a program of that name is run\n", SAID)


def test_commands_are_those_of_the_command_line():
    app = pytest.importorskip("fastbp.cli._app").app
    assert sorted(app.commands) == sorted(COMMANDS)


def test_without_scikit_learn(folder):
    (folder / "first" / "sitecustomize.py").write_text("import sys\nsys.modules['sklearn'] = None")
    code, out, err = run(folder, *PATCHED, "program.py")
    assert (code, out) == (2, "")
    advice = f"fastbp.patch_sklearn needs scikit-learn: {install_command('sklearn')}"
    assert err == f"python -m fastbp: error: {advice}\n"


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        # A spawned child imports the program again, a loky child the modules outside the script; neither is patched.
        (
            [*PATCHED, CHILDREN, "fork", "loky", "spawn"],
            [["fork", "fastbp", "fastbp"], ["loky", "fastbp", "sklearn"], ["spawn", "sklearn", "sklearn"]],
        ),
        ([*PLAIN, CHILDREN, "patch", "spawn"], [["spawn", "fastbp", "fastbp"]]),
    ],
    ids=["run patched", "patched by itself"],
)
def test_child_processes(start, expected):
    done = subprocess.run(start, env=environment(), capture_output=True, text=True, timeout=HANG_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(found) == [[*kind, True] for kind in expected]
