"""A machine-wide place for one resident program: a number that only one process can hold, and the folders it works in.

The number is an flock on a file, so it is free again whatever ends its holder. The folders `in/` and `out/` are all
that the program sees of the job at hand; they are emptied between two requests, and so is `home/` between two programs.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from tasks.premis.model import Trouble
from tasks.tools import folders
from tasks.tools.floor import Floor
from tasks.tools.footing import PLAIN_UID, claim_uid
from tasks.tools.words import size

_ALL = 0o755  # the program's plain uid is not the owner
_COPIED = 1 << 20


class Slot:
    """One taken place, until it is closed."""

    def __init__(self, folder: Path, lock: int, floor: Floor) -> None:
        self.folder = folder
        self.uid, self._claim = _uid(floor)
        self._lock: int | None = lock
        self.inputs, self.outputs, self.home = folder / "in", folder / "out", folder / "home"
        folder.mkdir(mode=0o700, exist_ok=True)
        if floor is Floor.LANDLOCK:
            folder.chmod(0o711)  # a plain uid walks through it
        for part in (self.inputs, self.outputs, self.home):
            part.mkdir(exist_ok=True)
            part.chmod(_ALL)
        if self.uid is not None:
            for part in (self.outputs, self.home):
                os.chown(part, self.uid, self.uid)
        self.clear()

    def fill(self, job: Path, names: Iterable[str]) -> None:
        """Copy files of a job's folder into the slot, under the same names.

        Raises Trouble: "tool-crash" for one that is not a regular file of the job, because an earlier step put
        something else there; "disk-full".
        """
        for name in names:
            target = self.folder / name
            try:
                with folders.open_regular(job, name) as source:
                    target.parent.mkdir(mode=_ALL, parents=True, exist_ok=True)
                    _copy(source.fileno(), target)
            except OSError as problem:
                raise _not_copied(name, job, problem) from None

    def collect(self, job: Path, but: frozenset[str], most: int) -> None:
        """Copy what the program made in `out/` to the job's `out/`, besides the files named in `but` (its inputs).

        Copied, not moved: the program may still hold what it wrote open. Raises Trouble: "tool-crash" when it left
        anything but regular files, "output-too-large" when a copy would take more than `most` bytes in all (a file
        with holes takes little until it is copied), "disk-full".
        """
        left = most
        for entry in sorted(os.listdir(self.outputs)):
            name = f"out/{entry}"
            if name in but:
                continue
            try:
                with folders.open_regular(self.folder, name) as made:
                    (job / name).unlink(missing_ok=True)
                    left -= _copy(made.fileno(), job / name, left)
            except OSError as problem:
                raise _not_copied(name, job, problem) from None

    def empty(self) -> None:
        """Remove the files of a request. Raises OSError when something cannot be removed."""
        for folder in (self.inputs, self.outputs):
            _empty(folder)

    def clear(self) -> None:
        """Remove everything that a former program left. Raises OSError when something cannot be removed."""
        for folder in (self.inputs, self.outputs, self.home):
            _empty(folder)
        (self.home / "tmp").mkdir()
        if self.uid is not None:
            os.chown(self.home / "tmp", self.uid, self.uid)

    def close(self) -> None:
        """Remove what is left and give the place up; a second call does nothing."""
        if self._lock is None:
            return
        with contextlib.suppress(OSError):  # the next holder tries again before it starts anything
            self.clear()
        os.close(self._lock)
        self._lock = None
        if self._claim is not None:
            self._claim.close()


def _uid(floor: Floor) -> tuple[int | None, socket.socket | None]:
    # In the box all residents may have the same uid; behind the fence it tells the processes of one from all others.
    if not floor.takes_plain_uid():
        return None, None
    return claim_uid() if floor is Floor.LANDLOCK else (PLAIN_UID, None)


def take(root: Path, kind: str, places: int, floor: Floor) -> Slot | None:
    """A free place of this kind, of which the machine has `places`; None when all are taken."""
    for number in range(places):
        lock = os.open(root / f"{kind}-{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        try:
            return Slot(root / f"{kind}-{number}", lock, floor)
        except BaseException:
            os.close(lock)
            raise
    return None


@contextlib.contextmanager
def waiting(root: Path, kind: str) -> Iterator[None]:
    """Let the holders of all places know that a process without any waits for one."""
    fd = _waiters(root, kind)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH)
        yield
    finally:
        os.close(fd)


def others_wait(root: Path, kind: str) -> bool:
    """Whether some process waits for a place."""
    fd = _waiters(root, kind)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _waiters(root: Path, kind: str) -> int:
    return os.open(root / f"{kind}.waiting", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)


def _copy(source: int, target: Path, most: int | None = None) -> int:
    # Into a file that did not exist and is no link; a program of another uid may read it.
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    os.fchmod(fd, 0o644)  # whatever the umask: the reader is another uid
    with open(source, "rb", closefd=False) as reader, open(fd, "wb") as writer:
        if most is None:
            _fill(reader, writer)
        while most is not None and (block := reader.read(_COPIED)):  # it may grow meanwhile: its size proves nothing
            if writer.tell() + len(block) > most:
                target.unlink()
                raise Trouble("output-too-large", limit=size(most))
            writer.write(block)
        return writer.tell()


def _fill(reader: BinaryIO, writer: BinaryIO) -> None:
    """Copy what holds data, so that the holes of an excerpt stay holes (lseek(2))."""
    fd = reader.fileno()
    end, length = 0, os.fstat(fd).st_size
    while end < length:
        try:
            start = os.lseek(fd, end, os.SEEK_DATA)
        except OSError as problem:
            if problem.errno != errno.ENXIO:
                raise
            break  # a hole up to the end
        end = os.lseek(fd, start, os.SEEK_HOLE)
        reader.seek(start)
        writer.seek(start)
        while start < end and (block := reader.read(min(_COPIED, end - start))):
            start += writer.write(block)
    writer.truncate(length)
    writer.seek(length)


def _not_copied(name: str, job: Path, problem: OSError) -> Trouble:
    if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
        return Trouble("tool-crash", tool="perenne", signal=f"{name}: {problem.strerror or problem}")
    need, free = (job / name).lstat().st_size, shutil.disk_usage(job).free
    return Trouble("disk-full", folder=str(job.parent), free=size(free), need=size(need))


def _empty(folder: Path) -> None:
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            folders.remove(Path(entry.path))
        else:
            Path(entry.path).unlink()
