"""Our own writer of baseline TIFF 6.0: little-endian, strips of about 512 KB, LONG offsets, one directory a frame.

The same frames and metadata give the same bytes: no date, no name of a program, nothing of this machine.
Beyond baseline are only: 16 and 32 bits, ExtraSamples, CMYK, CIELab, SampleFormat (for signed and float samples),
ICC, XMP, IPTC and the EXIF directories. Classic TIFF ends at 4 GiB; a larger picture is refused, never BigTIFF.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tasks.premis.model import Trouble
from tasks.sealed.raster import ifd
from tasks.sealed.raster.frame import Frame, Space
from tasks.sealed.raster.ifd import Directory, Field
from tasks.sealed.raster.metadata import (
    EXIF_POINTER,
    GPS_POINTER,
    ICC,
    INTEROP_POINTER,
    IPTC,
    NO_UNIT,
    ORIENTATION,
    XMP,
    Metadata,
)

STRIP = 512 << 10
LARGEST = (1 << 32) - 1
COMPRESSIONS = {"none": 1, "deflate": 8}
PAGE_OF_MANY = 2


@dataclass(slots=True)
class _Out:
    """The file being written; everything begins on an even byte."""

    file: BinaryIO
    at: int = 0

    def put(self, data: bytes | memoryview) -> int:
        """Appends, padded to a word; returns the offset. Trouble `output-too-large` at 4 GiB."""
        size = len(data) + (len(data) & 1)
        if self.at + size > LARGEST:
            raise Trouble("output-too-large", limit="4 GiB (classic TIFF)")
        start = self.at
        self.file.write(data)
        if len(data) & 1:
            self.file.write(b"\0")
        self.at += size
        return start


def write(path: Path, pictures: Iterable[tuple[Frame, Metadata]], *, compression: str = "none", total: int = 1) -> int:
    """Writes the frames in order and returns their number; `total` > 1 marks each as a page of so many."""
    with path.open("wb") as file:
        out = _Out(file)
        out.put(b"II*\0\0\0\0\0")
        link, number = 4, 0
        for number, (one, told) in enumerate(pictures, 1):
            fields = _fields(out, one, told, compression)
            if total > 1:
                fields |= {254: _longs(254, PAGE_OF_MANY), 297: _shorts(297, number - 1, total)}
            here, after = _directory(out, fields)
            file.seek(link)
            file.write(struct.pack("<I", here))
            file.seek(out.at)
            link = after
    return number


def _fields(out: _Out, one: Frame, told: Metadata, compression: str) -> Directory:
    rows, offsets, counts = _strips(out, one, compression)
    photometric = 0 if one.white_is_zero else int(one.space)
    fields = dict(told.tags)
    own = [
        _longs(254, 0), _longs(256, one.width), _longs(257, one.height), _shorts(258, *[one.bits] * one.channels),
        _shorts(259, COMPRESSIONS[compression]), _shorts(262, photometric), _longs(273, *offsets),
        _shorts(ORIENTATION, told.orientation or 1), _shorts(277, one.channels), _longs(278, rows),
        _longs(279, *counts), _shorts(284, 1), *_resolution(told), *_meaning(one),
    ]  # fmt: skip
    fields |= {entry.code: entry for entry in own}
    blocks = ((XMP, ifd.BYTE, told.xmp), (IPTC, ifd.UNDEFINED, told.iptc), (ICC, ifd.UNDEFINED, told.icc))
    for code, kind, data in blocks:
        if data:
            fields[code] = Field(code, kind, len(data), data)
    return fields | _subdirectories(out, told)


def _meaning(one: Frame) -> list[Field]:
    found = []
    if one.palette is not None:
        table = np.zeros((1 << one.bits, 3), "<u2")
        table[: len(one.palette)] = one.palette[: len(table)]
        found.append(Field(320, ifd.SHORT, table.size, np.ascontiguousarray(table.T).tobytes()))
    if one.space is Space.CMYK:
        found.append(_shorts(332, 1))
    if one.extra:
        found.append(_shorts(338, *one.extra))
    form = {"i": 2, "f": 3}.get(one.samples.dtype.kind)
    if form:
        found.append(_shorts(339, *[form] * one.channels))
    return found


def _resolution(told: Metadata) -> list[Field]:
    xn, xd, yn, yd, unit = told.resolution or (1, 1, 1, 1, NO_UNIT)
    return [_rational(282, xn, xd), _rational(283, yn, yd), _shorts(296, unit)]


def _strips(out: _Out, one: Frame, compression: str) -> tuple[int, list[int], list[int]]:
    row = (one.width * one.channels * one.bits + 7) // 8
    rows = min(one.height, max(1, STRIP // row))
    offsets, counts = [], []
    for top in range(0, one.height, rows):
        data = _bytes(one, top, top + rows)
        if compression == "deflate":
            data = memoryview(zlib.compress(data, 6))
        offsets.append(out.put(data))
        counts.append(len(data))
    return rows, offsets, counts


def _bytes(one: Frame, top: int, end: int) -> memoryview:
    part = np.ascontiguousarray(one.samples[top:end])
    if one.bits == 1:
        return memoryview(np.packbits(part[..., 0], axis=1).tobytes())
    little = part.astype(part.dtype.newbyteorder("<"), copy=False)
    return little.reshape(-1).view(np.uint8).data


def _subdirectories(out: _Out, told: Metadata) -> Directory:
    found: Directory = {}
    exif = dict(told.exif)
    if told.interop:
        exif[INTEROP_POINTER] = _longs(INTEROP_POINTER, _directory(out, told.interop)[0])
    for code, fields in ((EXIF_POINTER, exif), (GPS_POINTER, told.gps)):
        if fields:
            found[code] = _longs(code, _directory(out, fields)[0])
    return found


def _directory(out: _Out, fields: Directory) -> tuple[int, int]:
    """Writes the long values and the entries; returns the directory's offset and that of its link to the next."""
    entries = []
    for code in sorted(fields):
        one = fields[code]
        value = one.data.ljust(4, b"\0") if len(one.data) <= 4 else struct.pack("<I", out.put(one.data))
        entries.append(struct.pack("<HHI", code, one.type, one.count) + value)
    body = struct.pack("<H", len(entries)) + b"".join(entries)
    here = out.put(body + b"\0\0\0\0")
    return here, here + len(body)


def _shorts(code: int, *values: int) -> Field:
    return Field(code, ifd.SHORT, len(values), struct.pack(f"<{len(values)}H", *values))


def _longs(code: int, *values: int) -> Field:
    return Field(code, ifd.LONG, len(values), struct.pack(f"<{len(values)}I", *values))


def _rational(code: int, numerator: int, denominator: int) -> Field:
    while numerator > LARGEST or denominator > LARGEST:
        numerator, denominator = numerator // 10, denominator // 10
    return Field(code, ifd.RATIONAL, 1, struct.pack("<II", numerator, max(1, denominator)))
