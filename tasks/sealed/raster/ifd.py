"""Reads image file directories, of TIFF files and of EXIF blocks, for their metadata. Never raises on bad values.

Source: TIFF 6.0 section 2, EXIF 2.32 section 4.6. Values come back as little-endian bytes, whatever the file's order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, IFD = 1, 2, 3, 4, 5, 7, 13
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Bytes of each field type; BigTIFF's own types (16 to 18) are not read."""
WORDS = {3: 2, 8: 2, 4: 4, 5: 4, 9: 4, 10: 4, 11: 4, 13: 4, 12: 8}
"""Bytes of the unit that byte order turns round."""
VALUE_LIMIT = 64 << 20
MOST_ENTRIES = 4096


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `data` is little-endian and exactly `count` values long."""

    code: int
    type: int
    count: int
    data: bytes

    def numbers(self) -> list[int]:
        """The values of an integer field; rationals as numerator, denominator, …; empty for other types."""
        size = WORDS.get(self.type, 1 if self.type in (1, 6, 7) else 0)
        signed = self.type in (6, 8, 9, 10)
        if not size or self.type in (11, 12):
            return []
        parts = (self.data[at : at + size] for at in range(0, len(self.data), size))
        return [int.from_bytes(part, "little", signed=signed) for part in parts]

    def text(self) -> str:
        """The value of an ASCII field without its closing NUL."""
        return self.data.split(b"\0", 1)[0].decode("utf-8", "replace")


Directory = dict[int, Field]


def order(block: bytes) -> str:
    """`little` or `big` of a TIFF header, empty when there is none."""
    return {b"II": "little", b"MM": "big"}.get(block[:2], "")


def directories(block: bytes) -> list[Directory]:
    """The chain of directories of a classic TIFF file or EXIF block; endless chains and broken offsets end it."""
    name = order(block)
    if not name or int.from_bytes(block[2:4], name) != 42:  # type: ignore[arg-type]
        return []
    found: list[Directory] = []
    seen: set[int] = set()
    at = int.from_bytes(block[4:8], name)  # type: ignore[arg-type]
    while at and at not in seen and len(seen) < MOST_ENTRIES * 8:
        seen.add(at)
        read = directory(block, at, name)
        if read is None:
            break
        found.append(read[0])
        at = read[1]
    return found


def directory(block: bytes, at: int, name: str) -> tuple[Directory, int] | None:
    """One directory and the offset of the next, or None when it does not lie in the block."""
    if at < 8 or at + 2 > len(block):
        return None
    count = _number(block[at : at + 2], name)
    if not 0 < count <= MOST_ENTRIES or at + 2 + 12 * count > len(block):
        return None
    fields: Directory = {}
    for start in range(at + 2, at + 2 + 12 * count, 12):
        one = _field(block, start, name)
        if one is not None:
            fields.setdefault(one.code, one)
    after = at + 2 + 12 * count
    return fields, _number(block[after : after + 4], name)


def sub(block: bytes, pointer: Field | None) -> Directory:
    """The directory that a pointer field (EXIF, GPS, interoperability) names; empty when it is not there."""
    places: Sequence[int] = pointer.numbers() if pointer else ()
    read = directory(block, places[0], order(block)) if places else None
    return read[0] if read else {}


def _number(data: bytes, name: str) -> int:
    return int.from_bytes(data, "little" if name == "little" else "big")


def _field(block: bytes, start: int, name: str) -> Field | None:
    code, kind = _number(block[start : start + 2], name), _number(block[start + 2 : start + 4], name)
    count = _number(block[start + 4 : start + 8], name)
    length = SIZES.get(kind, 0) * count
    if not 0 < length <= VALUE_LIMIT:
        return None
    at = start + 8 if length <= 4 else _number(block[start + 8 : start + 12], name)
    data = block[at : at + length]
    if len(data) < length:
        return None
    return Field(code, kind, count, _little(data, kind) if name == "big" else data)


def _little(data: bytes, kind: int) -> bytes:
    size = WORDS.get(kind, 1)
    return data if size == 1 else np.frombuffer(data, f">u{size}").astype(f"<u{size}").tobytes()
