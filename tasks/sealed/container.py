"""ZIP and TAR deliveries: what is in them, and their files one by one. Nothing is believed, nothing is followed.

A listing says what the archive claims; `unpack` counts the bytes that really come and stops where they are more. Files
are written under numbers, so no name of the archive ever meets a file system here.
"""

from __future__ import annotations

import bz2
import calendar
import contextlib
import gzip
import io
import json
import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, cast

from tasks.premis.model import Trouble

_BLOCK = 1 << 20
_UTF8_NAME = 0x800
_ENCRYPTED = 0x1 | 0x40
_UNICODE_PATH = 0x7075
_TAR_KINDS = {
    tarfile.SYMTYPE: "link",
    tarfile.FIFOTYPE: "FIFO",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
}
_MAGIC = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open))
DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    struct.error,
    gzip.BadGzipFile,
    NotImplementedError,  # zipfile's word for a compression that it does not know
    ValueError,
    RuntimeError,
    OSError,
)


@dataclass(frozen=True, slots=True)
class Member:
    """One member: its name's bytes in hexadecimal, its size as claimed, seconds since the epoch, what it is."""

    name: str
    size: int
    mtime: int
    kind: str
    encrypted: bool


class _TooMuch(Exception):  # noqa: N818  it is what came
    """More bytes than were allowed."""


def members(name: str, told: str, most: int) -> bool:
    """Write every member but the folders as a line of JSON, `[number, member]`, into the new file `told`.

    False when the listing was cut because the archive unpacks to more than `most` bytes. Raises Trouble
    "source-damaged".
    """
    with Path(told).open("x", encoding="ascii") as lines, _damaged():
        try:
            lines.writelines(json.dumps([number, asdict(member)]) + "\n" for number, member in _listed(name, most))
        except _TooMuch:
            return False
    return True


def unpack(name: str, numbers: Sequence[int], sizes: Sequence[int]) -> dict[str, str]:
    """Write the members of these numbers to `out/<number>`; number → what is wrong, for those that could not be.

    A member that holds more than its size is cut off there and counts as wrong.
    """
    wanted = dict(zip(numbers, sizes, strict=True))
    wrong: dict[str, str] = {}
    with _damaged(), _opened(name, sum(sizes)) as archive:
        for number, content in archive.contents(wanted):
            try:
                with content() as reader:
                    _written(reader, Path("out", str(number)), wanted[number])
            except DAMAGE as error:
                wrong[str(number)] = f"{type(error).__name__}: {error}"[:200]
            except _TooMuch:
                wrong[str(number)] = "more bytes than the archive says"
    return wrong


@contextlib.contextmanager
def _damaged() -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        raise Trouble("source-damaged", what=f"{type(error).__name__}: {error}"[:200]) from None


def _written(reader: IO[bytes], target: Path, size: int) -> None:
    try:
        with target.open("xb") as writer:
            while block := reader.read(_BLOCK):
                if writer.tell() + len(block) > size:
                    raise _TooMuch
                writer.write(block)
            if writer.tell() != size:
                raise EOFError(f"{writer.tell()} of {size} bytes")
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _listed(name: str, most: int) -> Iterator[tuple[int, Member]]:
    with _opened(name, most) as archive:
        yield from archive.listed()


@contextlib.contextmanager
def _opened(name: str, most: int) -> Iterator[_Zip | _Tar]:
    with Path(name).open("rb") as file:
        head = file.read(8)
        file.seek(0)
        if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            with zipfile.ZipFile(file) as archive:
                yield _Zip(archive)
            return
        unpacker = next((opener for magic, opener in _MAGIC if head.startswith(magic)), None)
        stream = cast(IO[bytes], unpacker(file)) if unpacker else file
        counted = cast(IO[bytes], _Counted(stream, most)) if unpacker else stream
        with tarfile.open(fileobj=counted, mode="r:", errorlevel=2, encoding="utf-8", errors="surrogateescape") as tar:
            yield _Tar(tar)


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
            raise _TooMuch
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
            raise _TooMuch


class _Zip:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def listed(self) -> Iterator[tuple[int, Member]]:
        for number, info in enumerate(self._archive.infolist()):
            if info.is_dir():
                continue
            encrypted = bool(info.flag_bits & _ENCRYPTED)
            yield number, Member(_zip_name(info).hex(), info.file_size, _zip_time(info), _zip_kind(info), encrypted)

    def contents(self, wanted: dict[int, int]) -> Iterator[tuple[int, Any]]:
        infos = self._archive.infolist()
        for number in wanted:
            yield number, lambda info=infos[number]: self._archive.open(info)


def _zip_name(info: zipfile.ZipInfo) -> bytes:
    """The bytes of the name as the archive has it: the Unicode Path field first (APPNOTE 4.6.9), else as stored."""
    raw = info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8_NAME else "cp437", "surrogateescape")
    extra = info.extra
    while len(extra) >= 4:
        kind, length = struct.unpack("<HH", extra[:4])
        field, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == _UNICODE_PATH and len(field) > 5 and struct.unpack("<xI", field[:5])[0] == zlib.crc32(raw):
            return bytes(field[5:])
    return raw


def _zip_kind(info: zipfile.ZipInfo) -> str:
    mode = info.external_attr >> 16
    kinds = {stat.S_IFLNK: "link", stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket"}
    kinds |= dict.fromkeys((stat.S_IFBLK, stat.S_IFCHR), "device")
    return kinds.get(stat.S_IFMT(mode), "")


def _zip_time(info: zipfile.ZipInfo) -> int:
    # A zip has no time zone; taken as UTC, it is the same on every machine.
    with contextlib.suppress(ValueError, OverflowError):
        return calendar.timegm((*info.date_time, 0, 0, 0))
    return 0


class _Tar:
    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive

    def listed(self) -> Iterator[tuple[int, Member]]:
        sizes: dict[str, int] = {}
        for number, info in enumerate(self._archive):
            if info.isdir():
                continue
            kind = "" if info.isreg() or info.islnk() else _TAR_KINDS.get(info.type, "special file")
            size = sizes.get(info.linkname, 0) if info.islnk() else info.size
            sizes[info.name] = size
            name = info.name.encode("utf-8", "surrogateescape")
            yield number, Member(name.hex(), size if kind == "" else 0, int(info.mtime), kind, encrypted=False)

    def contents(self, wanted: dict[int, int]) -> Iterator[tuple[int, Any]]:
        for number, info in enumerate(self._archive):
            if number in wanted:
                yield number, lambda info=info: self._archive.extractfile(info) or io.BytesIO()
