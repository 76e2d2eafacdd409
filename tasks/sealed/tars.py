"""TAR, plain or compressed: the files that its headers list, and whether it ends where a tar ends.

Python's reader takes a broken header for the end of the archive. So what follows the last header is judged here: a tar
that was cut, damaged or followed by something must not pass for a shorter one.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import math
import os
import tarfile
from _compression import DecompressReader
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, Any, cast

from tasks.sealed.packed import Member, TooMuch

LARGEST_PADDING = 16 << 20
"""Bytes of zeros at the end: writers fill up a record, and no tape drive takes larger ones. More is a hole."""
_LARGEST_HEADER = 16 << 20  # of a long name or of pax records, which are read as a whole
_HEADER_ONLY = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)
_KINDS = {
    tarfile.SYMTYPE: "link",
    tarfile.FIFOTYPE: "FIFO",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
}
_OLD_GNU = b"ustar  \0"
_DUMPED = b"D"  # a folder of an incremental backup; its content is a list of the names that were in it
_LABEL = b"V"
_GZIP = b"\x1f\x8b"
_MAGIC: tuple[tuple[bytes, Callable[[], Any]], ...] = (
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\x00", lzma.LZMADecompressor),
)


class Tar:
    """A tar in a file; of a compressed one, no more than `most` bytes of content are unpacked.

    `plain` is how many bytes a compressed one unpacks to, once it was listed; 0 for one that is not compressed.
    """

    def __init__(self, file: IO[bytes], most: int) -> None:
        """Raises TarError when it does not begin as a tar."""
        stream = unpacked(file)
        self.plain = 0
        self._stream = file if stream is None else cast(IO[bytes], _Counted(stream, most))
        self._archive = tarfile.open(  # noqa: SIM115  it has nothing of its own to close
            fileobj=self._stream, mode="r:", tarinfo=_Header, errorlevel=2, encoding="utf-8", errors="surrogateescape"
        )

    def listed(self) -> Iterator[tuple[int, Member]]:
        """Every member but the folders, with its number. Raises DAMAGE, also when its end is not that of a tar."""
        known: dict[str, tuple[int, int, str]] = {}
        for number, info in self._headers():
            if info.isdir() or (info.type == _LABEL and not info.size):
                continue
            own = info.offset, info.size, _kind(info)
            at, size, kind = known.get(_place(info.linkname), (info.offset, 0, "")) if info.islnk() else own
            known[_place(info.name)] = at, size, kind
            name = info.name.encode("utf-8", "surrogateescape")
            mtime = int(info.mtime) if math.isfinite(info.mtime) else 0
            yield number, Member(name.hex(), at, 0 if kind else size, mtime, kind, encrypted=False)
        self._ended()
        self.plain = self._stream.tell() if isinstance(self._stream, _Counted) else 0

    def faults(self) -> list[str]:
        """What it holds besides: nothing, or `listed` has raised."""
        return []

    def content(self, at: int) -> IO[bytes]:
        """What the file holds whose header is `at` this place. Raises DAMAGE."""
        self._stream.seek(at)
        info = _Header.fromtarfile(self._archive)
        if info.islnk():  # the listing found the file that it is another name of, if there was one
            raise tarfile.ExtractError(f"a second name of {info.linkname!r}, which is no file in it")
        if (reader := self._archive.extractfile(info)) is None:
            raise tarfile.ExtractError("no file")
        return reader

    def _headers(self) -> Iterator[tuple[int, tarfile.TarInfo]]:
        number = 0
        while (info := self._archive.next()) is not None:
            if info.size < 0:
                raise tarfile.ReadError("a size below zero")  # the reader would go back, and never end
            cast(Any, self._archive).members.clear()  # it keeps every header otherwise
            yield number, info
            number += 1

    def _ended(self) -> None:
        """POSIX wants two blocks of zeros at the end. One is enough here: no header looks like it. None is a cut."""
        at = self._archive.offset
        self._stream.seek(at)
        tail = self._stream.read(LARGEST_PADDING + 1)
        if tail[: tarfile.BLOCKSIZE].strip(b"\0"):
            raise tarfile.ReadError(f"no header where the next file begins, at byte {at}")
        if tail.strip(b"\0"):
            raise tarfile.ReadError(f"something follows its end at byte {at}")
        if len(tail) < tarfile.BLOCKSIZE:
            raise tarfile.ReadError(f"it breaks off at byte {at}, without the mark of its end")
        if len(tail) > LARGEST_PADDING:
            raise tarfile.ReadError(f"nothing but zeros from byte {at} on")


class _Header(tarfile.TarInfo):
    """A header that may not lead back into the archive, nor fill the memory; one of GNU tar as GNU tar means it."""

    __slots__ = ()

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        """As TarInfo's. Raises TarError."""
        header = super().frombuf(buf, encoding, errors)
        if header.size < 0 or (header.type in _HEADER_ONLY and header.size > _LARGEST_HEADER):
            raise tarfile.ReadError(f"a header of {header.size} bytes")
        if buf[257:265] == _OLD_GNU:  # it has times where POSIX has the beginning of a name, and Python reads a name
            header.name = bytes(buf[:100]).partition(b"\0")[0].decode(encoding, errors)
            header.name = header.name.rstrip("/") if header.isdir() else header.name
        return header

    def isdir(self) -> bool:
        """Also of an incremental backup."""
        return super().isdir() or self.type == _DUMPED


def _kind(info: tarfile.TarInfo) -> str:
    return "" if info.isreg() else _KINDS.get(info.type, "special file")


def _place(name: str) -> str:
    return os.path.normpath(name)


def unpacked(file: IO[bytes]) -> IO[bytes] | None:
    """What a compressed file unpacks to, and nothing may follow it but zeros; None when it is not compressed."""
    head = file.read(8)
    file.seek(0)
    if head.startswith(_GZIP):
        return cast(IO[bytes], gzip.GzipFile(fileobj=file))
    make = next((make for magic, make in _MAGIC if head.startswith(magic)), None)
    # Not BZ2File and LZMAFile: they say nothing of what follows.
    return io.BufferedReader(DecompressReader(file, cast(Any, partial(_Strict, make)))) if make else None


class _Strict:
    """One stream of a compressed file; zeros before it are the padding of the one before."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._stream = make()
        self._begun = self._blank = False

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        if not self._begun:
            data = data.lstrip(b"\0")
            self._blank = not data
        if self._blank:
            return b""
        self._begun = True
        return bytes(self._stream.decompress(data, max_length))

    @property
    def eof(self) -> bool:
        return self._blank or bool(self._stream.eof)

    @property
    def needs_input(self) -> bool:
        return bool(self._stream.needs_input)

    @property
    def unused_data(self) -> bytes:
        return b"" if self._blank else bytes(self._stream.unused_data)


class _Counted(io.RawIOBase):
    """A stream that gives no more than is allowed, whatever a compressed file unpacks to; headers come on top."""

    def __init__(self, stream: IO[bytes], most: int) -> None:
        self._stream, self._most = stream, 2 * most + (1 << 30)

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._check()
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_SET and offset > self._most:
            raise TooMuch("bytes")
        found = self._stream.seek(offset, whence)
        self._check()
        return found

    def tell(self) -> int:
        return self._stream.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def _check(self) -> None:
        if self._stream.tell() > self._most:
            raise TooMuch("bytes")
