"""Which AIPs were taken in and have not had all their work yet; so the inbox may be emptied at once.

A mark is only a reminder for the night. Without it (`work/` may be emptied) the batch's name or a reprocessing finds
the same work, for the log alone says what is settled.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from pathlib import Path

from tasks.config.home import Home


def _folder(home: Home) -> Path:
    return home.work / "unfinished"


def mark(home: Home, aip: uuid.UUID) -> None:
    """Remember that an AIP has work to be done, also after a power cut."""
    _folder(home).mkdir(parents=True, exist_ok=True)
    (_folder(home) / str(aip)).touch()
    for folder in (_folder(home), home.work, home.root):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def clear(home: Home, aip: uuid.UUID) -> None:
    """Its work is settled."""
    (_folder(home) / str(aip)).unlink(missing_ok=True)


def marked(home: Home) -> list[uuid.UUID]:
    """Every AIP with a mark; other names, such as those that NFS leaves behind, are passed over."""
    folder = _folder(home)
    found = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        with contextlib.suppress(ValueError):
            found.append(uuid.UUID(path.name))
    return found
