"""fastbp's estimators under scikit-learn's names, for programs that cannot or should not be changed.

After `patch_sklearn`, ``from sklearn.neural_network import MLPClassifier`` gives `fastbp.MLPClassifier`. Names and
arguments are those of Intel's extension for scikit-learn (``sklearnex``).

Patching replaces every name of the class in all loaded modules of scikit-learn, and the class as a key of their tables
(scikit-learn's estimator checks look up settings by class). The module that *defines* the class keeps it. Pickles refer
to that module, so pickles of scikit-learn's own estimators can still be written and read, and still give scikit-learn's
estimators. Nothing is replaced outside scikit-learn: a program that imported the class before keeps scikit-learn's.
"""

import sys
from collections.abc import Iterable
from threading import Lock
from types import ModuleType

import sklearn.neural_network

from fastbp.estimators import MLPClassifier, MLPRegressor

__all__ = ["get_patch_names", "original", "patch_sklearn", "sklearn_is_patched", "unpatch_sklearn"]

_OURS: dict[str, type] = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}
# scikit-learn's own classes. Kept after `unpatch_sklearn`: another tool that also replaced the class may put ours back
# later.
_theirs: dict[str, type] = {}
_lock = Lock()


def get_patch_names() -> list[str]:
    """Return the names of the classes that `patch_sklearn` replaces."""
    return list(_OURS)


def patch_sklearn(name: str | Iterable[str] | None = None, verbose: bool = True) -> None:
    """Replace classes of `sklearn.neural_network` by those of fastbp, until `unpatch_sklearn`.

    Call it before the classes are imported from scikit-learn: a module that has already imported one keeps it.
    Patching twice changes nothing.

    Parameters
    ----------
    name : str or iterable of str, default=None
        Names of the classes, in upper or lower case; None for all of `get_patch_names`.
    verbose : bool, default=True
        Whether to report on stderr what is replaced.

    Raises
    ------
    ValueError
        If a name is unknown; nothing is replaced then.
    """
    names = _chosen(name)
    with _lock:
        for key in names:
            present = getattr(sklearn.neural_network, key)
            if present is not _OURS[key]:
                _theirs[key] = present
                _exchange(present, _OURS[key], home=present.__module__)
    if verbose and sys.stderr is not None:
        sys.stderr.write(f"fastbp: {' and '.join(names)} of sklearn.neural_network replaced by fastbp's\n")


def unpatch_sklearn(name: str | Iterable[str] | None = None) -> None:
    """Restore scikit-learn's own classes; classes that are not patched stay as they are.

    Parameters
    ----------
    name : str or iterable of str, default=None
        Names of the classes, in upper or lower case; None for all of `get_patch_names`.

    Raises
    ------
    ValueError
        If a name is unknown; nothing is restored then.
    """
    names = _chosen(name)
    with _lock:
        for key in names:
            if key in _theirs:
                _exchange(_OURS[key], _theirs[key], home=_theirs[key].__module__)


def sklearn_is_patched(name: str | Iterable[str] | None = None) -> bool:
    """Return whether `sklearn.neural_network` offers fastbp's classes.

    Parameters
    ----------
    name : str or iterable of str, default=None
        Names of the classes; None for all of `get_patch_names`.

    Raises
    ------
    ValueError
        If a name is unknown.
    """
    names = _chosen(name)
    with _lock:
        return all(getattr(sklearn.neural_network, key) is _OURS[key] for key in names)


def original(name: str) -> type:
    """Return scikit-learn's own class of that name, patched or not, for converters and comparisons."""
    (key,) = _chosen(name)
    with _lock:
        present = getattr(sklearn.neural_network, key)
        return _theirs[key] if present is _OURS[key] else present


def _chosen(name: str | Iterable[str] | None) -> list[str]:
    """Return the exact names of the classes; raise if one is unknown."""
    if name is None:
        return list(_OURS)
    known = {key.lower(): key for key in _OURS}
    asked = [name] if isinstance(name, str) else list(name)
    unknown = [each for each in asked if str(each).lower() not in known]
    if unknown:
        raise ValueError(f"fastbp has no patch for {unknown[0]!r}; it has {' and '.join(_OURS)}")
    return [known[str(each).lower()] for each in asked]


def _exchange(old: type, new: type, *, home: str) -> None:
    """Replace one class by another in all loaded modules of scikit-learn except `home`."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] != "sklearn" or name == home or not isinstance(module, ModuleType):
            continue
        for key, value in list(vars(module).items()):
            if value is old:
                setattr(module, key, new)
            elif isinstance(value, dict) and old in value:
                value[new] = value.pop(old)
