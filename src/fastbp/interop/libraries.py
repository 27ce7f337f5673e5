"""The error if an optional library is not installed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

__all__ = ["install_command", "needed_libraries"]


@contextmanager
def needed_libraries() -> Iterator[None]:
    """Use it around imports: the error for a missing library says how to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        extra = "files" if (error.name or "").startswith("safetensors") else "interop"
        raise ImportError(f"this needs {error.name}: {install_command(extra)}") from error


def install_command(extra: str) -> str:
    """Return the command that installs an extra: from the folder that fastbp was installed from, or from an index."""
    try:
        # What pip writes (PEP 610) if the source was no index.
        origin = json.loads(distribution("fastbp").read_text("direct_url.json") or "{}")
    except PackageNotFoundError:
        origin = {}
    url = urlsplit(origin.get("url", ""))
    path = Path(url2pathname(url.path))
    if url.scheme != "file" or not path.exists():
        return f'pip install "fastbp[{extra}]"'
    editable = "-e " if origin.get("dir_info", {}).get("editable") else ""
    return f'pip install {editable}"{path}[{extra}]"'
