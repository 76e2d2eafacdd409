"""What a delivery is: its name, whether it is ready, what lies in it, and what its description says."""

from __future__ import annotations

import hashlib
import os
import stat
import tomllib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.premis import codes
from tasks.premis.model import aip_id

FAULTS_SHOWN = 20
ENDINGS = (".tar.gz", ".tar.bz2", ".tar.xz", ".zip", ".tar", ".tgz", ".tbz2", ".txz")
"""Of the archives that are taken as deliveries; of two that fit, the longer comes first."""
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


class BatchRefused(BatchError):  # noqa: N818  it is what happened to the delivery
    """The delivery itself is at fault: `code` is a row of codes.toml, `faults` what is wrong, in order, of `total`."""

    def __init__(self, code: str, faults: Sequence[str], total: int = 0, /, **detail: str) -> None:
        told = f"{codes.message(code, detail)} {codes.advice(code, detail)}"
        total = max(total, len(faults))
        more = [f"and {total - FAULTS_SHOWN} more"] if total > FAULTS_SHOWN else []
        super().__init__("\n".join([told, *faults[:FAULTS_SHOWN], *more]))
        self.code, self.faults, self.detail = code, tuple(faults), detail


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One thing in a batch: its raw name, and what `lstat` said. `kind` is "" for a file.

    `place` is where it lies in the batch's folder, when that is not its name.
    """

    raw: bytes
    size: int
    mtime_ns: int
    kind: str = ""
    fault: str = ""
    place: bytes = b""

    @property
    def at(self) -> bytes:
        """Where it lies, relative to the folder of the delivery."""
        return self.place or self.raw


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
    def packed(self) -> bool:
        """Whether it is an archive."""
        return not self.path.is_dir()

    @property
    def aip(self) -> uuid.UUID:
        """The AIP that this batch becomes or adds to."""
        return aip_id(self.name)


def batch(path: Path) -> Batch:
    """The batch of a folder or an archive. Raises BatchError when it is none, or another is called the same."""
    path = Path(os.path.abspath(path))
    name = _name(path)
    if name is None:
        raise BatchError(f"{path} is neither a folder nor one of {', '.join(ENDINGS)}. Name one delivery.")
    others = (path.with_name(name + ending) for ending in ("", *ENDINGS, *map(str.upper, ENDINGS)))
    if same := [p.name for p in others if p.name != path.name and _name(p) == name]:
        raise BatchError(f"{path.name} and {', '.join(same)} are called the same. Rename one of them.")
    return Batch(name, path)


def _name(path: Path) -> str | None:
    """What a delivery is called: a folder as it is, an archive without its ending; None when it is neither."""
    if path.is_symlink():
        return None
    if path.is_dir():
        return path.name
    ending = next((e for e in ENDINGS if path.name.lower().endswith(e)), "")
    return path.name[: -len(ending)] if path.is_file() and 0 < len(ending) < len(path.name) else None


def in_inbox(inbox: Path) -> list[Batch]:
    """Every folder and archive of the inbox, by name; hidden ones are somebody's working files."""
    if not inbox.is_dir():
        return []
    return [
        Batch(name, p) for p in sorted(inbox.iterdir()) if not p.name.startswith(".") and (name := _name(p)) is not None
    ]


def not_taken(inbox: Path) -> list[str]:
    """Names in the inbox that are no batch, no description and no ready mark, so that they can be told."""
    if not inbox.is_dir():
        return []
    batches = in_inbox(inbox)
    taken, names = {b.path.name for b in batches}, {b.name for b in batches}
    return [
        p.name
        for p in sorted(inbox.iterdir())
        if p.name not in taken and not p.name.startswith(".") and not _belongs(p.name, names)
    ]


def _belongs(name: str, batches: set[str]) -> bool:
    return any(name == f"{b}{end}" for b in batches for end in (".toml", ".ready"))


def ready(one: Batch, *, quiet_s: float, now: float) -> bool:
    """Whether the delivery is complete: marked so, or unchanged for `quiet_s` seconds (`now` since the epoch)."""
    if (one.path / os.fsdecode(READY)).exists() or one.path.with_name(one.name + ".ready").exists():
        return True
    if one.packed:
        return now - one.path.stat().st_mtime >= quiet_s
    newest = max((os.lstat(p).st_mtime for p in _folders(os.fsencode(one.path))), default=now)
    newest = max([newest, *(e.mtime_ns / 1e9 for e in walk(one))])
    return now - newest >= quiet_s


def walk(one: Batch) -> tuple[Entry, ...]:
    """Everything in the batch in a fixed order: files and what is no file. Folders count only when unreadable.

    Of an archive that is the archive itself. Raises BatchError when the batch itself cannot be listed.
    """
    root = os.fsencode(one.path)
    if one.packed:
        seen = os.lstat(root)
        return (Entry(os.fsencode(one.path.name), seen.st_size, seen.st_mtime_ns),)
    try:
        os.listdir(root)
    except OSError as e:
        raise BatchError(f"{one.name} cannot be read: {e.strerror}. Give Perenne the right to read it.") from e
    return tuple(sorted(e for e in _walk(root) if not (e.raw == READY and e.size == 0)))


def _walk(root: bytes) -> Iterator[Entry]:
    waiting = [b""]
    while waiting:  # no recursion: a delivery may be deeper than Python's stack
        below = waiting.pop()
        try:
            with os.scandir(os.path.join(root, below)) as entries:
                seen = [(os.path.join(below, e.name), e) for e in entries]
        except OSError as e:
            yield Entry(below, 0, 0, "folder", e.strerror or str(e))
            continue
        for raw, entry in seen:
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError as e:
                yield Entry(raw, 0, 0, fault=e.strerror or str(e))
                continue
            if stat.S_ISDIR(status.st_mode):
                waiting.append(raw)
            else:
                kind = "" if stat.S_ISREG(status.st_mode) else KINDS.get(stat.S_IFMT(status.st_mode), "special file")
                yield Entry(raw, status.st_size, status.st_mtime_ns, kind)


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
