"""Writing an OCFL version: built whole beside the root, flushed once, read back, and only then renamed in.

Every step leaves the object as it was, or unfinished in the one way that `reader` knows and `repair` finishes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from tasks.store import disk
from tasks.store.errors import DigestMismatch, StoreBroken, StoreBusy, StoreError
from tasks.store.names import Taken, content_path
from tasks.store.reader import ALGORITHM, DECLARATION, INVENTORY, SIDECAR, Inventory, read_object, version_folders
from tasks.store.stage import Stage, Staged

_TYPE = "https://ocfl.io/1.1/spec/#inventory"
Step = Callable[[str], None]
"""Told before each step of a commit; the crash tests end the process there."""


@dataclass(frozen=True, slots=True)
class Account:
    """What an OCFL version says of itself."""

    message: str
    user: tuple[str, str]
    created: datetime

    def as_block(self, state: Mapping[str, list[str]]) -> dict[str, Any]:
        """The version block of OCFL 1.1, section 3.5.3."""
        name, address = self.user
        return {
            "created": self.created.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "message": self.message,
            "user": {"name": name, "address": address} if address else {"name": name},
            "state": state,
        }


def commit(
    aip: UUID,
    obj: Path,
    stage: Stage,
    account: Account,
    *,
    expected_head: int,
    remove: Collection[str],
    step: Step,
) -> int:
    """Add the stage's files as the next version of the object at `obj`; see `ocfl.Store.commit`."""
    with stage.locked():
        stage.reclaim()
        roll_forward(aip, obj, stage.folder)
        old = read_object(aip, obj)
        head = old.head if old else 0
        if head != expected_head:
            raise StoreBusy(obj, expected_head, head)
        staged = stage.entries()
        document = _next_document(aip, old, staged, remove, account)
        step("build")
        _build(stage, head + 1, document, staged, step)
        step("sync")
        disk.sync_file_system(stage.folder)
        step("read back")
        _read_back_or_reclaim(stage, document)
        _publish(obj, stage.build, head + 1, step)
        _confirm(aip, obj, head + 1)
        step("clear")
        stage.clear()
    return head + 1


def roll_forward(aip: UUID, obj: Path, scratch: Path) -> int | None:
    """Finish a version that was renamed in but not made the head; its number, None when there is none.

    `scratch` is a folder on the same file system. Raises StoreBroken when the version's content is not what its
    inventory says.
    """
    inventory = read_object(aip, obj)
    if inventory is None:
        return None
    # A kill between a rename and its flush: whoever finds the version tells of it, so it must outlive a power cut.
    for folder in (obj, obj.parent):
        disk.sync_folder(folder)
    if inventory.whole:
        return None
    last = version_folders(obj)[-1]
    folder = obj / f"v{last}"
    data = (folder / INVENTORY).read_bytes()
    try:
        read_back(obj, json.loads(data))
    except DigestMismatch as error:
        raise StoreBroken(error.path, "the content of an unfinished version is damaged") from error
    for name, content in ((INVENTORY, data), (SIDECAR, (folder / SIDECAR).read_bytes())):
        disk.write(scratch / name, content, sync=True)
        (scratch / name).rename(obj / name)
    disk.sync_folder(obj)
    return last


def read_back(obj: Path, document: Mapping[str, Any]) -> None:
    """Read what a document's head version adds below `obj` from the disk; DigestMismatch if any of it is not right."""
    new = [(digest, f"{obj}/{path}") for digest, path in _content(document)]
    for (digest, path), found in zip(new, disk.sha512_from_disk(path for _, path in new), strict=True):
        if found != digest:
            raise DigestMismatch(Path(path), digest, found)


def _content(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The content that a document's head version adds: SHA-512 and path relative to the object."""
    folder = f"{document['head']}/"
    for digest, (path, *_) in document["manifest"].items():
        if path.startswith(folder):
            yield digest, path


def _next_document(
    aip: UUID, old: Inventory | None, staged: Mapping[str, Staged], remove: Collection[str], account: Account
) -> dict[str, Any]:
    """The inventory of the next version: the head's state, less what is removed, with what is staged over it."""
    before: Mapping[str, Any] = old.document if old else {"manifest": {}, "fixity": {"sha256": {}}, "versions": {}}
    head = before["versions"][f"v{old.head}"]["state"] if old else {}
    state = {logical: digest for digest, paths in head.items() for logical in paths}
    if missing := [logical for logical in remove if logical not in state]:
        raise StoreError(f"cannot remove what is not in the head: {missing[0]!r}")
    for logical in remove:
        del state[logical]
    state |= {logical: entry.sha512 for logical, entry in staged.items()}
    _check_folders(state)
    number = old.head + 1 if old else 1
    manifest, sha256 = _with_content(before, staged, f"v{number}/content")
    return {
        "id": aip.urn,
        "type": _TYPE,
        "digestAlgorithm": ALGORITHM,
        "head": f"v{number}",
        "manifest": manifest,
        "fixity": {"sha256": sha256},
        "versions": {**before["versions"], f"v{number}": account.as_block(_by_digest(state))},
    }


def _with_content(
    before: Mapping[str, Any], staged: Mapping[str, Staged], folder: str
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The manifest and its SHA-256 fixity with the content that no earlier version holds; equal bytes once."""
    manifest: dict[str, list[str]] = dict(before["manifest"])
    sha256: dict[str, list[str]] = dict(before["fixity"]["sha256"])
    taken = Taken()
    for logical in sorted(staged):
        entry = staged[logical]
        if entry.sha512 not in manifest:
            path = f"{folder}/{content_path(logical, taken)}"
            manifest[entry.sha512] = [path]
            sha256[entry.sha256] = [path]
    return manifest, sha256


def _by_digest(state: Mapping[str, str]) -> dict[str, list[str]]:
    block: dict[str, list[str]] = {}
    for logical in sorted(state):
        block.setdefault(state[logical], []).append(logical)
    return block


def _check_folders(state: Collection[str]) -> None:
    """OCFL 1.1, E095: no path is both a file and a folder of another."""
    folders: set[str] = set()
    for logical in state:
        folder = logical.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    if clash := next((logical for logical in state if logical in folders), None):
        raise StoreError(f"{clash!r} would be a file and a folder at once")


def _build(stage: Stage, number: int, document: Mapping[str, Any], staged: Mapping[str, Staged], step: Step) -> None:
    """Put the version together in the stage: the object as it will be for a first version, else what is added to it."""
    version = stage.build / f"v{number}"
    version.mkdir(parents=True)
    data = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    sidecar = f"{hashlib.new(ALGORITHM, data).hexdigest()} {INVENTORY}\n".encode()
    for folder in (stage.build, version):
        disk.write(folder / INVENTORY, data)
        disk.write(folder / SIDECAR, sidecar)
    disk.write(stage.build / DECLARATION, b"ocfl_object_1.1\n")
    files = {entry.sha512: entry.path for entry in staged.values()}
    folders: set[str] = set()
    for digest, path in _content(document):
        parent = path.rpartition("/")[0]
        if parent not in folders:
            (stage.build / parent).mkdir(parents=True, exist_ok=True)
            folders.add(parent)
        step("move")
        os.rename(files[digest], f"{stage.build}/{path}")  # noqa: PTH104  a Path costs more than the rename


def _read_back_or_reclaim(stage: Stage, document: Mapping[str, Any]) -> None:
    try:
        read_back(stage.build, document)
    except DigestMismatch:
        stage.reclaim()
        raise


def _publish(obj: Path, build: Path, number: int, step: Step) -> None:
    step("rename")
    if number == 1:
        _place(build, obj, step)
        step("flush rename")
        disk.sync_folder(obj.parent)
        return
    (build / f"v{number}").rename(obj / f"v{number}")
    step("flush rename")
    disk.sync_folder(obj)
    step("switch inventory")
    (build / INVENTORY).rename(obj / INVENTORY)
    step("switch sidecar")
    (build / SIDECAR).rename(obj / SIDECAR)
    step("flush switch")
    disk.sync_folder(obj)


def _place(build: Path, obj: Path, step: Step) -> None:
    _make_folders(obj.parent)
    step("rename in folders")
    try:
        build.rename(obj)
    except FileNotFoundError:
        # A repair beside us took the folders away while they were empty.
        _make_folders(obj.parent)
        build.rename(obj)


def _make_folders(folder: Path) -> None:
    """Make a folder and its parents, each flushed into the one above."""
    if not folder.is_dir():
        _make_folders(folder.parent)
        folder.mkdir(parents=True, exist_ok=True)
        disk.sync_folder(folder.parent)


def _confirm(aip: UUID, obj: Path, number: int) -> None:
    """What was just published answers as the head."""
    inventory = read_object(aip, obj)
    if inventory is None or not inventory.whole or inventory.head != number:
        raise StoreBroken(obj, f"version {number} was written and is not the head")
