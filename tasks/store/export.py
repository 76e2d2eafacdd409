"""Giving a version back as the folder of files it was received as."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import UUID

from tasks.store import disk
from tasks.store.errors import DigestMismatch, StoreError
from tasks.store.names import safe_raw_path
from tasks.store.ocfl import Store


def export(store: Store, aip: UUID, version: int, target: Path) -> int:
    """Write the files of one version below `target`, bit for bit and under their received names; how many there were.

    Nothing that exists is overwritten (FileExistsError). Raises StoreError when the store does not hold the version,
    DigestMismatch when the store gave other bytes than were stored, OSError for a name the target cannot hold.
    """
    inventory = store.inventory(aip)
    if inventory is None or not 1 <= version <= inventory.head:
        raise StoreError(f"the store holds no version {version} of {aip}")
    state = inventory.state(version)
    for logical, entry in state.items():
        place = target / os.fsdecode(safe_raw_path(logical))
        place.parent.mkdir(parents=True, exist_ok=True)
        found = _copy(entry.path, place)
        if found != entry.sha512:
            place.unlink()
            raise DigestMismatch(entry.path, entry.sha512, found)
    return len(state)


def _copy(source: Path, target: Path) -> str:
    reading = disk.open_regular(source)
    try:
        writing = disk.create(target)
        try:
            return disk.copy(reading, writing).sha512
        finally:
            os.close(writing)
    finally:
        os.close(reading)
