"""A small grey PNG that sealed code made, checked before a page carries it: that code has met hostile bytes.

One form is let through, so that no reader of a page meets another: the header, one piece of data, the end; 4 bits of
grey a pixel; data that unpack to just as many bytes as the header promises (ISO 15948, 5 and 11.2).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

SIGNATURE = b"\x89PNG\r\n\x1a\n"
FORM = bytes((4, 0, 0, 0, 0))
"""4 bits, grey, deflate, the five filters, not interlaced."""
FILTERS = 5
NAMES = (b"IHDR", b"IDAT", b"IEND")
FRAME = 12
"""Bytes of a chunk around its data: length, name, CRC."""


def most(width: int, height: int) -> int:
    """How many bytes such a PNG of this size has at most: packed by deflate, noise grows by less than a hundredth."""
    raw = height * (1 + (width + 1) // 2)
    return raw + raw // 100 + 200


def size(data: bytes, width: int, height: int) -> tuple[int, int]:
    """Width and height in pixels of a PNG of the one form, at most `width` by `height`; ValueError for all else."""
    if len(data) > most(width, height):
        raise ValueError("too long")
    head, packed, end = _chunks(data)
    if len(head) != 8 + len(FORM) or head[8:] != FORM or end:
        raise ValueError("another form of PNG")
    across, down = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:8], "big")
    if not (1 <= across <= width and 1 <= down <= height):
        raise ValueError(f"{across} by {down} pixels")
    row = 1 + (across + 1) // 2
    if any(kind >= FILTERS for kind in _unpacked(packed, down * row)[::row]):
        raise ValueError("a filter that does not exist")
    return across, down


def _chunks(data: bytes) -> Sequence[bytes]:
    """The data of the three chunks that there must be."""
    if not data.startswith(SIGNATURE):
        raise ValueError("not a PNG")
    found, at = [], len(SIGNATURE)
    for name in NAMES:
        length = int.from_bytes(data[at : at + 4], "big")
        inside = data[at + 8 : at + 8 + length]
        if data[at + 4 : at + 8] != name or len(inside) != length:
            raise ValueError(f"no {name.decode()} of {length} bytes")
        if data[at + 8 + length : at + FRAME + length] != zlib.crc32(name + inside).to_bytes(4, "big"):
            raise ValueError(f"{name.decode()} has another CRC")
        found.append(inside)
        at += FRAME + length
    if at != len(data):
        raise ValueError("something follows the end")
    return found


def _unpacked(packed: bytes, wanted: int) -> bytes:
    unpacking = zlib.decompressobj()
    try:
        raw = unpacking.decompress(packed, wanted + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if len(raw) != wanted or not unpacking.eof or unpacking.unused_data:
        raise ValueError(f"not {wanted} bytes of pixels")
    return raw
