"""A delivery as one ZIP or TAR file: judged by its listing, then unpacked behind the door into a folder of ours.

Nothing is unpacked of an archive that claims too much, names what lies outside it, or hides what it holds. The files
get numbers for names; what they are called in the archive is data.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.aip.progress import board
from tasks.aip.space import Sizes
from tasks.config.home import Home, Settings
from tasks.premis import codes
from tasks.premis.model import Limits, Trouble
from tasks.sip import listing
from tasks.sip.batch import BatchRefused, Entry
from tasks.sip.listing import Member
from tasks.store import disk
from tasks.store.names import logical_path
from tasks.tools.answers import Json
from tasks.tools.door import Door
from tasks.tools.folders import Owned
from tasks.tools.job import Job
from tasks.tools.shared import shared

SLICE_BYTES = 1 << 30
SLICE_FILES = 2000
"""What one call unpacks at most, but for a single larger file."""

_ROUNDED = 64 << 10  # that a small file may take on disk
_BYTES_A_S = 5e6  # the slowest that unpacking may be: xz on a busy machine


Room = Callable[[Sequence[Entry], Sizes], contextlib.AbstractContextManager[None]]
"""Room for files in the store, and for what is kept in the work folder within the block. Raises Trouble."""


@dataclass(frozen=True, slots=True)
class Container:
    """The file that a delivery came as; its digests stay with the AIP."""

    name: str
    size: int
    sha256: str
    sha512: str


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What an archive held. The place of an entry is a number below `folder`, which has no file for what is no file.

    `received` has the names that differ in the archive, by place.
    """

    container: Container
    entries: tuple[Entry, ...]
    folder: Path
    received: Mapping[bytes, bytes]


@contextlib.contextmanager
def opened(path: Path, home: Home, room: Room) -> Iterator[Unpacked]:
    """The content of an archive, in a folder that is removed at the end.

    `room` is told what a job copies of it and what will be unpacked, and raises Trouble when that is too much for our
    disks.
    Raises BatchRefused with all that is wrong with it, before anything is unpacked, or when it changes meanwhile;
    OSError.
    """
    door = shared(home.work, (home.store, home.inbox))
    before = path.stat()
    copy = (path.name, door.copies(path))
    # For the listing this room is taken and given back: who waits for the rest of it must hold none.
    with room((), [copy]):
        found, plain = _members(path, door, home.settings())
    files = [m.entry for m in found if not m.entry.kind]
    meanwhile = [*((os.fsdecode(e.raw), e.size) for e in files), copy, (path.name, plain)]
    with room(files, meanwhile), contextlib.closing(Owned(home.work / "unpacked")) as owned:
        wrong = _unpack(path, found, plain, owned.path, door)
        container = _digested(path)
        after = path.stat()
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            raise BatchRefused("source-changing", [])
        received = {m.entry.place: m.received for m in found if m.received}
        yield Unpacked(container, tuple(sorted(_told(found, wrong, owned.path))), owned.path, received)


def _members(path: Path, door: Door, settings: Settings) -> tuple[list[Member], int]:
    """What it says that it holds, all of it fit to be unpacked; and what a compressed tar is before that, else 0.

    Raises BatchRefused.
    """
    most, packed = settings.archive_max_gb * 1_000_000_000, path.stat().st_size
    bounds: list[Json] = [most, settings.archive_max_files, listing.NAMES_BYTES]
    # Two digits for each byte of a name, and some words for each file.
    written = 2 * listing.NAMES_BYTES + 256 * settings.archive_max_files
    with door.job(_limits(packed + min(most, 100 * packed), written)) as job:
        said = _called(job, path, "members", job.give(path, "container"), "out/listing", *bounds)
        if not isinstance(said, dict) or not isinstance(unlisted := said.get("faults"), list):
            raise listing.foreign()
        if not isinstance(plain := said.get("plain"), int) or not 0 <= plain <= 3 * most + (1 << 30):
            raise listing.foreign()
        if said.get("cut"):
            raise listing.cut(said["cut"], settings)
        with job.open("out/listing") as lines:
            found = listing.read(lines, settings)
    listing.judge(found, map(str, unlisted), packed, settings)
    return found, plain


def _called(job: Job, path: Path, function: str, name: str, *given: Json) -> object:
    """The answer of the sealed code on the file `name`; what is wrong with the archive refuses the delivery.

    Raises OSError about the archive when its disk did not give it, about the job's folder when that disk fails.
    """
    try:
        said = job.call(f"tasks.sealed.container:{function}", name, *given)
        unread = said.get("unread") if isinstance(said, dict) else None
        if isinstance(unread, int):
            job.look(name)  # for no job's word a run is stopped
            raise OSError(unread, os.strerror(unread), str(path))
    except Trouble as trouble:
        if codes.stops(trouble.code):
            raise
        raise BatchRefused(trouble.code, [], **trouble.detail) from None
    return said


def _unpack(path: Path, found: Sequence[Member], plain: int, folder: Path, door: Door) -> Mapping[int, str]:
    """Unpack every file into `folder` under its number; number → what is wrong, for those that could not be had."""
    wrong: dict[int, str] = {}
    slices = list(_slices([m for m in found if not m.entry.kind]))
    most = max((sum(m.entry.size + _ROUNDED for m in some) for some in slices), default=0)
    with door.job(_limits(path.stat().st_size + plain + most, plain + most)) as job:
        name = job.give(path, "container")
        if plain:  # so that no portion has to come past those before it
            _called(job, path, "plain", name, "out/plain", plain)
            name = "out/plain"
        for some in slices:
            board.go_on()
            said = _called(job, path, "unpack", name, [[m.number, m.at, m.entry.size] for m in some])
            wrong |= {int(n): str(why) for n, why in said.items()} if isinstance(said, dict) else {}
            for member in some:
                if member.number not in wrong:
                    _taken(job, member, folder)
    return wrong


def _slices(files: Sequence[Member]) -> Iterator[list[Member]]:
    some: list[Member] = []
    total = 0
    for member in files:
        if some and (total + member.entry.size > SLICE_BYTES or len(some) == SLICE_FILES):
            yield some
            some, total = [], 0
        some.append(member)
        total += member.entry.size
    if some:
        yield some


def _taken(job: Job, member: Member, folder: Path) -> None:
    """Move one file out of the job, once it is seen to be a plain file and nobody else's; its time is the archive's."""
    name = f"out/{member.number}"
    with job.open(name) as made:
        if os.fstat(made.fileno()).st_nlink != 1:
            raise listing.foreign(f"{name} has two names")
    target = folder / str(member.number)
    (job.folder / name).rename(target)
    os.chown(target, os.geteuid(), -1)
    target.chmod(0o400)
    os.utime(target, ns=(member.entry.mtime_ns, member.entry.mtime_ns))


def _told(found: Sequence[Member], wrong: Mapping[int, str], folder: Path) -> Iterator[Entry]:
    """The entries as the ingest takes them: with the size and the time that the unpacked file has."""
    for member in found:
        entry = member.entry
        if why := wrong.get(member.number):
            yield Entry(entry.raw, entry.size, entry.mtime_ns, "", why, entry.place)
        elif entry.kind:
            yield entry
        else:
            there = (folder / entry.place.decode()).stat()
            yield Entry(entry.raw, there.st_size, there.st_mtime_ns, "", "", entry.place)


def _limits(reads: int, writes: int) -> Limits:
    return Limits(wall_s=60 + reads / _BYTES_A_S, memory_bytes=2 << 30, output_bytes=writes + (64 << 20))


def _digested(path: Path) -> Container:
    descriptor = disk.open_regular(path)
    try:
        found = disk.digests(descriptor)
    except disk.Unreadable as e:  # which names no file
        raise OSError(e.errno, e.strerror, str(path)) from e
    finally:
        os.close(descriptor)
    return Container(logical_path(os.fsencode(path.name)), found.size, found.sha256, found.sha512)
