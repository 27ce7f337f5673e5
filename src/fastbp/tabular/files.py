"""Model files: a skops archive that may hold known types only, with a JSON member that describes it.

Without fastbp, ``skops.io.load`` gives the pipeline; ``unzip -p model.skops fastbp.json`` shows the description.
"""

import json
import warnings
import zipfile
from dataclasses import asdict
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import skops.io
from sklearn.pipeline import Pipeline

from fastbp.estimators import MLPClassifier, MLPRegressor
from fastbp.storage.files import open_atomically
from fastbp.tabular.columns import KINDS, Column
from fastbp.tabular.errors import TableError
from fastbp.tabular.model import Model
from fastbp.tabular.options import ReadOptions
from fastbp.tabular.target import TASKS, Target

__all__ = ["LIBRARIES", "MODEL_SUFFIXES", "load_model", "read_model", "save_model"]

MODEL_SUFFIXES = (".skops",)
DESCRIPTION = "fastbp.json"
FORMAT = 2
LIBRARIES = ("fastbp", "scikit-learn", "numpy")


def save_model(path: Path, model: Model) -> None:
    """Write a model file, atomically."""
    description = {
        "format": FORMAT,
        "versions": {name: version(name) for name in LIBRARIES},
        "target": asdict(model.target),
        "class_shares": model.class_shares,
        "target_mean": model.target_mean,
        "columns": [asdict(column) for column in model.columns],
        "missing": list(model.options.missing),
        "id_column": model.id_column,
    }
    archive = BytesIO(skops.io.dumps(model.pipeline, compression=zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(archive, "a", compression=zipfile.ZIP_DEFLATED) as file:
        file.writestr(DESCRIPTION, json.dumps(description, indent=2, ensure_ascii=False))
    with open_atomically(path) as out:
        out.write(archive.getbuffer())


def load_model(path: str | Path) -> Model:
    """Return a model that ``fastbp train`` has saved.

    Loading runs no code from the file, and refuses types that no model needs.

    Parameters
    ----------
    path : path

    Returns
    -------
    Model
        ``model.predict(table)`` takes a data frame or a file, and reads it as the command line does.

    Raises
    ------
    TableError
        If the file is not such a model.
    """
    return read_model(Path(path))[0]


def read_model(path: Path) -> tuple[Model, list[str]]:
    """Read a model file.

    Returns
    -------
    model : Model
    notes : list of str
        Differences between the versions that wrote the file and those installed.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise TableError(f"there is no file '{path}'") from error
    except OSError as error:
        raise TableError(f"cannot read '{path}': {error.strerror}") from error
    try:
        description = _read_description(data)
        pipeline = _read_pipeline(path, data)
        return _assemble(pipeline, description), _version_notes(description)
    except TableError:
        raise
    except Exception as error:  # a damaged archive can fail in any layer below: zip, JSON, NumPy, skops
        raise TableError(f"'{path}' is not a readable fastbp model: {error or type(error).__name__}") from error


def trusted_types() -> set[str]:
    """Name the types that a model file may hold beyond those that skops trusts by itself."""
    ours = (MLPClassifier, MLPRegressor)
    return {f"{kind.__module__}.{kind.__name__}" for kind in ours} | {"numpy.dtype"}


def _read_description(data: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(BytesIO(data)) as file:
        if DESCRIPTION not in file.namelist():
            raise ValueError(f"it has no {DESCRIPTION}")
        description = json.loads(file.read(DESCRIPTION))
    if description["format"] != FORMAT:
        raise ValueError(f"its format is {description['format']}, this version reads {FORMAT}: train it again")
    return description


def _read_pipeline(path: Path, data: bytes) -> Pipeline:
    found = set(skops.io.get_untrusted_types(data=data))
    refused = sorted(found - trusted_types())
    if refused:
        raise TableError(f"'{path}' is refused: it holds types that no fastbp model needs: {', '.join(refused)}")
    with warnings.catch_warnings():
        # The versions are compared by hand, for all libraries at once.
        warnings.simplefilter("ignore")
        pipeline = skops.io.loads(data, trusted=sorted(found))
    if not isinstance(pipeline, Pipeline) or list(pipeline.named_steps) != ["columns", "cast", "model"]:
        raise ValueError("it holds another kind of object")
    return pipeline


def _assemble(pipeline: Pipeline, description: dict[str, Any]) -> Model:
    target = Target(**{**description["target"], "classes": tuple(description["target"]["classes"])})
    columns = [Column(**{**column, "parts": tuple(column["parts"])}) for column in description["columns"]]
    if not columns or target.task not in TASKS or any(column.kind not in KINDS for column in columns):
        raise ValueError("its description names unknown kinds")
    return Model(
        pipeline,
        target,
        columns,
        [float(share) for share in description["class_shares"]],
        float(description["target_mean"]),
        ReadOptions(missing=tuple(description["missing"])),
        str(description["id_column"]),
    )


def _version_notes(description: dict[str, Any]) -> list[str]:
    written = description["versions"]
    return [
        f"the model was written with {name} {written[name]}, installed is {version(name)}"
        for name in LIBRARIES
        if written[name] != version(name)
    ]
