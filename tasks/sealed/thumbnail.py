"""A page as a small picture for people: PNG, 16 greys, within a box. Runs inside a job only.

PDF pages are drawn by PDFium, pictures are decoded as for a master. The whole page is shown, however tall: what differs
may be anywhere on it. Pages are drawn as large as the box allows, pictures are never enlarged.
"""

from __future__ import annotations

import base64
import contextlib
import zlib
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2
from PIL import Image

from tasks.premis.model import Trouble
from tasks.sealed import look, pdfium, picture_pages
from tasks.sealed.pdfium import Gray
from tasks.sealed.raster import decode
from tasks.sealed.raster.frame import Frame, budget

LIBRARIES = ("pypdfium2", "pikepdf", "Pillow", "tifffile", "imagecodecs", "numpy")
LEVELS = 16
MOST_PIXELS, MOST_BYTES = 200_000_000, 64 << 30
"""Pixels of a frame (A0 at 300 dpi has 139 million), bytes of all frames up to the wanted one; one is in memory."""
BAND = 4_000_000
"""Pixels that are turned into grey at a time: on the way they take many bytes each."""
HAIR = 1e-6
"""PDFium rounds a size up, so that a page that just fits must be a hair smaller."""


def draw(path: str, page: int = 1, *, width: int, height: int) -> dict[str, Any]:
    """Draws one page, counted from 1, of a PDF or picture.

    Returns {"png", "pages"}: a PNG in base64, at most `width` by `height` pixels; "" for a page that is not there and
    for a file that is neither PDF nor picture, then with 0 pages. Troubles: `source-encrypted`, `source-damaged`,
    `bomb-suspected`.
    """
    if pdfium.is_pdf(path):
        shown, pages = _of_pdf(path, page, width, height)
    elif picture_pages.kind(path):
        shown, pages = _of_picture(path, page, width, height)
    else:
        shown, pages = None, 0
    return {"png": "" if shown is None else base64.b64encode(png(shown)).decode("ascii"), "pages": pages}


def _of_pdf(path: str, number: int, width: int, height: int) -> tuple[Gray | None, int]:
    """A page as `look` sees it: one that fails, or is blank, is drawn as qpdf rewrites it where that opens."""
    with pdfium.document(path) as pdf:
        pages = len(pdf)
        if not 1 <= number <= pages:
            return None, pages
        shown = _drawn(pdf, number, width, height)
    if shown is None or look.ink_share(shown) < look.TRACE:
        with contextlib.suppress(Trouble), pdfium.document_of(pdfium.rewritten(path)) as second:
            shown = _drawn(second, number, width, height) if number <= len(second) else shown
    if shown is None:
        raise Trouble("source-damaged", what=f"page {number} cannot be drawn")
    return shown, pages


def _drawn(pdf: Any, number: int, width: int, height: int) -> Gray | None:
    try:
        page = pdf[number - 1]
        across, down = page.get_size()
        scale = min(width / max(across, HAIR), height / max(down, HAIR)) * (1 - HAIR)
        return _within(pdfium.drawn(page, scale * pdfium.POINTS), width, height)
    except pypdfium2.PdfiumError:
        return None


def _of_picture(path: str, number: int, width: int, height: int) -> tuple[Gray | None, int]:
    picture = decode.picture(Path(path), budget(Path(path), MOST_PIXELS, MOST_BYTES))
    one = next(islice(picture.frames, number - 1, None), None) if 1 <= number <= picture.count else None
    if one is None:
        return None, picture.count
    places = picture_pages.places(path)
    orientation = places[min(number, len(places)) - 1].orientation
    box = (height, width) if orientation >= 5 else (width, height)
    return _within(picture_pages.upright(_gray(one, *box), orientation), width, height), picture.count


def _gray(one: Frame, width: int, height: int) -> Gray:
    """A frame in grey, where it is large already shrunk to about twice the box, band by band."""
    factor = max(1, int(max(one.width / width, one.height / height) / 2))
    if one.samples.dtype.kind != "u":  # its shades depend on all of its pixels, so no band may be alone
        return picture_pages.gray(replace(one, samples=one.samples[::factor, ::factor]))
    rows = max(1, BAND // (one.width * factor)) * factor
    bands = (one.samples[top : top + rows] for top in range(0, one.height, rows))
    grays = (Image.fromarray(picture_pages.gray(replace(one, samples=band))) for band in bands)
    return np.concatenate([np.asarray(gray.reduce(factor)) for gray in grays])


def _within(page: Gray, width: int, height: int) -> Gray:
    scale = min(width / page.shape[1], height / page.shape[0])
    if scale >= 1:
        return page
    size = max(1, int(page.shape[1] * scale + HAIR)), max(1, int(page.shape[0] * scale + HAIR))
    return np.asarray(Image.fromarray(page).resize(size, Image.Resampling.LANCZOS))


def png(page: Gray) -> bytes:
    """A PNG of 4 bits a pixel with nothing but its header, one piece of data and its end (ISO 15948)."""
    levels = ((page.astype(np.uint16) * (LEVELS - 1) + 127) // 255).astype(np.uint8)
    height, width = levels.shape
    even = np.pad(levels, ((0, 0), (0, width % 2)))
    rows = np.pad(even[:, ::2] << 4 | even[:, 1::2], ((0, 0), (1, 0)))  # each begins with 0: no filter
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((4, 0, 0, 0, 0))
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")
