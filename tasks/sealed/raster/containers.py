"""Walks through the boxes, chunks and segments of picture files. Own code, bytes only: no picture library.

Each walker yields what is there and stops quietly where the file ends; `kind` names a file by its first bytes.
Sources: ITU T.81 (JPEG), PNG 3rd edition, RIFF and WebP container, ISO 15444-1 annex I (JP2), GIF89a, Windows BMP.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from tasks.premis.model import Trouble

TEXT_LIMIT = 16 << 20
"""Most bytes that a compressed text or profile inside a picture may grow to."""
JP2_SIGNATURE = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
SCAN = 0xDA
END = 0xD9


def kind(head: bytes) -> str:
    """The format that the first bytes name: png, jpeg, gif, webp, jp2, j2k, bmp, avif, tiff, or an empty string."""
    if head[8:12] == b"WEBP" and head[:4] == b"RIFF":
        return "webp"
    if head[4:8] == b"ftyp" and (b"avif" in head[8:64] or b"avis" in head[8:64]):
        return "avif"
    starts = {
        PNG_SIGNATURE: "png", b"\xff\xd8\xff": "jpeg", b"GIF87a": "gif", b"GIF89a": "gif", JP2_SIGNATURE: "jp2",
        b"\xff\x4f\xff\x51": "j2k", b"BM": "bmp",
        b"II*\0": "tiff", b"MM\0*": "tiff", b"II+\0": "tiff", b"MM\0+": "tiff",
    }  # fmt: skip
    return next((name for start, name in starts.items() if head.startswith(start)), "")


def inflate(data: bytes) -> bytes:
    """A zlib stream inside a picture, unpacked; Trouble `bomb-suspected` beyond TEXT_LIMIT."""
    engine = zlib.decompressobj()
    out = engine.decompress(data, TEXT_LIMIT)
    if engine.unconsumed_tail:
        ratio = TEXT_LIMIT // max(1, len(data))
        raise Trouble("bomb-suspected", ratio=str(ratio), size=f"more than {TEXT_LIMIT >> 20} MB")
    return out


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(type, content) of each chunk up to IEND; Trouble `source-damaged` where a checksum is wrong."""
    at = len(PNG_SIGNATURE)
    while at + 12 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + size]
        sealed = data[at + 8 + size : at + 12 + size]
        if len(sealed) < 4:
            raise Trouble("source-damaged", what=f"the file ends inside its {name.decode('latin-1')} chunk")
        if zlib.crc32(name + body) != int.from_bytes(sealed, "big"):
            raise Trouble("source-damaged", what=f"checksum of a {name.decode('latin-1')} chunk")
        yield name, body
        if name == b"IEND":
            return
        at += 12 + size


def jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(marker, content) of each segment up to the first scan."""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return
        marker = data[at + 1]
        if marker == 0xFF or marker in STANDALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in (SCAN, END):
            return
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        if size < 2:
            return
        yield marker, data[at + 4 : at + 2 + size]
        at += 2 + size


def jpeg_end(data: bytes) -> int | None:
    """Where the first picture of a JPEG ends (behind EOI), or None when its end is missing."""
    at = 2
    while at + 2 <= len(data):
        if data[at] != 0xFF:
            at = data.find(b"\xff", at)  # inside a scan
            if at < 0:
                return None
            continue
        marker = data[at + 1]
        if marker == END:
            return at + 2
        if marker == 0xFF:
            at += 1
        elif marker == 0 or marker in STANDALONE:
            at += 2
        else:
            at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
    return None


def riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(FourCC, content) of each chunk of a WebP file."""
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        yield name, data[at + 8 : at + 8 + size]
        at += 8 + size + (size & 1)


def jp2_boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """(type, first byte of the content, end) of each box between `start` and `end`."""
    stop = len(data) if end is None else min(end, len(data))
    at = start
    while at + 8 <= stop:
        size, name = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1 and at + 16 <= stop:
            size, head = struct.unpack_from(">Q", data, at + 8)[0], 16
        if size == 0:
            size = stop - at
        if size < head:
            return
        yield name, at + head, min(at + size, stop)
        at += size


def jp2_codestream(data: bytes) -> bytes:
    """The JPEG 2000 codestream of a JP2 file, or the file itself when it is a bare codestream."""
    return next((data[a:b] for name, a, b in jp2_boxes(data) if name == b"jp2c"), data)


def gif_blocks(data: bytes) -> Iterator[tuple[str, bytes]]:
    """("comment" | "application" | "text" | "control" | "picture", content) of each block of a GIF."""
    at = 13 + (3 << ((data[10] & 7) + 1) if len(data) > 10 and data[10] & 0x80 else 0)
    labels = {0xFE: "comment", 0xFF: "application", 0x01: "text", 0xF9: "control"}
    while at < len(data):
        if data[at] == 0x21 and at + 2 <= len(data):
            name = labels.get(data[at + 1], "other")
            at += 2
        elif data[at] == 0x2C and at + 10 <= len(data):
            flags = data[at + 9]
            name = "picture"
            at += 11 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
        else:
            return
        parts = []
        while at < len(data) and data[at]:
            parts.append(data[at + 1 : at + 1 + data[at]])
            at += 1 + data[at]
        at += 1
        yield name, b"".join(parts)
