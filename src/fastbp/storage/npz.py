"""Networks on disk: one .npz file of plain arrays and a JSON header, without pickles."""

import json
import math
import zipfile
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastbp.kernels.functions.optimizers import moment_names
from fastbp.network.optimizer_state import OptimizerState
from fastbp.storage.files import open_atomically
from fastbp.training.fit import History

__all__ = ["Saved", "load", "save"]

_FORMAT = "fastbp.MLP 2"
_OLD_FORMAT = "fastbp.MLP 1"


class Saved(NamedTuple):
    """The content of a file.

    Attributes
    ----------
    settings : dict
        Arguments of `MLP`.
    parameters : ndarray
        All weights, then all biases, row by row.
    state : OptimizerState or None
    history : History
        History of the training so far.
    """

    settings: dict[str, Any]
    parameters: np.ndarray
    state: OptimizerState | None
    history: History


def _describe(state: OptimizerState | None) -> tuple[dict[str, Any] | None, dict[str, np.ndarray]]:
    """Return the header and the arrays of an optimizer's state."""
    if state is None:
        return None, {}
    header = {name: value for name, value in state.as_dict().items() if name not in state.rule.moments}
    arrays = {f"{name}_{index}": array for name, part in state.moments.items() for index, array in enumerate(part)}
    return header, arrays


def _rebuild(header: dict[str, Any] | None, arrays: Any, shapes: list[tuple[int, ...]]) -> OptimizerState | None:
    if header is None:
        return None
    # The first file format nests settings and state.
    header = {**header, **header.pop("settings", {}), **header.pop("state", {})}
    for name in moment_names(header["kind"]):
        found = [arrays[key] for key in (f"{name}_{index}" for index in range(len(shapes))) if key in arrays.files]
        if found and [array.shape for array in found] != shapes:
            raise ValueError(f"{name} do not have the shapes of the parameters")
        header[name] = found or None
    return OptimizerState.from_dict(header)


def _history(record: dict[str, Any]) -> History:
    history = History(**record)
    lists = (history.loss_curve, history.validation_scores or [])
    numbers = (history.best_loss, history.best_validation_score, history.loss)
    counts = (history.no_improvement_count, history.n_iter, history.t)
    if not (
        all(isinstance(part, list) and all(isinstance(value, float) for value in part) for part in lists)
        and all(value is None or isinstance(value, float) for value in numbers)
        and all(isinstance(value, int) and value >= 0 for value in counts)
    ):
        raise ValueError("the history is wrong")
    return history


def save(
    path: Path,
    *,
    settings: dict[str, Any],
    parameters: np.ndarray,
    state: OptimizerState | None,
    history: History,
) -> None:
    """Write a file atomically; see `Saved` for the parameters."""
    described, moments = _describe(state)
    header = {"format": _FORMAT, "settings": settings, "optimizer": described, "history": asdict(history)}
    arrays: dict[str, Any] = {"header": np.array(json.dumps(header)), "parameters": parameters, **moments}
    with open_atomically(path) as file:
        np.savez(file, **arrays)


def load(path: Path) -> Saved:
    """Read a file that `save` wrote.

    Raises
    ------
    ValueError
        If it is not such a file.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            header = json.loads(str(arrays["header"]))
            if header["format"] not in (_FORMAT, _OLD_FORMAT):
                raise ValueError(f"unknown format {header['format']!r}")
            history = _history(header["history"])
            sizes, parameters = header["settings"]["layer_sizes"], arrays["parameters"]
            shapes = [*pairwise(sizes), *((size,) for size in sizes[1:])]
            # Checked before memory is allocated according to the header.
            wanted = sum(map(math.prod, shapes))
            if parameters.shape != (wanted,) or parameters.dtype.kind != "f":
                raise ValueError(
                    f"{wanted} parameters were expected, got {parameters.dtype} of shape {parameters.shape}"
                )
            state = _rebuild(header["optimizer"], arrays, shapes)
            return Saved(header["settings"], parameters, state, history)
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a network that fastbp has saved ({error})") from error
