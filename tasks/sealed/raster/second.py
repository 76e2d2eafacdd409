"""The second reading: the same picture by another library than the one that decoded it for the master.

PNG by Pillow (whose decoder is not libpng) or imagecodecs, and where Pillow would cut 16 bits by our own reader;
JPEG, still WebP, GIF, BMP by imagecodecs; JPEG 2000 and AVIF by Pillow (else PDFium); TIFF by libtiff (imagecodecs or
Pillow). Where no other library reads a kind, `library` is empty and the caller must say so.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from tasks.sealed.raster import containers, decode, ifd, jpx_pdfium, png_plain, tiff_source
from tasks.sealed.raster.frame import Array, Budget, Frame, Space, frame, reading, widen

LIBRARIES = ("imagecodecs", "Pillow", "tifffile", "pypdfium2")

PLANES, COLOR_MAP = 2, 320
GRAY = 0
"""PNG colour type."""


@dataclass(frozen=True, slots=True)
class Reading:
    """`library` read the frames (empty: none could); `rounding` says that the coding allows its decoders to round."""

    library: str
    frames: Iterator[Frame]
    rounding: bool = False


def second(path: Path, budget: Budget) -> Reading:
    """The second reading of a picture. Troubles as for `decode.picture`."""
    with path.open("rb") as file:
        kind = containers.kind(file.read(64))
    decode.open_pillow()
    if kind == "tiff":
        return _tiff(path, budget)
    data = path.read_bytes()
    kind = decode.png_kind(data) if kind == "png" else kind
    makers: dict[str, Callable[[bytes, Budget], Reading | None]] = {
        "png": _png, "png palette": _png_palette, "apng": _apng, "jpeg": _jpeg, "jp2": _jpeg2000, "j2k": _jpeg2000,
        "webp": _webp, "gif": _gif,
        "bmp": _bmp, "avif": _avif,
    }  # fmt: skip
    with reading(kind.upper()):
        return makers[kind](data, budget) or Reading("", iter(()))


def _png(data: bytes, budget: Budget) -> Reading:
    head = png_plain.header(data[16:29])
    if head.bits == 16 and (head.colour != GRAY or b"tRNS" in dict(containers.png_chunks(data))):
        return Reading("perenne png_plain", iter([png_plain.read(data, budget)]))
    budget.take(head.width, head.height, 4, 8 if head.bits < 16 else 16)
    with Image.open(io.BytesIO(data)) as image:
        mode = image.mode
        if "transparency" in image.info:
            mode = "LA" if mode in ("1", "L") else "RGBA"
        return Reading("Pillow", iter([frame(_array(image if mode == image.mode else image.convert(mode)))]))


def _png_palette(data: bytes, budget: Budget) -> Reading:
    head = png_plain.header(data[16:29])
    budget.take(head.width, head.height, 3, 8)
    return Reading("imagecodecs", iter([frame(_array(imagecodecs.png_decode(data)))]))


def _apng(data: bytes, budget: Budget) -> Reading:
    with Image.open(io.BytesIO(data)) as image:
        count = getattr(image, "n_frames", 1)
        for _ in range(count):
            budget.take(*image.size, 4, 8)
    frames = imagecodecs.apng_decode(data)[-count:]
    return Reading("imagecodecs", (frame(_rgba(one)) for one in frames))


def _jpeg(data: bytes, budget: Budget) -> Reading | None:
    if decode.jpeg_kind(data) != "jpeg":
        return None
    with Image.open(io.BytesIO(data)) as image:
        budget.take(*image.size, len(image.getbands()), 8)
        cmyk, inverted = image.mode == "CMYK", "adobe" in image.info
    samples = _array(imagecodecs.jpeg8_decode(data))
    turned = 255 - samples if cmyk and inverted else samples
    return Reading("imagecodecs", iter([frame(turned, Space.CMYK if cmyk else None)]), rounding=True)


def _jpeg2000(data: bytes, budget: Budget) -> Reading | None:
    stream = containers.jp2_codestream(data)
    size = decode.jp2_size(stream)
    if size.bits > 8 and size.channels > 1:
        return None  # Pillow cuts these to 8 bits
    budget.take(size.width, size.height, size.channels, 8)
    library = "Pillow"
    try:
        with Image.open(io.BytesIO(data)) as image:
            pixels = _array(image)
    except OSError:
        if size.bits != 8 or size.channels not in jpx_pdfium.COLOUR_SPACES:
            return None
        library, pixels = "pypdfium2", jpx_pdfium.pixels(stream, size.width, size.height, size.channels)
    cmyk = decode.jp2_is_cmyk(data)
    whole = frame(pixels, Space.CMYK if cmyk else None, source_bits=size.bits)
    return Reading(library, iter([whole]), rounding=size.lossy)


def _webp(data: bytes, budget: Budget) -> Reading | None:
    with Image.open(io.BytesIO(data)) as image:
        if getattr(image, "n_frames", 1) > 1:
            return None  # imagecodecs hands out the first frame only
        budget.take(*image.size, 4, 8)
    return Reading("imagecodecs", iter([frame(_array(imagecodecs.webp_decode(data)))]))


def _gif(data: bytes, budget: Budget) -> Reading:
    with Image.open(io.BytesIO(data)) as image:
        for _ in range(getattr(image, "n_frames", 1)):
            budget.take(*image.size, 4, 8)
    pixels = _array(imagecodecs.gif_decode(data))
    stack = pixels if pixels.ndim == 4 else pixels[None]
    return Reading("imagecodecs", (frame(decode.seen(one)) for one in stack))


def _bmp(data: bytes, budget: Budget) -> Reading | None:
    with Image.open(io.BytesIO(data)) as image:
        budget.take(*image.size, len(image.getbands()), 8)
        plain = image.mode in ("1", "L")
    try:
        pixels = _array(imagecodecs.bmp_decode(data))
    except imagecodecs.BmpError:
        return None  # run-length coding and OS/2 headers
    if plain and pixels.ndim == 3 and np.all(pixels == pixels[..., :1]):
        pixels = np.ascontiguousarray(pixels[..., 0])  # a palette of greys
    return Reading("imagecodecs", iter([frame(pixels)]))


def _avif(data: bytes, budget: Budget) -> Reading | None:
    if decode.av1_bits(data) > 8:
        return None  # Pillow cuts these to 8 bits
    with Image.open(io.BytesIO(data)) as image:
        stack = []
        for number in range(getattr(image, "n_frames", 1)):
            budget.take(*image.size, 4, 8)
            image.seek(number)
            stack.append(frame(_array(image)))
    return Reading("Pillow", iter(stack))


@dataclass(frozen=True, slots=True)
class _Plan:
    """Which library reads a page (empty: none), and what its samples mean."""

    number: int
    library: str
    space: Space
    bits: int
    extra: tuple[int, ...] = ()
    inverted: bool = False
    planes: bool = False


def _tiff(path: Path, budget: Budget) -> Reading:
    with reading("TIFF"), tifffile.TiffFile(path) as tiff:
        found = tiff_source.pages(tiff)
        for _, page in found:
            budget.take(page.imagewidth, page.imagelength, page.samplesperpixel, page.bitspersample)
        plans = [_plan(number, page) for number, page in found]
    names = sorted({plan.library for plan in plans})
    if "" in names:
        return Reading("", iter(()))
    rounding = any(int(page.compression) in tiff_source.JPEG_KINDS for _, page in found)
    return Reading(" and ".join(names), _tiff_frames(path, plans), rounding)


def _plan(number: int, page: Any) -> _Plan:
    photometric, bits, samples = int(page.photometric), int(page.bitspersample), int(page.samplesperpixel)
    extra = tuple(int(value) for value in page.extrasamples)
    planes = int(page.planarconfig) == PLANES and samples > 1
    if photometric == tiff_source.SEPARATED:
        # libtiff by imagecodecs turns these to RGB; Pillow reads the plain kind only.
        return _Plan(number, "Pillow" if bits == 8 and samples == 4 else "", Space.CMYK, bits)
    if int(page.compression) == tiff_source.OLD_JPEG or photometric == tiff_source.YCBCR:
        return _Plan(number, "Pillow", Space.RGB, 8)
    space = {tiff_source.RGB: Space.RGB, tiff_source.PALETTE: Space.PALETTE, 8: Space.LAB, 9: Space.ICC_LAB}
    inverted = photometric == tiff_source.MIN_IS_WHITE
    return _Plan(number, "imagecodecs", space.get(photometric, Space.GRAY), bits, extra, inverted, planes)


def _tiff_frames(path: Path, plans: list[_Plan]) -> Iterator[Frame]:
    with reading("TIFF"):
        data = path.read_bytes()
        for plan in plans:
            yield _by_pillow(data, plan.number) if plan.library == "Pillow" else _by_libtiff(data, plan)


def _by_libtiff(data: bytes, plan: _Plan) -> Frame:
    samples = _array(imagecodecs.tiff_decode(data, index=plan.number))
    cube = samples if samples.ndim == 3 else samples[..., None]
    if plan.planes:
        cube = np.moveaxis(cube, 0, -1)
    if plan.space is Space.PALETTE:
        field = ifd.directories(data)[plan.number][COLOR_MAP]
        table = np.array(field.numbers(), np.uint16).reshape(3, -1).T
        return Frame(cube.view(np.uint8) if cube.dtype == np.bool_ else cube, plan.space, 8, palette=table)
    if cube.dtype == np.bool_:
        return Frame(cube.view(np.uint8), plan.space, 1, 1, plan.extra, white_is_zero=plan.inverted)
    wide = widen(cube, plan.bits)
    bits = wide.dtype.itemsize * 8
    return Frame(wide, plan.space, bits, plan.bits, plan.extra, white_is_zero=plan.inverted)


def _by_pillow(data: bytes, number: int) -> Frame:
    with Image.open(io.BytesIO(data)) as image:
        image.seek(number)
        orientation = image.tag_v2.get(274, 1)  # type: ignore[attr-defined]
        pixels = _array(image)
        return frame(_as_stored(pixels, orientation), Space.CMYK if image.mode == "CMYK" else None)


def _as_stored(pixels: Array, orientation: int) -> Array:
    """Undoes the turn that Pillow gives a TIFF by its Orientation."""
    turned = pixels.swapaxes(0, 1) if orientation in (5, 6, 7, 8) else pixels
    down = -1 if orientation in (3, 4, 6, 7) else 1
    across = -1 if orientation in (2, 3, 7, 8) else 1
    return np.ascontiguousarray(turned[::down, ::across])


def _rgba(pixels: Array) -> Array:
    return pixels if pixels.shape[-1] == 4 else np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])


def _array(pixels: object) -> Array:
    return np.ascontiguousarray(np.asarray(pixels))
