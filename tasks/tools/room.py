"""Whether the work folder is full. What a tool makes on a full disk is not to be believed, whatever it says of it."""

from __future__ import annotations

import os
from pathlib import Path

from tasks.premis.model import Trouble
from tasks.tools.words import size

LEAST_ROOM = 64 << 20
"""With fewer bytes left the folder counts as full: LibreOffice goes on without what it could not write, such as the
styles of a document, and says that all went well. It is a margin: what fills more than this between two looks (50 ms)
and frees it again is not seen."""
LEAST_NAMES = 1000
"""The same of inodes: LibreOffice alone makes some hundred when it starts."""


def full(folder: Path) -> Trouble | None:
    """Trouble "disk-full" when a folder's file system has no room left, named after the folder above; else None."""
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    roomy = free > LEAST_ROOM and (found.f_favail > LEAST_NAMES or not found.f_files)  # some systems count no inodes
    return None if roomy else Trouble("disk-full", folder=str(folder.parent), free=size(free))
