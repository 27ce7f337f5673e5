"""Multi-layer perceptrons trained by fused kernels.

Public names are imported when they are first used, so that ``import fastbp`` is cheap, compiles nothing and does not
need scikit-learn.
"""

from importlib import import_module

# Importing typing would take longer than the rest.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from fastbp import kernels
    from fastbp.estimators import MLPClassifier, MLPRegressor
    from fastbp.kernels.functions.optimizers import SGD, Adam, AdamW
    from fastbp.mlp import MLP
    from fastbp.patching import get_patch_names, patch_sklearn, sklearn_is_patched, unpatch_sklearn
    from fastbp.tabular.files import load_model
    from fastbp.training.fit import EpochReport, History, Stopping, watch

__all__ = [
    "MLP",
    "SGD",
    "Adam",
    "AdamW",
    "EpochReport",
    "History",
    "MLPClassifier",
    "MLPRegressor",
    "Stopping",
    "__version__",
    "get_patch_names",
    "kernels",
    "load_model",
    "patch_sklearn",
    "sklearn_is_patched",
    "unpatch_sklearn",
    "watch",
]

_HOMES = {
    "MLP": "fastbp.mlp",
    "SGD": "fastbp.kernels.functions.optimizers",
    "Adam": "fastbp.kernels.functions.optimizers",
    "AdamW": "fastbp.kernels.functions.optimizers",
    "EpochReport": "fastbp.training.progress",
    "History": "fastbp.training.fit",
    "MLPClassifier": "fastbp.estimators",
    "MLPRegressor": "fastbp.estimators",
    "Stopping": "fastbp.training.fit",
    "get_patch_names": "fastbp.patching",
    "load_model": "fastbp.tabular.files",
    "patch_sklearn": "fastbp.patching",
    "sklearn_is_patched": "fastbp.patching",
    "unpatch_sklearn": "fastbp.patching",
    "watch": "fastbp.training.progress",
}


def __getattr__(name: str) -> "Any":
    if name == "__version__":
        return import_module("importlib.metadata").version("fastbp")
    if name == "kernels":
        return import_module("fastbp.kernels")
    if name not in _HOMES:
        raise AttributeError(f"module 'fastbp' has no attribute {name!r}")
    try:
        value = getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        extra = "cli" if name == "load_model" and missing != "fastbp" else "sklearn" if missing == "sklearn" else ""
        if not extra:
            raise
        install_command = import_module("fastbp.interop.libraries").install_command
        library = "scikit-learn" if missing == "sklearn" else missing
        raise ImportError(f"fastbp.{name} needs {library}: {install_command(extra)}") from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
