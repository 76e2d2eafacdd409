"""The labels of all AIPs, kept beside the store so that ten thousand inventories are not read for each answer.

`work/labels.json` is a cache: it may be lost or dropped at any time, and a line of it counts only while the object's
folder is as it was. Every commit renames something in that folder, which changes its time.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from tasks.aip.ledger import about
from tasks.config.home import Home
from tasks.store.errors import StoreBroken
from tasks.store.ocfl import Store

_SETTLED_NS = 2_000_000_000
"""A folder that changed so lately may change again within the same tick of its clock; its name is not kept yet."""

_Line = tuple[int, int, str]
"""The folder's inode and its time of change in nanoseconds, and the AIP's label."""


def label_of_aips(home: Home, store: Store) -> dict[UUID, str]:
    """AIP → its label, in the order of the store; its id where it has none.

    One that cannot be read stands in nobody's way: it keeps the label that it had, or has its id.
    """
    path = home.work / "labels.json"
    before = _read(path)
    now = time.time_ns()
    found: dict[UUID, str] = {}
    kept: dict[str, _Line] = {}
    for aip in store.aips():
        old = before.get(str(aip))
        try:
            line = _line(store, aip, old)
        except (StoreBroken, OSError):
            found[aip] = old[2] if old else str(aip)
            kept |= {str(aip): old} if old else {}
            continue
        if line is None:
            continue
        found[aip] = line[2]
        if now - line[1] > _SETTLED_NS:
            kept[str(aip)] = line
    if kept != before:
        _write(path, kept)
    return found


def _line(store: Store, aip: UUID, old: _Line | None) -> _Line | None:
    """The line of an AIP as its folder is now; None when there is none. Raises StoreBroken and OSError."""
    folder = store.object_path(aip).stat()
    if old is not None and (old[0], old[1]) == (folder.st_ino, folder.st_mtime_ns):
        return old
    inventory = store.inventory(aip)
    if inventory is None:
        return None
    return folder.st_ino, folder.st_mtime_ns, about(inventory.state()).label or str(aip)


def _read(path: Path) -> dict[str, _Line]:
    """What was kept; nothing when it is not there or not ours."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return {str(aip): (int(inode), int(changed), str(name)) for aip, (inode, changed, name) in rows.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write(path: Path, lines: Mapping[str, _Line]) -> None:
    """Keep the lines; where that cannot be, on a full or read-only disk, the next answer only takes longer."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex}")
    try:
        temporary.write_text(json.dumps(lines, ensure_ascii=False), encoding="utf-8")
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
