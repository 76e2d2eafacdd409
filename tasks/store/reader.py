"""Reading an OCFL object: its inventory, and whether it is whole, unfinished or broken."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

from tasks.store import disk
from tasks.store.errors import StoreBroken

ALGORITHM = "sha512"
INVENTORY = "inventory.json"
SIDECAR = f"{INVENTORY}.{ALGORITHM}"
DECLARATION = "0=ocfl_object_1.1"
_VERSION = re.compile(r"v([1-9]\d*)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a version: its digests, and the path of its bytes in the store."""

    sha512: str
    sha256: str
    path: Path

    @property
    def size(self) -> int:
        """Bytes, as the file system tells. Raises StoreBroken where it has no such file."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError as error:
            raise StoreBroken(self.path, "missing") from error

    def read(self) -> bytes:
        """Its bytes, proved by its digest. Raises StoreBroken for others and for none, PermissionError."""
        try:
            data = content(self.path)
        except PermissionError:
            raise
        except OSError as error:
            raise StoreBroken(self.path, error.strerror or str(error)) from error
        if hashlib.new(ALGORITHM, data).hexdigest() != self.sha512:
            raise StoreBroken(self.path, "other bytes than its digest says")
        return data


@dataclass(frozen=True, slots=True)
class Version:
    """What an OCFL version says of itself: when, why, and who as (name, address)."""

    number: int
    created: datetime
    message: str
    user: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Inventory:
    """One object as its inventory of version `head` describes it.

    `whole` is false while a later version waits to be finished (`repair`); `head` is then the last finished one.
    """

    aip: UUID
    object: Path
    head: int
    whole: bool
    document: Mapping[str, Any] = field(repr=False)

    @property
    def versions(self) -> tuple[Version, ...]:
        """All versions, oldest first."""
        return tuple(
            Version(
                number=int(name[1:]),
                created=datetime.fromisoformat(version["created"]),
                message=version.get("message", ""),
                user=(version.get("user", {}).get("name", ""), version.get("user", {}).get("address", "")),
            )
            for name, version in sorted(self.document["versions"].items(), key=lambda item: int(item[0][1:]))
        )

    def state(self, version: int | None = None) -> Mapping[str, Entry]:
        """The files of a version (the head unless told) by logical path. KeyError for a version that is not there.

        The SHA-256 comes from the inventory's fixity block; StoreBroken when a file has none.
        """
        sha256 = {path: digest for digest, paths in self.document["fixity"]["sha256"].items() for path in paths}
        entries: dict[str, Entry] = {}
        for digest, logical_paths in self.document["versions"][f"v{version or self.head}"]["state"].items():
            content = self.document["manifest"][digest][0]
            if content not in sha256:
                raise StoreBroken(self.object, f"no SHA-256 of {content} in the inventory")
            entry = Entry(digest, sha256[content], self.object / content)
            entries |= dict.fromkeys(logical_paths, entry)
        return MappingProxyType(entries)


@dataclass(frozen=True, slots=True)
class _Copy:
    """An inventory and its sidecar as they lie in one folder; `claimed` is the digest in the sidecar."""

    document: Mapping[str, Any] | None
    digest: str
    claimed: str

    def is_valid(self, aip: UUID, head: int) -> bool:
        return (
            self.digest == self.claimed
            and self.document is not None
            and self.document.get("id") == aip.urn
            and self.document.get("head") == f"v{head}"
            and self.document.get("digestAlgorithm") == ALGORITHM
        )


def content(path: Path) -> bytes:
    """The bytes of a regular file; never follows a link and never waits for a pipe. Raises OSError."""
    with os.fdopen(disk.open_regular(path), "rb") as file:
        return file.read()


def _copy(folder: Path) -> _Copy:
    try:
        data = content(folder / INVENTORY)
        sidecar = content(folder / SIDECAR).decode("ascii").split()
        document = json.loads(data)
    except FileNotFoundError:
        return _Copy(None, "", "")
    except ValueError:
        return _Copy(None, "damaged", "")
    return _Copy(
        document if isinstance(document, dict) else None,
        hashlib.new(ALGORITHM, data).hexdigest(),
        sidecar[0] if sidecar else "",
    )


def version_folders(obj: Path) -> list[int]:
    """The numbers of an object's version folders, ascending."""
    return sorted(int(found[1]) for path in obj.iterdir() if (found := _VERSION.fullmatch(path.name)))


def _unfinished(aip: UUID, obj: Path, root: _Copy, last: int) -> Inventory | None:
    """The inventory of the head before `last`, when `last` was renamed in whole and the root copies lag behind.

    A commit replaces the root inventory first and its sidecar second, so each of the two is either the old or the new.
    """
    if last < 2:
        return None
    old = root if root.is_valid(aip, last - 1) else _copy(obj / f"v{last - 1}")
    new = _copy(obj / f"v{last}")
    known = {old.digest, new.digest}
    lagging = {root.digest, root.claimed} <= known
    if not (lagging and old.is_valid(aip, last - 1) and new.is_valid(aip, last)) or old.document is None:
        return None
    return Inventory(aip, obj, last - 1, whole=False, document=old.document)


def _read(aip: UUID, obj: Path) -> Inventory | str:
    """The inventory, or why there is none. PermissionError is ours to mend, no other trouble of the disk is."""
    try:
        return _judge(aip, obj)
    except PermissionError:
        raise
    except OSError as error:
        return str(error)


def _judge(aip: UUID, obj: Path) -> Inventory | str:
    if not (obj / DECLARATION).is_file():
        return "no OCFL 1.1 object declaration"
    numbers = version_folders(obj)
    root = _copy(obj)
    if not numbers or numbers != list(range(1, numbers[-1] + 1)):
        return "a version folder is missing"
    if root.document is not None and root.is_valid(aip, numbers[-1]):
        return Inventory(aip, obj, numbers[-1], whole=True, document=root.document)
    return _unfinished(aip, obj, root, numbers[-1]) or "the inventory does not match its sidecar or its version folders"


def last_proven(aip: UUID, obj: Path) -> Inventory | None:
    """The newest inventory of a version folder that its own digest proves; for a look at an object that is broken."""
    for number in reversed(version_folders(obj)) if obj.is_dir() else ():
        try:
            copy = _copy(obj / f"v{number}")
        except OSError:
            continue
        if copy.document is not None and copy.is_valid(aip, number):
            return Inventory(aip, obj, number, whole=True, document=copy.document)
    return None


def read_object(aip: UUID, obj: Path) -> Inventory | None:
    """The inventory of an object, None when there is no object.

    Raises StoreBroken when it is neither whole nor unfinished. A verdict that bad is asked for twice: a commit may
    have renamed things between two of our reads.
    """
    for _ in range(2):
        if not obj.is_dir():
            return None
        answer = _read(aip, obj)
        if isinstance(answer, Inventory):
            return answer
    raise StoreBroken(obj, str(answer))
