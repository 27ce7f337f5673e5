"""Model files: a skops archive that may hold known types only, with a JSON member that describes it.

Without this command line, ``skops.io.load`` gives the pipeline; ``unzip -p model.skops
fastbp.json`` shows the description.
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

import fastbp
from fastbp.cli._columns import KINDS, Column
from fastbp.cli._errors import CommandError
from fastbp.cli._files import open_atomically
from fastbp.cli._model import Model
from fastbp.cli._target import TASKS, Target

MODEL_SUFFIXES = (".skops",)
DESCRIPTION = "fastbp.json"
FORMAT = 1
LIBRARIES = ("fastbp", "scikit-learn", "numpy")


def save_model(path: Path, model: Model) -> None:
    """Write a model file, atomically."""
    description = {
        "format": FORMAT,
        "versions": {name: version(name) for name in LIBRARIES},
        "target": asdict(model.target),
        "classes": [str(name) for name in model.classes] if model.is_classifier else [],
        "class_shares": model.class_shares,
        "target_mean": model.target_mean,
        "columns": [asdict(column) for column in model.columns],
    }
    archive = BytesIO(skops.io.dumps(model.pipeline, compression=zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(archive, "a", compression=zipfile.ZIP_DEFLATED) as file:
        file.writestr(DESCRIPTION, json.dumps(description, indent=2, ensure_ascii=False))
    with open_atomically(path) as out:
        out.write(archive.getbuffer())


def load_model(path: Path) -> tuple[Model, list[str]]:
    """Read a model file, refusing any type that a model of this package has no use for.

    Returns
    -------
    model : Model
    notes : list of str
        Differences between the versions that wrote the file and those installed.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise CommandError(f"there is no file '{path}'") from error
    except OSError as error:
        raise CommandError(f"cannot read '{path}': {error.strerror}") from error
    try:
        description = _read_description(data)
        pipeline = _read_pipeline(path, data)
        return _assemble(pipeline, description), _version_notes(description)
    except CommandError:
        raise
    except Exception as error:  # a damaged archive can fail in any layer below: zip, JSON, NumPy, skops
        raise CommandError(f"'{path}' is not a readable fastbp model: {error or type(error).__name__}") from error


def trusted_types() -> set[str]:
    """Name the types that a model file may hold beyond those that skops trusts by itself."""
    ours = (fastbp.MLPClassifier, fastbp.MLPRegressor)
    return {f"{kind.__module__}.{kind.__name__}" for kind in ours} | {"numpy.dtype"}


def _read_description(data: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(BytesIO(data)) as file:
        if DESCRIPTION not in file.namelist():
            raise ValueError(f"it has no {DESCRIPTION}")
        description = json.loads(file.read(DESCRIPTION))
    if description["format"] != FORMAT:
        raise ValueError(f"its format is {description['format']}, this version reads {FORMAT}")
    return description


def _read_pipeline(path: Path, data: bytes) -> Pipeline:
    found = set(skops.io.get_untrusted_types(data=data))
    refused = sorted(found - trusted_types())
    if refused:
        raise CommandError(f"'{path}' is refused: it holds types that no fastbp model needs: {', '.join(refused)}")
    with warnings.catch_warnings():
        # The versions are compared by hand, for all libraries at once.
        warnings.simplefilter("ignore")
        pipeline = skops.io.loads(data, trusted=sorted(found))
    if not isinstance(pipeline, Pipeline) or list(pipeline.named_steps) != ["columns", "cast", "model"]:
        raise ValueError("it holds another kind of object")
    return pipeline


def _assemble(pipeline: Pipeline, description: dict[str, Any]) -> Model:
    target = Target(**description["target"])
    columns = [Column(**column) for column in description["columns"]]
    if target.task not in TASKS or any(column.kind not in KINDS for column in columns):
        raise ValueError("its description names unknown kinds")
    return Model(
        pipeline,
        target,
        columns,
        [float(share) for share in description["class_shares"]],
        float(description["target_mean"]),
    )


def _version_notes(description: dict[str, Any]) -> list[str]:
    written = description["versions"]
    return [
        f"the model was written with {name} {written[name]}, installed is {version(name)}"
        for name in LIBRARIES
        if written[name] != version(name)
    ]
