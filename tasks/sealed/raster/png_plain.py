"""Our own small PNG reader, the second opinion on every PNG: zlib and numpy, no picture library.

Source: W3C PNG Specification, third edition. Every colour type and depth, Adam7, palettes and colour keys; the
filters Sub and Up run over whole rows, Average and Paeth pixel by pixel.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np

from tasks.premis.model import Trouble
from tasks.sealed.raster.containers import PNG_SIGNATURE, png_chunks
from tasks.sealed.raster.frame import Array, Budget, Frame, Space, frame, widen

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""x, y, step x, step y of the seven passes."""


@dataclass(frozen=True, slots=True)
class Header:
    """IHDR."""

    width: int
    height: int
    bits: int
    colour: int
    interlaced: bool

    @property
    def channels(self) -> int:
        """Samples a pixel."""
        return CHANNELS[self.colour]


def header(body: bytes) -> Header:
    """The IHDR chunk; Trouble `source-damaged` when it makes no sense."""
    if len(body) != 13:
        raise Trouble("source-damaged", what="PNG header of a wrong length")
    width, height, bits, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
    if colour not in CHANNELS or bits not in (1, 2, 4, 8, 16) or (bits < 8 and colour not in (0, 3)):
        raise Trouble("source-damaged", what=f"PNG header with colour type {colour} of {bits} bits")
    return Header(width, height, bits, colour, bool(interlace))


def read(data: bytes, budget: Budget) -> Frame:
    """The still picture of a PNG (a moving one's default picture)."""
    if not data.startswith(PNG_SIGNATURE):
        raise Trouble("source-damaged", what="no PNG signature")
    chunks: dict[bytes, bytes] = {}
    packed: list[bytes] = []
    for name, body in png_chunks(data):
        if name == b"IDAT":
            packed.append(body)
        else:
            chunks.setdefault(name, body)
    head = header(chunks.get(b"IHDR", b""))
    budget.take(head.width, head.height, head.channels, max(8, head.bits))
    samples = _samples(head, b"".join(packed))
    return _meaning(head, samples, chunks.get(b"PLTE", b""), chunks.get(b"tRNS"))


def _samples(head: Header, packed: bytes) -> Array:
    passes = ADAM7 if head.interlaced else ((0, 0, 1, 1),)
    sizes = [(-(-(head.width - x) // dx), -(-(head.height - y) // dy)) for x, y, dx, dy in passes]
    row = [(w * head.channels * head.bits + 7) // 8 for w, _ in sizes]
    need = sum((1 + r) * h for r, (w, h) in zip(row, sizes, strict=True) if w > 0 and h > 0)
    raw = zlib.decompressobj().decompress(packed, need) if need else b""
    if len(raw) < need:
        raise Trouble("source-damaged", what=f"{len(raw)} of {need} bytes of pixels are there")
    out = np.zeros((head.height, head.width, head.channels), np.uint16 if head.bits == 16 else np.uint8)
    at = 0
    for (x, y, dx, dy), (w, h), r in zip(passes, sizes, row, strict=True):
        if w <= 0 or h <= 0:
            continue
        lines = np.frombuffer(raw, np.uint8, (1 + r) * h, at).reshape(h, 1 + r)
        at += (1 + r) * h
        plain = _unfilter(lines, max(1, head.channels * head.bits // 8))
        out[y::dy, x::dx] = _unpack(plain, head, w)
    return out


def _unfilter(lines: Array, step: int) -> Array:
    rows = np.zeros((lines.shape[0], lines.shape[1] - 1), np.uint8)
    above = np.zeros(lines.shape[1] - 1, np.uint8)
    for number, line in enumerate(lines):
        method, packed = int(line[0]), line[1:]
        if method == 0:
            plain = packed
        elif method == 1:
            plain = _running(packed, step)
        elif method == 2:
            plain = packed + above
        elif method in (3, 4):
            plain = _by_pixel(packed.tobytes(), above.tobytes(), step, method)
        else:
            raise Trouble("source-damaged", what=f"PNG filter {method}")
        rows[number] = plain
        above = rows[number]
    return rows


def _running(packed: Array, step: int) -> Array:
    padded = np.zeros(-(-len(packed) // step) * step, np.uint8)
    padded[: len(packed)] = packed
    summed = np.cumsum(padded.reshape(-1, step), axis=0, dtype=np.uint64).astype(np.uint8)
    return summed.reshape(-1)[: len(packed)]


def _by_pixel(packed: bytes, above: bytes, step: int, method: int) -> Array:
    out = bytearray(len(packed) + step)
    upper = bytes(step) + above
    for at, value in enumerate(packed):
        left, up = out[at], upper[at + step]
        if method == 3:
            guess = (left + up) >> 1
        else:
            corner = upper[at]
            to_left, to_up, to_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
            guess = left if to_left <= to_up and to_left <= to_corner else up if to_up <= to_corner else corner
        out[at + step] = (value + guess) & 0xFF
    return np.frombuffer(bytes(out[step:]), np.uint8)


def _unpack(rows: Array, head: Header, width: int) -> Array:
    if head.bits == 16:
        return np.ascontiguousarray(rows).view(">u2").astype(np.uint16).reshape(rows.shape[0], width, head.channels)
    if head.bits == 8:
        return rows.reshape(rows.shape[0], width, head.channels)
    single = np.unpackbits(rows, axis=1).reshape(rows.shape[0], -1, head.bits)
    weights = (1 << np.arange(head.bits - 1, -1, -1)).astype(np.uint8)
    return (single @ weights).astype(np.uint8)[:, :width, None]


def _meaning(head: Header, samples: Array, colours: bytes, clear: bytes | None) -> Frame:
    if head.colour == 3:
        table = np.frombuffer(colours[: len(colours) // 3 * 3], np.uint8).reshape(-1, 3)
        if samples.size and int(samples.max()) >= len(table):
            raise Trouble("source-damaged", what="a pixel names a colour that its palette lacks")
        if clear is None:
            return Frame(samples, Space.PALETTE, 8, head.bits, palette=table.astype(np.uint16) * 257)
        alpha = np.full(len(table), 255, np.uint8)
        alpha[: len(clear)] = np.frombuffer(clear, np.uint8)[: len(table)]
        return frame(np.concatenate([table, alpha[:, None]], axis=1)[samples[..., 0]], source_bits=8)
    key = None
    if clear is not None and head.colour in (0, 2):
        wanted = np.frombuffer(clear, ">u2").astype(np.uint16)
        key = np.all(samples == wanted[: head.channels], axis=2)
    if head.bits == 1 and key is None:
        return Frame(samples, Space.GRAY, 1, 1)
    wide = samples * np.uint8(255) if head.bits == 1 else widen(samples, head.bits)
    if key is not None:
        top = np.iinfo(wide.dtype).max
        wide = np.concatenate([wide, np.where(key, 0, top).astype(wide.dtype)[..., None]], axis=2)
    return frame(wide, source_bits=head.bits)
