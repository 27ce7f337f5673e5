"""What holds the code base together: who may import whom, how large things may grow, what must be written down."""

import ast
import fnmatch
import importlib
import inspect
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
TEXTS = sorted(
    path
    for pattern in ("*.md", "pyproject.toml", "Makefile", ".ci/*", "docs/**/*", "src/**/*.py", "tests/**/*.py")
    for path in ROOT.glob(pattern)
    if path.is_file() and path.suffix not in (".pyc", ".png")
)

# From the bottom up: a file may import from its own folder and from what comes earlier in this list. A name stands for
# a file, or for a folder and everything in it that has no line of its own. docs/design.md shows the same list.
LAYERS = (
    "fastbp.compiler",
    "fastbp.threads",
    "fastbp.kernels.memory",
    "fastbp.kernels.vectors",
    "fastbp.kernels.functions",
    "fastbp.kernels.shares",
    "fastbp.kernels.tiles",
    "fastbp.kernels.layers",
    "fastbp.kernels.passes",
    "fastbp.kernels",
    "fastbp.network",
    "fastbp.training",
    "fastbp.storage",
    "fastbp.mlp",
    "fastbp.machine",
    "fastbp.interop",
    "fastbp.estimators",
    "fastbp.patching",
    "fastbp.tabular",
    "fastbp.cli",
    "fastbp.__main__",
    "fastbp.pytest_plugin",
    "fastbp",
)

# What may be imported besides the standard library and the own package.
LIBRARIES = {
    "refbp*": {"numpy"},
    "fastbp.cli": {"click"},
    "fastbp.cli.*": {"click", "duckdb", "numpy", "pandas", "rich", "sklearn", "threadpoolctl"},
    "fastbp.compiler*": {"llvmlite", "numba", "numpy"},
    "fastbp.estimators.skl2onnx": {"numpy", "onnx", "skl2onnx"},
    "fastbp.estimators*": {"numpy", "scipy", "sklearn"},
    "fastbp.interop*": {"numpy", "onnx", "safetensors", "sklearn", "torch"},
    "fastbp.kernels*": {"llvmlite", "numba", "numpy"},
    "fastbp.patching": {"sklearn"},
    "fastbp.pytest_plugin": {"pytest", "sklearn"},
    "fastbp.tabular*": {"duckdb", "numpy", "pandas", "skops", "sklearn"},
    "fastbp.training.lbfgs": {"numpy", "scipy"},
    "fastbp*": {"numba", "numpy"},
}

MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 70

# Where a program talks to its user.
MAY_PRINT = {"fastbp.cli", "fastbp.training.fit", "fastbp.training.lbfgs"}
MOST_ENTRIES_AT_THE_TOP = 16
# Links that a reader may follow.
KNOWN_HOSTS = {
    "arxiv.org",
    "bugs.python.org",
    "doi.org",
    "github.com",
    "keepachangelog.com",
    "scikit-learn.org",
    "semver.org",
    "www.w3.org",
}


def module_name(path):
    parts = path.relative_to(ROOT / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in SOURCES}

# What people start, and nothing imports.
TOPMOST = {"fastbp.__main__", "fastbp.pytest_plugin", *(name for name in MODULES if name.startswith("fastbp.cli"))}


@cache
def source(name):
    return MODULES[name].read_text(encoding="utf-8")


@cache
def tree(name):
    return ast.parse(source(name))


def is_for_the_type_checker(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def nodes_at_run_time(node):
    for child in ast.iter_child_nodes(node):
        if not is_for_the_type_checker(child):
            yield child
            yield from nodes_at_run_time(child)


def imports(name):
    """Full names of the modules that a module imports, anywhere in its text."""
    for node in nodes_at_run_time(tree(name)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative import in line {node.lineno}"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in MODULES else node.module


def layer(name):
    """Place of a module in LAYERS: that of the longest name it is in."""
    return LAYERS.index(max((top for top in LAYERS if f"{name}.".startswith(f"{top}.")), key=len))


def offenders(rule):
    """What a rule says of each module, by the module's name, where it says anything."""
    return {name: found for name in MODULES if (found := rule(name))}


def definitions(name):
    """Every function and class of a module, with the name under which a reader finds it."""

    def walk(node, prefix):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                yield f"{prefix}{child.name}", child
                yield from walk(child, f"{prefix}{child.name}.")
            else:
                yield from walk(child, prefix)

    return walk(tree(name), "")


def test_imports_point_downwards():
    def upwards(name):
        if not name.startswith("fastbp."):
            return []
        inner = [full for full in imports(name) if full == "fastbp" or full.startswith("fastbp.")]
        # The top level, whose names are looked up lazily, is for modules that no other module imports.
        return [full for full in inner if layer(full) > layer(name) and not (full == "fastbp" and name in TOPMOST)]

    assert not offenders(upwards)


def test_imports_make_no_cycle():
    left = {name: {full for full in imports(name) if full in MODULES and full != name} for name in MODULES}
    # A package's __init__ runs before its modules; what it imports from them is no cycle.
    left = {name: {full for full in needs if not name.startswith(f"{full}.")} for name, needs in left.items()}
    while free := [name for name, needs in left.items() if not needs & left.keys()]:
        for name in free:
            del left[name]
    assert not left


def test_the_packages_do_not_import_each_other():
    assert not offenders(
        lambda name: [
            full
            for full in imports(name)
            if full.partition(".")[0] in ("fastbp", "refbp") and full.partition(".")[0] != name.partition(".")[0]
        ]
    )


def test_the_top_stays_small():
    entries = [path.name for path in (ROOT / "src" / "fastbp").iterdir() if path.suffix == ".py" or path.is_dir()]
    entries = [name for name in entries if name != "__pycache__"]
    assert len(entries) <= MOST_ENTRIES_AT_THE_TOP, sorted(entries)


def test_libraries():
    def foreign(name):
        allowed = next(libraries for pattern, libraries in LIBRARIES.items() if fnmatch.fnmatch(name, pattern))
        allowed = allowed | sys.stdlib_module_names | {name.partition(".")[0]}
        return {imported for imported in imports(name) if imported.partition(".")[0] not in allowed}

    assert not offenders(foreign)


def test_only_public_names_of_scikit_learn():
    """Those that begin with an underscore may change with every release of it."""

    def private(name):
        nodes = [node for node in nodes_at_run_time(tree(name)) if isinstance(node, ast.Import | ast.ImportFrom)]
        imported = [f"{getattr(node, 'module', '')}.{alias.name}" for node in nodes for alias in node.names]
        return [full for full in imported if re.match(r"\.?sklearn\b", full) and re.search(r"\._", full)]

    assert not offenders(private)


def test_one_module_compiles():
    """Numba's own decorators know nothing of the cache that `fastbp.compiler.jit` sets."""
    decorators = re.compile(r"@(?:\w+\.)?(njit|vectorize|guvectorize|jitclass|cfunc)\b|\bprange\b")
    assert not offenders(lambda name: name != "fastbp.compiler.jit" and decorators.findall(source(name)))


def test_nothing_is_compiled_at_import():
    program = """
import importlib, sys
from numba.core import event

recorder = event.RecordingListener()
with event.install_listener("numba:compile", recorder):
    for name in sys.argv[1:]:
        importlib.import_module(name)
if recorder.buffer:
    sys.exit(f"{len(recorder.buffer)} events of compilation: {recorder.buffer[0]}")
"""
    names = [name for name in MODULES if name != "fastbp.cli._app"]
    done = subprocess.run([sys.executable, "-c", program, *names], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_files_stay_short():
    lengths = {name: len(source(name).splitlines()) for name in MODULES}
    assert not {name: lines for name, lines in lengths.items() if lines > MOST_LINES_OF_A_FILE}


def code_lines(node):
    """Lines of a function, signature and docstring left out."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return node.end_lineno - body[0].lineno + 1 if body else 0


def test_functions_stay_short():
    def long(name):
        return {
            qualified: code_lines(node)
            for qualified, node in definitions(name)
            if isinstance(node, ast.FunctionDef) and code_lines(node) > MOST_LINES_OF_A_FUNCTION
        }

    assert not offenders(long)


def test_everything_public_has_a_docstring():
    def bare(name):
        found = [] if ast.get_docstring(tree(name)) else [name]
        return found + [
            qualified
            for qualified, node in definitions(name)
            if not any(part.startswith("_") for part in qualified.split("."))
            and ast.get_docstring(node) is None
            and not is_local(name, qualified)
            and not redefines(name, qualified)
        ]

    assert not offenders(bare)


def is_local(name, qualified):
    """Whether a definition is inside of a function."""
    kinds = dict(definitions(name))
    parts = qualified.split(".")
    return any(isinstance(kinds[".".join(parts[:i])], ast.FunctionDef) for i in range(1, len(parts)))


def redefines(name, qualified):
    """Whether a method overrides one of a base class, which has the docstring, or belongs to a private class."""
    owner, _, method = qualified.rpartition(".")
    if not owner:
        return False
    kind = getattr(importlib.import_module(name), owner)
    return any(getattr(vars(base).get(method), "__doc__", None) for base in kind.__mro__[1:])


def public_objects():
    """Functions and classes that users import, and the methods of the classes."""
    for package in ("fastbp", "fastbp.interop", "fastbp.kernels", "refbp"):
        module = importlib.import_module(package)
        for key in module.__all__:
            thing = getattr(module, key)
            if not callable(thing) or inspect.ismodule(thing) or not hasattr(thing, "__module__"):
                continue
            yield f"{package}.{key}", thing
            if inspect.isclass(thing):
                yield from (
                    (f"{package}.{key}.{method}", getattr(thing, method))
                    for method, value in vars(thing).items()
                    if not method.startswith("_") and (inspect.isfunction(value) or isinstance(value, classmethod))
                )


PUBLIC = dict(public_objects())


def section(text, title):
    """Body of a section of a numpydoc docstring."""
    found = re.search(rf"^{title}\n-+\n(.*?)(?=^\w[\w ]*\n-+$|\Z)", text, re.MULTILINE | re.DOTALL)
    return found.group(1) if found else ""


def documented(text):
    """Names of the parameters, attributes and fields that a docstring describes."""
    body = section(text, "Parameters") + section(text, "Attributes") + section(text, "Other Parameters")
    lines = re.findall(r"^([\w*][\w*, ]*?)(?: : .*)?$", body, re.MULTILINE)
    return {name.strip(" *") for line in lines for name in line.split(",")}


def untold(name):
    """Parameters that a public docstring does not describe."""
    thing = PUBLIC[name]
    text = inspect.getdoc(thing) or ""
    if inspect.isclass(thing) and issubclass(thing, Exception):
        return []
    names = [key for key in inspect.signature(thing).parameters if key not in ("self", "args", "kwargs")]
    told = documented(text)
    # Short docstrings speak of their parameters in a sentence.
    mark = "`{}`" if told else r"\b{}\b"
    by_reference = re.search(r"arameters (and errors )?are those of `|[Ss]ee `[\w.]+` for the parameters", text)
    missing = [key for key in names if key not in told and not re.search(mark.format(key), text)]
    return missing if text and not by_reference else [] if text else ["no docstring"]


def test_public_docstrings_describe_every_parameter():
    assert not {name: found for name in PUBLIC if (found := untold(name))}


def test_kernels_name_shapes_and_roles():
    def missing(name):
        text = inspect.getdoc(PUBLIC[name])
        titles = [title for title in ("Parameters", "Returns", "Raises") if not section(text, title)]
        return titles + [mark for mark in ("[read]", ".. math::") if mark not in text]

    kernels = [name for name in PUBLIC if name.startswith("fastbp.kernels.") and name.count(".") == 2]
    functions = [name for name in kernels if inspect.isfunction(PUBLIC[name])]
    assert functions
    assert not {name: found for name in functions if (found := missing(name))}


def test_no_leftovers():
    def leftovers(name):
        marks = [
            mark for mark in ("TO" + "DO", "FIX" + "ME", "XX" + "X", "no" + "qa", "pragma:") if mark in source(name)
        ]
        calls = [node for node in ast.walk(tree(name)) if isinstance(node, ast.Call)]
        called = {node.func.id for node in calls if isinstance(node.func, ast.Name)}
        refused = {"breakpoint", "exec", "eval"} | (set() if name in MAY_PRINT else {"print"})
        return marks + sorted(called & refused)

    assert not offenders(leftovers)


def test_texts_are_free_of_somebodys_machine():
    def local(path):
        text = path.read_text(encoding="utf-8")
        paths = re.findall(r"(?<![\w.~)}])/(?:home|mnt|root|srv|work|Users)/[\w.]+", text)
        hosts = {host for host in re.findall(r"https?://([\w.-]+)", text) if "example" not in host}
        return paths + sorted(hosts - KNOWN_HOSTS)

    assert not {str(path.relative_to(ROOT)): found for path in TEXTS if (found := local(path))}
