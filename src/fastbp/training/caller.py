"""Warnings that point at the line that called fastbp."""

import inspect
import warnings

__all__ = ["warn_caller"]

# The frames between that line and a warning belong to fastbp and to the decorators of scikit-learn's callbacks.
_SKIPPED = ("fastbp.", "sklearn.callback.")


def warn_caller(message: str | Warning, category: type[Warning] | None = None) -> None:
    """Issue a warning for the line that called fastbp, however deep inside fastbp this is called.

    Parameters
    ----------
    message : str or Warning
        The text, or a warning.
    category : type of Warning, optional
        Category of a text; UserWarning if omitted.
    """
    frame, level = inspect.currentframe(), 1
    while frame is not None and frame.f_globals.get("__name__", "").startswith(_SKIPPED):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
