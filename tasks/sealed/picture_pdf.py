"""Pictures of pages into a PDF, pixel for pixel, by img2pdf (JPEG 2000 by our own hand). Runs inside a job only.

JPEG, JPEG 2000 and plain PNG go into the PDF as they are, their streams untouched. Everything else is decoded exactly
and packed without loss (CCITT group 4 for 1 bit, Flate otherwise). Only what PDF/A cannot hold changes, and the answer
counts it: transparency becomes white paper, more than 16 bits and CMYK of 16 bits become 8, CIELAB becomes gray.
Orientation becomes the page's /Rotate; a mirrored picture is turned in its pixels, since a page has no mirror.
"""

from __future__ import annotations

import contextlib
import io
import logging
import shutil
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import img2pdf
import numpy as np
import pikepdf
from pikepdf import Name
from PIL import Image

from tasks.premis.model import Trouble
from tasks.sealed import pdfium, picture_pages
from tasks.sealed.picture_pages import Place
from tasks.sealed.raster import containers, decode
from tasks.sealed.raster.frame import Array, Frame, Space, budget

LIBRARIES = ("img2pdf", "pikepdf", "Pillow", "tifffile", "imagecodecs", "numpy")
MOST_PIXELS, MOST_BYTES = 400_000_000, 8 << 30
"""What a picture may unpack to: pixels of a frame, bytes of all."""
CHUNK = 50
"""Pages put together at a time: a job may hold 256 files open."""
TURNS = {1: 0, 3: 180, 6: 90, 8: 270}
"""EXIF Orientation without a mirror, as degrees of /Rotate (clockwise)."""
PAGE_SIDES = (3.0, 14_400.0)
JP2_COLOURS = (16, 17)
"""Enumerated colour spaces of ISO 15444-1: sRGB, gray."""
PROFILES = {b"GRAY": "L", b"RGB ": "RGB", b"CMYK": "CMYK"}


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page on disk, ready for img2pdf: degrees of /Rotate, resolution, and what had to change."""

    path: Path
    turn: int
    dpi: tuple[float, float]
    assumed: bool = False
    kept: bool = False
    flattened: bool = False
    reduced: bool = False


def pages(source: str, product: str, *, default_dpi: int = 300) -> dict[str, Any]:
    """Puts every page of a picture file on a PDF page of its own size.

    Returns {"pages", "dpi_x", "dpi_y", "assumed", "kept", "flattened", "reduced"}: the first page's resolution as
    decimal strings, and how many pages have an assumed one (`default_dpi`, since the file claims none that is
    credible), have their stream untouched, lost their transparency, were reduced in depth or colour.
    Raises Trouble `source-damaged` or `bomb-suspected`.
    """
    logging.getLogger("img2pdf").setLevel(logging.ERROR)
    decode.open_pillow()
    folder = Path(product).with_suffix(".pages")
    folder.mkdir()
    try:
        sheets = list(_sheets(source, folder, (float(default_dpi), float(default_dpi))))
        _bind(sheets, folder, product)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    counts = {
        name: sum(getattr(sheet, name) for sheet in sheets) for name in ("assumed", "kept", "flattened", "reduced")
    }
    across, down = sheets[0].dpi
    return {"pages": len(sheets), "dpi_x": f"{across:g}", "dpi_y": f"{down:g}", **counts}


def _sheets(source: str, folder: Path, default: tuple[float, float]) -> Iterator[Sheet]:
    places = picture_pages.places(source)
    if (whole := _untouched(source, places)) is not None:
        place = places[0]
        with Image.open(whole) as image:
            dpi = _fitting(image.size, place.dpi or default)
        yield Sheet(whole, TURNS[place.orientation], dpi, assumed=dpi != place.dpi, kept=True)
        return
    path = Path(source)
    for number, frame in enumerate(decode.picture(path, budget(path, MOST_PIXELS, MOST_BYTES)).frames):
        place = places[min(number, len(places) - 1)]
        yield _sheet(frame, place, folder / f"{number:06}", default)


def _untouched(source: str, places: list[Place]) -> Path | None:
    """The source itself when its stream can go into a PDF as it is."""
    path, kind = Path(source), picture_pages.kind(source)
    if len(places) != 1 or places[0].orientation not in TURNS or kind not in ("jpeg", "png", "jp2"):
        return None
    with contextlib.suppress(OSError, SyntaxError), Image.open(path) as image:
        if image.width * image.height > MOST_PIXELS:
            return None  # the budget says it properly
        if kind == "png":
            return path if _plain_png(path.read_bytes()) else None
        if kind == "jp2":
            plain = image.mode in ("L", "RGB") and _jp2_colour(path.read_bytes()) is not None
            return path if plain else None
        if image.mode in ("L", "RGB", "CMYK"):
            image.load()  # cut or broken: then the exact decoder says what is wrong
            return path
    return None


def _plain_png(data: bytes) -> bool:
    """Whether img2pdf can lift the IDAT of a PNG: not interlaced, no alpha, one picture, no profile on a palette."""
    names = [name for name, _ in containers.png_chunks(data)]
    colour, interlaced = data[25], data[28]
    plain = not interlaced and colour in (0, 2, 3) and b"tRNS" not in names and b"acTL" not in names
    return plain and not (colour == 3 and b"iCCP" in names) and names[-1:] == [b"IEND"]


def _sheet(frame: Frame, place: Place, path: Path, default: tuple[float, float]) -> Sheet:
    shown = picture_pages.on_white(frame)
    samples, reduced = shown.samples, False
    if shown.space in (Space.LAB, Space.ICC_LAB):
        samples, reduced = picture_pages.gray(shown)[..., None], True
    elif shown.bits > 16 or samples.dtype.kind == "f" or (shown.bits > 8 and shown.space is Space.CMYK):
        samples, reduced = picture_pages.eight_bits(samples), True
    turn = TURNS.get(place.orientation)
    if turn is None:
        samples = picture_pages.upright(samples, place.orientation)
    path.write_bytes(_packed(samples, shown.bits == 1, place.icc))
    flattened = picture_pages.see_through(frame)
    dpi = _fitting((samples.shape[1], samples.shape[0]), place.dpi or default)
    return Sheet(path, turn or 0, dpi, assumed=dpi != place.dpi, flattened=flattened, reduced=reduced)


def _fitting(size: tuple[int, int], dpi: tuple[float, float]) -> tuple[float, float]:
    """The resolution, or the nearest one with which the page's sides are 3 to 14 400 points (ISO 32000-1, annex C)."""
    low, high = PAGE_SIDES
    across, down = (
        min(max(value, pdfium.POINTS * side / high), pdfium.POINTS * side / low)
        for value, side in zip(dpi, size, strict=True)
    )
    return across, down


def _packed(samples: Array, bilevel: bool, icc: bytes) -> bytes:
    """Samples as a file that img2pdf takes over without loss: PNG, or TIFF for 1 bit and for CMYK."""
    buffer = io.BytesIO()
    if bilevel:
        shades = np.where(samples[..., 0] != 0, np.uint8(255), np.uint8(0))
        Image.fromarray(shades).convert("1", dither=Image.Dither.NONE).save(buffer, "TIFF")
        return buffer.getvalue()
    flat = samples[..., 0] if samples.shape[2] == 1 else samples
    mode = {1: "L", 3: "RGB", 4: "CMYK"}[samples.shape[2]]
    profile = icc if PROFILES.get(icc[16:20]) == mode else b""
    if mode == "CMYK":
        Image.frombytes("CMYK", (samples.shape[1], samples.shape[0]), samples.tobytes()).save(
            buffer, "TIFF", icc_profile=profile or None
        )
        return buffer.getvalue()
    return _with_profile(bytes(imagecodecs.png_encode(np.ascontiguousarray(flat))), profile)


def _with_profile(png: bytes, profile: bytes) -> bytes:
    """A PNG with an iCCP chunk behind its IHDR (PNG, 11.3.2.3)."""
    if not profile:
        return png
    body = b"iCCPprofile\0\0" + zlib.compress(profile)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return png[:33] + chunk + png[33:]


def _bind(sheets: list[Sheet], folder: Path, product: str) -> None:
    parts = []
    for start in range(0, len(sheets), CHUNK):
        parts.append(folder / f"part{start:06}.pdf")
        _merge([_page(sheet, folder) for sheet in sheets[start : start + CHUNK]], parts[-1])
    _merge(parts, Path(product))


def _page(sheet: Sheet, folder: Path) -> Path:
    target = folder / f"{sheet.path.stem}.page.pdf"
    if sheet.kept and picture_pages.kind(str(sheet.path)) == "jp2":
        _jp2_page(sheet, target)
        return target
    try:
        with target.open("wb") as out:
            img2pdf.convert(
                str(sheet.path),
                outputstream=out,
                engine=img2pdf.Engine.pikepdf,
                layout_fun=img2pdf.get_fixed_dpi_layout_fun(sheet.dpi),
                rotation=img2pdf.Rotation[str(sheet.turn)] if sheet.turn else img2pdf.Rotation.none,
                first_frame_only=True,
                nodate=True,
                producer="",
            )
    except (ValueError, img2pdf.ImageOpenError, img2pdf.JpegColorspaceError, img2pdf.AlphaChannelError) as error:
        raise Trouble("source-damaged", what=f"img2pdf: {error}"[:200]) from None
    return target


def _jp2_colour(data: bytes) -> bytes | None:
    """The profile of a JP2's first colr box, b"" for sRGB or gray by number, None for colours that PDF/A refuses."""
    boxes = ((start, end) for name, start, end in containers.jp2_boxes(data) if name == b"jp2h")
    for start, end in boxes:
        for name, first, last in containers.jp2_boxes(data, start, end):
            if name == b"colr":
                method, number = data[first], int.from_bytes(data[first + 3 : first + 7], "big")
                known = method == 1 and number in JP2_COLOURS
                return b"" if known else data[first + 3 : last] if method == 2 else None
    return None


def _jp2_page(sheet: Sheet, target: Path) -> None:
    """A page of a JP2 as it is (ISO 32000-1, 7.4.9): img2pdf 0.6.3 loops for ever over some resolution boxes."""
    data = sheet.path.read_bytes()
    size = decode.jp2_size(containers.jp2_codestream(data))
    width, height = (
        pdfium.POINTS * pixels / dpi for pixels, dpi in zip((size.width, size.height), sheet.dpi, strict=True)
    )
    with pikepdf.new() as pdf:
        space: pikepdf.Object = Name.DeviceGray if size.channels == 1 else Name.DeviceRGB
        if profile := _jp2_colour(data):
            space = pikepdf.Array([Name.ICCBased, pdf.make_stream(profile, N=size.channels)])
        image = pdf.make_stream(
            b"", Type=Name.XObject, Subtype=Name.Image, Width=size.width, Height=size.height, ColorSpace=space
        )
        image.BitsPerComponent = size.bits
        image.write(data, filter=Name.JPXDecode)
        page = pdf.add_blank_page(page_size=(round(width, 4), round(height, 4)))
        page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Im0=image))
        page.Contents = pdf.make_stream(f"q {width:.4f} 0 0 {height:.4f} 0 0 cm /Im0 Do Q".encode())
        if sheet.turn:
            page.Rotate = sheet.turn
        pdf.save(target, deterministic_id=True)


def _merge(parts: list[Path], target: Path) -> None:
    with contextlib.ExitStack() as stack:
        joined = stack.enter_context(pikepdf.new())
        for part in parts:
            joined.pages.extend(stack.enter_context(pikepdf.open(part)).pages)
        joined.save(target, deterministic_id=True)
    for part in parts:
        part.unlink()
