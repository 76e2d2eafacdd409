"""The pixels of any supported picture, exactly, for the master: the first of the two readings.

imagecodecs decodes PNG, JPEG 2000 and deep AVIF, tifffile decodes TIFF, Pillow the formats of 8 bits (it would cut
16-bit RGB to 8 bits without a word). The second reading, by another library, is `second.py`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image, ImageFile

from tasks.premis.model import Trouble
from tasks.sealed.raster import containers, png_plain, tiff_source
from tasks.sealed.raster.frame import Array, Budget, Frame, Space, frame, reading, unsupported, widen

LIBRARIES = ("imagecodecs", "tifffile", "Pillow")
READERS = {
    "png": "imagecodecs", "png palette": "Pillow", "apng": "Pillow", "jpeg": "Pillow", "deep jpeg": "imagecodecs",
    "jp2": "imagecodecs", "j2k": "imagecodecs", "webp": "Pillow", "gif": "Pillow", "bmp": "Pillow",
    "avif": "imagecodecs",
}  # fmt: skip

FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""SOF0 to SOF15 of ITU T.81: all but DHT, JPG and DAC."""
PRECISIONS = range(2, 17)
"""Bits of a sample that any process of ITU T.81 allows."""
PLAIN_MARKERS = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
"""Sequential and progressive, Huffman and arithmetic coding."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture about to be read: its kind, the library that reads it, its number of frames, and these in turn."""

    kind: str
    library: str
    count: int
    frames: Iterator[Frame]


def picture(path: Path, budget: Budget) -> Picture:
    """Opens a picture by its content. Troubles: `source-damaged`, `bomb-suspected` (also while the frames are read)."""
    with path.open("rb") as file:
        kind = containers.kind(file.read(64))
    if not kind:
        raise Trouble("source-damaged", what="no picture of a known kind begins here")
    open_pillow()
    if kind == "tiff":
        return Picture(kind, *tiff_source.described(path), tiff_source.frames(path, budget))
    data = path.read_bytes()
    if kind in ("png", "jpeg"):
        kind = png_kind(data) if kind == "png" else jpeg_kind(data)
    makers: dict[str, Callable[[bytes, Budget], Iterator[Frame]]] = {
        "png": _png, "png palette": _png_palette, "apng": composed, "jpeg": _still, "deep jpeg": _deep_jpeg,
        "jp2": _jpeg2000, "j2k": _jpeg2000, "webp": composed, "gif": composed, "bmp": _still, "avif": _avif,
    }  # fmt: skip
    return Picture(kind, READERS[kind], _count(kind, data), _guarded(kind, makers[kind](data, budget)))


def open_pillow() -> None:
    """Pillow as we want it in this job: our own limit instead of its, and nothing made up for files that are cut."""
    Image.MAX_IMAGE_PIXELS = None
    ImageFile.LOAD_TRUNCATED_IMAGES = False


def _count(kind: str, data: bytes) -> int:
    if kind not in ("gif", "webp", "apng", "avif"):
        return 1
    with reading(kind.upper()), Image.open(io.BytesIO(data)) as image:
        return int(getattr(image, "n_frames", 1))


def _guarded(kind: str, frames: Iterator[Frame]) -> Iterator[Frame]:
    with reading(kind.upper()):
        yield from frames


def png_kind(data: bytes) -> str:
    """`apng` when several frames move, `png palette` for opaque palettes and black and white, else `png`."""
    chunks = dict(containers.png_chunks(data))
    if int.from_bytes(chunks.get(b"acTL", b"")[:4], "big") > 1:
        return "apng"
    head = png_plain.header(chunks.get(b"IHDR", b""))
    few = head.colour == 3 or (head.colour == 0 and head.bits == 1)
    return "png palette" if few and b"tRNS" not in chunks else "png"


def _png(data: bytes, budget: Budget) -> Iterator[Frame]:
    head = png_plain.header(dict(containers.png_chunks(data)).get(b"IHDR", b""))
    budget.take(head.width, head.height, head.channels, max(8, head.bits))
    yield frame(_array(imagecodecs.png_decode(data)), source_bits=head.bits)


def _png_palette(data: bytes, budget: Budget) -> Iterator[Frame]:
    for one in _still(data, budget):
        yield replace(one, source_bits=png_plain.header(dict(containers.png_chunks(data))[b"IHDR"]).bits)


def jpeg_kind(data: bytes) -> str:
    """`deep jpeg` for what Pillow does not read (12 bits, lossless), else `jpeg`."""
    head = jpeg_header(data)
    return "jpeg" if head.marker in PLAIN_MARKERS and head.bits == 8 else "deep jpeg"


def _deep_jpeg(data: bytes, budget: Budget) -> Iterator[Frame]:
    head = jpeg_header(data)  # imagecodecs does not tell when such a file is cut
    budget.take(head.width, head.height, head.channels, 8 if head.bits == 8 else 16)
    if containers.jpeg_end(data) is None:
        raise Trouble("source-damaged", what="the file ends before its picture does")
    samples = widen(_array(imagecodecs.jpeg_decode(data)), head.bits)
    yield frame(samples, Space.CMYK if head.channels == 4 else None, source_bits=head.bits)


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """SOF of a JPEG (ITU T.81, B.2.2)."""

    marker: int
    bits: int
    width: int
    height: int
    channels: int


def jpeg_header(data: bytes) -> JpegHeader:
    """The first frame header; Trouble `source-damaged` when there is none."""
    for marker, body in containers.jpeg_segments(data):
        if marker in FRAME_MARKERS and len(body) >= 6:
            if body[0] not in PRECISIONS:
                raise Trouble("source-damaged", what=f"JPEG of {body[0]} bits")
            return JpegHeader(
                marker, body[0], int.from_bytes(body[3:5], "big"), int.from_bytes(body[1:3], "big"), body[5]
            )
    raise Trouble("source-damaged", what="JPEG without a frame header")


def _jpeg2000(data: bytes, budget: Budget) -> Iterator[Frame]:
    stream = containers.jp2_codestream(data)
    siz = jp2_size(stream)
    _demand_one_size(data[: max(0, data.find(b"jp2c"))], siz)
    budget.take(siz.width, siz.height, siz.channels, 8 if siz.bits <= 8 else 16)
    # Given the boxes, imagecodecs turns pixels with a restricted ICC profile into sRGB; a master keeps them as stored.
    whole = jp2_needs_boxes(data)
    samples = widen(_array(imagecodecs.jpeg2k_decode(data if whole else stream)), 8 if whole else siz.bits)
    yield frame(samples, Space.CMYK if jp2_is_cmyk(data) else None, source_bits=siz.bits)


def _demand_one_size(boxes: bytes, siz: Size) -> None:
    """The header box of a single picture says what its codestream says (ISO 15444-1, I.5.3.1), or one of them lies."""
    at = boxes.find(b"jp2h")
    if at < 0 or boxes[at + 8 : at + 12] != b"ihdr" or b"jpch" in boxes:
        return
    height, width = (int.from_bytes(boxes[at + 12 + n : at + 16 + n], "big") for n in (0, 4))
    if (width, height) != (siz.width, siz.height):
        raise Trouble("source-damaged", what=f"header of {width} by {height}, picture of {siz.width} by {siz.height}")


@dataclass(frozen=True, slots=True)
class Size:
    """SIZ marker of a JPEG 2000 codestream, and whether its wavelet loses (9/7, COD)."""

    width: int
    height: int
    channels: int
    bits: int
    lossy: bool


def jp2_size(stream: bytes) -> Size:
    """Size, depth and wavelet of a codestream (ISO 15444-1, A.5.1 and A.6.1)."""
    if stream[2:4] != b"\xff\x51" or len(stream) < 45:
        raise Trouble("source-damaged", what="JPEG 2000 codestream without SIZ")
    x1, y1, x0, y0 = (int.from_bytes(stream[at : at + 4], "big") for at in (8, 12, 16, 20))
    channels = int.from_bytes(stream[40:42], "big")
    bits = (stream[42] & 0x7F) + 1
    cod = stream.find(b"\xff\x52", 42, 65536)
    lossy = cod > 0 and len(stream) > cod + 13 and stream[cod + 13] == 0
    return Size(x1 - x0, y1 - y0, channels, bits, lossy)


def _jp2_header(data: bytes) -> dict[bytes, bytes]:
    """The first box of each type in the JP2 header."""
    found: dict[bytes, bytes] = {}
    for name, start, end in containers.jp2_boxes(data):
        if name == b"jp2h":
            for inner, at, stop in containers.jp2_boxes(data, start, end):
                found.setdefault(inner, data[at:stop])
    return found


def jp2_is_cmyk(data: bytes) -> bool:
    """Whether the colr box says CMYK, by number (12) or by its profile."""
    body = _jp2_header(data).get(b"colr", b"")
    return body[3:7] == b"\0\0\0\x0c" if body[:1] == b"\x01" else body[19:23] == b"CMYK"


def jp2_needs_boxes(data: bytes) -> bool:
    """Whether the samples mean nothing without the header: a palette, or sYCC (18)."""
    header = _jp2_header(data)
    return b"pclr" in header or header.get(b"colr", b"")[:7:6] == b"\x01\x12"


def _avif(data: bytes, budget: Budget) -> Iterator[Frame]:
    with Image.open(io.BytesIO(data)) as image:  # reads the header only
        count = getattr(image, "n_frames", 1)
        for _ in range(count):
            budget.take(*image.size, 4, 16)
    samples = _array(imagecodecs.avif_decode(data))
    bits = av1_bits(data) or samples.dtype.itemsize * 8
    still = samples if count > 1 else samples[None]
    for one in still:
        yield frame(widen(one, bits), source_bits=bits)


def av1_bits(data: bytes) -> int:
    """Bits a sample of an AVIF picture (av1C box: high_bitdepth, twelve_bit); 0 when the box is missing."""
    at = data.find(b"av1C")
    if at < 0 or at + 7 > len(data):
        return 0
    flags = data[at + 6]
    return 8 if not flags & 0x40 else 12 if flags & 0x20 else 10


def _still(data: bytes, budget: Budget) -> Iterator[Frame]:
    with Image.open(io.BytesIO(data)) as image:
        yield _pillow_frame(image, budget)


def composed(data: bytes, budget: Budget) -> Iterator[Frame]:
    """The frames of a GIF, PNG or WebP as Pillow shows them: one alone as it is, several as RGB or RGBA."""
    with Image.open(io.BytesIO(data)) as image:
        count = getattr(image, "n_frames", 1)
        if count == 1 and "transparency" not in image.info:
            yield _pillow_frame(image, budget)
            return
        for number in range(count):
            budget.take(*image.size, 4, 8)
            image.seek(number)
            pixels = np.array(image.convert("RGBA"))
            if image.format == "GIF":
                pixels = seen(pixels)
            yield frame(pixels)


def seen(pixels: Array) -> Array:
    """A frame of a GIF: without alpha where all is opaque; a transparent place has no colour of its own."""
    if pixels.shape[-1] == 3 or pixels[..., 3].min() == 255:
        return np.ascontiguousarray(pixels[..., :3])
    return np.where(pixels[..., 3:] == 0, 0, pixels).astype(np.uint8)


def _pillow_frame(image: Image.Image, budget: Budget) -> Frame:
    budget.take(*image.size, len(image.getbands()), 8)
    image.load()
    if image.mode == "P":
        table = np.frombuffer(image.palette.tobytes() if image.palette else b"", np.uint8)
        channels = 4 if image.palette and image.palette.mode == "RGBA" else 3
        table = table[: len(table) // channels * channels].reshape(-1, channels)
        if channels == 3:
            return Frame(_array(image)[..., None], Space.PALETTE, 8, 8, palette=table.astype(np.uint16) * 257)
        image = image.convert("RGBA")
    if image.mode not in ("1", "L", "LA", "RGB", "RGBA", "CMYK", "I;16"):
        raise unsupported(f"pixels of the kind {image.mode}")
    return frame(_array(image), Space.CMYK if image.mode == "CMYK" else None)


def _array(pixels: object) -> Array:
    return np.ascontiguousarray(np.asarray(pixels))
