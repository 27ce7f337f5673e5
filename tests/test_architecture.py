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

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
TEXTS = sorted(
    path
    for pattern in ("*.md", "pyproject.toml", "Makefile", ".ci/*", "docs/**/*", "src/**/*.py", "tests/**/*.py")
    for path in ROOT.glob(pattern)
    if path.is_file() and path.suffix not in (".pyc", ".png")
)

# From the bottom up: a module may import from lower layers only. Docs: docs/design.md, "Layers".
LAYERS = (
    ("budget", "cpus", "imports", "initialization", "memory", "optimizers", "pace", "placement", "progress", "target"),
    ("object_code", "threads"),
    ("code_cache", "helpers"),
    ("jit",),
    # The vocabulary: vectors, codes, checks of arguments.
    ("kernels.arguments", "kernels.codes", "kernels.vectors"),
    ("kernels.atomics", "kernels.denormals", "kernels.formula", "kernels.precision", "kernels.simd"),
    ("kernels.barrier", "kernels.layout", "kernels.microkernel", "kernels.run", "kernels.shares", "kernels.vmath"),
    # Loops over tiles and panels, and what is done to them while they are in cache.
    ("kernels.epilogue", "kernels.gemm", "kernels.peak", "kernels.transpose", "kernels.update"),
    ("kernels.output", "kernels.panels", "kernels.small", "kernels.state"),
    ("kernels.weighted_rows",),
    ("kernels.sparse",),
    # Whole minibatches and whole layers.
    ("kernels.backward", "kernels.dense", "kernels.step"),
    ("kernels.few", "kernels.predict"),
    ("kernels",),
    # From arrays to a training.
    ("packing", "plan", "samples"),
    ("engine", "prediction"),
    ("objective", "session"),
    ("fit", "lbfgs"),
    ("archive",),
    ("mlp",),
    ("machine",),
    # Other libraries' terms, and files.
    ("interop", "interop.files", "interop.labels", "interop.libraries", "interop.optimizers", "interop.values"),
    ("interop.onnx", "interop.record", "interop.sklearn", "interop.torch_layers"),
    ("interop.safetensors", "interop.torch"),
    # Faces.
    ("estimators._callbacks", "estimators._parameters", "estimators._scores", "estimators._validation"),
    ("estimators._portable", "estimators._training"),
    ("estimators._full_batch", "estimators._stochastic"),
    ("estimators._base",),
    ("estimators._classifier", "estimators._regressor"),
    ("estimators",),
    ("interop.skl2onnx", "patching"),
    ("__main__", "cli", "cli.*", "pytest_plugin"),
)

# What may be imported besides the standard library and the own package.
LIBRARIES = {
    "refbp*": {"numpy"},
    "fastbp.cli": set(),
    "fastbp.cli.*": {"click", "numpy", "pandas", "pyarrow", "rich", "skops", "sklearn", "threadpoolctl"},
    "fastbp.estimators*": {"numpy", "scipy", "sklearn"},
    "fastbp.interop*": {"numpy", "onnx", "safetensors", "skl2onnx", "sklearn", "torch"},
    "fastbp.patching": {"sklearn"},
    "fastbp.pytest_plugin": {"pytest", "sklearn"},
    "fastbp.lbfgs": {"numpy", "scipy"},
    "fastbp*": {"llvmlite", "numba", "numpy"},
}

MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 70

# Where a program talks to its user.
MAY_PRINT = {"fastbp.cli", "fastbp.fit", "fastbp.lbfgs"}
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

each_module = pytest.mark.parametrize("name", MODULES)
each_text = pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))


@cache
def tree(name):
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


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
    """Number of the layer of a module of fastbp."""
    inner = name.removeprefix("fastbp.")
    found = [number for number, patterns in enumerate(LAYERS) if any(fnmatch.fnmatch(inner, p) for p in patterns)]
    assert len(found) == 1, f"{name} needs a place of its own in LAYERS"
    return found[0]


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


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("fastbp.")])
def test_imports_point_downwards(name):
    for imported in imports(name):
        if imported == "fastbp":
            # Its names are looked up when they are asked for, in any layer: that is for the topmost one.
            assert layer(name) == len(LAYERS) - 1, f"{name} imports the package itself"
        elif imported.startswith("fastbp."):
            below = layer(imported) < layer(name)
            within_cli = name.startswith("fastbp.cli.") and imported.startswith("fastbp.cli.")
            starts_cli = name == "fastbp.cli"
            assert below or within_cli or starts_cli, f"{name} imports {imported}, which is not below it"


def test_modules_of_the_command_line_import_in_no_circle():
    reached = {name: {i for i in imports(name) if i in MODULES} for name in MODULES if name.startswith("fastbp.cli.")}
    while reached:
        free = [name for name, needs in reached.items() if not needs & reached.keys()]
        assert free, f"a circle of imports among {sorted(reached)}"
        for name in free:
            del reached[name]


@each_module
def test_libraries(name):
    allowed = next(libraries for pattern, libraries in LIBRARIES.items() if fnmatch.fnmatch(name, pattern))
    allowed = allowed | sys.stdlib_module_names | {name.partition(".")[0]}
    foreign = {imported for imported in imports(name) if imported.partition(".")[0] not in allowed}
    assert not foreign, f"{name} may not import {sorted(foreign)}"


@each_module
def test_only_public_names_of_scikit_learn(name):
    """Those that begin with an underscore may change with every release of it."""
    nodes = [node for node in nodes_at_run_time(tree(name)) if isinstance(node, ast.Import | ast.ImportFrom)]
    imported = [f"{getattr(node, 'module', '')}.{alias.name}" for node in nodes for alias in node.names]
    private = [full for full in imported if re.match(r"\.?sklearn\b", full) and re.search(r"\._", full)]
    assert not private, f"{name} imports {private}"


@each_module
def test_one_module_compiles(name):
    """Numba's own decorators know nothing of the cache that `fastbp.jit` sets."""
    text = MODULES[name].read_text(encoding="utf-8")
    if name != "fastbp.jit":
        assert not re.search(r"\b(njit|vectorize|guvectorize|jitclass|cfunc|prange)\b", text)


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


@each_module
def test_files_stay_short(name):
    lines = len(MODULES[name].read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_LINES_OF_A_FILE, f"{MODULES[name].name} has {lines} lines"


def code_lines(node):
    """Lines of a function, signature and docstring left out."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return node.end_lineno - body[0].lineno + 1 if body else 0


@each_module
def test_functions_stay_short(name):
    long = {
        qualified: code_lines(node)
        for qualified, node in definitions(name)
        if isinstance(node, ast.FunctionDef) and code_lines(node) > MOST_LINES_OF_A_FUNCTION
    }
    assert not long, f"{name}: {long}"


@each_module
def test_everything_public_has_a_docstring(name):
    assert ast.get_docstring(tree(name)), f"{name} has none"
    bare = [
        qualified
        for qualified, node in definitions(name)
        if not any(part.startswith("_") for part in qualified.split("."))
        and ast.get_docstring(node) is None
        and not is_local(name, qualified)
        and not redefines(name, qualified)
    ]
    assert not bare, f"{name}: no docstring for {bare}"


def is_local(name, qualified):
    """Whether a definition is inside of a function."""
    kinds = dict(definitions(name))
    parts = qualified.split(".")
    return any(isinstance(kinds[".".join(parts[:i])], ast.FunctionDef) for i in range(1, len(parts)))


def redefines(name, qualified):
    """Whether a method is that of a base class, which says what it does, or of a class that nobody sees."""
    owner, _, method = qualified.rpartition(".")
    if not owner:
        return False
    kind = getattr(importlib.import_module(name), owner)
    return any(getattr(vars(base).get(method), "__doc__", None) for base in kind.__mro__[1:])


def public_objects():
    """Functions and classes that users import, and the methods of the classes."""
    for package in ("fastbp", "fastbp.kernels", "refbp"):
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


@pytest.mark.parametrize("name", PUBLIC)
def test_public_docstrings_describe_every_parameter(name):
    thing = PUBLIC[name]
    text = inspect.getdoc(thing)
    assert text, f"{name} has no docstring"
    if inspect.isclass(thing) and issubclass(thing, Exception):
        return
    names = [key for key in inspect.signature(thing).parameters if key not in ("self", "args", "kwargs")]
    told = documented(text)
    # Short docstrings speak of their parameters in a sentence.
    mark = "`{}`" if told else r"\b{}\b"
    untold = [key for key in names if key not in told and not re.search(mark.format(key), text)]
    by_reference = re.search(r"arameters (and errors )?are those of `|[Ss]ee `[\w.]+` for the parameters", text)
    assert by_reference or not untold, f"{name} does not describe {untold}"


KERNELS = [name for name in PUBLIC if name.startswith("fastbp.kernels.") and inspect.isfunction(PUBLIC[name])]


@pytest.mark.parametrize("name", [name for name in KERNELS if name.count(".") == 2])
def test_kernels_name_shapes_and_roles(name):
    text = inspect.getdoc(PUBLIC[name])
    for title in ("Parameters", "Returns", "Raises"):
        assert section(text, title), f"{name} has no section {title!r}"
    assert "[read]" in text
    assert ".. math::" in text


@each_module
def test_no_leftovers(name):
    text = MODULES[name].read_text(encoding="utf-8")
    marks = [mark for mark in ("TO" + "DO", "FIX" + "ME", "XX" + "X", "no" + "qa", "pragma:") if mark in text]
    assert not marks, f"{name} has {marks}"
    calls = [node for node in ast.walk(tree(name)) if isinstance(node, ast.Call)]
    called = {node.func.id for node in calls if isinstance(node.func, ast.Name)}
    assert not called & {"breakpoint", "exec", "eval"}, f"{name} calls {called & {'breakpoint', 'exec', 'eval'}}"
    assert "print" not in called or name in MAY_PRINT, f"{name} prints"


@each_text
def test_texts_are_free_of_somebodys_machine(path):
    text = path.read_text(encoding="utf-8")
    paths = re.findall(r"(?<![\w.~)}])/(?:home|mnt|root|srv|work|Users)/[\w.]+", text)
    assert not paths, f"{path.name} has {paths}"
    hosts = {host for host in re.findall(r"https?://([\w.-]+)", text) if "example" not in host}
    assert hosts <= KNOWN_HOSTS, f"{path.name} links to {sorted(hosts - KNOWN_HOSTS)}"
