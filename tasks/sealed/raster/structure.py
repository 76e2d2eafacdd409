"""Is a file a sound TIFF 6.0 of our profile? An own reader that shares no code with the writer.

Source: TIFF 6.0 (Adobe, 1992), part 1 (baseline) and sections 16 (CMYK), 18 (ExtraSamples),
19 (SampleFormat), 23 (CIELab).
Asked: classic header, directories and values on word boundaries and inside the file, ascending codes, the required
fields, strips (no tiles, no planes) of the exact size, nothing overlapping anything else.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

TYPE_SIZES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8)
REQUIRED = {256: "ImageWidth", 257: "ImageLength", 262: "PhotometricInterpretation", 273: "StripOffsets",
            278: "RowsPerStrip", 279: "StripByteCounts", 282: "XResolution", 283: "YResolution"}  # fmt: skip
INKS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 8: 3, 9: 3}
DEPTHS = {0: (1, 4, 8, 16), 1: (1, 4, 8, 16, 32, 64), 2: (8, 16, 32), 3: (4, 8, 16), 5: (8, 16), 8: (8, 16), 9: (8, 16)}
FORBIDDEN = {322: "tiles", 323: "tiles", 324: "tiles", 325: "tiles", 512: "old-style JPEG", 347: "JPEG tables", 266: ""}
POINTERS = {34665: "EXIF", 34853: "GPS", 40965: "interoperability"}
MOST_PROBLEMS = 20
SPAN_MOST = 200_000


@dataclass(slots=True)
class Sound:
    """What one reading found: `problems` in plain words, `spans` of the file that are spoken for, pages counted."""

    size: int
    problems: list[str] = field(default_factory=list)
    spans: list[tuple[int, int, str]] = field(default_factory=list)
    pages: int = 0

    def say(self, what: str) -> None:
        """Notes a problem, the first twenty of them."""
        if len(self.problems) < MOST_PROBLEMS and what not in self.problems:
            self.problems.append(what)

    def claim(self, start: int, length: int, what: str) -> bool:
        """Notes a span; False, with a problem, when it does not lie in the file."""
        if start < 8 or start + length > self.size:
            self.say(f"{what} at byte {start} lies outside the file")
            return False
        self.spans.append((start, start + length, what))
        return True


@dataclass(frozen=True, slots=True)
class Entry:
    """A field with its values as plain integers (rationals flat), or raw text for ASCII."""

    kind: int
    values: tuple[int, ...]
    text: bytes = b""


def problems(path: Path, *, compressions: tuple[int, ...] = (1, 8)) -> tuple[list[str], int]:
    """What is wrong with the file (empty: nothing), and how many pages it has."""
    found = Sound(path.stat().st_size)
    with path.open("rb") as file:
        head = file.read(8)
        if head[:4] not in (b"II*\0", b"MM\0*"):
            return ["no header of a classic TIFF"], 0
        mark = "<" if head[:2] == b"II" else ">"
        at = struct.unpack(mark + "I", head[4:])[0]
        seen: set[int] = set()
        while at:
            if at in seen or len(seen) > 65_535:
                found.say("the chain of directories never ends")
                break
            seen.add(at)
            read = _entries(file, at, mark, found, f"directory {len(seen)}")
            if read is None:
                break
            entries, at = read
            found.pages += 1
            _page(entries, found, compressions)
            _children(file, entries, mark, found)
    if not found.pages:
        found.say("no directory")
    _overlaps(found)
    return found.problems, found.pages


def _entries(file: BinaryIO, at: int, mark: str, found: Sound, name: str) -> tuple[dict[int, Entry], int] | None:
    if at % 2:
        found.say(f"{name} does not begin on a word")
    if at < 8 or at + 2 > found.size:
        found.say(f"{name} at byte {at} lies outside the file")
        return None
    file.seek(at)
    count = struct.unpack(mark + "H", file.read(2))[0]
    body = file.read(12 * count + 4)
    if not count or len(body) < 12 * count + 4:
        found.say(f"{name} is cut or empty")
        return None
    found.claim(at, 2 + len(body), name)
    entries: dict[int, Entry] = {}
    last = -1
    for start in range(0, 12 * count, 12):
        code, kind, number = struct.unpack_from(mark + "HHI", body, start)
        if code <= last:
            found.say(f"field {code} is out of order or double")
        last = code
        one = _entry(file, body[start + 8 : start + 12], code, kind, number, mark, found)
        if one is not None:
            entries[code] = one
    return entries, struct.unpack_from(mark + "I", body, 12 * count)[0]


def _entry(file: BinaryIO, inline: bytes, code: int, kind: int, number: int, mark: str, found: Sound) -> Entry | None:
    if not 1 <= kind <= 12:
        found.say(f"field {code} has the type {kind}, which TIFF 6.0 does not know")
        return None
    length = TYPE_SIZES[kind] * number
    if not length:
        found.say(f"field {code} is empty")
        return None
    data = inline[:length]
    if length > 4:
        at = struct.unpack(mark + "I", inline)[0]
        if at % 2:
            found.say(f"the value of field {code} does not begin on a word")
        if not found.claim(at, length, f"the value of field {code}"):
            return None
        if kind in (1, 6, 7, 11, 12):
            return Entry(kind, ())  # opaque, and perhaps long
        file.seek(at)
        data = file.read(length)
    if kind == 2:
        if not data.endswith(b"\0"):
            found.say(f"the text of field {code} has no end")
        return Entry(kind, (), data)
    letter = {1: "B", 3: "H", 4: "I", 5: "I", 6: "b", 7: "B", 8: "h", 9: "i", 10: "i"}.get(kind)
    if letter is None:
        return Entry(kind, ())
    units = number * (2 if kind in (5, 10) else 1)
    values = struct.unpack(f"{mark}{units}{letter}", data)
    if kind in (5, 10) and code in (282, 283) and 0 in values:
        found.say(f"field {code} is zero or divides by zero")
    return Entry(kind, values)


def _page(entries: dict[int, Entry], found: Sound, compressions: tuple[int, ...]) -> None:
    def value(code: int, default: int = 0) -> int:
        held = entries.get(code)
        return held.values[0] if held and held.values else default

    for code, name in REQUIRED.items():
        if code not in entries:
            found.say(f"{name} is missing")
    for code, name in FORBIDDEN.items():
        if code in entries and (name or value(code) != 1):
            found.say(f"{name or 'FillOrder other than 1'} not allowed")
    if value(259, 1) not in compressions:
        found.say(f"compression {value(259, 1)}")
    if value(284, 1) != 1:
        found.say("samples in planes")
    if value(296, 2) not in (1, 2, 3):
        found.say(f"ResolutionUnit {value(296)}")
    if not 1 <= value(274, 1) <= 8:
        found.say(f"Orientation {value(274)}")
    bits = _samples(entries, value(262, -1), value(277, 1), found)
    width, height, rows = value(256), value(257), value(278)
    if min(width, height, rows) < 1:
        found.say(f"a picture of {width} by {height} pixels in strips of {rows} rows")
    elif bits:
        _strips(entries, (width * bits + 7) // 8, height, min(rows, height), value(259, 1) == 1, found)


def _samples(entries: dict[int, Entry], photometric: int, samples: int, found: Sound) -> int:
    """Bits a pixel, 0 when the fields contradict each other."""
    if photometric not in INKS:
        found.say(f"PhotometricInterpretation {photometric}")
        return 0
    depth = entries[258].values if 258 in entries else (1,)
    if len(depth) != samples or len(set(depth)) != 1:
        found.say(f"BitsPerSample {depth[:8]} for {samples} samples")
        return 0
    if depth[0] not in DEPTHS[photometric]:
        found.say(f"{depth[0]} bits with PhotometricInterpretation {photometric}")
    surplus = len(entries[338].values) if 338 in entries else 0
    if samples != INKS[photometric] + surplus:
        found.say(f"{samples} samples where {INKS[photometric]} and {surplus} extra are told")
    if photometric == 3:
        colours = len(entries[320].values) if 320 in entries else 0
        if colours != 3 << depth[0]:
            found.say(f"a ColorMap of {colours} values for {depth[0]} bits")
    if photometric == 5 and 332 in entries and entries[332].values[:1] != (1,):
        found.say("inks other than CMYK")
    form = entries[339].values if 339 in entries else (1,) * samples
    if len(form) != samples or len(set(form)) != 1 or form[0] not in (1, 2, 3):
        found.say(f"SampleFormat {form[:8]}")
    return depth[0] * samples


def _strips(entries: dict[int, Entry], row: int, height: int, rows: int, plain: bool, found: Sound) -> None:
    offsets, counts = (entries[code].values if code in entries else () for code in (273, 279))
    need = -(-height // rows)
    if len(offsets) != need or len(counts) != need:
        found.say(f"{len(offsets)} strips and {len(counts)} sizes where {need} are needed")
        return
    for number, (offset, count) in enumerate(zip(offsets, counts, strict=True)):
        if number < SPAN_MOST:
            found.claim(offset, count, f"strip {number}")
        want = row * min(rows, height - number * rows)
        if not count or (plain and count != want):
            found.say(f"strip {number} has {count} bytes where {want} are needed")


def _children(file: BinaryIO, entries: dict[int, Entry], mark: str, found: Sound) -> None:
    for code, at in _pointers(entries):
        read = _entries(file, at, mark, found, f"the {POINTERS[code]} directory")
        if read and code == 34665:
            for inner, below in _pointers(read[0]):
                if inner == 40965:
                    _entries(file, below, mark, found, "the interoperability directory")


def _pointers(entries: dict[int, Entry]) -> Iterator[tuple[int, int]]:
    for code in POINTERS:
        if code in entries and entries[code].values:
            yield code, entries[code].values[0]


def _overlaps(found: Sound) -> None:
    spans = sorted(found.spans)
    for (_, end, one), (start, _, other) in pairwise(spans):
        if start < end:
            found.say(f"{one} and {other} overlap")
