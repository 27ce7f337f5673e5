"""Warnings that point at the line that called fastbp."""

import inspect
import warnings

__all__ = ["warn_caller"]

# Whose frames lie between that line and a warning: fastbp's own, and the decorators of scikit-learn's callbacks.
_SKIPPED = ("fastbp.", "sklearn.callback.")


def warn_caller(message: str | Warning, category: type[Warning] | None = None) -> None:
    """Warn in the name of the caller's line, however deep inside of fastbp this is called.

    Parameters
    ----------
    message : str or Warning
        The text, or a warning that has one.
    category : type of Warning, optional
        Of a text; UserWarning if omitted.
    """
    frame, level = inspect.currentframe(), 1
    while frame is not None and frame.f_globals.get("__name__", "").startswith(_SKIPPED):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
