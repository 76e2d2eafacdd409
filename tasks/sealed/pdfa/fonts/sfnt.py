"""Mending the tables of a damaged TrueType program so that it can be read; no outline is touched."""

from __future__ import annotations

import struct

TRUETYPE = (b"\0\1\0\0", b"true")
ENTRY = struct.Struct(">4sIII")
MAX_TABLES = 64
NEEDED = (b"maxp", b"hhea", b"head", b"loca")


def mend(data: bytes) -> bytes | None:
    """Returns the program with loca fitted to maxp and glyf, hmtx long enough and tables cut to the file.

    None when nothing was wrong. Raises ValueError when too little is left to mend.
    """
    try:
        tables, cut = _tables(data)
        mended = _mended(tables)
        return _write(data[:4], tables) if mended or cut else None
    except (struct.error, IndexError) as error:
        raise ValueError(f"font tables cannot be read: {error}") from error


def _tables(data: bytes) -> tuple[dict[bytes, bytearray], bool]:
    """Returns the tables, and whether one of them reached beyond the end of the program."""
    count = struct.unpack(">H", data[4:6])[0]
    if count > MAX_TABLES:
        raise ValueError(f"{count} font tables")
    found: dict[bytes, bytearray] = {}
    cut = False
    for i in range(count):
        tag, _, offset, length = ENTRY.unpack(data[12 + 16 * i : 28 + 16 * i])
        found[tag] = bytearray(data[offset : offset + length])
        cut = cut or len(found[tag]) < length
    return found, cut


def _mended(tables: dict[bytes, bytearray]) -> bool:
    """Mends in place; returns whether anything changed."""
    if any(tag not in tables for tag in NEEDED):
        return False
    glyphs = struct.unpack(">H", tables[b"maxp"][4:6])[0]
    changed = _mend_loca(tables, glyphs)
    return _mend_hmtx(tables, glyphs) or changed


def _mend_loca(tables: dict[bytes, bytearray], glyphs: int) -> bool:
    wide = struct.unpack(">h", tables[b"head"][50:52])[0] != 0
    size, unit = (4, 1) if wide else (2, 2)
    raw, end = tables[b"loca"], len(tables.get(b"glyf", b""))
    offsets = [int.from_bytes(raw[i : i + size], "big") * unit for i in range(0, len(raw) - size + 1, size)]
    offsets = (offsets + [offsets[-1] if offsets else 0] * (glyphs + 1))[: glyphs + 1]
    sound, previous = [], 0
    for offset in offsets:
        # Offsets must rise and stay in the table; a wrong one makes its glyph empty.
        previous = offset if previous <= offset <= end else previous
        sound.append(previous)
    written = bytearray(b"".join((offset // unit).to_bytes(size, "big") for offset in sound))
    tables[b"loca"] = written
    return written != raw


def _mend_hmtx(tables: dict[bytes, bytearray], glyphs: int) -> bool:
    metrics = struct.unpack(">H", tables[b"hhea"][34:36])[0]
    wanted = max(1, min(metrics, glyphs))
    if wanted != metrics:
        tables[b"hhea"][34:36] = struct.pack(">H", wanted)
    need = 4 * wanted + 2 * max(glyphs - wanted, 0)
    table = tables.setdefault(b"hmtx", bytearray())
    short = need - len(table)
    if short > 0:
        table.extend(bytes(short))
    return bool(wanted != metrics or short > 0)


def _write(version: bytes, tables: dict[bytes, bytearray]) -> bytes:
    power = len(tables).bit_length() - 1
    head = version + struct.pack(">4H", len(tables), 16 << power, power, 16 * len(tables) - (16 << power))
    entries, body, start = b"", b"", 12 + 16 * len(tables)
    for tag, table in sorted(tables.items()):
        padded = bytes(table) + bytes(-len(table) % 4)
        checksum = sum(struct.unpack(f">{len(padded) // 4}I", padded)) & 0xFFFFFFFF
        entries += ENTRY.pack(tag, checksum, start + len(body), len(table))
        body += padded
    return head + entries + body
