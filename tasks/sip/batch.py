"""What a delivery is: its name, whether it is ready, and what lies in it."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import unicodedata
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from urllib.parse import quote

from tasks import words
from tasks.premis import codes
from tasks.premis.model import aip_id
from tasks.sip.naming import meant, received, shown
from tasks.words import listed, text

FAULTS_SHOWN = 20
ENDINGS = (".tar.gz", ".tar.bz2", ".tar.xz", ".zip", ".tar", ".tgz", ".tbz2", ".txz")
"""Of the archives that are taken as deliveries; of two that fit, the longer comes first."""
SPELLINGS = tuple(sorted({"".join(s) for e in ENDINGS for s in product(*zip(e, e.upper(), strict=True))}))
"""The endings in every mixture of small and capital letters."""
READY = b".ready"
"""An empty file of this name inside the batch, or `<batch>.ready` beside it, says that the delivery is complete."""
SKEW_S = 60.0
"""Clocks of two machines differ by so much without anything being wrong."""
KINDS = {
    stat.S_IFDIR: "folder",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "FIFO",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "device",
    stat.S_IFCHR: "device",
}
EMPTY = "empty folder"
"""The kind of a folder that holds nothing, in the list of a submission."""


class BatchError(Exception):
    """The delivery cannot be taken as a whole; the message says why and what to do."""


class BatchRefused(BatchError):  # noqa: N818  it is what happened to the delivery
    """The delivery itself is at fault: `code` is a row of codes.toml, `faults` what is wrong, in order, of `total`.

    `known`: the log has said the same before. `passing`: it may be gone next time without a sign in the listing.
    """

    known = False
    passing = False

    def __init__(self, code: str, faults: Sequence[str], total: int = 0, /, **detail: str) -> None:
        told = f"{codes.message(code, detail)} {codes.advice(code, detail)}"
        total = max(total, len(faults))
        more = [words.text("and-more", n=total - FAULTS_SHOWN)] if total > FAULTS_SHOWN else []
        super().__init__("\n".join([told, *map(words.detail, faults[:FAULTS_SHOWN]), *more]))
        self.code, self.faults, self.detail = code, tuple(faults), detail


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One thing in a batch: its raw name, and what `lstat` said. `kind` is "" for a file.

    `place` is where it lies in the batch's folder, when that is not its name; `changed_ns` when it last changed at all.
    """

    raw: bytes
    size: int
    mtime_ns: int
    kind: str = ""
    fault: str = ""
    place: bytes = b""
    changed_ns: int = field(default=0, compare=False)

    @property
    def at(self) -> bytes:
        """Where it lies, relative to the folder of the delivery."""
        return self.place or self.raw


@dataclass(frozen=True, slots=True)
class Batch:
    """One delivery. The same name always means the same AIP; it is a logical path, so that every page can show it."""

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

    def beside(self, ending: str) -> Path:
        """The file beside the delivery that is called like it; no file system may be able to hold so long a name."""
        return self.path.with_name(f"{received(self.name)}{ending}")


def unfit(what: str) -> BatchRefused:
    """The refusal of a delivery for a reason that has no code of its own."""
    return BatchRefused("batch-unfit", [], what=what)


def unreadable(name: str, error: OSError) -> BatchRefused:
    """The refusal of a delivery of which something that must be read cannot be."""
    why = "it is a link" if error.errno == errno.ELOOP else error.strerror or str(error)
    return unfit(f"{name} cannot be read: {why}")


def batch(path: Path) -> Batch:
    """The batch of a folder or an archive.

    Raises BatchError when it is neither, BatchRefused when it cannot be looked at or another is called the same.
    """
    path = Path(os.path.abspath(path))
    try:
        name = _name(path)
    except OSError as e:
        raise unreadable(shown(path.name), e) from e
    if name is None:
        raise BatchError(text("use-no-batch", path=shown(path), kinds=listed(ENDINGS)))
    one = Batch(name, path)
    if same := [p.name for p in map(one.beside, ("", *SPELLINGS)) if _is_another(p, one)]:
        raise unfit(f"{', '.join(map(shown, sorted([path.name, *same])))} are called the same; rename all but one")
    return one


def at(path: Path) -> Batch:
    """What the delivery at a path is called, whatever is the matter with it."""
    path = Path(os.path.abspath(path))
    return Batch(shown(_stem(path.name) or path.name or "/"), path)


def _name(path: Path) -> str | None:
    """What a delivery is called: a folder as it is, an archive without its ending; None when it is neither."""
    try:
        mode = os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    called = path.name if stat.S_ISDIR(mode) else _stem(path.name) if stat.S_ISREG(mode) else ""
    return shown(called) if called else None


def _stem(name: str) -> str:
    """The name of an archive without its ending; "" when it has none of ours."""
    ending = next((e for e in ENDINGS if name.lower().endswith(e)), "")
    return name[: -len(ending)] if ending else ""


def _is_another(path: Path, one: Batch) -> bool:
    """Whether a path is a delivery of the same name, and not the same one on a disk that ignores case."""
    if path.name == one.path.name or not os.path.lexists(path) or _name(path) != one.name:
        return False
    return path.name.lower() != one.path.name.lower() or not path.samefile(one.path)


def gone(path: Path) -> bool:
    """Whether nothing is there any more; what cannot be looked at is still there."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def place(inbox: Path, name: str) -> Path:
    """The delivery that a person or a run names: in the inbox by its name or its file's, else a path.

    A path may be written as Perenne shows it, with `%XX` for bytes that are not UTF-8. What people type need not be in
    the Unicode form that a producer's machine wrote. Raises BatchError when two fit that differ in that alone.
    """
    if "/" not in name:
        there = in_inbox(inbox)
        for called in ({b.path: b.path.name for b in there}, {b.path: b.name for b in there}):
            if found := _alike(name, called):
                return found
    path = meant(name)
    return _written(path if "%" not in name or os.path.lexists(path) else received(name))


def _alike(name: str, called: Mapping[Path, str]) -> Path | None:
    """The one that is called so, in whatever Unicode form. Raises BatchError when several forms are there."""
    wanted = unicodedata.normalize("NFC", name)
    found = {path: one for path, one in called.items() if unicodedata.normalize("NFC", one) == wanted}
    if len(set(found.values())) > 1:
        which = listed([quote(os.fsencode(path)) for path in found])
        raise BatchError(text("use-same-name", n=len(found), name=shown(name), which=which))
    return next(iter(found), None)


def _written(path: Path) -> Path:
    """The path as its folders have it, where it is there in one other Unicode form. Raises BatchError for two."""
    if os.path.lexists(path) or str(path).isascii():
        return path
    folder = _written(path.parent)
    try:
        there = {folder / name: name for name in os.listdir(folder)}
    except (OSError, ValueError):
        return path
    return _alike(path.name, there) or folder / path.name


def in_inbox(inbox: Path) -> list[Batch]:
    """Every folder and archive of the inbox, by name; hidden ones are somebody's working files.

    What cannot even be looked at is among them: to be refused, not to be passed over.
    """
    if not inbox.is_dir():
        return []
    found = []
    for path in sorted(inbox.iterdir()):
        if path.name.startswith("."):
            continue
        try:
            name = _name(path)
        except OSError:
            name = at(path).name
        if name is not None:
            found.append(Batch(name, path))
    return found


def not_taken(inbox: Path) -> list[str]:
    """Names in the inbox that are no batch, no description and no ready mark, so that they can be told."""
    if not inbox.is_dir():
        return []
    batches = in_inbox(inbox)
    belong = {b.path.name for b in batches} | {b.beside(end).name for b in batches for end in (".toml", ".ready")}
    return [shown(p.name) for p in sorted(inbox.iterdir()) if p.name not in belong and not p.name.startswith(".")]


def ready(one: Batch, *, quiet_s: float, now: float, warn: Callable[[str], object] = lambda _: None) -> bool:
    """Whether the delivery is complete: marked so, or unchanged for `quiet_s` seconds (`now` since the epoch).

    A time that is still to come says nothing: when the file was last changed at all counts then, and `warn` is told.
    """
    for mark in (one.path / os.fsdecode(READY), one.beside(".ready")):
        if os.path.exists(mark):  # noqa: PTH110  of a name that is too long it says that it is not there
            return True
    root = os.fsencode(one.path)
    own = os.lstat(root)
    newest, ahead = 0.0, Entry(b"", 0, 0)
    for e in (Entry(b"", 0, own.st_mtime_ns, changed_ns=own.st_ctime_ns), *(() if one.packed else _walk(root))):
        at_s = e.mtime_ns / 1e9
        newest = max(newest, at_s if at_s <= now else e.changed_ns / 1e9)
        ahead = max(ahead, e, key=lambda one: one.mtime_ns)
    if ahead.mtime_ns / 1e9 > now + SKEW_S:
        where = f"{one.name}/{shown(os.fsdecode(ahead.raw))}" if ahead.raw else one.name
        warn(f"{where} is dated in the future. When it was last changed here counts instead.")
    return now - newest >= quiet_s


def walk(one: Batch) -> tuple[Entry, ...]:
    """Everything in the batch in a fixed order: files and what is no file. Folders count only when unreadable.

    Of an archive that is the archive itself. Raises BatchRefused when the batch itself cannot be listed.
    """
    root = os.fsencode(one.path)
    try:
        if one.packed:
            seen = os.lstat(root)
            name = os.fsencode(one.path.name)
            return (Entry(name, seen.st_size, seen.st_mtime_ns, changed_ns=seen.st_ctime_ns),)
        os.listdir(root)
    except OSError as e:
        raise unreadable("it", e) from e
    found = (e for e in _walk(root) if e.fault or e.kind != "folder")
    return tuple(sorted(e for e in found if not (e.raw == READY and e.size == 0)))


def empty_folders(root: Path) -> tuple[Entry, ...]:
    """The folders below one that hold nothing at all, in a fixed order; no file tells of them."""
    folders: dict[bytes, Entry] = {}
    other: set[bytes] = set()
    for e in _walk(os.fsencode(root)):
        other.add(e.raw.rpartition(b"/")[0])
        if e.fault:
            other.add(e.raw)
        elif e.kind == "folder":
            folders[e.raw] = Entry(e.raw, 0, e.mtime_ns, EMPTY)
    return tuple(folders[raw] for raw in sorted(folders.keys() - other))


def _walk(root: bytes) -> Iterator[Entry]:
    """Everything below a folder, its folders too; one that cannot be listed comes again, with its fault."""
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
            kind = "" if stat.S_ISREG(status.st_mode) else KINDS.get(stat.S_IFMT(status.st_mode), "special file")
            yield Entry(raw, status.st_size, status.st_mtime_ns, kind, changed_ns=status.st_ctime_ns)


def listing_digest(entries: tuple[Entry, ...]) -> str:
    """SHA-256 over path, size, times and kind of everything in a batch: equal means nothing was touched since.

    A repaired file may have the size and the date of the damaged one; when it last changed at all it cannot choose.
    """
    digest = hashlib.sha256()
    for e in entries:
        digest.update(b"%s\0%d\0%d\0%d\0%s\0" % (e.raw, e.size, e.mtime_ns, e.changed_ns, e.kind.encode()))
    return digest.hexdigest()
