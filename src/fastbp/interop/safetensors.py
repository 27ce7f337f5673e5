"""Estimators in safetensors files: arrays as they are, everything else as JSON, and no code.

The tensors are ``coefs_.0``, ``intercepts_.0``, ``coefs_.1`` and so on, and the optimizer's moments, ``optimizer.ms.0``
and so on. The metadata have one entry, ``"fastbp"``: a JSON object that describes the estimator.

Its first item is a checksum: SHA-256 over the rest of the text, and over names, dtypes, shapes and bytes of all
tensors. A CRC would find a flipped bit as well, and faster (``zlib.crc32`` of 64 MiB at 4 GiB/s, ``hashlib.sha256`` at
1.7 on the same machine). But either takes less time than a disk, and a checksum of this strength serves as the name of
a model, too. It is not a signature: whoever can write a file can write its checksum, so everything that is read is
validated.
"""

import hashlib
import json
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastbp.interop.estimator import Estimator
from fastbp.interop.libraries import needed_libraries
from fastbp.interop.record import check_format, describe, rebuild, shapes
from fastbp.storage.files import open_atomically

if TYPE_CHECKING:
    from fastbp.estimators._portable import Portable

__all__ = ["load", "save"]

_KEY = "fastbp"
# Before the rest of the JSON object.
_CHECKSUM = '{{"sha256":"{}",'
_REST = len(_CHECKSUM.format("0" * 64))


def save(model: "Portable", path: str | PathLike[str]) -> None:
    """Write the estimator to one file, atomically: arrays and a description in JSON, no code.

    Parameters, fitted attributes and, where a pickle would hold them too, the optimizer's moments. Callbacks
    are not part of it.

    Parameters
    ----------
    model : estimator [read]
        Fitted or not.
    path : str or path-like
        A file in the format safetensors. The usual suffix is ".safetensors".

    Raises
    ------
    ValueError
        If the estimator has something that a file cannot hold, such as an attribute that a subclass has set, or
        an invalid parameter.
    OSError
        If the file cannot be written. What was there before is then still there.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_iris
    >>> from fastbp import MLPClassifier
    >>> from fastbp.interop import load, save
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier(max_iter=500, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "iris.safetensors"
    ...     save(model, path)
    ...     again = load(MLPClassifier, path)
    >>> bool((again.predict_proba(X) == model.predict_proba(X)).all())
    True
    """
    with needed_libraries():
        from safetensors.numpy import save as serialize
    try:
        header, tensors = describe(model)
        # The same checks as in `load`: what is written can be read.
        rebuild(type(model), header, tensors)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"this {type(model).__name__} cannot be saved: {error}") from error
    rest = json.dumps(header, allow_nan=False, separators=(",", ":"))[1:]
    data = serialize(tensors, metadata={_KEY: _CHECKSUM.format(_digest(rest, tensors)) + rest})
    with open_atomically(path) as file:
        file.write(data)


def load(kind: type[Estimator], path: str | PathLike[str]) -> Estimator:
    """Return the estimator that `save` has written.

    Nothing that a file holds is run, and no more memory is taken than in proportion to its size. A checksum
    finds damage; it does not protect against somebody who changes both the file and the checksum.

    Parameters
    ----------
    kind : type
        `MLPClassifier` or `MLPRegressor`, or a class derived from them.
    path : str or path-like
        The file.

    Returns
    -------
    model : estimator
        With all attributes of the one that was saved, bit for bit.

    Raises
    ------
    ValueError
        If the file is damaged, not one of `save`, or holds an estimator of another class. The message names
        the file.
    OSError
        If the file cannot be read.
    """
    with needed_libraries():
        from safetensors import safe_open
    # If the file is missing or unreadable, this raises the usual error.
    Path(path).open("rb").close()
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(_KEY, "")
            header = json.loads(text)
            check_format(kind, header)
            tensors = _read(file, shapes(header))
        if text[:_REST] != _CHECKSUM.format(_digest(text[_REST:], tensors)):
            raise ValueError("the checksum is wrong")
        return rebuild(kind, header, tensors)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise ValueError(f"{path} is damaged or no file of {kind.__name__}.save: {error}") from error


def _read(file: Any, expected: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Return the tensors, if they have the expected names and shapes: what is too large is never allocated."""
    names = file.keys()
    found = {name: tuple(file.get_slice(name).get_shape()) for name in names}
    if found != expected:
        raise ValueError("its arrays do not have the shapes of its layers")
    return {name: file.get_tensor(name) for name in expected}


def _digest(text: str, tensors: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256(text.encode())
    for name, array in sorted(tensors.items()):
        digest.update(f"{name} {array.dtype.name} {array.shape}".encode())
        digest.update(array.data.cast("B"))
    return digest.hexdigest()
