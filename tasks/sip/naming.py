"""Received names as text: on pages, in the log, and as the parameters of runs, which hold no bytes."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote_to_bytes

from tasks.store.names import logical_path


def shown(name: str | Path) -> str:
    """A received name, or a path, as text that any page and log can hold; bytes that are not UTF-8 become `%XX`."""
    if isinstance(name, str):
        return logical_path(os.fsencode(name))
    return "/".join(part and shown(part) for part in str(name).split("/"))


def told(path: Path) -> str:
    """An absolute path as the parameter of a run; `meant` gives it back."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return logical_path(os.fsencode(path))  # it begins with %2F, as no absolute path does
    return str(path)


def meant(parameter: str) -> Path:
    """The path that `told` was given."""
    return received(parameter) if parameter.startswith("%2F") else Path(parameter)


def received(text: str) -> Path:
    """The path that is shown as `text`; what is not `%XX` in it stands for itself."""
    return Path(os.fsdecode(unquote_to_bytes(os.fsencode(text))))
