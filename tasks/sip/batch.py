"""What a delivery is: its name, whether it is ready, what lies in it, and what its description says."""

from __future__ import annotations

import hashlib
import os
import stat
import tomllib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tasks.premis.model import aip_id

READY = b".ready"
"""An empty file of this name inside the batch, or `<batch>.ready` beside it, says that the delivery is complete."""
KINDS = {
    stat.S_IFDIR: "folder",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "device",
    stat.S_IFCHR: "device",
}


class BatchError(Exception):
    """The delivery cannot be taken as a whole; the message says why and what to do."""


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One thing in a batch: its raw name relative to the batch, and what `lstat` said. `kind` is "" for a file."""

    raw: bytes
    size: int
    mtime_ns: int
    kind: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Description:
    """What `<batch>.toml` beside the batch says of it; every key may be missing."""

    languages: str = ""
    producer: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """One delivery. The same name always means the same AIP."""

    name: str
    path: Path

    @property
    def aip(self) -> uuid.UUID:
        """The AIP that this batch becomes or adds to."""
        return aip_id(self.name)


def batch(path: Path) -> Batch:
    """The batch of a folder. Raises BatchError when it is none."""
    path = Path(os.path.abspath(path))
    if path.is_symlink() or not path.is_dir():
        raise BatchError(f"{path} is not a folder. Name the folder of one delivery.")
    return Batch(path.name, path)


def in_inbox(inbox: Path) -> list[Batch]:
    """Every folder of the inbox, by name; hidden ones are somebody's working files."""
    if not inbox.is_dir():
        return []
    return [
        Batch(p.name, p)
        for p in sorted(inbox.iterdir())
        if p.is_dir() and not p.is_symlink() and not p.name.startswith(".")
    ]


def not_taken(inbox: Path) -> list[str]:
    """Names in the inbox that are no batch, no description and no ready mark, so that they can be told."""
    if not inbox.is_dir():
        return []
    taken = {b.name for b in in_inbox(inbox)}
    return [
        p.name
        for p in sorted(inbox.iterdir())
        if p.name not in taken and not p.name.startswith(".") and not _belongs(p.name, taken)
    ]


def _belongs(name: str, batches: set[str]) -> bool:
    return any(name == f"{b}{end}" for b in batches for end in (".toml", ".ready"))


def ready(one: Batch, *, quiet_s: float, now: float) -> bool:
    """Whether the delivery is complete: marked so, or unchanged for `quiet_s` seconds (`now` since the epoch)."""
    if (one.path / os.fsdecode(READY)).exists() or one.path.with_name(one.name + ".ready").exists():
        return True
    newest = max((os.lstat(p).st_mtime for p in _folders(os.fsencode(one.path))), default=now)
    newest = max([newest, *(e.mtime_ns / 1e9 for e in walk(one))])
    return now - newest >= quiet_s


def walk(one: Batch) -> tuple[Entry, ...]:
    """Everything in the batch in a fixed order: files and what is no file. Folders count only when unreadable.

    Raises BatchError when the batch itself cannot be listed.
    """
    root = os.fsencode(one.path)
    try:
        os.listdir(root)
    except OSError as e:
        raise BatchError(f"{one.name} cannot be read: {e.strerror}. Give Perenne the right to read it.") from e
    return tuple(sorted(e for e in _walk(root, b"") if not (e.raw == READY and e.size == 0)))


def _walk(root: bytes, below: bytes) -> Iterator[Entry]:
    here = os.path.join(root, below) if below else root
    try:
        with os.scandir(here) as entries:
            names = sorted(e.name for e in entries)
    except OSError as e:
        yield Entry(below, 0, 0, "folder", e.strerror or str(e))
        return
    for name in names:
        raw = os.path.join(below, name) if below else name
        try:
            seen = os.lstat(os.path.join(root, raw))
        except OSError as e:
            yield Entry(raw, 0, 0, fault=e.strerror or str(e))
            continue
        if stat.S_ISDIR(seen.st_mode):
            yield from _walk(root, raw)
        else:
            kind = "" if stat.S_ISREG(seen.st_mode) else KINDS.get(stat.S_IFMT(seen.st_mode), "special file")
            yield Entry(raw, seen.st_size, seen.st_mtime_ns, kind)


def _folders(root: bytes) -> Iterator[bytes]:
    yield root
    for folder, names, _ in os.walk(root):
        yield from (os.path.join(folder, n) for n in names)


def listing_digest(entries: tuple[Entry, ...]) -> str:
    """SHA-256 over path, size, time and kind of everything in a batch: equal means nothing was touched since."""
    digest = hashlib.sha256()
    for e in entries:
        digest.update(b"%s\0%d\0%d\0%s\0" % (e.raw, e.size, e.mtime_ns, e.kind.encode()))
    return digest.hexdigest()


def describe(one: Batch) -> Description:
    """The description beside the batch. Raises BatchError when it is there and cannot be read."""
    path = one.path.with_name(one.name + ".toml")
    if not path.exists():
        return Description()
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise BatchError(f"{path.name} cannot be read: {e}") from e
    known = Description.__dataclass_fields__
    if wrong := [k for k, v in given.items() if k not in known or not isinstance(v, str)]:
        raise BatchError(f"{path.name}: {', '.join(wrong)} cannot be used. Known texts: {', '.join(known)}.")
    return Description(**given)
