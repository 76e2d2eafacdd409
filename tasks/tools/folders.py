"""Folders that hold what hostile code wrote: made, opened, read and removed without following it anywhere.

Every path here is walked by descriptors, one element at a time and never through a link, because a job may have put
a link, a device or a tree of any depth where a plain file is expected.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def open_regular(folder: Path, name: str) -> BinaryIO:
    """The regular file `name` (a relative path) below `folder`, opened for reading.

    Raises OSError when it or anything on the way is missing, a link or no regular file; ValueError for a name that
    leaves the folder.
    """
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or parts[0] == "/":
        raise ValueError(f"not a name inside a job: {name}")
    at = os.open(folder, _OPEN_FOLDER)
    try:
        for part in parts[:-1]:
            below = os.open(part, _OPEN_FOLDER, dir_fd=at)
            os.close(at)
            at = below
        fd = os.open(parts[-1], _OPEN_FILE, dir_fd=at)
    finally:
        os.close(at)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(f"not a regular file: {name}")
    return open(fd, "rb")


def remove(folder: Path) -> None:
    """Remove a folder and all that is in it, however deep and whatever its modes; no process may be writing in it.

    Every folder found is first moved up to the top, so that no path grows long. Raises OSError when it cannot.
    """
    top = os.open(folder, _OPEN_FOLDER)
    try:
        _make_ours(top)
        waiting = [name for name in os.listdir(top) if not _unlinked(name, top)]
        while waiting:
            name = waiting.pop()
            below = _opened(name, top)
            try:
                for inner in os.listdir(below):
                    if not _unlinked(inner, below):
                        os.close(_opened(inner, below))
                        waiting.append(secrets.token_hex(16))
                        os.rename(inner, waiting[-1], src_dir_fd=below, dst_dir_fd=top)
            finally:
                os.close(below)
            os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    folder.rmdir()


def _opened(name: str, at: int) -> int:
    """A folder opened for reading after its mode was set; never what a link put in its way meanwhile leads to."""
    place = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
    try:
        Path(f"/proc/self/fd/{place}").chmod(0o700)
        return os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    finally:
        os.close(place)


def _make_ours(fd: int) -> None:
    os.fchmod(fd, 0o700)


def _unlinked(name: str, at: int) -> bool:
    try:
        os.unlink(name, dir_fd=at)
    except IsADirectoryError:
        return False
    except FileNotFoundError:
        return True
    return True


class Owned:
    """A folder of this process below `parent`, locked as long as the process lives; what dead owners left is removed.

    The lock is the kernel's, so it ends with the process whatever kills it.
    """

    def __init__(self, parent: Path) -> None:
        parent.mkdir(parents=True, exist_ok=True)
        with _alone(parent):
            for left in _unlocked(parent):
                with contextlib.suppress(OSError):  # another user's, or busy: the next start tries again
                    remove(left)
            self.path = parent / f"{os.getpid()}-{secrets.token_hex(4)}"
            self.path.mkdir(mode=0o700)
            self._lock = os.open(self.path, _OPEN_FOLDER)
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def close(self) -> None:
        """Remove the folder and give up the lock."""
        with contextlib.suppress(OSError):
            remove(self.path)
        os.close(self._lock)


@contextlib.contextmanager
def _alone(parent: Path) -> Iterator[None]:
    # Between making a folder and locking it, it must not look like a dead owner's.
    fd = os.open(parent, _OPEN_FOLDER)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _unlocked(parent: Path) -> Iterator[Path]:
    for path in sorted(parent.iterdir()):
        try:
            fd = os.open(path, _OPEN_FOLDER)
        except OSError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        finally:
            os.close(fd)
        yield path
