"""What pages look like: is a product blank, or grossly different, where its source is not? Runs inside a job only.

PDF pages are drawn by PDFium at a low resolution, pictures are decoded and shrunk to the size of the product's page.
Both sides become gray; three figures are taken of each pair of pages:

- ink: the share of pixels that differ from the page's ground by more than 40 of 255 levels;
- similarity: the mean over blocks of 8 by 8 pixels of structural similarity (Wang, Bovik, Sheikh, Simoncelli 2004);
- areas: connected groups of blocks that are not similar; the largest one as a share of the page.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pypdfium2
from PIL import Image

from tasks.premis.model import Trouble
from tasks.sealed import pdfium, picture_pages
from tasks.sealed.pdfium import Gray
from tasks.sealed.raster import decode
from tasks.sealed.raster.frame import budget

LIBRARIES = ("pypdfium2", "pikepdf", "Pillow", "tifffile", "imagecodecs", "numpy")
BLOCK = 8
INK = 40
"""Gray levels away from the ground from which on a pixel is ink."""
TRACE = 2e-5
"""A page with less ink (5 pixels of an A4 page at 50 dpi) counts as blank."""
LEFT = 0.05
"""A product page that keeps less than this share of its source's ink is blank where the source is not."""
UNLIKE = 0.5
"""Blocks below this similarity are marked."""
NEIGHBOURS = tuple((down, right) for down in (-1, 0, 1) for right in (-1, 0, 1))
"""Shifts by a pixel: at 50 dpi half a millimetre."""
LUMINANCE, CONTRAST = 6.5, 58.5
"""(0.01 x 255)² and (0.03 x 255)², the constants that keep flat blocks stable."""
FINE = 1000
"""Pages of small pictures are drawn about this large, a whole number of times their pixels."""
MOST_PIXELS, MOST_BYTES = 400_000_000, 4 << 30
"""What a picture source may unpack to: pixels of a frame, bytes of all."""

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Look:
    """One pair of pages: ink of both sides, similarity, marked areas and the largest one's share of the page."""

    before: float
    after: float
    similarity: float
    areas: int
    largest: float

    @property
    def blank(self) -> bool:
        """The source shows something and the product next to nothing of it."""
        return self.before >= TRACE and self.after < LEFT * self.before

    def differs(self, ink: float, similarity: float, area: float) -> bool:
        """Whether a threshold is broken: relative change of ink, least similarity, largest marked area."""
        change = abs(self.before - self.after)
        return (
            change > max(ink * max(self.before, self.after), 5e-4)
            or self.similarity < similarity
            or self.largest > area
        )


def compare(
    source: str, product: str, *, dpi: int = 50, ink: str = "0.15", similarity: str = "0.95", area: str = "0.01"
) -> dict[str, Any]:
    """Compares the look of every page of the source, a PDF or a picture, with the product's page.

    Returns {"source", "pages", "compared", "unreadable", "blank", "differing", "least", "most_ink_change"}: `source`
    is "pdf", "picture" or "other" (then nothing was compared and `alone` answers instead), `blank` lists page numbers,
    `differing` [page, areas, similarity], `unreadable` source pages that PDFium cannot draw.
    """
    limits = float(ink), float(similarity), float(area)
    what = "pdf" if pdfium.is_pdf(source) else "picture" if picture_pages.kind(source) else "other"
    answer: dict[str, Any] = {"source": what, "compared": 0, "unreadable": [], "blank": [], "differing": []}
    answer |= {"least": "1", "most_ink_change": "0"}
    least, change = 1.0, 0.0
    with pdfium.product(product) as after:
        answer["pages"] = len(after)
        if what == "other":
            return answer
        pairs = _of_pdf(source, after, dpi) if what == "pdf" else _of_picture(source, after, dpi)
        for number, (before, shown) in enumerate(pairs):
            if before is None:
                answer["unreadable"].append(number + 1)
                continue
            look = _look(before, shown)
            if look.differs(*limits):
                look = _look(before, shown, shifts=NEIGHBOURS)  # thin lines that moved by a hair are the same lines
            answer["compared"] += 1
            least, change = min(least, look.similarity), max(change, abs(look.before - look.after))
            if look.blank:
                answer["blank"].append(number + 1)
            elif look.differs(*limits):
                answer["differing"].append([number + 1, look.areas, f"{look.similarity:.3f}"])
    return answer | {"least": f"{least:.4f}", "most_ink_change": f"{change:.4f}"}


def alone(product: str, *, dpi: int = 50) -> dict[str, Any]:
    """Looks at a PDF without a source to compare it with: {"pages", "blank": [numbers of pages without ink]}."""
    with pdfium.product(product) as pdf:
        blank = [number + 1 for number in range(len(pdf)) if ink_share(_shown(pdf, number, dpi)) < TRACE]
        return {"pages": len(pdf), "blank": blank}


def _shown(pdf: Any, number: int, dpi: float) -> Gray:
    """A page of the product; one that cannot be drawn is Trouble `product-blank`."""
    page = _drawn(pdf, number, dpi)
    if page is None:
        raise Trouble("product-blank", pages="1")
    return page


def _drawn(pdf: Any, number: int, dpi: float) -> Gray | None:
    try:
        page = pdf[number]
    except pypdfium2.PdfiumError:
        return None
    try:
        return pdfium.drawn(page, dpi)
    except pypdfium2.PdfiumError:
        return None
    finally:
        page.close()


def _of_pdf(source: str, product: Any, dpi: int) -> Iterator[tuple[Gray | None, Gray]]:
    """Pairs of pages; a source page that PDFium cannot draw, or draws blank alone, is drawn as qpdf rewrites it."""
    with contextlib.ExitStack() as stack:
        pdf = stack.enter_context(pdfium.document(source))
        second: Any = None
        for number in range(min(len(pdf), len(product))):
            page, shown = _drawn(pdf, number, dpi), _shown(product, number, dpi)
            if page is None or (ink_share(page) < TRACE <= ink_share(shown)):
                second = second or stack.enter_context(pdfium.document_of(pdfium.rewritten(source)))
                page = _drawn(second, number, dpi) if number < len(second) else None
            yield page, shown


def _of_picture(source: str, product: Any, dpi: int) -> Iterator[tuple[Gray | None, Gray]]:
    """Pairs of pages; the product's is drawn at the picture's own resolution, then both shrink in the same way."""
    places = picture_pages.places(source)
    picture = decode.picture(Path(source), budget(Path(source), MOST_PIXELS, MOST_BYTES))
    for number, frame in enumerate(picture.frames):
        if number >= len(product):
            return
        orientation = places[min(number, len(places) - 1)].orientation
        upright = picture_pages.upright(picture_pages.gray(frame), orientation)
        own = pdfium.POINTS * upright.shape[1] / max(product.get_page_size(number)[0], 1e-6)
        drawn = _shown(product, number, own * max(1, FINE // max(upright.shape)))
        shrink = min(1.0, dpi / own)
        shape = max(BLOCK, round(upright.shape[0] * shrink)), max(BLOCK, round(upright.shape[1] * shrink))
        yield _shrunk(upright, shape), _shrunk(drawn, shape)


def _shrunk(page: Gray, shape: tuple[int, ...]) -> Gray:
    if page.shape == shape:
        return page
    return np.asarray(Image.fromarray(page).resize((shape[1], shape[0]), Image.Resampling.BOX))


def _look(before: Gray, after: Gray, *, shifts: Sequence[tuple[int, int]] = ((0, 0),)) -> Look:
    """Measures a pair of pages; of several shifts of the product the best counts, block by block."""
    before = _shrunk(before, after.shape)
    similar = np.maximum.reduce([similarity(before, np.roll(after, shift, (0, 1))) for shift in shifts])
    marked = similar < UNLIKE
    sizes = areas(marked)
    largest = max(sizes, default=0) / marked.size if marked.size else 0.0
    return Look(
        ink_share(before), ink_share(after), float(similar.mean()) if similar.size else 1.0, len(sizes), largest
    )


def ink_share(page: Gray) -> float:
    """The share of pixels that stand out from the page's ground, its most frequent shade."""
    shades = np.bincount(page.ravel() >> 4, minlength=16)
    ground = int(np.median(page[(page >> 4) == int(shades.argmax())]))
    return float((np.abs(page.astype(np.int16) - ground) > INK).mean())


def similarity(before: Gray, after: Gray) -> npt.NDArray[np.float32]:
    """Structural similarity of each block of 8 by 8 pixels, 1 where both are alike; two pages of one shape."""
    rows, columns = before.shape[0] // BLOCK, before.shape[1] // BLOCK
    one, two = (
        page[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK).astype(np.float32)
        for page in (before, after)
    )
    mean_one, mean_two = one.mean((1, 3)), two.mean((1, 3))
    spread = one.var((1, 3)) + two.var((1, 3))
    together = (one * two).mean((1, 3)) - mean_one * mean_two
    light = (2 * mean_one * mean_two + LUMINANCE) / (mean_one**2 + mean_two**2 + LUMINANCE)
    return np.asarray(light * (2 * together + CONTRAST) / (spread + CONTRAST), np.float32)


def areas(marked: Flags) -> list[int]:
    """Sizes, in blocks, of the groups of marked blocks that touch each other (by side or corner)."""
    left = {(int(row), int(column)) for row, column in np.argwhere(marked)}
    sizes = []
    while left:
        waiting, size = [left.pop()], 0
        while waiting:
            row, column = waiting.pop()
            size += 1
            near = {(row + y, column + x) for y in (-1, 0, 1) for x in (-1, 0, 1)} & left
            left -= near
            waiting.extend(near)
        sizes.append(size)
    return sizes
