"""The store's few words with the kernel: copy while digesting, flush, read back."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import stat
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_BLOCK = 1 << 20
_AHEAD = 64
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Digests:
    """Lower-case hexadecimal digests of some bytes, and their number."""

    sha512: str
    sha256: str
    size: int


@contextmanager
def _folder(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Flush a folder's entries, so that a rename in it outlives a power cut."""
    with _folder(path) as descriptor:
        os.fsync(descriptor)


def sync_file_system(path: Path) -> None:
    """Flush everything of the file system that holds `path`: one flush for ten thousand files (syncfs(2))."""
    with _folder(path) as descriptor:
        if _LIBC.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))


def open_regular(path: Path | str) -> int:
    """A descriptor to read a regular file; never follows a link and never waits for a pipe. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return descriptor


def _blocks(descriptor: int) -> Iterator[bytes]:
    # A buffer of the file's size: for small files, most of the time would go into memory that is not filled.
    length = min(_BLOCK, os.fstat(descriptor).st_size + 1)
    while block := os.read(descriptor, length):
        yield block


def _write_all(descriptor: int, block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[os.write(descriptor, view) :]


def copy(source: int, target: int) -> Digests:
    """Copy one descriptor to another; the digests are those of the bytes that were written."""
    sha512, sha256, size = hashlib.sha512(), hashlib.sha256(), 0
    for block in _blocks(source):
        _write_all(target, block)
        sha512.update(block)
        sha256.update(block)
        size += len(block)
    return Digests(sha512.hexdigest(), sha256.hexdigest(), size)


def put(data: bytes, target: int) -> Digests:
    """Write bytes to a descriptor; their digests."""
    _write_all(target, data)
    return Digests(hashlib.sha512(data).hexdigest(), hashlib.sha256(data).hexdigest(), len(data))


def sync_file(path: Path) -> None:
    """Flush a file."""
    descriptor = open_regular(path)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def create(path: Path, *, mode: int = 0o666) -> int:
    """A descriptor to write a file that must not exist yet."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)


def write(path: Path, data: bytes, *, sync: bool = False) -> None:
    """Write a new small file; `sync` flushes it."""
    path.unlink(missing_ok=True)
    descriptor = create(path)
    try:
        _write_all(descriptor, data)
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha512(path: Path) -> str:
    """The SHA-512 of a regular file."""
    descriptor = open_regular(path)
    try:
        return _sha512(descriptor)
    finally:
        os.close(descriptor)


def sha512_from_disk(paths: Iterable[Path | str]) -> Iterator[str]:
    """The SHA-512 of each regular file, in order, as the disk holds it now.

    The kernel is asked to forget its own copy first, which it does for flushed files, and then to read ahead of us:
    small files one by one would each wait for the disk (0.2 instead of 0.7 s for ten thousand of 4 kB).
    """
    ahead: deque[int] = deque()
    try:
        for path in paths:
            ahead.append(open_regular(path))
            os.posix_fadvise(ahead[-1], 0, 0, os.POSIX_FADV_DONTNEED)
            os.posix_fadvise(ahead[-1], 0, _BLOCK, os.POSIX_FADV_WILLNEED)
            if len(ahead) == _AHEAD:
                yield _next_sha512(ahead)
        while ahead:
            yield _next_sha512(ahead)
    finally:
        for descriptor in ahead:
            os.close(descriptor)


def _next_sha512(ahead: deque[int]) -> str:
    digest = _sha512(ahead[0])
    os.close(ahead.popleft())
    return digest


def _sha512(descriptor: int) -> str:
    digest = hashlib.sha512()
    for block in _blocks(descriptor):
        digest.update(block)
    return digest.hexdigest()
