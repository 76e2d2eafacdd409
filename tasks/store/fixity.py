"""Fixity: does the store still hold what it says it holds?

Only reads, follows no link, and takes no lock: what is stored is never changed, so a version that is added meanwhile
does not touch what is being read. Each fault says what is wrong and where; what could not be looked at is told as that,
and never as gone.
"""

from __future__ import annotations

import errno
import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

from tasks.store import disk
from tasks.store.errors import StoreBroken
from tasks.store.ocfl import Store
from tasks.store.reader import DECLARATION, INVENTORY, SIDECAR, content, last_proven, version_folders

_NO_FILE = (errno.EINVAL, errno.ELOOP, errno.ENXIO)
"""A pipe, link or device lies where a file should."""
THREADS, PIECE, NICE = 2, 128, 5
WHOLE = "the whole AIP"
GoOn = Callable[[], None]
"""Asked between two blocks; what it raises puts the reading down."""
DECLARED = b"ocfl_object_1.1\n"


class Kind(StrEnum):
    """What may be wrong with a stored file."""

    ROT = "other bytes"
    MISSING = "missing"
    EXTRA = "extra"
    RENAMED = "renamed"
    INVENTORY = "damaged inventory"
    UNREADABLE = "unreadable"
    UNFINISHED = "unfinished version"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong: `path` is relative to the object; `what` says more, as the name that a file has now."""

    kind: Kind
    path: str
    what: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """An object after its bytes were read; true when something is wrong with it."""

    faults: tuple[Fault, ...]
    files: int
    bytes: int

    def __bool__(self) -> bool:
        return bool(self.faults)


def verify_object(store: Store, aip: UUID, go_on: GoOn = lambda: None) -> Checked:
    """Read all content of all versions and compare with the head's inventory.

    Where the head's inventory is damaged, the newest older one that its own digest proves is taken. Without any, the
    content cannot be judged, which is the fault then. Raises what `go_on` raises, which is asked between two blocks.
    """
    obj = store.object_path(aip)
    try:
        return _verified(store, aip, obj, go_on)
    except PermissionError as error:
        return Checked((fault_of(obj, error),), 0, 0)


def fault_of(obj: Path, error: StoreBroken | OSError) -> Fault:
    """What an error on the way into an object says of it."""
    name = error.path if isinstance(error, StoreBroken) else Path(os.fsdecode(error.filename or obj))
    path = str(name.relative_to(obj)) if name.is_relative_to(obj) else "."
    if isinstance(error, OSError):
        return Fault(Kind.UNREADABLE, path, error.strerror or str(error))
    if path == ".":
        return Fault(Kind.INVENTORY, INVENTORY, error.reason)
    return Fault(Kind.ROT, path) if os.path.lexists(name) else Fault(Kind.MISSING, path)


def _verified(store: Store, aip: UUID, obj: Path, go_on: GoOn) -> Checked:
    faults: list[Fault] = []
    try:
        inventory = store.inventory(aip)
    except (StoreBroken, PermissionError) as error:
        faults.append(fault_of(obj, error))
        inventory = last_proven(aip, obj)
    if inventory is None:
        return Checked(tuple(faults) or (Fault(Kind.MISSING, ".", WHOLE),), 0, 0)
    head = inventory.head
    reading = _Reading(obj, _expected(obj, head, inventory.document), go_on)
    if faults:
        later = range(head + 1, max(version_folders(obj), default=head) + 1)
        faults += [Fault(Kind.INVENTORY, f"v{number}", "its content cannot be judged") for number in later]
        faults += reading.compare()
    else:
        faults += reading.compare()
        later, finished = _added(store, aip, head)
        if not inventory.whole and not finished:
            faults.append(Fault(Kind.UNFINISHED, f"v{head + 1}"))
    faults += reading.strangers(later)
    return Checked(tuple(faults), reading.files, reading.bytes)


def _expected(obj: Path, head: int, document: Mapping[str, Any]) -> dict[str, str | None]:
    """Every file of the object's versions up to `head` with its SHA-512; None for those that no digest covers."""
    expected: dict[str, str | None] = {DECLARATION: None, INVENTORY: None, SIDECAR: None}
    for number in range(1, head + 1):
        folder = f"v{number}"
        expected[f"{folder}/{INVENTORY}"] = _claimed(obj / folder / SIDECAR)
        expected[f"{folder}/{SIDECAR}"] = None
    return expected | {path: digest for digest, paths in document["manifest"].items() for path in paths}


def _claimed(sidecar: Path) -> str | None:
    try:
        return content(sidecar).decode("ascii", "replace").partition(" ")[0]
    except OSError:
        return None


def _added(store: Store, aip: UUID, head: int) -> tuple[range, bool]:
    """The versions that were added while we read, for the next check to read, and whether none is unfinished now."""
    try:
        now = store.inventory(aip)
    except (StoreBroken, PermissionError):
        return range(0), True
    if now is None:
        return range(0), True
    return range(head + 1, now.head + (1 if now.whole else 2)), now.whole


class _Reading:
    """One object: what should be there against what is."""

    def __init__(self, obj: Path, expected: Mapping[str, str | None], go_on: GoOn) -> None:
        self.obj, self.expected, self.go_on = obj, expected, go_on
        self.closed: list[Fault] = []
        self.found = set(_files(obj, self._closed))
        unseen = tuple(f"{fault.path}/" for fault in self.closed)
        self.missing = [path for path in sorted(expected.keys() - self.found) if not path.startswith(unseen)]
        self.extra = sorted(self.found - expected.keys())
        self.files = self.bytes = 0

    def compare(self) -> Iterator[Fault]:
        """What is expected and there, in the order of the names: other bytes, or none to be had."""
        yield from self.closed
        yield from self._claims()
        judged = [path for path in sorted(self.expected.keys() & self.found) if self.expected[path] is not None]
        digests = _digests((f"{self.obj}/{path}" for path in judged), self.go_on)
        for path, seen in zip(judged, digests, strict=True):
            self.files += 1
            if isinstance(seen, OSError):
                kind = Kind.ROT if seen.errno in _NO_FILE else Kind.UNREADABLE
                yield Fault(kind, path, seen.strerror or str(seen))
                continue
            self.bytes += seen.size
            if seen.sha512 != self.expected[path]:
                yield Fault(Kind.INVENTORY if path.endswith(f"/{INVENTORY}") else Kind.ROT, path)

    def strangers(self, versions: range) -> Iterator[Fault]:
        """What is missing, what is there besides, and what only has another name; `versions` are known to be new."""
        extra = [path for path in self.extra if not any(path.startswith(f"v{number}/") for number in versions)]
        names = self._by_digest(extra) if self.missing else {}
        for path in self.missing:
            now = names.pop(self.expected[path] or "", None)
            if now is None:
                lost = path in (DECLARATION, INVENTORY, SIDECAR) or path.endswith((f"/{INVENTORY}", f"/{SIDECAR}"))
                yield Fault(Kind.INVENTORY if lost else Kind.MISSING, path, "missing" if lost else "")
            else:
                extra.remove(now)
                yield Fault(Kind.RENAMED, path, now)
        yield from (Fault(Kind.EXTRA, path) for path in extra)

    def _closed(self, error: OSError) -> None:
        """A folder that cannot be listed; one that is gone by now is not there, and what was in it is missing."""
        if error.errno != errno.ENOENT:
            self.closed.append(fault_of(self.obj, error))

    def _claims(self) -> Iterator[Fault]:
        """What no digest covers: the declaration, and the sidecars, whose digests were taken for what is expected."""
        judged = (INVENTORY, SIDECAR)  # the head's were read first of all
        for path in sorted(self.expected.keys() & self.found - set(judged)):
            if self.expected[path] is not None:
                continue
            try:
                said = content(self.obj / path)
            except OSError as error:
                kind = Kind.INVENTORY if error.errno in _NO_FILE else Kind.UNREADABLE
                yield Fault(kind, path, error.strerror or str(error))
                continue
            if path == DECLARATION and said != DECLARED:
                yield Fault(Kind.INVENTORY, DECLARATION, "not the declaration of OCFL 1.1")

    def _by_digest(self, extra: Sequence[str]) -> dict[str, str]:
        seen = zip(extra, disk.digests_from_disk([self.obj / path for path in extra], self.go_on), strict=True)
        return {one.sha512: path for path, one in seen if not isinstance(one, OSError)}


def _digests(paths: Iterable[str], go_on: GoOn) -> Iterator[disk.Sha512 | OSError]:
    """The digests in order, by as many threads as reading pays for: hashing frees the interpreter."""
    waiting: deque[Future[list[disk.Sha512 | OSError]]] = deque()
    pool = ThreadPoolExecutor(THREADS, initializer=_gently)
    try:
        for some in _pieces(paths):
            waiting.append(pool.submit(_read, some, go_on))
            if len(waiting) > 2 * THREADS:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _read(paths: list[str], go_on: GoOn) -> list[disk.Sha512 | OSError]:
    return list(disk.digests_from_disk(paths, go_on))


def _pieces(paths: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(paths)
    while piece := list(itertools.islice(iterator, PIECE)):
        yield piece


def _gently() -> None:
    """A check gives way to whatever else wants the processor (on Linux each thread has its own niceness)."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


def _files(obj: Path, closed: Callable[[OSError], None]) -> Iterator[str]:
    for folder, folders, names in os.walk(obj, onerror=closed):
        below = os.path.relpath(folder, obj)
        links = [name for name in folders if os.path.islink(f"{folder}/{name}")]  # noqa: PTH114  a Path's raises
        for name in [*names, *links]:
            yield name if below == "." else f"{below}/{name}"
