"""ZIP as APPNOTE 6.3 has it: what its central directory lists, and whether that is all that the file holds.

Python's reader gives no name that is not what its encoding says, and no word on bytes that the directory does not list.
So the directory is read here, and only the unpacking of one member is Python's.
"""

from __future__ import annotations

import calendar
import contextlib
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import IO, cast

from tasks.sealed.packed import Member

HEADS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"PK00")
"""How a zip begins; the last two stand before the first file of one that could have been cut into volumes."""

_END = struct.Struct("<4s4H2IH")
_LOCATOR = struct.Struct("<4sIQI")
_END_64 = struct.Struct("<4sQ2H2I4Q")
_LISTED = struct.Struct("<4s6H3I5H2I")
_LOCAL = struct.Struct("<4s5H3I2H")
_LONGEST_COMMENT = 0xFFFF
_ELSEWHERE = 0xFFFFFFFF
_ENCRYPTED = 0x1 | 0x40
_DESCRIBED_AFTER = 0x8
_PATCH = 0x20
_AES = 99
_UNPACKED_HERE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_PACKINGS = {  # APPNOTE 4.4.5
    1: "Shrink",
    2: "Reduce",
    3: "Reduce",
    4: "Reduce",
    5: "Reduce",
    6: "Implode",
    9: "Deflate64",
    10: "PKWARE Implode",
    20: "Zstandard",
    93: "Zstandard",
    95: "XZ",
    96: "JPEG",
    97: "WavPack",
    98: "PPMd",
}
_ZIP_64 = 0x0001
_UNICODE_PATH = 0x7075
_WITH_MODE = (3, 19)  # Unix and macOS; others have something else there (APPNOTE 4.4.2)
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class _Entry:
    """One row of the central directory; `at` is its place in the file, `start` that of its local header."""

    at: int
    raw: bytes
    flags: int
    method: int
    time: int
    date: int
    crc: int
    packed: int
    size: int
    mode: int
    start: int
    unicode: bytes

    @property
    def encrypted(self) -> bool:
        """Whether a password is asked for; with AES the method says so, too."""
        return bool(self.flags & _ENCRYPTED) or self.method == _AES

    @property
    def packing(self) -> str:
        """How it is packed when that cannot be undone here, else ""."""
        if self.flags & _PATCH:
            return "a patch of another file"
        if self.method in (*_UNPACKED_HERE, _AES):
            return ""
        return _PACKINGS.get(self.method, f"method {self.method}")

    @property
    def name(self) -> bytes:
        """The bytes of the name: the Unicode Path field first (APPNOTE 4.6.9), else as stored."""
        return self.unicode or self.raw


@dataclass(frozen=True, slots=True)
class _Directory:
    """Where the central directory lies, how far offsets in it are off, how many rows it should have."""

    start: int
    end: int
    prefix: int
    count: int


class Zip:
    """A zip in a file."""

    plain = 0
    """It is not compressed as a whole."""

    def __init__(self, file: IO[bytes]) -> None:
        """Raises DAMAGE when it has no central directory."""
        self._file = file
        self._length = file.seek(0, os.SEEK_END)
        self._directory, self._after = self._found()

    def listed(self) -> Iterator[tuple[int, Member]]:
        """Every member but the folders, with its number. Raises DAMAGE."""
        for number, entry in enumerate(self._rows()):
            if entry.name.endswith(b"/") and not entry.size:
                continue
            told = (_time(entry), _kind(entry), entry.encrypted, entry.packing)
            yield number, Member(entry.name.hex(), entry.at, entry.size, *told)

    def faults(self) -> Iterator[str]:
        """What the file holds and does not list, and what it lists twice. Raises DAMAGE."""
        if self._after:
            yield self._after
        if (len(self._entries) - self._directory.count) % (1 << 16):  # old writers count no further
            yield f"it says that it lists {self._directory.count} files and lists {len(self._entries)}"
        yield from self._between()

    def content(self, at: int) -> IO[bytes]:
        """What the member holds of which the directory tells `at` this place. Raises DAMAGE."""
        entry, _ = self._row(at)
        start = self._data(entry)
        if entry.flags & _PATCH:
            raise NotImplementedError("a patch of a file that is not here")
        info = zipfile.ZipInfo("member")
        info.compress_type, info.CRC, info.compress_size, info.file_size = (
            entry.method,
            entry.crc,
            entry.packed,
            entry.size,
        )
        self._file.seek(start)
        return cast(IO[bytes], zipfile.ZipExtFile(self._file, "r", info))

    def _data(self, entry: _Entry) -> int:
        """Where the bytes of a member begin. Raises BadZipFile when its own header is not the one listed."""
        head = self._read(entry.start, _LOCAL.size)
        if len(head) < _LOCAL.size or not head.startswith(b"PK\x03\x04"):
            raise zipfile.BadZipFile("no header where the list says")
        *_, named, extra = _LOCAL.unpack(head)
        if self._file.read(named) != entry.raw:
            raise zipfile.BadZipFile("the name in the list and the one in its header differ")
        return entry.start + _LOCAL.size + int(named) + int(extra)

    # --- the central directory -------------------------------------------------------------------------------------

    def _found(self) -> tuple[_Directory, str]:
        """The directory, and what is wrong with what follows its end."""
        start = max(0, self._length - _END.size - _LONGEST_COMMENT)
        tail = self._read(start, self._length - start)
        at = len(tail) - _END.size  # without a comment, first: one may hold what looks like an end
        if at < 0 or not (tail.startswith(b"PK\x05\x06", at) and tail.endswith(b"\0\0")):
            at = tail.rfind(b"PK\x05\x06")
        if at < 0 or len(tail) < at + _END.size:
            raise zipfile.BadZipFile("it has no list of its files: it was cut, or is no zip")
        _, disk, first, _, count, size, offset, comment = _END.unpack_from(tail, at)
        over = len(tail) - at - _END.size - comment
        after = ""
        if over < 0:
            after = "it breaks off in its comment"
        elif tail[len(tail) - over :].strip(b"\0"):
            after = f"{over} bytes follow its end"
        end = start + at
        if (record := self._read(end - _LOCATOR.size, _LOCATOR.size)).startswith(b"PK\x06\x07"):
            _, disk, _, disks = _LOCATOR.unpack(record)
            record = self._read(end - _LOCATOR.size - _END_64.size, _END_64.size)
            if disks > 1 or not record.startswith(b"PK\x06\x06"):
                raise zipfile.BadZipFile("the end of its list is damaged, or in another volume")
            *_, disk, first, _, count, size, offset = _END_64.unpack(record)
            end -= _LOCATOR.size + _END_64.size
        if disk or first:
            raise zipfile.BadZipFile("a part of it is in another volume")
        if offset + size > end:
            raise zipfile.BadZipFile("its list is not where it says")
        return _Directory(end - size, end, end - size - offset, count), after

    @cached_property
    def _entries(self) -> list[_Entry]:
        return list(self._rows())

    def _rows(self) -> Iterator[_Entry]:
        at = self._directory.start
        while at < self._directory.end:
            entry, at = self._row(at)
            yield entry

    def _row(self, at: int) -> tuple[_Entry, int]:
        """The row at a place of the directory, and where the next one is."""
        head = self._read(at, _LISTED.size)
        if len(head) < _LISTED.size or not head.startswith(b"PK\x01\x02"):
            raise zipfile.BadZipFile("its list is damaged")
        row = _LISTED.unpack(head)
        named, more, comment = row[10:13]
        raw, extra = self._file.read(named), self._file.read(more)
        end = at + _LISTED.size + int(named) + int(more) + int(comment)
        if end > self._directory.end:
            raise zipfile.BadZipFile("its list is damaged")
        return self._entry(at, row, raw, extra), end

    def _entry(self, at: int, row: tuple[int, ...], raw: bytes, extra: bytes) -> _Entry:
        fields = dict(_fields(extra))
        sizes = [row[9], row[8], row[16]]  # in the order of the zip64 field: size, packed, place
        large = fields.get(_ZIP_64, b"")
        for place, size in enumerate(sizes):
            if size == _ELSEWHERE and large:
                (sizes[place],), large = struct.unpack("<Q", large[:8]), large[8:]
        size, packed, start = sizes
        unicode = fields.get(_UNICODE_PATH, b"")
        known = len(unicode) > 5 and struct.unpack("<xI", unicode[:5])[0] == zlib.crc32(raw)
        return _Entry(
            at,
            raw,
            flags=row[3],
            method=row[4],
            time=row[5],
            date=row[6],
            crc=row[7],
            packed=packed,
            size=size,
            mode=row[15] >> 16 if row[1] >> 8 in _WITH_MODE else 0,
            start=start + self._directory.prefix,
            unicode=unicode[5:] if known else b"",
        )

    # --- what is not listed ----------------------------------------------------------------------------------------

    def _between(self) -> Iterator[str]:
        """Bytes that belong to no member, and bytes that belong to two."""
        at: int | None = 4 if self._read(0, 4) in HEADS[2:] else 0
        before: _Entry | None = None
        for entry in sorted(self._entries, key=lambda entry: entry.start):
            if at is not None and entry.start < at:
                other = _shown(before) if before else "the mark of its beginning"
                yield f"{_shown(entry)} and {other} share bytes"
            elif at is not None:
                yield from self._unlisted(at, entry.start, before)
            with contextlib.suppress(zipfile.BadZipFile):
                end = self._data(entry) + entry.packed
                at = max(at or 0, end)
                before = entry
                continue
            at = before = None  # its own header is damaged, which is told when it is unpacked; nobody knows its end
        if at is not None and at > self._directory.start:
            yield f"{_shown(before)} and the list of files share bytes" if before else "the list of files is damaged"
        elif at is not None:
            yield from self._unlisted(at, self._directory.start, before)

    def _unlisted(self, start: int, end: int, before: _Entry | None) -> Iterator[str]:
        """Zeros fill up, and a member's sizes may follow it; anything else is content that the list is silent about."""
        count = end - start
        if before is not None and before.flags & _DESCRIBED_AFTER:
            told = self._read(start, min(24, count))
            start += next((len(form) for form in _descriptors(before) if told.startswith(form)), 0)
        self._file.seek(start)
        while start < end:
            block = self._file.read(min(_BLOCK, end - start))
            if not block or block.strip(b"\0"):
                where = f"after {_shown(before)}" if before else "before its first file"
                yield f"{count} bytes {where} are in no file that it lists"
                return
            start += len(block)

    def _read(self, start: int, count: int) -> bytes:
        if start < 0:
            return b""
        self._file.seek(start)
        return self._file.read(count)


def _descriptors(entry: _Entry) -> Iterator[bytes]:
    """The forms in which sizes may follow a member (APPNOTE 4.3.9), the longest first."""
    for sizes in ("<IQQ", "<III"):
        with contextlib.suppress(struct.error):
            form = struct.pack(sizes, entry.crc, entry.packed, entry.size)
            yield b"PK\x07\x08" + form
            yield form


def _fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    while len(extra) >= 4:
        kind, length = struct.unpack("<HH", extra[:4])
        yield kind, extra[4 : 4 + length]
        extra = extra[4 + length :]


def _kind(entry: _Entry) -> str:
    if stat.S_ISLNK(entry.mode):
        return "link"
    if entry.size:
        return ""  # `cat x | zip y.zip -` has the mode of the pipe and the bytes of the file
    kinds = {stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket", stat.S_IFBLK: "device", stat.S_IFCHR: "device"}
    return kinds.get(stat.S_IFMT(entry.mode), "")


def _time(entry: _Entry) -> int:
    # A zip has no time zone; taken as UTC, it is the same on every machine.
    day = ((entry.date >> 9) + 1980, entry.date >> 5 & 0xF, entry.date & 0x1F)
    with contextlib.suppress(ValueError, OverflowError):
        return calendar.timegm((*day, entry.time >> 11, entry.time >> 5 & 0x3F, (entry.time & 0x1F) * 2))
    return 0


def _shown(entry: _Entry) -> str:
    return entry.name[:200].decode("utf-8", "backslashreplace")
