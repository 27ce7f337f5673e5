"""Networks on disk: one .npz file of plain arrays and a JSON header, never a pickle."""

import contextlib
import json
import os
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastbp.kernels.functions.optimizers import SGD, Adam, Optimizer
from fastbp.training.fit import History

__all__ = ["Saved", "load", "save"]

_FORMAT = "fastbp.MLP 1"
_SETTINGS = {
    Adam: ("beta_1", "beta_2", "epsilon"),
    SGD: ("momentum", "nesterov", "schedule", "power_t"),
}
_STATE = {Adam: ("learning_rate", "t"), SGD: ("learning_rate",)}
_MOMENTS = {Adam: ("ms", "vs"), SGD: ("velocities",)}


class Saved(NamedTuple):
    """What a file holds.

    Attributes
    ----------
    settings : dict
        Arguments of `MLP`.
    parameters : ndarray
        All weights, then all biases, row by row.
    optimizer : SGD, Adam or None
        With its moments.
    history : History
        Of the training so far.
    """

    settings: dict[str, Any]
    parameters: np.ndarray
    optimizer: Optimizer | None
    history: History


def _describe(optimizer: Optimizer | None) -> tuple[dict[str, Any] | None, dict[str, np.ndarray]]:
    """Header and arrays of an optimizer."""
    if optimizer is None:
        return None, {}
    kind = type(optimizer)
    header = {
        "kind": kind.__name__,
        "learning_rate_init": optimizer.learning_rate_init,
        "settings": {name: getattr(optimizer, name) for name in _SETTINGS[kind]},
        "state": {name: getattr(optimizer, name) for name in _STATE[kind]},
    }
    arrays = {
        f"{name}_{index}": array
        for name in _MOMENTS[kind]
        for index, array in enumerate(getattr(optimizer, name) or [])
    }
    return header, arrays


def _rebuild(header: dict[str, Any] | None, arrays: Any) -> Optimizer | None:
    if header is None:
        return None
    kind = {"Adam": Adam, "SGD": SGD}[header["kind"]]
    optimizer = kind(header["learning_rate_init"], **header["settings"])
    for name, value in header["state"].items():
        setattr(optimizer, name, value)
    for name in _MOMENTS[kind]:
        found = sorted(
            (key for key in arrays.files if key.startswith(f"{name}_")),
            key=lambda key: int(key[len(name) + 1 :]),
        )
        if found:
            setattr(optimizer, name, [arrays[key] for key in found])
    return optimizer


def save(
    path: Path,
    *,
    settings: dict[str, Any],
    parameters: np.ndarray,
    optimizer: Optimizer | None,
    history: History,
) -> None:
    """Write a file, or leave what was there before: see `Saved` for the parameters."""
    described, moments = _describe(optimizer)
    header = {"format": _FORMAT, "settings": settings, "optimizer": described, "history": asdict(history)}
    arrays: dict[str, Any] = {"header": np.array(json.dumps(header)), "parameters": parameters, **moments}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            np.savez(file, **arrays)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def load(path: Path) -> Saved:
    """Read a file that `save` has written.

    Raises
    ------
    ValueError
        If it is another kind of file.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            header = json.loads(str(arrays["header"]))
            if header["format"] != _FORMAT:
                raise ValueError(f"unknown format {header['format']!r}")
            history = History(**header["history"])
            return Saved(header["settings"], arrays["parameters"], _rebuild(header["optimizer"], arrays), history)
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a network that fastbp has saved ({error})") from error
