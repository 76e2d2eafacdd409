"""Fixity: does the store still hold what it says it holds?"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from tasks.store import disk
from tasks.store.errors import StoreBroken
from tasks.store.ocfl import Store
from tasks.store.reader import DECLARATION, INVENTORY, SIDECAR, Inventory, version_folders


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with an object: paths relative to it, sorted. `rot` holds other bytes than it should."""

    rot: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rot or self.missing or self.extra)


def verify_object(store: Store, aip: UUID) -> Faults:
    """Read all content of all versions, and every version's inventory, and compare with the head's inventory.

    Raises StoreBroken when there is no inventory to compare with (no object, a broken or an unfinished one).
    """
    inventory = store.inventory(aip)
    if inventory is None or not inventory.whole:
        raise StoreBroken(store.object_path(aip), "no finished object to verify")
    expected = _expected(inventory)
    found = set(_files(inventory.object))
    return Faults(
        rot=tuple(
            path for path in sorted(expected.keys() & found) if _is_rotten(inventory.object / path, expected[path])
        ),
        missing=tuple(sorted(expected.keys() - found)),
        extra=tuple(sorted(found - expected.keys())),
    )


def _expected(inventory: Inventory) -> dict[str, str | None]:
    """Every file of the object with its SHA-512; None for those that no digest covers."""
    expected: dict[str, str | None] = {DECLARATION: None, INVENTORY: None, SIDECAR: None}
    for number in version_folders(inventory.object):
        folder = f"v{number}"
        expected[f"{folder}/{INVENTORY}"] = _claimed(inventory.object / folder / SIDECAR)
        expected[f"{folder}/{SIDECAR}"] = None
    return expected | {path: digest for digest, paths in inventory.document["manifest"].items() for path in paths}


def _claimed(sidecar: Path) -> str | None:
    try:
        return sidecar.read_text("ascii", "replace").partition(" ")[0]
    except FileNotFoundError:
        return None


def _is_rotten(path: Path, digest: str | None) -> bool:
    if digest is None:
        return False
    try:
        return next(disk.sha512_from_disk((path,))) != digest
    except OSError as error:
        # EIO: the disk no longer gives the bytes. EINVAL, ELOOP: a pipe or link lies where a file should.
        if error.errno in {errno.EIO, errno.EINVAL, errno.ELOOP}:
            return True
        raise


def _files(obj: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(obj):
        links = [name for name in folders if Path(folder, name).is_symlink()]
        yield from (str(Path(folder, name).relative_to(obj)) for name in [*names, *links])
