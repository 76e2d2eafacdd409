"""TIFF pages by tifffile, or by libtiff where tifffile does not decode the same (old-style JPEG) or not at all."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile

from tasks.premis.model import Trouble
from tasks.sealed.raster.frame import COLOURS, Array, Budget, Frame, Space, frame, reading, unsupported, widen

LIBRARIES = ("tifffile", "imagecodecs")
OLD_JPEG = 6
MIN_IS_WHITE, MIN_IS_BLACK, RGB, PALETTE, MASK, SEPARATED, YCBCR = 0, 1, 2, 3, 4, 5, 6
JPEG_KINDS = frozenset({6, 7, 33007, 34892})
"""Compressions after which tifffile hands out RGB for YCbCr."""
REDUCED = 1
MOST_PAGES = 20_000


def pages(tiff: Any) -> list[tuple[int, Any]]:
    """(number in the file, page) of the full-resolution pages: those that count as the picture."""
    found = []
    for number in range(MOST_PAGES + 1):
        try:
            page = tiff.pages[number]
        except IndexError:
            break
        if number == MOST_PAGES:
            raise Trouble("bomb-suspected", ratio=">1000", size=f"more than {MOST_PAGES} pages")
        if not int(page.tags.valueof(254, 0) or 0) & REDUCED:
            found.append((number, page))
    if not found:
        raise Trouble("source-damaged", what="TIFF without a full page")
    _check_end(tiff)
    return found


def _check_end(tiff: Any) -> None:
    """Raises `source-damaged` when the last directory names a further one that could not be read: a page is lost."""
    offsets = [tiff.pages[number].offset for number in range(len(tiff.pages))]
    parts, file = tiff.tiff, tiff.filehandle
    file.seek(offsets[-1])
    (entries,) = struct.unpack(parts.tagnoformat, file.read(parts.tagnosize))
    file.seek(offsets[-1] + parts.tagnosize + entries * parts.tagsize)
    after = file.read(parts.offsetsize)
    following = struct.unpack(parts.offsetformat, after)[0] if len(after) == parts.offsetsize else 0
    if following and following not in offsets:
        raise Trouble("source-damaged", what=f"the TIFF names a further page at byte {following}, which is not there")


def described(path: Path) -> tuple[str, int]:
    """The libraries that `frames` reads a TIFF with, and how many full pages it has."""
    with reading("TIFF"), tifffile.TiffFile(path) as tiff:
        found = pages(tiff)
        names = sorted({"imagecodecs" if _needs_libtiff(page) else "tifffile" for _, page in found})
        return " and ".join(names), len(found)


def frames(path: Path, budget: Budget) -> Iterator[Frame]:
    """Every full page, one at a time."""
    size = path.stat().st_size
    with reading("TIFF"), tifffile.TiffFile(path) as tiff:
        found = pages(tiff)
        for _, page in found:
            _refuse_cut(page, size)
            budget.take(page.imagewidth, page.imagelength, page.samplesperpixel, page.bitspersample)
        whole = path.read_bytes() if any(_needs_libtiff(page) for _, page in found) else b""
        for number, page in found:
            yield _by_libtiff(whole, number) if _needs_libtiff(page) else _frame(page)


def _refuse_cut(page: Any, size: int) -> None:
    # tifffile fills missing strips with zeros without a word; a master must not.
    counts, offsets = page.databytecounts, page.dataoffsets
    if int(page.compression) == OLD_JPEG and page.tags.get(513):
        return  # the data are where JPEGInterchangeFormat points
    if not offsets or len(offsets) != len(counts):
        raise Trouble("source-damaged", what=f"{len(offsets)} strips but {len(counts)} strip sizes")
    for offset, count in zip(offsets, counts, strict=True):
        if offset <= 0 or count <= 0 or offset + count > size:
            raise Trouble("source-damaged", what=f"pixels at byte {offset + count} of a file of {size} bytes")


def _needs_libtiff(page: Any) -> bool:
    photometric, compression = int(page.photometric), int(page.compression)
    return compression == OLD_JPEG or (photometric == YCBCR and compression not in JPEG_KINDS)


def _by_libtiff(data: bytes, number: int) -> Frame:
    return frame(np.ascontiguousarray(imagecodecs.tiff_decode(data, index=number)))


def _cube(page: Any) -> Array:
    """(height, width, samples), whatever the planes were."""
    raw = page.asarray(squeeze=False)  # separate sample, depth, length, width, contig sample
    if raw.ndim != 5 or raw.shape[1] != 1:
        raise Trouble("source-damaged", what=f"TIFF page of shape {raw.shape}")
    cube = raw[:, 0]
    return np.ascontiguousarray(cube[0] if cube.shape[0] == 1 else np.moveaxis(cube[..., 0], 0, -1))


def _space(page: Any) -> Space:
    photometric = int(page.photometric)
    known = {MIN_IS_WHITE: Space.GRAY, MIN_IS_BLACK: Space.GRAY, MASK: Space.GRAY, RGB: Space.RGB, YCBCR: Space.RGB,
             PALETTE: Space.PALETTE, SEPARATED: Space.CMYK, 8: Space.LAB, 9: Space.ICC_LAB}  # fmt: skip
    if photometric not in known:
        raise unsupported(f"PhotometricInterpretation {photometric}")
    if photometric == SEPARATED and int(page.tags.valueof(332, 1) or 1) != 1:
        raise unsupported("inks other than CMYK")
    return known[photometric]


def _frame(page: Any) -> Frame:
    cube, space = _cube(page), _space(page)
    bits = int(page.bitspersample)
    inverted = int(page.photometric) == MIN_IS_WHITE
    surplus = cube.shape[2] - COLOURS[space]
    if surplus < 0:
        raise Trouble("source-damaged", what=f"{cube.shape[2]} samples a pixel where {space.name} needs more")
    extra = (*(int(value) for value in page.extrasamples), *([0] * surplus))[:surplus]
    if cube.dtype == np.bool_:
        one_bit = cube.view(np.uint8)
        if space is Space.GRAY and not surplus:
            return Frame(one_bit, space, 1, 1, white_is_zero=inverted)
        cube = one_bit if space is Space.PALETTE else one_bit * np.uint8(255)
    if space is Space.PALETTE:
        table = np.asarray(page.colormap, np.uint16).T
        return Frame(cube, space, 8 if bits <= 8 else 16, bits, extra, palette=table)
    wide = widen(cube, bits) if bits > 1 else cube
    return Frame(wide, space, wide.dtype.itemsize * 8, bits, extra, white_is_zero=inverted)
